//! Rows 8 to 10: messages up to a mebibyte, which nobody's context is flooded with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::{check, contents, drain, failure, send, text, whole};
use crate::agent::Agent;
use crate::world::World;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// `unit` again and again, then `x`, until it has so many bytes.
fn filled(unit: &str, bytes: usize) -> String {
    let mut text = unit.repeat(bytes / unit.len());
    text.push_str(&"x".repeat(bytes - text.len()));
    text
}

/// What a message holds, whether it came whole or not.
fn body(reader: &mut Agent, mail: &Value) -> String {
    match mail.get("content") {
        Some(content) => text(content).to_owned(),
        None => whole(reader, &mail["id"]),
    }
}

#[test]
fn row_08_content_up_to_a_mebibyte() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    for (unit, bytes) in [
        ("a", 4 * KIB),
        ("b", 10 * KIB),
        ("c", 10 * KIB + 1),
        ("日", 4 * KIB),
        ("日", 64 * KIB),
        ("d", 64 * KIB),
        ("e", MIB),
        ("語", MIB),
        ("😀", MIB),
        // Six bytes each where it is written as JSON.
        ("\u{1}", MIB),
    ] {
        let sent = filled(unit, bytes);
        assert_eq!(send(&mut alice, "bob", &sent)["stored"], true);
        let mail = check(&mut bob);
        assert_eq!(mail.len(), 1, "{unit:?} {bytes}");
        assert_eq!(mail[0].get("content").is_some(), bytes <= 10 * KIB, "{unit:?} {bytes}");
        assert!(body(&mut bob, &mail[0]) == sent, "{unit:?} {bytes} came otherwise");
    }
    for unit in ["e", "日", "😀", "\u{1}"] {
        let too_much = filled(unit, MIB + 1);
        for (tool, arguments) in [
            ("send", json!({"to_id": "bob", "content": too_much})),
            ("send", json!({"to_id": "never-seen", "content": too_much})),
            ("broadcast", json!({"content": too_much})),
            ("send_message", json!({"to": "bob", "summary": "s", "content": too_much})),
        ] {
            let refused = failure(&mut alice, tool, arguments);
            assert_eq!(refused["code"], "too_large");
            assert_eq!(refused["message"], "`content` has 1048577 bytes, the limit is 1048576");
        }
    }
    assert!(drain(&mut bob).is_empty());
    let status = world.json(&["status"]);
    assert_eq!(
        (&status["backlog_messages"], &status["unclaimed"]),
        (&json!(0), &json!([])),
        "nothing stored"
    );
}

/// About `bytes` of sentences, no two alike.
fn report(bytes: usize) -> String {
    let mut report = "The nightly build is red again. Two tests time out! ".to_owned();
    for number in 0.. {
        if report.len() >= bytes {
            break;
        }
        report.push_str(&format!("Run {number} took {} ms — siehe Protokoll.\n", number * 7919 % 1000));
    }
    report
}

#[test]
fn row_09_a_large_message_does_not_flood_a_model() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let sent = report(200 * KIB);
    let answer = send(&mut alice, "bob", &sent);

    let call = bob.start("check", json!({}));
    let line = bob.answer(call).to_string();
    assert!(line.len() < 4 * KIB, "{} bytes", line.len());
    let told: Value = serde_json::from_str(&line).expect("JSON");
    let mail = &told["result"]["structuredContent"]["messages"][0];
    assert_eq!(mail["id"], answer["id"]);
    assert_eq!(mail["summary"], "The nightly build is red again. Two tests time out!");
    assert_eq!((&mail["size_bytes"], &mail["whole"]), (&json!(sent.len()), &json!("text")));
    assert_eq!(mail.get("content"), None);

    assert!(whole(&mut bob, &mail["id"]) == sent, "read in pieces, though it counts as read by now");
    let copy = Path::new(text(&mail["path"]));
    assert!(std::fs::read_to_string(copy).expect("a copy") == sent);
    assert!(copy.starts_with(world.state()));
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o7777;
    assert_eq!(mode(copy), 0o600);
    for folder in copy.ancestors().skip(1).take_while(|folder| folder.starts_with(world.state())) {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    let shown = bob.shell(&format!("check --id {}", mail["id"]));
    assert!(shown.out.contains(&sent), "people get it, too: {} bytes", shown.out.len());

    // Nobody else can read it, and there is nothing beyond its end.
    assert_eq!(alice.refused("check", json!({"id": mail["id"]})), "unknown_message");
    let beyond = json!({"id": mail["id"], "offset": sent.len()});
    assert_eq!(bob.refused("check", beyond), "invalid_argument");
}

#[test]
fn row_09_large_data_and_given_summaries() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let data = json!({"rows": (0..20_000).collect::<Vec<u32>>(), "unit": "µs"});
    alice.ok("send", json!({"to_id": "bob", "content": "figures", "summary": "all runs", "data": data}));
    let peeked = bob.ok("check", json!({"peek": true}));
    assert_eq!(peeked["messages"][0]["summary"], "all runs");
    let mail = check(&mut bob);
    assert_eq!((&mail[0]["summary"], &mail[0]["whole"]), (&json!("all runs"), &json!("json")));
    assert_eq!((mail[0].get("content"), mail[0].get("data")), (None, None));
    let both: Value = serde_json::from_str(&whole(&mut bob, &mail[0]["id"])).expect("JSON of both");
    assert_eq!(both, json!({"content": "figures", "data": data}));
}

#[test]
fn row_10_two_large_messages_in_one_second() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let sent = [filled("first ", 100 * KIB), filled("second ", 100 * KIB)];
    let calls =
        sent.each_ref().map(|content| alice.start("send", json!({"to_id": "bob", "content": content})));
    for call in calls {
        assert!(!alice.finish(call).is_error);
    }
    let mail = check(&mut bob);
    assert_eq!(mail.len(), 2);
    assert_ne!(mail[0]["path"], mail[1]["path"]);
    for (mail, sent) in mail.iter().zip(&sent) {
        assert!(std::fs::read_to_string(text(&mail["path"])).expect("a copy") == *sent);
        assert!(whole(&mut bob, &mail["id"]) == *sent);
    }
    send(&mut alice, "bob", "small");
    assert_eq!(contents(&check(&mut bob)), ["small"]);
}
