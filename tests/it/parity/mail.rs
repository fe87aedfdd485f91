//! Rows 5 to 7 and 12 to 15: what a message carries, whom it reaches, and what its sender is told.

use serde_json::{Value, json};

use super::{check, contents, drain, failure, messages, now, send, text, time};
use crate::world::{World, until};

/// Everything that has to be escaped somewhere on the way.
const AWKWARD: &str = " \t\"quoted\" \\n 'x' <b>&amp;</b>\r\n\n{\"a\":1}\u{0}\u{1}\u{7f}\u{2028}\u{feff}é日本語😀👩‍👩‍👧\u{1f1e9}\n ";

#[test]
fn row_05_send_text() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let before = now();
    let answer = send(&mut alice, "bob", AWKWARD);
    let after = now();
    let recipient = json!({"state": "live", "unread": 1, "oldest_seconds": 0, "wakes": "none"});
    assert_eq!(answer, json!({"id": 1, "to": "bob", "stored": true, "recipient": recipient, "unread": 0}));
    let mail = &check(&mut bob)[0];
    assert_eq!(mail["content"], AWKWARD);
    assert_eq!((&mail["id"], &mail["from"], &mail["to"]), (&answer["id"], &json!("alice"), &json!("bob")));
    assert!((before..=after).contains(&time(&mail["sent_at"])), "{mail}");
    assert_eq!((&mail["redelivered"], &mail["delivery"]), (&json!(false), &json!(1)));
    let sender = &mail["sender"];
    assert_eq!((&sender["verified"], &sender["client"]), (&json!("full"), &json!("test-agent")));
    assert_eq!(sender["pid"], alice.pid());
    assert_eq!(sender["cwd"], world.folder("work").display().to_string());

    // Delivered into an inbox that somebody looks at, or queued: the sender is told which.
    assert_eq!(send(&mut alice, "later", "x")["recipient"]["state"], "unregistered");
    let carol = world.agent("carol");
    carol.dies();
    until("carol is seen to be gone", || send(&mut alice, "carol", "x")["recipient"]["state"] == "offline");
    // An empty message is one, too.
    send(&mut alice, "BOB", "");
    assert_eq!(contents(&check(&mut bob)), [""]);
}

#[test]
fn row_06_send_data() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    for written in [
        r#"{"k":[1,[2,[3,[]]],{}],"ключ":"日本😀","none":null,"t":true,"":""}"#,
        r#"{"big":123456789012345678901234567890,"small":-0.10,"precise":0.1234567890123456789012,"e":1e400}"#,
        r#"{"edge":[9007199254740993,18446744073709551615,-9223372036854775808]}"#,
        r#"{"b":1,"a":2,"text":"\u0000\n\"\\"}"#,
        "{}",
        "[]",
        r#"[1,"two",null]"#,
        r#""only text""#,
        "7",
        "false",
    ] {
        let data: Value = serde_json::from_str(written).expect("JSON");
        alice.ok("send", json!({"to_id": "bob", "content": "see data", "data": data}));
        let mail = check(&mut bob);
        assert_eq!(mail.len(), 1);
        assert_eq!(mail[0]["data"], data, "as it was sent");
        assert_eq!(mail[0]["data"].to_string(), data.to_string(), "digit by digit, in the same order");
        assert_eq!(mail[0]["content"], "see data");
    }
    alice.ok("send", json!({"to_id": "bob", "content": "none", "data": null}));
    assert_eq!(check(&mut bob)[0].get("data"), None);
}

