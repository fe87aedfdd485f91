//! The features of the two systems that ipcd follows, each seen from outside: a user who knows one of
//! them finds here what works the same, and what works at last.
//!
//! Rows are numbered as in the list of features that these tests were written from.

mod clients;
mod codes;
mod command_line;
mod daemon;
mod large;
mod limits;
mod load;
mod mail;
mod names;
mod reading;
mod renaming;
mod settling;
mod sharing;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::agent::Agent;

/// Sends plain text; the answer.
fn send(from: &mut Agent, to: &str, content: &str) -> Value {
    from.ok("send", json!({"to_id": to, "content": content}))
}

/// The messages of one `check`.
fn check(reader: &mut Agent) -> Vec<Value> {
    messages(&reader.ok("check", json!({})))
}

fn messages(answer: &Value) -> Vec<Value> {
    answer["messages"].as_array().unwrap_or_else(|| panic!("no messages: {answer}")).clone()
}

/// The texts of messages.
fn contents(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|m| m["content"].as_str().unwrap_or_else(|| panic!("no content: {m}"))).collect()
}

/// Everything that waits, page by page.
fn drain(reader: &mut Agent) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = check(reader);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// A message that is read by its number, piece by piece.
fn whole(reader: &mut Agent, id: &Value) -> String {
    let mut text = String::new();
    let mut offset = json!(0);
    loop {
        let answer = reader.ok("check", json!({"id": id, "offset": offset}));
        let piece = &answer["messages"][0];
        assert_eq!(&piece["id"], id);
        text.push_str(piece["content"].as_str().unwrap_or_else(|| panic!("no piece: {answer}")));
        match piece.get("next_offset") {
            None => return text,
            Some(next) => offset = next.clone(),
        }
        assert_eq!(offset, json!(text.len()), "the next piece begins where this one ended");
    }
}

/// The failure of a tool, whole.
fn failure(agent: &mut Agent, tool: &str, arguments: Value) -> Value {
    let outcome = agent.call(tool, arguments);
    assert!(outcome.is_error, "{tool} should have failed: {outcome:?}");
    outcome.value["error"].clone()
}

/// An instance as this agent's list shows it.
fn listed(agent: &mut Agent, name: &str) -> Value {
    let list = agent.ok("list_instances", json!({}));
    let instances = list["instances"].as_array().expect("a list");
    instances.iter().find(|i| i["name"] == name).unwrap_or_else(|| panic!("no {name}: {list}")).clone()
}

/// The names in an agent's list.
fn listed_names(agent: &mut Agent) -> Vec<String> {
    let list = agent.ok("list_instances", json!({}));
    let names = list["instances"].as_array().expect("a list").iter().map(|i| text(&i["name"]));
    names.map(str::to_owned).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A time as users see it: RFC 3339, in UTC and saying so.
fn time(value: &Value) -> SystemTime {
    let text = text(value);
    assert!(text.ends_with('Z'), "no zone: {text}");
    chrono::DateTime::parse_from_rfc3339(text).unwrap_or_else(|e| panic!("{e}: {text}")).into()
}

/// Now, as coarse as times are shown.
#[expect(clippy::disallowed_methods, reason = "what users are shown is compared with a clock of their own")]
fn now() -> SystemTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(since.as_millis()).expect("not far"))
}
