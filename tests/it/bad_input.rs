//! Input that makes no sense, on both doors: each piece of it is answered by itself, saying what is
//! wrong, and whoever comes next is served as if nothing had happened.

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::socket::Socket;
use crate::world::{SOON, World};

/// Longest line that either door takes.
const LINE_BYTES_MAX: usize = 8 << 20;

/// The next line of the front end, which is the answer to what was just written.
fn heard(agent: &mut Agent) -> Value {
    agent.next_message(SOON).unwrap_or_else(|| panic!("no answer\n{}", agent.stderr()))
}

/// Says `line` to the front end, whose answer has this code and these words in it, and sees that the
/// next call works.
fn complains(agent: &mut Agent, line: &str, id: Value, code: i64, words: &str) {
    let shown: String = line.chars().take(100).collect();
    agent.write(line);
    let answer = heard(agent);
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{shown}: {answer}");
    let message = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{shown}: {message}");
    assert_eq!(agent.ok("check", json!({}))["messages"], json!([]), "after {shown}");
}

fn tool_call(id: u32, name: &str, arguments: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
        .to_string()
}

#[test]
fn the_front_end_survives_what_is_no_message() {
    let world = World::new();
    let mut alice = world.agent("alice");
    for line in ["nonsense", "{", r#"{"jsonrpc":"2.0","id":1,"method":"ping""#, "{\"a\":\"\u{0}\"}", "'a'"] {
        complains(&mut alice, line, Value::Null, -32700, "not JSON");
    }
    complains(&mut alice, &"[".repeat(50_000), Value::Null, -32700, "recursion limit");
    complains(&mut alice, &"[".repeat(1 << 20), Value::Null, -32600, "more than 100000 values");
    for line in ["[]", "7", "null", r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#] {
        complains(&mut alice, line, Value::Null, -32600, "one JSON object per line");
    }
    for id in ["null", "1.5", "[1]", "{}", "true"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        complains(&mut alice, &line, Value::Null, -32600, "`id` is neither an integer nor a string");
    }
    let old = r#"{"jsonrpc":"1.0","id":501,"method":"ping"}"#;
    complains(&mut alice, old, json!(501), -32600, "not a JSON-RPC 2.0 request");
    // Noise that asks for nothing is not answered.
    for noise in ["", "   ", "{}", r#"{"jsonrpc":"2.0","method":"notifications/no-such"}"#] {
        alice.write(noise);
    }
    assert_eq!(alice.ok("check", json!({}))["unread"], 0);
    assert!(alice.notifications.is_empty(), "{:?}", alice.notifications);
}

