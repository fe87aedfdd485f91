//! Rows 25 to 31: a new name, and everything that was on its way to the old one.

use std::time::Duration;

use serde_json::json;

use super::{check, contents, drain, failure, listed, listed_names, now, send, text, time};
use crate::world::{World, until};

const NO_COOLDOWN: &str = "[limits]\nrename_cooldown_s = 0\n";

#[test]
fn row_25_rename_oneself() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "before");
    for old in ["alice", "nobody"] {
        let refused = failure(&mut bob, "rename", json!({"old_id": old, "new_id": "mine"}));
        assert_eq!(refused["code"], "not_owner");
    }
    let answer = bob.ok("rename", json!({"old_id": "bob", "new_id": "bobby"}));
    assert_eq!((&answer["name"], &answer["forwards_from"]), (&json!("bobby"), &json!("bob")));
    assert_eq!(listed_names(&mut alice), ["alice", "bobby"]);
    assert_eq!(listed(&mut bob, "bobby")["you"], true);

    let sent = send(&mut alice, "bobby", "after");
    assert_eq!((&sent["to"], sent.get("forwarded_from")), (&json!("bobby"), None));
    let mail = drain(&mut bob);
    assert_eq!(contents(&mail), ["before", "after"], "at once, and all of it");
    send(&mut bob, "alice", "who am I?");
    let mail = drain(&mut alice);
    assert_eq!(
        mail.last().map(|m| (&m["from"], &m["content"])),
        Some((&json!("bobby"), &json!("who am I?")))
    );
    bob.ok("broadcast", json!({"content": "to the others"}));
    assert!(drain(&mut bob).is_empty(), "its own broadcasts and notices are not for it");
    bob.ok("check", json!({"instance_id": "bob"}));
    assert_eq!(alice.refused("check", json!({"instance_id": "bob"})), "not_owner", "it is bob's old name");
    assert_eq!(alice.refused("rename", json!({"new_id": "bobby"})), "name_taken");
    for bad in ["bad name!", "", "n\n"] {
        assert_eq!(alice.refused("rename", json!({"new_id": bad})), "invalid_name");
    }
    assert_eq!(alice.refused("rename", json!({"new_id": "system"})), "name_reserved");
    assert_eq!(listed_names(&mut alice), ["alice", "bobby"]);
}

#[test]
fn row_26_old_names_forward_along_any_chain() {
    let world = World::with_config(NO_COOLDOWN);
    let mut alice = world.agent("alice");
    let mut bob = world.agent("a");
    let before = now();
    for name in ["b", "c", "d"] {
        let until = time(&bob.ok("rename", json!({"new_id": name}))["forward_until"]);
        let hours = Duration::from_secs(2 * 3600);
        assert!((before + hours..=now() + hours).contains(&until), "two hours");
    }
    for old in ["a", "b", "c"] {
        let sent = send(&mut alice, old, &format!("to {old}"));
        assert_eq!((&sent["to"], &sent["forwarded_from"]), (&json!("d"), &json!(old)), "the sender is told");
        assert_eq!(sent["recipient"]["state"], "live");
    }
    world.kill_daemon();
    send(&mut alice, "A", "in capitals, after a restart");
    let mail = drain(&mut bob);
    assert_eq!(contents(&mail), ["to a", "to b", "to c", "in capitals, after a restart"]);
    assert!(mail.iter().all(|mail| mail["to"] == "d"));
}

#[test]
fn row_26_a_forward_ends() {
    let world = World::with_config("[limits]\nrename_cooldown_s = 0\nforward_s = 0.5\n");
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    bob.ok("rename", json!({"new_id": "bobby"}));
    until("the forward ends", || world.json(&["status"])["forwards"] == json!([]));
    let sent = send(&mut alice, "bob", "to somebody new");
    assert_eq!((&sent["to"], sent.get("forwarded_from")), (&json!("bob"), None));
    assert_eq!(sent["recipient"]["state"], "unregistered");
    assert!(drain(&mut bob).is_empty());
    let mut other = world.agent("bob");
    assert_eq!(contents(&drain(&mut other)), ["to somebody new"], "the old name is free again");
    assert_eq!(listed(&mut bob, "bobby")["you"], true);
}

#[test]
fn row_27_one_rename_an_hour() {
    let world = World::new();
    let mut bob = world.agent("bob");
    bob.ok("rename", json!({"new_id": "bobby"}));
    let refused = failure(&mut bob, "rename", json!({"new_id": "robert"}));
    assert_eq!(refused["code"], "rename_cooldown");
    assert_eq!(refused["hint"], "try again in 60 minutes");
    assert_eq!(bob.ok("rename", json!({"new_id": "BOBBY"}))["name"], "BOBBY", "case is no other name");
    assert_eq!(bob.refused("rename", json!({"new_id": "bob"})), "rename_cooldown", "nor is back free");
    assert_eq!(bob.shell("rename robert").code, 1, "nor another door");
}

