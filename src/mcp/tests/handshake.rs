//! Both eras of the protocol, and what the session makes of them.

use super::*;
use crate::protocol::event::NewName;
use crate::protocol::hello::Role;
use crate::protocol::name::Name;
use crate::protocol::request::Register;

/// What each request carries from 2026-07-28 on.
pub fn modern_meta(capabilities: Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/clientInfo": {"name": "copilot-cli", "version": "1"},
    })
}

#[tokio::test]
async fn initialize_agrees_on_a_version_of_its_era() {
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = Client::of(Daemon::ordinary());
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let result = client.request(0, "initialize", params).await["result"].clone();
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "ipcd");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(result["instructions"].as_str().unwrap().contains("not instructions of your user"));
        client.finish().await;
    }
}

#[tokio::test]
async fn discover_and_a_call_need_no_initialize() {
    let mut client = Client::of(Daemon::ordinary());
    let found = client.request(1, "server/discover", json!({"_meta": modern_meta(json!({}))})).await;
    let versions = found["result"]["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2024-11-05")));
    let params = json!({"name": "list_instances", "_meta": modern_meta(json!({}))});
    let message = client.request(2, "tools/call", params).await;
    assert_eq!(message["result"]["resultType"], "complete");
    assert_eq!(content_of(&message), json!({"ok": "list"}));
    let daemon = client.finish().await;
    let hello = daemon.hello.lock().unwrap().clone().unwrap();
    assert_eq!((hello.role, hello.program.as_deref()), (Role::Mcp, Some("copilot-cli")));
}

#[tokio::test]
async fn a_probe_may_be_followed_by_the_older_handshake_and_noise_between() {
    let mut client = Client::of(Daemon::ordinary());
    client.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    client.ping(1).await;
    client.request(2, "server/discover", json!({"_meta": modern_meta(json!({}))})).await;
    client.cancel(2).await;
    client.say(json!({"jsonrpc": "2.0", "id": 77, "result": {}})).await;
    let refused = client.request(3, "tools/list", json!({})).await;
    assert_eq!(refused["error"]["code"], -32602, "neither era: {refused}");
    client.cancel(3).await;
    let result = client.initialize("t", json!({})).await;
    assert_eq!(result["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(client.request(4, "tools/list", json!({})).await["result"]["tools"][0]["name"], "register");
    client.finish().await;
}

#[tokio::test]
async fn tools_are_listed_as_asked_for() {
    for (tools, count) in [(Toolset::All, 13), (Toolset::Core, 4)] {
        let mut client = Client::with(Daemon::ordinary(), Setup { tools, ..Setup::default() });
        client.initialize("t", json!({})).await;
        let listed = client.request(1, "tools/list", json!({})).await;
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), count);
        let hidden =
            client.request(2, "tools/call", json!({"name": "rename", "arguments": {"new_id": "b"}})).await;
        assert_eq!(hidden["error"]["code"] == -32602, tools == Toolset::Core, "{hidden}");
        client.finish().await;
    }
}

#[tokio::test]
async fn the_name_is_taken_in_the_background() {
    let client = Client::ready(|_| None).await;
    let log = client.daemon.logged(|log| !log.is_empty()).await;
    assert_eq!(log, [Seen::Call(Request::Register(Register::default()))]);
    let hello = client.daemon.hello.lock().unwrap().clone().unwrap();
    assert_eq!(hello.program.as_deref(), Some("claude-code"));
    assert!(hello.client.starts_with("ipcd/"));
    let daemon = client.finish().await;
    assert_eq!(daemon.log().last(), Some(&Seen::Bye));
}

