//! Files and commands, and the person who is asked about them.

#[cfg(unix)]
use super::handshake::modern_meta;
use super::*;
use crate::share::policy::CommandMode;

fn setup(mode: CommandMode, folder: &std::path::Path) -> Setup {
    let mut setup = Setup::default();
    setup.sharing.commands.mode = mode;
    setup.sharing.here.cwd = folder.to_owned();
    #[cfg(unix)]
    {
        setup.sharing.here.ipcd = stand_in(folder);
    }
    setup
}

/// Runs a command and says what a supervisor says: the shell takes the first argument for this script.
/// That a supervisor ends what is left is tested with the real one.
#[cfg(unix)]
fn stand_in(folder: &std::path::Path) -> std::path::PathBuf {
    let script =
        "shift\necho started 1 >&0\n\"$@\" </dev/null\necho ended $(($? * 256)) >&0\necho gone >&0\n";
    std::fs::write(folder.join(crate::share::supervisor::VERB), script).unwrap();
    "/bin/sh".into()
}

async fn client(mode: CommandMode, folder: &std::path::Path, capabilities: Value) -> Client {
    let mut client = Client::with(Daemon::ordinary(), setup(mode, folder));
    client.initialize("t", capabilities).await;
    client
}

const ECHO: &str = "echo hi";

#[tokio::test]
async fn a_file_is_read_here_and_sent() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "hello\n").unwrap();
    let mut client = client(CommandMode::Auto, folder.path(), json!({})).await;
    let sent =
        client.call(1, "share_file", json!({"to_id": "bob", "filepath": "a.txt", "description": "d"})).await;
    assert_eq!(sent, json!({"ok": "send"}));
    let Request::Send(send) = client.daemon.last() else { panic!() };
    assert_eq!(send.to, ["bob"]);
    assert!(send.data.unwrap().get().contains("hello"));
    let refused = client.call(2, "share_file", json!({"to_id": "bob", "filepath": "."})).await;
    assert_eq!(refused["error"]["code"], "not_a_file");
    let refused = client.call(3, "share_file", json!({"to_id": "", "filepath": "a.txt"})).await;
    assert_eq!(refused["error"]["code"], "invalid_argument");
    client.finish().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_runs_unasked_where_nobody_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut client = client(CommandMode::Auto, folder.path(), json!({})).await;
    let sent = client.call(1, "share_command", json!({"to_id": "bob", "command": ECHO})).await;
    assert_eq!(sent, json!({"ok": "send", "returncode": 0, "timed_out": false}));
    let Request::Send(send) = client.daemon.last() else { panic!() };
    assert!(send.data.unwrap().get().contains("hi"));
    let refused = client.call(2, "share_command", json!({"to_id": "bob", "command": "echo a | wc -l"})).await;
    assert_eq!(refused["error"]["code"], "shell_syntax");
    client.finish().await;
}

#[tokio::test]
async fn without_a_person_a_command_that_needs_one_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut client = client(CommandMode::Ask, folder.path(), json!({})).await;
    let refused = client.call(1, "share_command", json!({"to_id": "bob", "command": ECHO})).await;
    assert_eq!(refused["error"]["code"], "denied");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("ipcd share"));
    client.finish().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_person_is_asked_in_the_middle_of_a_call() {
    let folder = tempfile::tempdir().unwrap();
    let mut client = client(CommandMode::Auto, folder.path(), json!({"elicitation": {}})).await;
    for (action, goes) in [("accept", true), ("decline", false), ("cancel", false)] {
        client.start_call(1, "share_command", json!({"to_id": "bob", "command": ECHO})).await;
        let question = client.hear().await;
        assert_eq!(question["method"], "elicitation/create", "{question}");
        assert_eq!(question["params"]["requestedSchema"], json!({"type": "object", "properties": {}}));
        assert!(question["params"]["message"].as_str().unwrap().contains("\"echo\" \"hi\""));
        client.ping(2).await;
        let answer = match goes {
            true => json!({"action": action, "content": {}}),
            false => json!({"action": action}),
        };
        client.say(json!({"jsonrpc": "2.0", "id": question["id"], "result": answer})).await;
        let result = content_of(&client.hear().await);
        assert_eq!(result["returncode"] == 0, goes, "{result}");
        assert_eq!(result["error"]["code"] == "denied", !goes, "{result}");
    }
    client.finish().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_person_is_asked_between_two_calls() {
    let folder = tempfile::tempdir().unwrap();
    let mut client = Client::with(Daemon::ordinary(), setup(CommandMode::Ask, folder.path()));
    let call = |more: Value| {
        let mut params = json!({
            "name": "share_command",
            "arguments": {"to_id": "bob", "command": ECHO},
            "_meta": modern_meta(json!({"elicitation": {"form": {}}})),
        });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let asked = client.request(1, "tools/call", call(json!({}))).await["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["consent"];
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().contains("\"echo\" \"hi\""));
    assert_eq!(
        client.daemon.words(),
        [r#"auto {"set":"status"}"#],
        "nothing is run or sent before the answer"
    );

    let yes =
        json!({"requestState": asked["requestState"], "inputResponses": {"consent": {"action": "accept"}}});
    let done = content_of(&client.request(2, "tools/call", call(yes.clone())).await);
    assert_eq!(done["returncode"], 0, "{done}");
    let again = client.request(3, "tools/call", call(yes)).await["result"].clone();
    assert_eq!(again["resultType"], "input_required", "an answer counts once");
    let no =
        json!({"requestState": again["requestState"], "inputResponses": {"consent": {"action": "decline"}}});
    let refused = content_of(&client.request(4, "tools/call", call(no)).await);
    assert_eq!(refused["error"]["code"], "denied");
    client.finish().await;
}