#[test]
fn row_27_the_cooldown_ends_and_is_configurable() {
    let world = World::with_config("[limits]\nrename_cooldown_s = 3\n");
    let mut bob = world.agent("bob");
    // A refused rename costs nothing.
    assert_eq!(bob.refused("rename", json!({"new_id": "bad name!"})), "invalid_name");
    bob.ok("rename", json!({"new_id": "bobby"}));
    let mut refused = 0;
    until("another rename is possible", || {
        let outcome = bob.call("rename", json!({"new_id": "robert"}));
        if outcome.is_error {
            assert_eq!(outcome.value["error"]["code"], "rename_cooldown");
            refused += 1;
        }
        !outcome.is_error
    });
    assert!(refused > 0, "it was not possible before");
    assert_eq!(listed_names(&mut bob), ["robert"]);
}

#[test]
fn row_28_others_are_told_of_a_rename() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let mut carol = world.agent("carol");
    send(&mut bob, "future", "x");
    carol.ok("rename", json!({"new_id": "caroline"}));
    world.kill_daemon();
    for reader in [&mut alice, &mut bob] {
        let mail = drain(reader);
        assert_eq!(contents(&mail), ["📝 carol renamed to caroline"]);
        assert_eq!((&mail[0]["from"], &mail[0]["sender"]["verified"]), (&json!("system"), &json!("daemon")));
    }
    assert!(drain(&mut carol).is_empty(), "it knows");
    let mut future = world.agent("future");
    assert_eq!(contents(&drain(&mut future)), ["x"], "whoever was never here is not told");
    // Nobody can answer the daemon, or pass for it.
    assert_eq!(alice.refused("send", json!({"to_id": "system", "content": "thanks"})), "name_reserved");
}

#[test]
fn row_29_a_rename_keeps_both_mailboxes() {
    let world = World::with_config("[limits]\nmailbox_messages = 3\nsender_share_percent = 100\n");
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    for (to, content) in
        [("bob", "1"), ("dave", "2"), ("bob", "3"), ("dave", "4"), ("dave", "5"), ("bob", "6")]
    {
        send(&mut alice, to, content);
    }
    let first = bob.ok("check", json!({"limit": 1}));
    assert_eq!((&first["messages"][0]["content"], &first["unread"]), (&json!("1"), &json!(2)));
    let renamed = bob.ok("rename", json!({"new_id": "dave"}));
    assert_eq!(renamed["name"], "dave");
    assert_eq!(listed(&mut bob, "dave")["unread"], 5, "more than would be taken, and nothing dropped");
    assert_eq!(alice.refused("send", json!({"to_id": "dave", "content": "7"})), "mailbox_full");
    world.kill_daemon();
    assert_eq!(contents(&drain(&mut bob)), ["2", "3", "4", "5", "6"], "in the order of sending");
}

#[test]
fn row_30_an_old_name_cannot_be_taken_while_it_forwards() {
    let world = World::with_config(NO_COOLDOWN);
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    bob.ok("rename", json!({"new_id": "bobby"}));
    let mut mallory = world.agent("mallory");
    for restarted in [false, true] {
        if restarted {
            world.kill_daemon();
        }
        let refused = failure(&mut mallory, "register", json!({"instance_id": "Bob"}));
        assert_eq!(refused["code"], "name_reserved");
        assert!(text(&refused["message"]).contains("forwards to it until"), "{refused}");
        assert_eq!(mallory.refused("rename", json!({"new_id": "bob"})), "name_reserved");
        send(&mut alice, "bob", "for bob, whatever the name");
    }
    assert_eq!(listed(&mut mallory, "mallory")["you"], true);
    assert!(drain(&mut mallory).iter().all(|mail| mail["from"] == "system"));
    assert_eq!(drain(&mut bob).len(), 2);

    // The one who had it can have it back.
    bob.ok("rename", json!({"new_id": "bob"}));
    assert_eq!(send(&mut alice, "bobby", "x")["to"], "bob");
    assert_eq!(contents(&check(&mut bob)), ["x"]);
}

#[test]
fn row_31_a_rename_survives_a_restart() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "read before");
    assert_eq!(contents(&check(&mut bob)), ["read before"]);
    send(&mut alice, "bob", "waiting");
    bob.ok("rename", json!({"new_id": "bobby"}));
    world.kill_daemon();
    send(&mut alice, "bob", "by the old name");
    send(&mut alice, "bobby", "by the new name");
    assert_eq!(contents(&drain(&mut bob)), ["waiting", "by the old name", "by the new name"]);
    assert_eq!(listed_names(&mut bob), ["alice", "bobby"]);
    assert_eq!(bob.refused("rename", json!({"new_id": "robert"})), "rename_cooldown");

    world.kill_daemon();
    assert!(drain(&mut bob).is_empty(), "nothing comes twice");
    bob.dies();
    world.kill_daemon();
    let mut bob = world.nameless(&[]);
    let answer = bob.ok("register", json!({"instance_id": "bobby"}));
    assert_eq!((&answer["resumed"], &answer["unread"]), (&json!(true), &json!(0)));
    assert_eq!(bob.refused("rename", json!({"new_id": "robert"})), "rename_cooldown", "it stays renamed");
    send(&mut bob, "alice", "hello");
    let mail = drain(&mut alice);
    assert_eq!(mail.last().map(|m| &m["from"]), Some(&json!("bobby")));
}