#[test]
fn the_front_end_names_what_is_wrong_with_a_request() {
    let world = World::new();
    let mut alice = world.agent("alice");
    for (line, code, words) in [
        (tool_call(501, "chekc", &json!({})), -32602, "no tool `chekc`: there are register, send, check"),
        (tool_call(501, "check", &json!([])), -32602, "tools/call: invalid type"),
        (tool_call(501, "check", &json!("x")), -32602, "tools/call: invalid type"),
        (r#"{"jsonrpc":"2.0","id":501,"method":"tools/call"}"#.to_owned(), -32602, "tools/call: "),
        (
            r#"{"jsonrpc":"2.0","id":501,"method":"tools/call","params":{"name":7}}"#.to_owned(),
            -32602,
            "invalid type",
        ),
        (r#"{"jsonrpc":"2.0","id":501,"method":"no/such"}"#.to_owned(), -32601, "no/such"),
        (
            r#"{"jsonrpc":"2.0","id":501,"method":"resources/read","params":{}}"#.to_owned(),
            -32602,
            "resources/read",
        ),
        (
            r#"{"jsonrpc":"2.0","id":501,"method":"resources/read","params":{"uri":"ipc://no"}}"#.to_owned(),
            -32002,
            "no resource ipc://no",
        ),
    ] {
        complains(&mut alice, &line, json!(501), code, words);
    }
}

#[test]
fn a_tool_names_what_is_wrong_with_its_arguments() {
    let world = World::new();
    let mut alice = world.agent("alice");
    for (tool, arguments, words) in [
        ("send", json!({"to_id": "bob"}), "`content` is missing"),
        ("send", json!({"to_id": "bob", "content": null}), "`content` is missing"),
        ("send", json!({"to_id": "bob", "content": 7}), "`content` is 7"),
        ("send", json!({"to_id": "bob", "content": ["a"]}), "`content` is [\"a\"]"),
        ("send", json!({"to_id": {"name": "bob"}, "content": "x"}), "`to_id` is {"),
        ("send", json!({"to_id": "bob", "content": "x", "contents": "x"}), "no argument `contents`"),
        ("send", json!({"to_id": "bob", "content": "x", "reply_to": "first"}), "`reply_to` is \"first\""),
        ("send", json!({"to_id": "bob", "content": "x", "ttl_seconds": 0}), "`ttl_seconds` is 0"),
        ("send", json!({"to_id": "bob", "content": "x", "summary": 1}), "`summary` is 1"),
        ("check", json!({"peek": "maybe"}), "`peek` is \"maybe\""),
        ("check", json!({"limit": 0}), "`limit` is 0"),
        ("check", json!({"limit": 21}), "`limit` is 21"),
        ("check", json!({"wait_seconds": 1e99}), "`wait_seconds` is 1e+99"),
        ("check", json!({"ack": "some"}), "`ack` is \"some\""),
        ("check", json!({"id": -1}), "`id` is -1"),
        ("list_instances", json!({"all": true}), "no argument `all`"),
        ("rename", json!({}), "`new_id` is missing"),
        (
            "auto_process",
            json!({"auto_check": "sometimes"}),
            "`auto_check` is neither start, stop nor status",
        ),
    ] {
        let outcome = alice.call(tool, arguments.clone());
        let error = &outcome.value["error"];
        assert!(outcome.is_error && error["code"] == "invalid_argument", "{tool} {arguments}: {outcome:?}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{tool} {arguments}: {message}");
        assert_eq!(error["recoverable"], true);
        assert_eq!(alice.ok("list_instances", json!({}))["unread"], 0);
    }
    assert_eq!(world.json(&["status"])["backlog_messages"], 0, "nothing of it was done");
    for bad in ["bad name!", "", "eve\n", "../etc", "日本"] {
        assert_eq!(alice.refused("register", json!({"instance_id": bad})), "invalid_name");
        assert_eq!(alice.refused("rename", json!({"new_id": bad})), "invalid_name");
    }
    assert_eq!(alice.ok("list_instances", json!({}))["instances"][0]["name"], "alice");
}

/// However much is wrong, the answer says it in a few words and at once, and the next call is answered.
#[test]
fn giant_arguments_get_short_answers() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let giant = "x".repeat(4 << 20);
    let names: Vec<String> = (0..50_000).map(|n| format!("n{n}")).collect();
    for (tool, arguments) in [
        ("send", json!({"to_id": giant, "content": "x"})),
        ("send", json!({"to_id": names, "content": "x"})),
        ("send", json!({"to_id": names.join(","), "content": "x"})),
        ("send", json!({"to_id": "bob", "content": giant})),
        ("send", json!({"to_id": "bob", "content": "x", "summary": giant})),
        ("send", json!({"to_id": "bob", "content": "x", "key": giant})),
        ("send", json!({"to_id": "bob", "content": "x", giant.clone(): 1})),
        ("send", json!({"to_id": "bob", "content": "x", "\u{1}".repeat(1 << 20): 1})),
        ("register", json!({"instance_id": giant})),
        ("rename", json!({"new_id": giant})),
        ("share_file", json!({"to_id": "bob", "filepath": giant})),
        ("share_file", json!({"to_id": "bob", "filepath": "x", "description": giant})),
        ("share_command", json!({"to_id": "bob", "command": giant})),
        ("share_command", json!({"to_id": "bob", "command": "touch ran", "description": giant})),
        ("check", json!({"ack": giant})),
    ] {
        let outcome = alice.call(tool, arguments);
        let said = outcome.value.to_string();
        assert!(outcome.is_error && said.len() < 1_000, "{tool}: {} bytes: {said:.200}", said.len());
        alice.ok("list_instances", json!({}));
    }
    assert!(!world.home().join("work/ran").exists(), "nothing runs that could not be sent");
    for (method, params) in [
        ("tools/call", json!({"name": giant})),
        ("tools/call", json!({"name": "send", "arguments": giant})),
        ("resources/read", json!({"uri": giant})),
        (&*giant, json!({})),
    ] {
        let id = alice.send(method, params);
        let answer = alice.answer(id).to_string();
        assert!(answer.contains("error") && answer.len() < 1_000, "{} bytes: {answer:.200}", answer.len());
    }
}

/// A value of two bytes takes a hundred once it is parsed: such a line is refused before.
#[test]
fn the_front_end_refuses_a_line_of_too_many_values() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let ones = |count: usize| json!(vec![1; count]);
    let data = |count| tool_call(501, "send", &json!({"to_id": "bob", "content": "x", "data": ones(count)}));
    complains(&mut alice, &data(1_000_000), json!(501), -32600, "more than 100000 values");
    let other = json!({"jsonrpc": "2.0", "id": 502, "method": "no/such", "params": {"x": ones(20_000)}});
    complains(&mut alice, &other.to_string(), json!(502), -32600, "more than 10000 values");
    alice.ok("send", json!({"to_id": "bob", "content": ",".repeat(200_000), "data": ones(90_000)}));
    let (_, most) = crate::gauge::memory_mib(alice.pid());
    assert!(most < 64.0, "{most:.1} MiB");
}