#[test]
fn row_06_data_that_no_reader_could_parse_is_refused() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let deepest: Value = serde_json::from_str(&nested(64)).expect("JSON");
    alice.ok("send", json!({"to_id": "bob", "content": "deep", "data": deepest}));
    assert_eq!(check(&mut bob)[0]["data"], deepest);
    let too_deep: Value = serde_json::from_str(&nested(65)).expect("JSON");
    let refused = failure(&mut alice, "send", json!({"to_id": "bob", "content": "x", "data": too_deep}));
    assert_eq!(refused["code"], "invalid_argument");
    assert!(text(&refused["message"]).contains("`data` is nested deeper than 64 levels"), "{refused}");
    assert_eq!(alice.refused("broadcast", json!({"content": "x", "data": too_deep})), "invalid_argument");

    // By doors at which nobody parses it.
    let mut socket = world.client();
    socket.call(1, "register", json!({"name": "carol"}));
    for data in [nested(100_000), r#"{"lone":"\ud800"}"#.to_owned(), r#"{"\udfff":1}"#.to_owned()] {
        socket.say(&format!(
            r#"{{"jsonrpc":"2.0","id":2,"method":"send","params":{{"to":["bob"],"content":"x","data":{data}}}}}"#
        ));
        let answer: Value = serde_json::from_str(&socket.hear().expect("an answer")).expect("JSON");
        assert_eq!(answer["error"]["data"]["code"], "invalid_argument", "{answer}");
    }
    assert_eq!(alice.shell(r#"send bob x --data '{"lone":"\ud800"}'"#).code, 1);
    send(&mut alice, "bob", "nothing stands in its way");
    assert_eq!(contents(&drain(&mut bob)), ["nothing stands in its way"]);
}

#[test]
fn row_07_summary_and_content() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let content = "Line 17 fails because the port is taken.";
    alice.ok("send", json!({"to_id": "bob", "content": content, "summary": "test red"}));
    let terminal = json!({"to": "bob", "summary": "build green", "content": "all 212 tests passed"});
    alice.ok("send_message", terminal);
    let peeked = messages(&bob.ok("check", json!({"peek": true})));
    for (mail, (summary, size)) in peeked.iter().zip([("test red", 40), ("build green", 20)]) {
        assert_eq!((&mail["summary"], &mail["size_bytes"]), (&json!(summary), &json!(size)));
        assert_eq!(mail.get("content"), None, "a look shows summaries");
    }
    let seen = bob.shell("check --peek");
    assert!(seen.out.contains("summary: test red\n") && !seen.out.contains("Line 17"), "{seen:?}");

    let read = check(&mut bob);
    assert_eq!(contents(&read), [content, "all 212 tests passed"]);
    assert_eq!(read[0]["summary"], "test red");

    let (fits, over) = ("ä".repeat(250), "ä".repeat(251));
    alice.ok("send", json!({"to_id": "bob", "content": "x", "summary": fits}));
    for (tool, arguments) in [
        ("send", json!({"to_id": "bob", "content": "y", "summary": over})),
        ("broadcast", json!({"content": "y", "summary": over})),
        ("send_message", json!({"to": "bob", "content": "y", "summary": over})),
    ] {
        let refused = failure(&mut alice, tool, arguments);
        assert_eq!(refused["code"], "too_large");
        assert_eq!(refused["message"], "`summary` has 502 bytes, the limit is 500");
    }
    let read = check(&mut bob);
    assert_eq!((contents(&read), &read[0]["summary"]), (vec!["x"], &json!(fits)));
}

#[test]
fn row_12_mail_for_a_name_that_nobody_has_yet() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let answer = send(&mut alice, "dave", "welcome");
    assert_eq!((&answer["stored"], &answer["to"]), (&json!(true), &json!("dave")));
    assert_eq!(answer["recipient"]["state"], "unregistered");
    world.kill_daemon();
    send(&mut alice, "dave", "and again");
    world.kill_daemon();
    let mut dave = world.nameless(&[]);
    assert_eq!(dave.ok("register", json!({"instance_id": "dave"}))["unread"], 2);
    assert_eq!(contents(&check(&mut dave)), ["welcome", "and again"]);
    let week = std::time::Duration::from_secs(7 * 86_400);
    assert!(ipcd::broker::limits::Limits::default().unclaimed >= week);
}