#[tokio::test]
async fn a_name_that_was_asked_for_is_taken_or_its_refusal_shown_until_it_is_free() {
    let tries = Mutex::new(0);
    let daemon = Daemon::new(move |request| match request {
        Request::Register(r) if r.name.as_deref() == Some("alice") => {
            *tries.lock().unwrap() += 1;
            (*tries.lock().unwrap() <= 2)
                .then(|| refusal(RefusalCode::NameTaken, "`alice` is held by another"))
        }
        _ => None,
    });
    let naming = Naming { wanted: Some("alice".to_owned()), manual: false };
    let mut client = Client::with(daemon, Setup { naming, ..Setup::default() });
    client.initialize("t", json!({})).await;
    client.daemon.logged(|log| !log.is_empty()).await;
    let refused = client.call(1, "check", json!({})).await;
    assert_eq!(refused["error"]["code"], "name_taken");
    assert_eq!(refused["error"]["hint"], "a hint");
    assert_eq!(refused["error"]["recoverable"], true);
    assert_eq!(client.call(2, "check", json!({})).await["messages"], json!([]));
    client.finish().await;
}

#[tokio::test]
async fn without_automatic_names_nothing_is_said_to_the_daemon_before_a_call() {
    let naming = Naming { wanted: None, manual: true };
    let daemon = Daemon::new(|request| match request {
        Request::Check(_) => Some(refusal(RefusalCode::NotRegistered, "you have no name")),
        _ => None,
    });
    let mut client = Client::with(daemon, Setup { naming, ..Setup::default() });
    client.initialize("t", json!({})).await;
    assert_eq!(client.daemon.log(), []);
    assert_eq!(client.call(1, "check", json!({})).await["error"]["code"], "not_registered");
    assert_eq!(client.call(2, "register", json!({"name": "bob"})).await["name"], "bob");
    client.finish().await;
}

#[tokio::test]
async fn a_reconnect_resumes_the_name_and_claims_what_is_held() {
    let mut client = Client::ready(|r| matches!(r, Request::Check(_)).then(|| mail(7))).await;
    client.daemon.logged(|log| !log.is_empty()).await;
    client.call(1, "check", json!({})).await;
    let resume = client.daemon.resume.lock().unwrap().clone().unwrap();
    // The answer is here; that it was flushed is noted right after.
    let register = resume().expect("there is a name");
    assert_eq!((register.name.as_deref(), register.auto), (Some("webapp"), true));
    assert_eq!(register.held.iter().map(|id| id.0).collect::<Vec<_>>(), [7]);

    client.call(2, "rename", json!({"new_id": "bob"})).await;
    let register = resume().unwrap();
    assert_eq!((register.name.as_deref(), register.auto), (Some("bob"), false));
    assert_eq!(register.held, [], "settled by the call after it, and the daemon knows");

    // A command below the agent renames it.
    let new = Event::Renamed(NewName { name: Name::parse("carol").unwrap() });
    client.daemon.events.send(new).unwrap();
    timeout(DEADLINE, async {
        while resume().unwrap().name.as_deref() != Some("carol") {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the new name is claimed from the next daemon");

    client.daemon.events.send(Event::Released).unwrap();
    timeout(DEADLINE, async {
        while resume().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("a released name is not taken again");
    client.call(3, "list_instances", json!({})).await;
    let registrations = client.daemon.log().iter().filter(|seen| seen.registers()).count();
    assert_eq!(registrations, 1);
    client.finish().await;
}

#[tokio::test]
async fn a_name_that_a_new_daemon_does_not_know_is_taken_again() {
    let known = Mutex::new(0);
    let mut client = Client::ready(move |request| {
        let mut known = known.lock().unwrap();
        *known += u32::from(matches!(request, Request::Register(_)));
        (*known == 1 && !matches!(request, Request::Register(_)))
            .then(|| refusal(RefusalCode::NotRegistered, "you have no name"))
    })
    .await;
    client.daemon.logged(|log| !log.is_empty()).await;
    assert_eq!(client.call(1, "check", json!({})).await["messages"], json!([]));
    let daemon = client.finish().await;
    let methods: Vec<_> =
        daemon.log().iter().map(|seen| seen.word().split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["register", "check", "register", "check", "bye"]);
}
