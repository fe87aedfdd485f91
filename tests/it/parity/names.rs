//! Rows 1 to 4, 11, 23 and 24: who has which name, who speaks under it, and who is there.

use serde_json::{Value, json};

use super::{check, contents, drain, failure, listed, listed_names, messages, now, send, text, time};
use crate::world::{World, until};

#[test]
fn row_01_register_a_name() {
    let world = World::new();
    let mut alice = world.nameless(&[]);
    let longest = "n".repeat(32);
    for name in ["Alice_2-x", "0", &longest] {
        let answer = alice.ok("register", json!({"instance_id": name}));
        assert_eq!(answer["name"], name);
        let mut fields: Vec<&String> = answer.as_object().expect("an object").keys().collect();
        fields.sort_unstable();
        assert_eq!(fields, ["name", "peers", "resumed", "unread"]);
        let text = answer.to_string();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        assert!(words.map(str::len).max() <= Some(32), "nothing in it could be a secret: {answer}");
    }
    let too_long = "n".repeat(33);
    for bad in ["bad name!", &too_long, "", "eve\n", " eve", "-eve", "\u{e4}ve", "eve\0", "a/b", ".."] {
        assert_eq!(alice.refused("register", json!({"instance_id": bad})), "invalid_name", "{bad:?}");
    }
    for reserved in ["system", "User", "all"] {
        assert_eq!(alice.refused("register", json!({"instance_id": reserved})), "name_reserved");
    }
    assert_eq!(alice.refused("register", json!({})), "invalid_argument");
    assert_eq!(alice.refused("register", json!({"instance_id": "a", "name": "b"})), "invalid_argument");
    assert_eq!(listed(&mut alice, &longest)["you"], true, "what is refused changes nothing");
    assert_eq!(alice.ok("register", json!({"name": "alice"}))["name"], "alice", "as terminals say it");
}

#[test]
fn row_02_queued_count_on_register() {
    let world = World::new();
    let mut alice = world.agent("alice");
    for number in 1..=3 {
        let answer = send(&mut alice, "carol", &format!("message {number}"));
        assert_eq!(answer["recipient"]["unread"], number);
    }
    let mut carol = world.nameless(&[]);
    let answer = carol.ok("register", json!({"instance_id": "carol"}));
    assert_eq!(answer, json!({"name": "carol", "resumed": false, "unread": 3, "peers": ["alice"]}));
    assert_eq!(contents(&check(&mut carol)), ["message 1", "message 2", "message 3"]);
}

#[test]
fn row_03_a_live_name_is_refused_and_a_dead_ones_is_taken_over() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let first = world.agent("x");
    send(&mut alice, "x", "for whoever is x");
    let mut second = world.nameless(&[]);

    let refused = failure(&mut second, "register", json!({"instance_id": "X"}));
    assert_eq!(refused["code"], "name_taken", "another case is the same name");
    let holder = format!("test-agent in {} (pid {})", world.folder("work").display(), first.pid());
    assert!(text(&refused["message"]).contains(&holder), "{refused}");

    // A daemon that restarts does not free the name of a process that lives.
    world.kill_daemon();
    assert_eq!(second.refused("register", json!({"instance_id": "x"})), "name_taken");

    first.dies();
    let answer = second.ok("register", json!({"instance_id": "x"}));
    assert_eq!((&answer["resumed"], &answer["unread"]), (&json!(true), &json!(1)));
    assert!(text(&answer["last_holder"]).starts_with("test-agent in "), "{answer}");
    assert_eq!(contents(&check(&mut second)), ["for whoever is x"]);
    assert_eq!(listed(&mut second, "x")["you"], true);
}

#[test]
fn row_04_register_again_keeps_the_mailbox() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "still here");
    for name in ["bob", "bob", "BOB"] {
        let answer = bob.ok("register", json!({"instance_id": name}));
        assert_eq!((&answer["name"], &answer["resumed"]), (&json!(name), &json!(true)));
        assert_eq!(answer["unread"], 1);
        assert_eq!(answer.get("last_holder"), None, "it was never anybody else's");
    }
    assert_eq!(listed_names(&mut bob), ["alice", "BOB"]);
    let mail = check(&mut bob);
    assert_eq!((contents(&mail), &mail[0]["delivery"]), (vec!["still here"], &json!(1)));
}

