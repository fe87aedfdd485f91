//! The policies of `share_file` and `share_command` as an agent meets them, in a session over stdio with
//! the real program, and as `ipcd policy check` tells them.

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::World;

/// An agent whose client can ask its person.
fn asking(world: &World, name: &str) -> Agent {
    let mut agent = world.silent("work", &[]);
    agent.handshake_with("test-agent", json!({"elicitation": {}}));
    agent.ok("register", json!({"instance_id": name}));
    agent
}

fn command(text: &str) -> Value {
    json!({"to_id": "bob", "command": text})
}

fn file(path: &str) -> Value {
    json!({"to_id": "bob", "filepath": path})
}

/// Calls, answers the question that comes with this, and gives the question's text and the result.
fn asked(agent: &mut Agent, tool: &str, arguments: Value, action: &str) -> (String, Value) {
    let call = agent.start(tool, arguments);
    let question = agent.asked();
    assert_eq!(question["method"], "elicitation/create", "{question}");
    agent.answers(&question, json!({"action": action, "content": {}}));
    let text = question["params"]["message"].as_str().expect("a text").to_owned();
    (text, agent.finish(call).value)
}

fn mail(world: &World, name: &str) -> usize {
    let listed = world.json(&["list"]);
    let instances = listed["instances"].as_array().expect("instances");
    let one = instances.iter().find(|i| i["name"] == name);
    one.map_or(0, |i| i["unread"].as_u64().expect("a count") as usize)
}

/// `ipcd policy check`, in the agents' folder: its exit code and what it says.
fn check(world: &World, arguments: &[&str]) -> (i32, Value) {
    let mut run = world.command(&[&["policy", "check", "--json"], arguments].concat());
    let output = run.current_dir(world.folder("work")).output().expect("it runs");
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code().expect("a code"), said)
}

fn verdict(world: &World, arguments: &[&str]) -> (i32, String, String) {
    let (code, said) = check(world, arguments);
    let word = |key: &str| said[key].as_str().unwrap_or_else(|| panic!("no {key}: {said}")).to_owned();
    (code, word("verdict"), word("rule"))
}

fn told(code: i32, verdict: &str, rule: &str) -> (i32, String, String) {
    (code, verdict.to_owned(), rule.to_owned())
}

#[test]
fn commands_of_mode_auto_run_unless_a_person_says_no() {
    let world = World::new();
    let mut bob = world.agent("bob");
    let mut alice = asking(&world, "alice");
    for (action, runs) in [("accept", true), ("decline", false), ("cancel", false)] {
        let (question, result) = asked(&mut alice, "share_command", command("touch ran"), action);
        assert!(question.contains("\"touch\" \"ran\"") && question.contains("bob"), "{question}");
        let ran = world.home().join("work/ran");
        assert_eq!(ran.exists(), runs, "{result}");
        assert_eq!(result["error"]["code"] == "denied", !runs, "{result}");
        let _ = std::fs::remove_file(ran);
    }
    // A client that cannot ask does as the systems did that ipcd follows.
    assert_eq!(bob.ok("share_command", json!({"to_id": "alice", "command": "echo hi"}))["returncode"], 0);
    assert_eq!(mail(&world, "bob"), 1);
    let (code, said) = check(&world, &["command", "--", "touch", "ran"]);
    assert_eq!((code, &said["verdict"], &said["otherwise"]), (0, &json!("ask"), &json!("allow")), "{said}");
    assert_eq!(
        (&said["rule"], &said["argv"]),
        (&json!("share_command.mode = \"auto\""), &json!(["touch", "ran"]))
    );
}

#[test]
fn commands_of_mode_allow_run_unasked() {
    let world = World::with_config("[share_command]\nmode = \"allow\"\n");
    world.agent("bob");
    let mut alice = asking(&world, "alice");
    assert_eq!(alice.ok("share_command", command("echo hi"))["returncode"], 0);
    assert!(alice.notifications.iter().all(|said| said["method"] != "elicitation/create"));
    let rule = "share_command.mode = \"allow\"";
    assert_eq!(verdict(&world, &["command", "--", "echo hi"]), told(0, "allow", rule));
}

#[test]
fn commands_of_mode_ask_run_after_a_yes_and_never_without() {
    let world = World::with_config("[share_command]\nmode = \"ask\"\n");
    let mut bob = world.agent("bob");
    let mut alice = asking(&world, "alice");
    assert_eq!(asked(&mut alice, "share_command", command("echo hi"), "accept").1["returncode"], 0);
    assert_eq!(
        asked(&mut alice, "share_command", command("echo hi"), "decline").1["error"]["code"],
        "denied"
    );
    let arguments = json!({"to_id": "alice", "command": "touch ran"});
    assert_eq!(bob.refused("share_command", arguments), "denied", "it cannot ask");
    assert!(!world.home().join("work/ran").exists());
    let (code, said) = check(&world, &["command", "--", "echo"]);
    assert_eq!((code, &said["verdict"], &said["otherwise"]), (0, &json!("ask"), &json!("deny")));
}

