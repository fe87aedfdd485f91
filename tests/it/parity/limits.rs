//! Rows 35, 36 and 56: what is bounded, and that reaching a bound is said and loses nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::agent::{Agent, Outcome};
use crate::world::{World, until};

/// Calls that a test has in flight at once: fewer than a front end takes.
const AT_ONCE: usize = 32;

/// Sends one message after the other, several of them in flight.
fn send_all(agent: &mut Agent, messages: &[(&str, String)]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for chunk in messages.chunks(AT_ONCE) {
        let calls: Vec<i64> = chunk
            .iter()
            .map(|(to, text)| agent.start("send", json!({"to_id": to, "content": text})))
            .collect();
        outcomes.extend(calls.into_iter().map(|id| agent.finish(id)));
    }
    outcomes
}

fn numbered(to: &'static str, from: &str, count: usize) -> Vec<(&'static str, String)> {
    (0..count).map(|n| (to, format!("{from} {n}"))).collect()
}

fn code(outcome: &Outcome) -> &str {
    outcome.value["error"]["code"].as_str().unwrap_or("stored")
}

/// Reads until nothing is left; the contents in order.
fn drain(reader: &mut Agent) -> Vec<String> {
    let mut contents = Vec::new();
    loop {
        let answer = reader.ok("check", json!({}));
        let messages = answer["messages"].as_array().expect("messages");
        if messages.is_empty() {
            return contents;
        }
        contents.extend(messages.iter().map(|m| m["content"].as_str().expect("small").to_owned()));
    }
}

#[test]
fn row_35_queue_limit() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    let (mut alice, mut carol) = (world.agent("alice"), world.agent("carol"));
    let mut bob = world.agent("bob");
    let first = send_all(&mut alice, &numbered("bob", "alice", 60));
    let second = send_all(&mut carol, &numbered("bob", "carol", 41));
    let stored = |outcomes: &[Outcome]| outcomes.iter().filter(|o| !o.is_error).count();
    assert_eq!((stored(&first), stored(&second)), (60, 40));
    let refused = second.iter().find(|o| o.is_error).expect("the 101st");
    assert_eq!(code(refused), "mailbox_full");
    let error = &refused.value["error"];
    assert!(error["message"].as_str().unwrap().contains("100") && error["recoverable"] == true, "{error}");

    // Room for others is left by a sender that fills a mailbox alone.
    let flood = send_all(&mut alice, &numbered("carol", "flood", 81));
    assert_eq!((stored(&flood), code(&flood[80])), (80, "share_full"));
    assert_eq!(bob.ok("send", json!({"to_id": "carol", "content": "still"}))["stored"], true);

    let cast = carol.ok("broadcast", json!({"content": "to all"}));
    assert_eq!(cast["delivered"], json!(["alice"]));
    assert_eq!(cast["refused"], json!([{"name": "bob", "code": "mailbox_full"}]));

    let contents = drain(&mut bob);
    let expected: BTreeSet<String> = numbered("", "alice", 60)
        .into_iter()
        .chain(numbered("", "carol", 40))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(contents.len(), 100, "nothing was dropped to make room");
    assert_eq!(contents.into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(carol.ok("send", json!({"to_id": "bob", "content": "again"}))["stored"], true);
}

#[test]
fn row_35_the_queue_limit_is_configurable() {
    let world = World::with_config("[limits]\nmailbox_messages = 3\nsender_share_percent = 100\n");
    let mut alice = world.agent("alice");
    let outcomes = send_all(&mut alice, &numbered("later", "m", 4));
    assert_eq!(outcomes.iter().map(code).collect::<Vec<_>>(), ["stored", "stored", "stored", "mailbox_full"]);
    let restored = world.agent("later").ok("check", json!({}))["messages"].as_array().map(Vec::len);
    assert_eq!(restored, Some(3));
}

#[test]
fn row_36_rate_limit() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let both: Vec<_> = numbered("bob", "m", 50).into_iter().chain(numbered("carol", "m", 50)).collect();
    assert!(send_all(&mut alice, &both).iter().all(|outcome| !outcome.is_error));
    bob.ok("send", json!({"to_id": "alice", "content": "for alice"}));

    let refused = alice.call("send", json!({"to_id": "carol", "content": "the 101st"}));
    assert_eq!(code(&refused), "rate_limited");
    let hint = refused.value["error"]["hint"].as_str().expect("a hint");
    let seconds = hint.split(' ').find_map(|word| word.parse::<u64>().ok());
    assert!(seconds.is_some_and(|s| (1..=60).contains(&s)), "when to try again: {hint}");
    assert_eq!(alice.refused("broadcast", json!({"content": "x"})), "rate_limited");

    // Reading is not limited, and never says "no messages" for "too fast".
    assert_eq!(alice.ok("check", json!({}))["messages"][0]["content"], "for alice");
    assert_eq!(alice.ok("check", json!({}))["messages"], json!([]));
    assert_eq!(drain(&mut bob).len(), 50);
    assert_eq!(bob.ok("send", json!({"to_id": "alice", "content": "others go on"}))["stored"], true);
    let status = world.json(&["status"]);
    assert_eq!(status["limits_reached"], json!([{"code": "rate_limited", "times": 2}]));
}

/// Sends and reads so many messages of a kilobyte; the size of the store afterwards.
fn churn(world: &World, alice: &mut Agent, bob: &mut Agent, messages: usize) -> u64 {
    let mut left = messages;
    while left > 0 {
        let count = left.min(60);
        let batch: Vec<_> = (0..count).map(|n| ("bob", format!("{n} {}", "x".repeat(1_000)))).collect();
        assert!(send_all(alice, &batch).iter().all(|outcome| !outcome.is_error));
        assert_eq!(drain(bob).len(), count);
        left -= count;
    }
    std::fs::metadata(world.state().join("ipcd.redb")).expect("the store").len()
}

fn days(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.state().join("history")).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a day")).collect()
}

#[test]
fn row_56_retention() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\nhistory_s = 86400\n");
    let old = world.state().join("history/2020-01-01.jsonl");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    std::fs::create_dir_all(old.parent().unwrap()).unwrap();
    std::fs::write(&old, "{}\n").unwrap();
    let early = churn(&world, &mut alice, &mut bob, 300);
    let late = churn(&world, &mut alice, &mut bob, 900);
    assert!(late <= early.max(4 << 20), "the store holds what waits, not what was read: {early}, {late}");
    until("the history is written, after the answers", || {
        bob.ok("check", json!({}));
        world.run(&["log", "--limit", "5000", "--json"]).out.lines().count() == 1_200
    });
    assert!(!old.exists(), "a day beyond the history time is gone");
    assert!((1..=2).contains(&days(&world).len()), "{:?}", days(&world));

    // A daemon that starts does not look at the past.
    world.kill_daemon();
    for day in days(&world) {
        std::fs::write(world.state().join("history").join(day), vec![b'x'; 1 << 20]).unwrap();
    }
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]));
    assert_eq!(alice.ok("send", json!({"to_id": "bob", "content": "on"}))["stored"], true);
}

#[test]
fn row_56_no_history_is_kept_where_none_is_wanted() {
    let world = World::with_config("[limits]\nhistory_s = 0\n");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    alice.ok("send", json!({"to_id": "bob", "content": "read and forget"}));
    assert_eq!(drain(&mut bob), ["read and forget"]);
    let told: Value = bob.ok("check", json!({}));
    assert_eq!((&told["messages"], days(&world)), (&json!([]), Vec::<String>::new()));
    assert_eq!(world.run(&["log", "--json"]).out, "");
}
