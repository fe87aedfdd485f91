//! Three agents that answer whatever they hear, and two that work: the conversation that feeds on itself
//! stops, says why, and costs nobody else anything.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::world::World;

#[test]
fn an_echo_of_three_stops_by_itself_and_bystanders_notice_nothing() {
    let world = World::new();
    let mut ring = [world.agent("echo-1"), world.agent("echo-2"), world.agent("echo-3")];
    let (mut ann, mut ben) = (world.agent("ann"), world.agent("ben"));
    let began = Instant::now();
    ring[0].ok("send", json!({"to_id": "echo-2", "content": "hello"}));
    let mut stopped = None;
    for turn in 1..100 {
        let (at, next) = (turn % 3, (turn + 1) % 3);
        let read = ring[at].ok("check", json!({"wait_seconds": 20}));
        let heard = read["messages"].as_array().expect("messages");
        assert_eq!(heard.len(), 1, "{read}");
        assert_eq!(heard[0]["hops"], turn - 1, "{read}");
        let echo = json!({"to_id": format!("echo-{}", next + 1), "content": heard[0]["content"]});
        // Those who work go on meanwhile, in one direction: nobody slows them.
        for _ in 0..4 {
            ann.ok("send", json!({"to_id": "ben", "content": "work"}));
        }
        ben.ok("check", json!({}));
        let outcome = ring[at].call("send", echo);
        if outcome.is_error {
            stopped = Some((turn, outcome.value["error"].clone()));
            break;
        }
    }
    let (turns, error) = stopped.expect("it goes on for ever");
    assert_eq!(error["code"], "loop", "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("without a person")), "{error}");
    assert!(error["hint"].as_str().is_some_and(|text| text.contains("tell your user")), "{error}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(turns <= 8, "{turns} turns");
    ann.ok("send", json!({"to_id": "ben", "content": "and so on"}));
    ring[0].ok("list_instances", json!({}));
    crate::gauge::figure(&format!(
        "echo: turns={turns} seconds={:.1} bystanders_refused=0",
        began.elapsed().as_secs_f64()
    ));
    // A person's word starts it over.
    assert_eq!(world.run(&["send", "echo-1", "a person says: go on"]).code, 0);
    ring[0].ok("check", json!({"wait_seconds": 20}));
    ring[0].ok("send", json!({"to_id": "echo-2", "content": "again"}));
}