#[test]
fn commands_of_mode_allowlist_are_those_of_the_list() {
    let world =
        World::with_config("[share_command]\nmode = \"allowlist\"\nallow = [[\"echo\", \"ok\"], [\"ls\"]]\n");
    world.agent("bob");
    let mut alice = asking(&world, "alice");
    assert_eq!(alice.ok("share_command", command("echo ok then"))["returncode"], 0);
    for text in ["echo okay", "echo", "/bin/echo ok", "env echo ok", "touch ran", "'echo ok'"] {
        assert_eq!(alice.refused("share_command", command(text)), "denied", "{text}");
    }
    assert!(!world.home().join("work/ran").exists());
    let listed = "share_command.allow has [\"echo\", \"ok\"]";
    assert_eq!(verdict(&world, &["command", "--", "echo", "ok", "then"]), told(0, "allow", listed));
    let mode = "share_command.mode = \"allowlist\"";
    assert_eq!(verdict(&world, &["command", "--", "echo", "okay"]), told(1, "deny", mode));
}

#[test]
fn mode_off_shares_nothing() {
    let world = World::with_config("[share_command]\nmode = \"off\"\n[share_file]\nmode = \"off\"\n");
    world.agent("bob");
    world.folder("work");
    world.file("work/a.txt", "a");
    let mut alice = asking(&world, "alice");
    assert_eq!(alice.refused("share_command", command("touch ran")), "denied");
    assert_eq!(alice.refused("share_file", file("a.txt")), "denied");
    assert!(!world.home().join("work/ran").exists() && mail(&world, "bob") == 0);
    let rule = |section: &str| format!("{section}.mode = \"off\"");
    assert_eq!(verdict(&world, &["command", "--", "ls"]), told(1, "deny", &rule("share_command")));
    assert_eq!(verdict(&world, &["file", "a.txt"]), told(1, "deny", &rule("share_file")));
}

#[test]
fn files_of_mode_any_are_shared_but_for_secrets() {
    let world = World::new();
    world.agent("bob");
    world.folder("work");
    let outside = world.file("outside.txt", "o").display().to_string();
    world.file("work/.env", "A=1");
    world.file("work/key.txt", format!("-----BEGIN {} KEY-----\n{}\n", "PRIVATE", "aB3d".repeat(16)));
    let mut alice = asking(&world, "alice");
    alice.ok("share_file", file(&outside));
    for path in [".env", "key.txt"] {
        assert_eq!(alice.refused("share_file", file(path)), "secret", "{path}");
    }
    assert_eq!(mail(&world, "bob"), 1);
    assert_eq!(verdict(&world, &["file", &outside]), told(0, "allow", "share_file.mode = \"any\""));
    assert_eq!(verdict(&world, &["file", ".env"]), told(1, "deny", "share_file.deny has \"**/.env\""));
    let (code, said) = check(&world, &["file", "key.txt"]);
    assert_eq!((code, &said["code"]), (1, &json!("secret")));
    assert_eq!(said["rule"], "share_file.scan_secrets = true");
    assert!(said["message"].as_str().is_some_and(|text| text.contains("private key")), "{said}");
}

#[test]
fn files_of_mode_roots_are_below_a_root() {
    let world = World::with_config("[share_file]\nmode = \"roots\"\n");
    world.agent("bob");
    world.folder("work");
    let outside = world.file("outside.txt", "o").display().to_string();
    world.file("work/in.txt", "i");
    std::os::unix::fs::symlink(&outside, world.home().join("work/link.txt")).expect("a link");
    let mut alice = asking(&world, "alice");
    alice.ok("share_file", file("in.txt"));
    for path in [&*outside, "../outside.txt", "link.txt"] {
        assert_eq!(alice.refused("share_file", file(path)), "denied", "{path}");
        assert_eq!(
            verdict(&world, &["file", path]),
            told(1, "deny", "share_file.mode = \"roots\""),
            "{path}"
        );
    }
    let (code, word, rule) = verdict(&world, &["file", "in.txt"]);
    assert_eq!((code, word.as_str()), (0, "allow"));
    assert!(rule.starts_with("share_file.mode = \"roots\", below /") && rule.ends_with("/work"), "{rule}");
}