#[test]
fn row_12_only_mail_for_a_name_that_nobody_has_ends_and_it_is_not_lost() {
    let world = World::with_config("[limits]\nunclaimed_s = 0.5\n");
    let mut alice = world.agent("alice");
    world.agent("carol").leaves();
    send(&mut alice, "carol", "for somebody who was here");
    let late = send(&mut alice, "dave", "for nobody");
    let dead = || world.json(&["dead", "list"])["dead"].as_array().expect("a list").clone();
    until("its time is over", || !dead().is_empty());
    let dead = dead();
    assert_eq!((dead.len(), &dead[0]["reason"]), (1, &json!("expired")));
    assert_eq!((&dead[0]["message"]["id"], &dead[0]["message"]["to"]), (&late["id"], &json!("dave")));

    let mut dave = world.nameless(&[]);
    assert_eq!(dave.ok("register", json!({"instance_id": "dave"}))["unread"], 0);
    let mut carol = world.agent("carol");
    assert_eq!(contents(&check(&mut carol)), ["for somebody who was here"]);
    // A person can still have it delivered.
    assert_eq!(world.run(&["dead", "requeue", &late["id"].to_string()]).code, 0);
    assert_eq!(contents(&check(&mut dave)), ["for nobody"]);
}

#[test]
fn row_13_send_to_oneself() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let answer = send(&mut alice, "alice", "remember the milk");
    assert_eq!((&answer["recipient"]["state"], &answer["unread"]), (&json!("live"), &json!(1)));
    let mail = check(&mut alice);
    assert_eq!((contents(&mail), &mail[0]["from"]), (vec!["remember the milk"], &json!("alice")));
}

#[test]
fn row_14_recipients_that_cannot_be() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let too_long = "n".repeat(33);
    for (to, code) in [
        (json!("no such!"), "invalid_name"),
        (json!(too_long), "invalid_name"),
        (json!("../bob"), "invalid_name"),
        (json!(["bob", "no such!"]), "invalid_name"),
        (json!("bob, no such!"), "invalid_name"),
        (json!("everyone"), "name_reserved"),
        (json!("System"), "name_reserved"),
        (json!(7), "invalid_argument"),
        (json!([7]), "invalid_argument"),
        (json!(""), "invalid_argument"),
        (json!([]), "invalid_argument"),
    ] {
        let refused = failure(&mut alice, "send", json!({"to_id": to, "content": "x"}));
        assert_eq!(refused["code"], code, "{to}: {refused}");
        assert_ne!(refused["hint"], "", "{to}");
    }
    assert_eq!(
        alice.refused("send_message", json!({"to": "no such!", "summary": "s", "content": "x"})),
        "invalid_name"
    );
    assert!(drain(&mut bob).is_empty(), "a call that is refused reaches nobody");
    assert_eq!(world.json(&["status"])["backlog_messages"], 0);

    // One of several who cannot be reached does not keep the others from it.
    let answer = alice.ok("send", json!({"to_id": "bob,all", "content": "to bob"}));
    assert_eq!((&answer["results"][0]["to"], &answer["results"][0]["stored"]), (&json!("bob"), &json!(true)));
    assert_eq!(answer["results"][1]["error"]["code"], "name_reserved");
    assert_eq!(contents(&check(&mut bob)), ["to bob"]);
}

#[test]
fn row_15_broadcast() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    let mut carol = world.agent("carol");
    send(&mut alice, "future", "for later");
    let answer = alice.ok("broadcast", json!({"content": "main is frozen", "data": {"until": 17}}));
    assert_eq!(answer["delivered"], json!(["bob", "carol"]));
    assert_eq!((&answer["refused"], &answer["unread"]), (&json!([]), &json!(0)));
    for reader in [&mut bob, &mut carol] {
        let mail = check(reader);
        assert_eq!(contents(&mail), ["main is frozen"]);
        assert_eq!((&mail[0]["from"], &mail[0]["data"]), (&json!("alice"), &json!({"until": 17})));
        assert_eq!(mail[0]["id"], answer["id"]);
    }
    assert!(drain(&mut alice).is_empty(), "not to oneself");
    let mut future = world.agent("future");
    assert_eq!(contents(&check(&mut future)), ["for later"], "not to names that nobody had");
    assert!(drain(&mut bob).is_empty(), "once each");
}
