//! Row 20: a message is read when its reader evidently survived reading it, and comes again otherwise.

use serde_json::json;

use super::{check, contents, drain, listed, send};
use crate::world::World;

#[test]
fn row_20_what_a_reader_took_to_its_grave_comes_again() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "important");
    let mail = check(&mut bob);
    assert_eq!((&mail[0]["redelivered"], &mail[0]["delivery"]), (&json!(false), &json!(1)));
    bob.dies();

    let mut bob = world.nameless(&[]);
    assert_eq!(bob.ok("register", json!({"instance_id": "bob"}))["unread"], 1);
    let again = check(&mut bob);
    assert_eq!(contents(&again), ["important"]);
    assert_eq!((&again[0]["redelivered"], &again[0]["delivery"]), (&json!(true), &json!(2)));
    assert_eq!(again[0]["id"], mail[0]["id"]);
}

#[test]
fn row_20_what_was_followed_by_a_call_or_an_ack_does_not() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "read, then worked on");
    check(&mut bob);
    listed(&mut bob, "alice");
    bob.dies();

    let mut bob = world.agent("bob");
    assert!(drain(&mut bob).is_empty());
    send(&mut alice, "bob", "one");
    send(&mut alice, "bob", "two");
    let call = bob.start("check", json!({"ack": "on_flush"}));
    assert_eq!(bob.finish(call).value["messages"].as_array().map(Vec::len), Some(2));
    // Nothing follows; the ack of what was flushed reaches the daemon before the connection ends.
    bob.leaves();

    let mut bob = world.agent("bob");
    assert!(drain(&mut bob).is_empty());
}

#[test]
fn row_20_an_ack_settles_what_it_names_and_no_more() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    for content in ["one", "two", "three"] {
        send(&mut alice, "bob", content);
    }
    // Calls that are on their way together settle nothing of each other.
    let pipelined = [bob.start("check", json!({"limit": 2})), bob.start("check", json!({"limit": 1}))];
    let [first, second] = pipelined.map(|call| bob.finish(call).value);
    assert_eq!(contents(&super::messages(&first)), ["one", "two"]);
    assert_eq!(contents(&super::messages(&second)), ["three"]);
    bob.dies();
    let mut bob = world.agent("bob");
    assert_eq!(contents(&drain(&mut bob)), ["one", "two", "three"]);
}

#[test]
fn row_20_a_daemon_that_dies_changes_nothing_about_it() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "in bob's hands");
    assert_eq!(contents(&check(&mut bob)), ["in bob's hands"]);
    world.kill_daemon();
    assert!(check(&mut bob).is_empty(), "bob has it, and this call says that it was read");
    bob.dies();
    let mut bob = world.agent("bob");
    assert!(drain(&mut bob).is_empty());

    send(&mut alice, "bob", "in nobody's hands");
    assert_eq!(contents(&check(&mut bob)), ["in nobody's hands"]);
    world.kill_daemon();
    bob.dies();
    let mut bob = world.agent("bob");
    let mail = check(&mut bob);
    assert_eq!((contents(&mail), &mail[0]["redelivered"]), (vec!["in nobody's hands"], &json!(true)));
}

#[test]
fn row_20_commands_settle_what_they_printed() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "on the command line");
    assert!(bob.shell("check").out.contains("\non the command line\n"));
    assert_eq!(bob.shell("check").out, "no messages\n");
    send(&mut alice, "bob", "to a full disk");
    let failed = bob.shell("check --json 1>/dev/full; test $? -ne 0 && \"$IPCD\" check --json");
    assert_eq!(failed.code, 0);
    assert_eq!(contents(&super::messages(&failed.json())), ["to a full disk"]);
}
