//! Messages that belong together: answers, threads, messages passed on, and what is said of mail along the way.

use serde_json::json;

use crate::world::World;

#[test]
fn a_conversation_is_answered_without_names_and_can_be_followed() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let first = alice.ok("send", json!({"to_id": "bob", "content": "which port?"}))["id"].clone();
    bob.ok("check", json!({}));
    let answered = bob.ok("send", json!({"content": "8080"}));
    assert_eq!(answered["to"], "alice", "it goes to whoever wrote what was read last");
    let told = alice.ok("check", json!({}))["messages"][0].clone();
    assert_eq!((&told["content"], &told["thread"]), (&json!("8080"), &first));
    let thanks = alice.ok("send", json!({"content": "thanks", "reply_to": told["id"]}));
    assert_eq!(thanks["to"], "bob");
    let heard = bob.ok("check", json!({}))["messages"][0].clone();
    assert_eq!((&heard["reply_to"], &heard["thread"]), (&told["id"], &first));
    let other = alice.ok("send", json!({"to_id": "bob", "content": "something else"}))["id"].clone();
    let said = bob.shell("check");
    assert!(said.out.contains("something else"), "{said:?}");
    bob.ok("list_instances", json!({}));
    let log = world.run(&["log", "--thread", &first.to_string()]);
    let heads = log.out.lines().filter(|line| line.contains("  message "));
    assert_eq!(heads.count(), 3, "{}", log.out);
    assert!(log.out.contains(&format!("from bob to alice, thread {first}, read")), "{}", log.out);
    assert!(log.out.contains(&format!("reply to {}, thread {first}, read", told["id"])), "{}", log.out);
    assert!(!log.out.contains(&format!("message {other} ")), "{}", log.out);
}

#[test]
fn a_message_is_passed_on_whole_by_an_agent_and_by_a_person() {
    let world = World::new();
    let (mut alice, mut bob, mut carol) = (world.agent("alice"), world.agent("bob"), world.agent("carol"));
    let long = "y".repeat(100_000);
    for content in ["look at this", long.as_str()] {
        let id =
            alice.ok("send", json!({"to_id": "bob", "content": content, "data": {"n": 1}}))["id"].clone();
        bob.ok("check", json!({}));
        bob.ok("send", json!({"to_id": "carol", "content": "fyi", "forward": id}));
        let got = carol.ok("check", json!({}))["messages"][0].clone();
        let whole = match got["content"].is_string() {
            true => got["data"].clone(),
            false => {
                let path = got["path"].as_str().expect("a copy");
                let copy: serde_json::Value =
                    serde_json::from_slice(&std::fs::read(path).expect("it is ours")).expect("JSON of both");
                copy["data"].clone()
            }
        };
        assert_eq!(
            (&whole["type"], &whole["id"], &whole["from"]),
            (&json!("forwarded"), &id, &json!("alice"))
        );
        assert_eq!((&whole["content"], &whole["data"]), (&json!(content), &json!({"n": 1})));
        // A person finds what was read in the history.
        let number = id.to_string();
        let said = world.run(&["send", "carol", "--forward", &number]);
        assert_eq!(said.code, 0, "{said:?}");
        let got = carol.ok("check", json!({}))["messages"][0].clone();
        assert!(got["content"] == "" || got["path"].is_string(), "{got}");
        carol.ok("list_instances", json!({}));
    }
    let said = world.run(&["send", "carol", "--forward", "999"]);
    assert!(said.code == 1 && said.err.contains("999"), "{said:?}");
}

#[test]
fn every_answer_tells_how_much_waits() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    alice.ok("send", json!({"to_id": "bob", "content": "one"}));
    for (tool, arguments) in [
        ("register", json!({"instance_id": "bob"})),
        ("send", json!({"to_id": "alice", "content": "x"})),
        ("broadcast", json!({"content": "x"})),
        ("list_instances", json!({})),
        ("auto_process", json!({"auto_check": "status"})),
        ("rename", json!({"new_id": "rob"})),
    ] {
        assert_eq!(bob.ok(tool, arguments)["unread"], 1, "{tool}");
    }
    let refused = bob.call("send", json!({"to_id": "no such name!", "content": "x"}));
    assert!(refused.is_error && refused.value["unread"] == 1, "{refused:?}");
    let sent = alice.ok("send", json!({"to_id": ["rob", "carol"], "content": "two"}));
    assert_eq!(sent["results"].as_array().map(Vec::len), Some(2));
    assert_eq!(bob.ok("check", json!({}))["unread"], 0);
}
