//! Rows 16 to 19, 21 and 22: reading in order, looking, waiting, and never being told "nothing" falsely.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{check, contents, drain, failure, listed, messages, send, text, time, whole};
use crate::agent::Agent;
use crate::world::{SOON, World, until};

#[test]
fn row_16_check_reads_all_oldest_first() {
    let world = World::new();
    let mut senders = [world.agent("alice"), world.agent("bob")];
    let mut carol = world.agent("carol");
    // All at once: the two are mixed as it comes.
    let calls: Vec<(usize, i64)> = (0..50)
        .map(|number| {
            let message =
                json!({"to_id": "carol", "content": format!("{}", number / 2), "data": {"n": number}});
            (number % 2, senders[number % 2].start("send", message))
        })
        .collect();
    for (sender, call) in calls {
        assert!(!senders[sender].finish(call).is_error);
    }
    let first = carol.ok("check", json!({}));
    assert_eq!((messages(&first).len(), &first["remaining"]), (20, &json!(30)));
    let mut all = messages(&first);
    all.extend(drain(&mut carol));
    assert_eq!(all.len(), 50);
    for (name, own) in [("alice", 0), ("bob", 1)] {
        let from: Vec<&Value> = all.iter().filter(|mail| mail["from"] == name).collect();
        assert_eq!(from.len(), 25);
        for (number, mail) in from.into_iter().enumerate() {
            assert_eq!(mail["content"], number.to_string());
            assert_eq!(mail["data"], json!({"n": 2 * number + own}));
        }
    }
    for pair in all.windows(2) {
        assert!(pair[0]["id"].as_u64() < pair[1]["id"].as_u64());
        assert!(time(&pair[0]["sent_at"]) <= time(&pair[1]["sent_at"]), "oldest first");
    }
}

#[test]
fn row_17_nothing_is_said_only_when_there_is_nothing() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "one");
    send(&mut alice, "bob", "two");
    let nothing = json!({"messages": [], "remaining": 0, "waited_seconds": 0.0, "unread": 0});
    let first = bob.ok("check", json!({"limit": 1}));
    assert_eq!(contents(&messages(&first)), ["one"]);
    assert_eq!((&first["remaining"], &first["unread"]), (&json!(1), &json!(1)), "the rest is told of");
    assert_eq!(contents(&check(&mut bob)), ["two"]);
    assert_eq!(bob.ok("check", json!({})), nothing);
    assert_eq!(bob.ok("get_messages", json!({})), nothing);
    assert_eq!(bob.shell("check").out, "no messages\n");
    send(&mut alice, "bob", "three");
    assert_eq!(contents(&check(&mut bob)), ["three"]);
    assert_eq!(bob.ok("check", json!({})), nothing);
}

/// The ways in which an agent reads.
fn readings() -> [(&'static str, Value); 6] {
    [
        ("check", json!({})),
        ("check", json!({"peek": true})),
        ("check", json!({"wait_seconds": 5})),
        ("get_messages", json!({})),
        ("watch_messages", json!({"timeout": 5})),
        ("auto_process", json!({})),
    ]
}

#[test]
fn row_18_a_store_that_is_not_there_is_no_empty_mailbox() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "kept");
    // A file where the folder should be: also for root.
    let away = world.home().join("state.away");
    world.kill_daemon();
    std::fs::rename(world.state(), &away).expect("the state is moved away");
    std::fs::write(world.state(), "").expect("something else takes its place");
    for (tool, arguments) in readings() {
        let refused = failure(&mut bob, tool, arguments);
        assert_eq!(refused["code"], "unsafe_directory", "{tool}: {refused}");
        assert!(text(&refused["message"]).contains(&world.state().display().to_string()), "{refused}");
    }
    let people = bob.shell("check");
    assert!(people.code == 1 && people.out.is_empty() && !people.err.is_empty(), "{people:?}");
    let status = bob.send("resources/read", json!({"uri": "ipc://inbox"}));
    assert!(bob.answer(status)["error"]["code"].is_number());

    std::fs::remove_file(world.state()).expect("a file");
    std::fs::rename(&away, world.state()).expect("it is back");
    assert_eq!(contents(&check(&mut bob)), ["kept"]);
}

#[test]
fn row_18_a_store_that_is_damaged_is_no_empty_mailbox() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "kept");
    world.kill_daemon();
    let store = world.state().join("ipcd.redb");
    let both = [store.clone(), world.state().join("ipcd.redb.journal")];
    let whole = both.each_ref().map(|path| std::fs::read(path).expect("a file of the store"));
    for (path, bytes) in both.iter().zip(&whole) {
        std::fs::write(path, vec![0x5a; bytes.len()]).expect("a damaged store");
    }
    for agent in [&mut bob, &mut alice] {
        let said = agent.ok("check", json!({}));
        let notice = &said["messages"][0];
        assert_eq!(notice["from"], "system", "{said}");
        assert!(notice["content"].as_str().expect("text").contains("unread mail may be lost"), "{said}");
    }
    let mut beside = std::fs::read_dir(world.state()).expect("a folder").map(|e| e.expect("an entry").path());
    let kept = beside.find(|path| path.to_string_lossy().ends_with('Z')).expect("the damaged file is kept");
    assert!(std::fs::read(kept).expect("a file").iter().all(|b| *b == 0x5a), "it is left for repair");
    assert_eq!(world.run(&["stop"]).code, 0);
    for (path, bytes) in both.iter().zip(&whole) {
        std::fs::write(path, bytes).expect("a repaired store");
    }
    assert!(contents(&drain(&mut bob)).contains(&"kept"), "what a repair brings back is read");
}