#[test]
fn row_11_nobody_speaks_for_another() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "for bob only");
    let touched = world.folder("work").join("touched");
    let file = world.file("note.txt", "a note").display().to_string();
    let mut carol = world.agent("carol");
    for other in ["root", "bob", "never-seen", "system"] {
        for (tool, arguments) in [
            ("send", json!({"from_id": other, "to_id": "bob", "content": "x"})),
            ("broadcast", json!({"from_id": other, "content": "x"})),
            ("check", json!({"instance_id": other})),
            ("rename", json!({"old_id": other, "new_id": "mine"})),
            ("share_file", json!({"from_id": other, "to_id": "bob", "filepath": file})),
            (
                "share_command",
                json!({"from_id": other, "to_id": "bob", "command": format!("touch {}", touched.display())}),
            ),
            ("auto_process", json!({"instance_id": other})),
            ("auto_process", json!({"instance_id": other, "auto_check": "stop"})),
            ("send_message", json!({"from": other, "to": "bob", "summary": "x", "content": "x"})),
            ("get_messages", json!({"terminal_name": other})),
            ("watch_messages", json!({"terminal_name": other, "timeout": 1})),
        ] {
            let refused = failure(&mut carol, tool, arguments);
            assert_eq!(refused["code"], "not_owner", "{tool}");
            assert_eq!(refused["message"], format!("you are `carol`, not `{other}`"));
        }
    }
    assert!(!touched.exists(), "a command of which nothing can be sent is not run");
    assert_eq!(listed_names(&mut carol), ["alice", "bob", "carol"]);
    assert_eq!(contents(&check(&mut bob)), ["for bob only"]);

    carol.ok("send", json!({"from_id": "Carol", "to_id": "bob", "content": "from myself"}));
    let mail = check(&mut bob);
    assert_eq!((&mail[0]["from"], contents(&mail)), (&json!("carol"), vec!["from myself"]));
    assert_eq!(mail[0]["sender"]["pid"], carol.pid());
}

#[test]
fn row_23_the_list_shows_who_is_there() {
    let world = World::new();
    let start = now();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let carol = world.agent("carol");
    send(&mut alice, "carol", "hello");
    for (name, pid, you, unread) in
        [("alice", alice.pid(), true, 0), ("bob", bob.pid(), false, 0), ("carol", carol.pid(), false, 1)]
    {
        let instance = listed(&mut alice, name);
        assert_eq!(instance["state"], "live");
        assert_eq!(instance["client"], "test-agent");
        assert_eq!(instance["cwd"], world.folder("work").display().to_string());
        assert_eq!((&instance["pid"], &instance["you"]), (&json!(pid), &json!(you)));
        assert_eq!((&instance["unread"], &instance["wakes"]), (&json!(unread), &json!("none")));
        let (since, seen) = (time(&instance["since"]), time(&instance["last_seen"]));
        assert!(start <= since && since <= seen && seen <= now(), "{instance}");
    }

    let before = time(&listed(&mut alice, "bob")["last_seen"]);
    until("the clock goes on", || now() > before);
    bob.ok("check", json!({}));
    assert!(time(&listed(&mut alice, "bob")["last_seen"]) > before, "the last activity is the last one");

    let died = now();
    carol.dies();
    until("carol is seen to be gone", || listed(&mut alice, "carol")["state"] == "offline");
    let gone = listed(&mut alice, "carol");
    assert_eq!((gone.get("pid"), &gone["unread"]), (None, &json!(1)), "{gone}");
    assert!(time(&gone["last_seen"]) >= died, "it was there until it died: {gone}");
    assert_eq!(listed(&mut alice, "bob")["state"], "live");
    let by_terminals = alice.ok("list_terminals", json!({}));
    assert_eq!(by_terminals["instances"].as_array().map(Vec::len), Some(3));

    let people = world.run(&["list"]);
    let line = |name| people.out.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    assert!(line("carol").contains("offline") && line("bob").contains("live"), "{people:?}");
}

#[test]
fn row_24_the_status_is_a_resource() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut bob, "alice", "one");
    send(&mut bob, "later", "two");
    let found = alice.request("resources/list", json!({}));
    let uris = found["resources"].as_array().expect("resources").iter().map(|r| text(&r["uri"]));
    assert_eq!(uris.collect::<Vec<_>>(), ["ipc://status", "ipc://inbox"]);

    let read = |agent: &mut crate::agent::Agent, uri: &str| {
        let answer = agent.request("resources/read", json!({"uri": uri}));
        let content = &answer["contents"][0];
        assert_eq!((&content["uri"], &content["mimeType"]), (&json!(uri), &json!("application/json")));
        serde_json::from_str::<Value>(text(&content["text"])).expect("JSON")
    };
    let status = read(&mut alice, "ipc://status");
    assert_eq!((&status["you"], &status["unread"]), (&json!("alice"), &json!(1)));
    let instances = status["instances"].as_array().expect("instances").iter();
    let shown: Vec<_> = instances.map(|i| (text(&i["name"]), text(&i["state"]))).collect();
    assert_eq!(shown, [("alice", "live"), ("bob", "live")]);
    assert_eq!(status["unclaimed"][0]["name"], "later");
    assert_eq!(status["backlog_messages"], 2);
    assert_eq!(status["daemon"]["pid"], world.daemon_pid());

    // Looking into the inbox takes nothing out of it.
    for _ in 0..2 {
        assert_eq!(contents(&messages(&read(&mut alice, "ipc://inbox"))), ["one"]);
    }
    assert_eq!(drain(&mut alice).len(), 1);

    let unknown = alice.send("resources/read", json!({"uri": "ipc://nothing"}));
    let error = alice.answer(unknown)["error"].clone();
    assert_eq!(error["code"], -32002);
    assert!(text(&error["message"]).contains("ipc://status"), "{error}");
}