#[test]
fn the_front_end_skips_a_line_that_is_too_long() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let text = "x".repeat(LINE_BYTES_MAX);
    let line = tool_call(501, "send", &json!({"to_id": "alice", "content": text}));
    complains(&mut alice, &line, json!(501), -32600, "longer than 8388608 bytes");
    // The id comes last, as some clients write it; or there is none.
    let line = format!(r#"{{"jsonrpc":"2.0","method":"ping","params":{{"x":"{text}"}},"id":"last"}}"#);
    complains(&mut alice, &line, json!("last"), -32600, "longer than 8388608 bytes");
    complains(&mut alice, &text.repeat(2), Value::Null, -32600, "longer than 8388608 bytes");
    // A line of just that length is read.
    let mut line = json!({"jsonrpc": "2.0", "id": 502, "method": "ping"}).to_string();
    line.push_str(&" ".repeat(LINE_BYTES_MAX - line.len()));
    alice.write(&line);
    assert_eq!(heard(&mut alice)["result"], json!({}));
}

#[test]
fn the_front_end_takes_calls_before_its_handshake_for_what_they_are() {
    let world = World::new();
    let mut alice = world.silent("work", &[]);
    for line in [
        "nonsense".to_owned(),
        tool_call(501, "check", &json!({})),
        r#"{"jsonrpc":"2.0","id":502,"method":"tools/list"}"#.to_owned(),
        tool_call(503, "no-such", &json!({})),
    ] {
        alice.write(&line);
        let answer = heard(&mut alice);
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap_or_default();
        match error["code"].as_i64() {
            Some(-32700) => assert!(message.contains("not JSON"), "{answer}"),
            code => {
                assert_eq!(code, Some(-32602), "{answer}");
                assert!(message.contains("say `initialize` first"), "{answer}");
                assert!(answer["id"].is_number(), "{answer}");
            }
        }
    }
    assert!(!world.socket().exists(), "nothing of it reached a daemon");
    alice.request("ping", json!({}));
    alice.handshake("test-agent");
    assert_eq!(alice.ok("register", json!({"instance_id": "alice"}))["name"], "alice");
}

/// Says `line` to the daemon, whose answer has these codes and words in it, and sees that the next call
/// works.
fn objects(socket: &mut Socket, line: &str, expected: (Value, i64, &str), words: &str) {
    let shown: String = line.chars().take(100).collect();
    socket.say(line);
    let answer: Value = serde_json::from_str(&socket.hear().expect("an answer")).expect("JSON");
    let error = &answer["error"];
    let (id, code, word) = expected;
    assert_eq!((&answer["id"], &error["code"]), (&id, &json!(code)), "{shown}: {answer}");
    assert_eq!(error["data"]["code"].as_str().unwrap_or_default(), word, "{shown}: {answer}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{shown}: {message}");
    assert_eq!(socket.call(900, "list", json!({}))["result"]["unread"], 0, "after {shown}");
}