#[test]
fn row_19_peek_takes_nothing() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = world.agent("bob");
    send(&mut alice, "bob", "look at me");
    let looks = [
        bob.ok("check", json!({"peek": true})),
        bob.ok("check", json!({"peek": true})),
        bob.ok("get_messages", json!({"delete_after_read": false})),
        bob.shell("check --peek --json").json(),
        bob.ok("check", json!({})),
    ];
    let seen: Vec<Vec<Value>> = looks.iter().map(messages).collect();
    assert_eq!(contents(&seen[0]), ["look at me"]);
    for other in &seen[1..] {
        assert_eq!(*other, seen[0], "the same message each time");
    }
    let unread: Vec<&Value> = looks.iter().map(|look| &look["unread"]).collect();
    assert_eq!(unread, [1, 1, 1, 1, 0]);
    assert!(check(&mut bob).is_empty());
}

#[test]
fn row_21_a_large_inbox_is_drained_to_the_last_byte() {
    const EACH: usize = 100 * 1024;
    let world = World::new();
    let mut senders = [world.agent("alice"), world.agent("bob")];
    let mut carol = world.agent("carol");
    let text_of = |sender: usize, number: usize| {
        let mut text = String::with_capacity(EACH + 32);
        while text.len() < EACH {
            text.push_str(&format!("{sender}:{number}:{} ", text.len()));
        }
        text.truncate(EACH);
        text
    };
    for number in 0..50 {
        for (index, sender) in senders.iter_mut().enumerate() {
            send(sender, "carol", &text_of(index, number));
        }
    }
    assert_eq!(senders[0].refused("send", json!({"to_id": "carol", "content": "x"})), "mailbox_full");
    let mut read = [0, 0];
    loop {
        let call = carol.start("check", json!({}));
        let line = carol.answer(call);
        assert!(line.to_string().len() < 64 * 1024, "a page is no flood");
        let page = messages(&line["result"]["structuredContent"]);
        if page.is_empty() {
            break;
        }
        for mail in page {
            let sender = usize::from(mail["from"] == "bob");
            let sent = text_of(sender, read[sender]);
            assert!(whole(&mut carol, &mail["id"]) == sent, "{} of {}", read[sender], mail["from"]);
            assert_eq!(mail["redelivered"], false);
            read[sender] += 1;
        }
    }
    assert_eq!(read, [50, 50]);
}

/// An agent of a client that survives long waits.
fn patient(world: &World, name: &str) -> Agent {
    let mut agent = world.silent("work", &[]);
    agent.handshake("claude-code");
    agent.ok("register", json!({"instance_id": name}));
    agent
}

fn waits(watcher: &mut Agent, name: &str) -> bool {
    listed(watcher, name)["wakes"] == "waiting"
}

#[test]
fn row_22_a_wait_ends_with_mail_and_holds_nothing_up() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = patient(&world, "bob");
    for (tool, arguments) in [
        ("check", json!({"wait_seconds": 3600})),
        ("watch_messages", json!({"timeout": 3600, "interval": 60})),
    ] {
        let waiting = bob.start(tool, arguments);
        until("bob waits", || waits(&mut alice, "bob"));
        // Meanwhile everything else goes on.
        bob.request("ping", json!({}));
        assert_eq!(listed(&mut bob, "bob")["wakes"], "waiting");
        send(&mut bob, "alice", "I am waiting");
        assert_eq!(contents(&check(&mut alice)), ["I am waiting"]);
        assert_eq!(bob.answer_within(waiting, Duration::ZERO), None, "it still waits");

        let start = Instant::now();
        let answer = send(&mut alice, "bob", "wake up");
        assert_eq!(answer["recipient"]["wakes"], "waiting", "and its sender knows");
        let woken = bob.finish(waiting).value;
        assert!(start.elapsed() < SOON);
        assert_eq!(contents(&messages(&woken)), ["wake up"]);
        assert!(woken["waited_seconds"].as_f64() > Some(0.0), "{woken}");
        assert!(!waits(&mut alice, "bob"));
    }
}

#[test]
fn row_22_a_wait_can_be_cancelled_and_takes_nothing_with_it() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let mut bob = patient(&world, "bob");
    let waiting = bob.start("check", json!({"wait_seconds": 3600}));
    until("bob waits", || waits(&mut alice, "bob"));
    bob.cancel(waiting);
    until("bob does not wait any more", || !waits(&mut alice, "bob"));
    send(&mut alice, "bob", "after the cancel");
    let mail = check(&mut bob);
    assert_eq!((contents(&mail), &mail[0]["delivery"]), (vec!["after the cancel"], &json!(1)));
    assert_eq!(bob.answer_within(waiting, Duration::ZERO), None, "a cancelled call has no answer");
}

#[test]
fn row_22_a_wait_ends_in_time_and_says_how_long_it_was() {
    let world = World::new();
    let mut bob = world.agent("bob");
    for (tool, arguments) in
        [("check", json!({"wait_seconds": 1})), ("watch_messages", json!({"timeout": 1}))]
    {
        let start = Instant::now();
        let answer = bob.ok(tool, arguments);
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert_eq!((&answer["messages"], &answer["unread"]), (&json!([]), &json!(0)));
        let waited = answer["waited_seconds"].as_f64().expect("a number");
        assert!((1.0..SOON.as_secs_f64()).contains(&waited), "{waited}");
    }
    for (tool, arguments) in [
        ("check", json!({"wait_seconds": 3601})),
        ("check", json!({"wait_seconds": -1})),
        ("check", json!({"wait_seconds": "soon"})),
        ("watch_messages", json!({"timeout": 0})),
        ("watch_messages", json!({"timeout": 3601})),
        ("watch_messages", json!({"interval": 0})),
    ] {
        assert_eq!(bob.refused(tool, arguments.clone()), "invalid_argument", "{tool} {arguments}");
    }
}
