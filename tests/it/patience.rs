//! Daemons that are there and do not serve: stopped, or full. Who has a connection waits for as long as it
//! takes; who comes anew is told soon.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::gauge::{figure, registered};
use crate::world::{World, kill};

/// A busy machine's share of it included.
const TOLD_WITHIN: Duration = Duration::from_secs(18);

#[test]
fn a_daemon_that_is_stopped_answers_when_it_goes_on_and_newcomers_are_told() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let first = alice.ok("send", json!({"to_id": "bob", "content": "before"}));
    assert_eq!(bob.ok("check", json!({}))["messages"][0]["id"], first["id"]);
    let pid = world.daemon_pid();
    kill(pid, "STOP");
    let under_way = alice.start("send", json!({"to_id": "bob", "content": "meanwhile"}));
    let begun = Instant::now();
    let said = world.run(&["list", "--json"]);
    let told = begun.elapsed();
    kill(pid, "CONT");
    let error = said.json()["error"].clone();
    assert_eq!((said.code, &error["code"]), (3, &json!("retry")), "{said:?}");
    assert!(error["message"].as_str().is_some_and(|m| m.contains("did not answer")), "{error}");
    assert!(told < TOLD_WITHIN, "{told:?}");
    figure(&format!("a stopped daemon: told after {:.1} s", told.as_secs_f64()));
    let sent = alice.finish(under_way);
    assert!(!sent.is_error, "{sent:?}");
    let read = bob.ok("check", json!({}));
    let mail = read["messages"].as_array().expect("mail");
    assert_eq!(
        (mail.len(), &mail[0]["id"], &mail[0]["redelivered"]),
        (1, &sent.value["id"], &json!(false)),
        "{read}"
    );
    assert_eq!(world.daemon_pid(), pid, "the same daemon");
}

#[test]
fn who_finds_no_room_is_told_soon() {
    let world = World::with_config("[limits]\nsessions = 2\n");
    let _daemon = world.daemon();
    // One place may still be that of whoever looked whether it serves.
    let mut open = Vec::new();
    crate::world::until("two are in", || {
        let mut socket = world.connect();
        socket.try_say(r#"{"jsonrpc":"2.0","id":0,"method":"hello","params":{"protocol":{"min":1,"max":1},"role":"mcp","client":"test/1"}}"#);
        if socket.hear().is_some_and(|line| line.contains("\"result\"")) {
            open.push(socket);
        }
        open.len() == 2
    });
    registered(&mut open[0], "alice");
    let begun = Instant::now();
    let said = world.run(&["list", "--json"]);
    let told = begun.elapsed();
    assert_eq!(said.json()["error"]["code"], "busy", "{said:?}");
    assert!(told < TOLD_WITHIN, "{told:?}");
    figure(&format!("no room: told after {:.1} s", told.as_secs_f64()));
    open.pop();
    assert_eq!(world.run(&["list"]).code, 0, "a place is free again");
}