#[test]
fn the_daemon_survives_what_is_no_call() {
    let world = World::new();
    let _daemon = world.daemon();
    let mut socket = world.client();
    for line in ["nonsense", "{", "\"", "\u{0}", r#"{"jsonrpc":"2.0","id":1,"method":"li"#] {
        objects(&mut socket, line, (Value::Null, -32700, ""), "");
    }
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"list","params":{}"#, "[".repeat(100_000));
    objects(&mut socket, &deep, (Value::Null, -32700, ""), "EOF");
    objects(&mut socket, &"[".repeat(100_000), (Value::Null, -32600, ""), "an object");
    for (line, id) in [
        ("[]", Value::Null),
        ("7", Value::Null),
        (r#"{"jsonrpc":"1.0","id":1,"method":"list"}"#, json!(1)),
        (r#"{"id":1,"method":"list"}"#, json!(1)),
    ] {
        objects(&mut socket, line, (id, -32600, ""), "");
    }
    for (method, params, words) in [
        ("sned", json!({}), "no method `sned`"),
        ("send", json!({}), "missing field `content`"),
        ("send", json!({"content": 7}), "invalid type: integer `7`"),
        ("send", json!({"to": "bob", "content": "x"}), "invalid type"),
        ("send", json!({"to": ["bob"], "contents": "x"}), "unknown field `contents`"),
        ("check", json!({"wait_ms": -1}), "bad parameters for `check`"),
        ("check", json!({"id": "first"}), "bad parameters for `check`"),
        ("rename", json!([]), "bad parameters for `rename`"),
        ("list", json!({"x": 1}), "bad parameters for `list`"),
        ("hello", json!({}), "hello"),
    ] {
        let line = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string();
        objects(&mut socket, &line, (json!(7), -32602, "invalid_argument"), words);
    }
    for name in ["bad name!", "", "eve\n", "../etc"] {
        let line = json!({"jsonrpc": "2.0", "id": 7, "method": "register", "params": {"name": name}});
        objects(&mut socket, &line.to_string(), (json!(7), -32000, "invalid_name"), "is not a name");
    }
    // Notifications are never answered, not even bad ones.
    for noise in [r#"{"jsonrpc":"2.0","method":"no-such"}"#, r#"{"jsonrpc":"2.0","method":"cancel"}"#, ""] {
        socket.say(noise);
    }
    assert_eq!(socket.call(8, "register", json!({"name": "carol"}))["result"]["name"], "carol");
}

#[test]
fn the_daemon_skips_a_line_that_is_too_long() {
    let world = World::new();
    let _daemon = world.daemon();
    let mut socket = world.client();
    let text = "x".repeat(LINE_BYTES_MAX + 1);
    objects(&mut socket, &text, (Value::Null, -32000, "too_large"), "8388609 bytes, the limit is 8388608");
    let line = json!({"jsonrpc": "2.0", "id": 7, "method": "send", "params": {"to": ["a"], "content": text}});
    objects(&mut socket, &line.to_string(), (Value::Null, -32000, "too_large"), "the limit is 8388608");
}

#[test]
fn the_daemon_wants_a_hello_first() {
    let world = World::new();
    let _daemon = world.daemon();
    let mut socket = world.connect();
    for (line, code, words) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"list"}"#, -32602, "the first call must be `hello`"),
        ("nonsense", -32700, ""),
        (r#"{"jsonrpc":"2.0","id":1,"method":"hello","params":{}}"#, -32602, "bad parameters for `hello`"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"hello"}"#, -32602, "bad parameters for `hello`"),
    ] {
        socket.say(line);
        let answer: Value = serde_json::from_str(&socket.hear().expect("an answer")).expect("JSON");
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{line}: {answer}");
    }
    let hello = json!({"protocol": {"min": 1, "max": 1}, "role": "mcp", "client": "test/1"});
    assert_eq!(socket.call(2, "hello", hello)["result"]["protocol"], 1);
    assert_eq!(socket.call(3, "list", json!({}))["result"]["instances"], json!([]));
}
