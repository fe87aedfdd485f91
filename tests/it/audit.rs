//! The audit log, as a person reads it: who did what to whom, what was refused, and by which rule.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::{World, until};

/// The records so far, oldest first.
fn records(world: &World) -> Vec<Value> {
    let said = world.run(&["log", "--audit", "--json", "--limit", "1000"]);
    assert_eq!(said.code, 0, "{said:?}");
    said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Waits for a record with these fields; the log is written beside the answers, not before them.
fn told(world: &World, fields: Value) -> Value {
    let mut found = Value::Null;
    until(&format!("a record with {fields}"), || {
        let fits = |record: &Value| {
            fields.as_object().expect("fields").iter().all(|(name, value)| record[name] == *value)
        };
        found = records(world).into_iter().find(fits).unwrap_or_default();
        !found.is_null()
    });
    found
}

#[test]
fn it_says_who_did_what_to_whom_and_nothing_of_what_was_said() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let sent = alice.ok("send", json!({"to_id": "bob", "content": "the launch code is 0000"}));
    let read = bob.ok("check", json!({}));
    let send = told(&world, json!({"act": "send", "by": "alice"}));
    assert_eq!((&send["to"], &send["ids"]), (&json!(["bob"]), &json!([sent["id"]])));
    assert_eq!((&send["bytes"], &send["verdict"]), (&json!(23), &json!("done")));
    assert_eq!(send["sender"], read["messages"][0]["sender"], "what the message says of its sender");
    assert_eq!(send["sender"]["pid"], alice.pid());
    told(&world, json!({"act": "check", "by": "bob", "ids": [sent["id"]]}));
    told(&world, json!({"act": "register", "by": "bob", "subject": "bob"}));

    assert_eq!(alice.refused("rename", json!({"new_id": "bob"})), "name_taken");
    told(
        &world,
        json!({"act": "rename", "by": "alice", "subject": "bob", "verdict": "refused", "rule": "name_taken"}),
    );
    assert_eq!(bob.shell("release alice").code, 1);
    told(
        &world,
        json!({"act": "release", "by": "bob", "to": ["alice"], "rule": "needs_human", "role": "cli"}),
    );
    assert_eq!(world.run(&["release", "alice"]).code, 0);
    told(&world, json!({"act": "release", "by": "user", "to": ["alice"], "verdict": "done"}));

    let text: String = records(&world).iter().map(Value::to_string).collect();
    assert!(!text.contains("launch code"), "no bodies unless they are asked for");
    let people = world.run(&["log", "--audit", "--search", "NEEDS_HUMAN"]).out;
    assert!(people.contains("bob") && people.contains("release to alice: refused, needs_human"), "{people}");
    assert_eq!(people.lines().count(), 1, "{people}");
    let folder = world.state().join("audit");
    let mode = |path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(folder.clone()), mode(folder.join("000001.jsonl"))), (0o700, 0o600));
}

#[test]
fn bodies_are_there_for_who_wants_them_and_a_reader_follows() {
    let world = World::with_config("[audit]\nbodies = true\n");
    let _daemon = world.daemon();
    let mut follow = world.command(&["log", "--audit", "--follow", "--json"]);
    let mut follow = follow.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(follow.stdout.take().expect("piped")));
    assert_eq!(world.run(&["send", "bob", "in full"]).code, 0);
    let record: Value = serde_json::from_str(&lines.next().expect("a line").expect("UTF-8")).expect("JSON");
    assert_eq!(
        (&record["act"], &record["by"], &record["body"]),
        (&json!("send"), &json!("user"), &json!("in full"))
    );
    follow.kill().expect("ours");
    follow.wait().expect("ours");
}

#[test]
fn a_log_that_cannot_be_written_costs_no_mail() {
    let world = World::new();
    world.folder("state");
    std::fs::set_permissions(world.state(), std::fs::Permissions::from_mode(0o700)).expect("ours");
    let in_the_way = world.file("state/audit", "not a folder");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    for number in 0..20 {
        alice.ok("send", json!({"to_id": "bob", "content": number.to_string()}));
    }
    assert_eq!(bob.ok("check", json!({"limit": 20}))["messages"].as_array().map(Vec::len), Some(20));
    until("the daemon's log says so", || world.log().contains("the audit log cannot be written"));
    assert_eq!(world.log().matches("the audit log cannot be written").count(), 1, "once");
    // As soon as there is a place for it, it goes on, and says what it lacks.
    std::fs::remove_file(in_the_way).expect("ours");
    alice.ok("send", json!({"to_id": "bob", "content": "again"}));
    // Two names, twenty sends, the look at them and this one, at least: each is there, or counted.
    until("everything is told or counted", || {
        records(&world).iter().map(|record| record["lost"].as_u64().unwrap_or(0) + 1).sum::<u64>() >= 24
    });
    assert_ne!(records(&world)[0]["lost"], Value::Null, "the log could not be written at first");
}

#[test]
fn what_a_front_end_decided_is_stamped_with_who_it_is() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let key = world.file("work/id_rsa", "-----BEGIN RSA PRIVATE KEY-----\n");
    assert_eq!(alice.refused("share_file", json!({"to_id": "bob", "filepath": key})), "secret");
    let record = told(&world, json!({"act": "share_file", "by": "alice", "verdict": "refused"}));
    assert_eq!((&record["reported"], &record["to"]), (&json!(true), &json!(["bob"])));
    assert_eq!((&record["subject"], &record["sender"]["pid"]), (&json!(key), &json!(alice.pid())));
    assert!(record["rule"].as_str().is_some_and(|rule| rule.contains("id_rsa")), "{record}");
    alice.ok("share_command", json!({"to_id": "bob", "command": "echo hi"}));
    let record = told(&world, json!({"act": "share_command", "by": "alice", "verdict": "done"}));
    assert_eq!(record["subject"], "echo hi");
    assert_eq!(world.run(&["share", "command", "bob", "--", "echo", "ho"]).code, 0);
    told(&world, json!({"act": "share_command", "by": "user", "subject": "echo ho", "verdict": "done"}));
}