#[test]
fn files_of_mode_ask_are_shared_after_a_yes() {
    let world = World::with_config("[share_file]\nmode = \"ask\"\n");
    let mut bob = world.agent("bob");
    world.file("work/a.txt", "a");
    let mut alice = asking(&world, "alice");
    let (question, result) = asked(&mut alice, "share_file", file("a.txt"), "accept");
    assert!(question.contains("/work/a.txt") && question.contains("bob"), "{question}");
    assert_eq!(result["stored"], true);
    assert_eq!(asked(&mut alice, "share_file", file("a.txt"), "decline").1["error"]["code"], "denied");
    assert_eq!(bob.refused("share_file", json!({"to_id": "alice", "filepath": "a.txt"})), "denied");
    let (code, said) = check(&world, &["file", "a.txt"]);
    assert_eq!((code, &said["verdict"], &said["otherwise"]), (0, &json!("ask"), &json!("deny")));
    assert_eq!(said["path"].as_str().map(|path| path.ends_with("/work/a.txt")), Some(true));
}

#[test]
fn a_front_end_for_another_host_shares_nothing_of_this_one() {
    let ssh = ("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
    let world = World::with_config("[share_command]\nmode = \"allow\"\n");
    let mut bob = world.agent("bob");
    world.file("work/a.txt", "a");
    let share = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut agent = world.silent_with("work", arguments, environment);
        agent.handshake("test-agent");
        let results =
            [agent.call("share_file", file("a.txt")), agent.call("share_command", command("touch ran"))];
        // Mail is what it is for.
        agent.ok("send", json!({"to_id": "bob", "content": "hi"}));
        let ran = world.home().join("work/ran");
        let existed = ran.exists();
        let _ = std::fs::remove_file(ran);
        (results.map(|result| result.value["error"].clone()), existed)
    };
    for (arguments, environment, why) in [
        (&["--remote-client"][..], &[][..], "for a client elsewhere"),
        (&[], &[ssh], "over ssh"),
        (&["--remote-client"], &[ssh], "for a client elsewhere"),
    ] {
        let (errors, ran) = share(arguments, environment);
        assert!(!ran, "{arguments:?}");
        for error in errors {
            assert_eq!(error["code"], "denied", "{error}");
            assert!(error["message"].as_str().is_some_and(|text| text.contains(why)), "{error}");
            assert!(error["hint"].as_str().is_some_and(|text| text.contains("--local-client")), "{error}");
        }
    }
    for (arguments, environment) in [(&[][..], &[("SSH_CONNECTION", "")][..]), (&["--local-client"], &[ssh])]
    {
        assert_eq!(share(arguments, environment), ([Value::Null, Value::Null], true), "{arguments:?}");
    }
    while bob.ok("check", json!({}))["remaining"] != 0 {}

    let remote = told(1, "deny", "ipcd mcp --remote-client");
    assert_eq!(verdict(&world, &["--remote-client", "file", "a.txt"]), remote);
    assert_eq!(verdict(&world, &["--remote-client", "command", "--", "ls"]), remote);
    let mut login = world.command(&["policy", "check", "file", "work/a.txt"]);
    let output = login.env(ssh.0, ssh.1).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("rule: SSH_CONNECTION"), "{output:?}");
}

#[test]
fn a_policy_check_sends_nothing_runs_nothing_and_needs_no_daemon() {
    let world = World::new();
    world.folder("work");
    world.file("work/big", vec![b'x'; (1 << 20) + 1]);
    for (arguments, rule) in [
        (&["command", "--", "touch ran | cat"][..], "a shared command runs without a shell"),
        (&["file", "."], "a shared file is a regular file"),
        (&["file", "/dev/zero"], "a shared file is a regular file"),
        (&["file", "big"], "a shared file has at most 1 MiB, and a command line 32 KiB"),
    ] {
        assert_eq!(verdict(&world, arguments), told(1, "deny", rule), "{arguments:?}");
    }
    let (code, said) = check(&world, &["file", "missing"]);
    assert_eq!((code, &said["error"]["code"]), (1, &json!("unreadable")), "{said}");
    let said = world.run(&["policy", "check", "command", "--", "touch", "ran"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.starts_with("ask: touch ran\n")
            && said.out.contains("\nrule: share_command.mode = \"auto\"\n")
    );
    assert!(said.out.contains("config.toml"), "{said:?}");
    assert!(!world.home().join("ran").exists() && !world.socket().exists());
    assert_eq!(world.run(&["policy", "check", "file"]).code, 2);
    assert_eq!(world.run(&["policy", "check", "--remote-client", "--local-client", "file", "x"]).code, 2);
}
