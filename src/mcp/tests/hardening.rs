//! What clients do wrong, or too much of, and what must hold all the same.

use super::*;

#[tokio::test]
async fn an_end_without_a_word_is_a_good_end() {
    Client::of(Daemon::ordinary()).finish().await;
    let mut client = Client::of(Daemon::ordinary());
    client.say_raw(b"\n").await;
    client.finish().await;
}

#[tokio::test]
async fn senseless_lines_are_answered_and_the_session_goes_on() {
    let mut client = Client::ready(|_| None).await;
    for (line, id, code) in [
        (&b"{\n"[..], Value::Null, -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}\n", Value::Null, -32700),
        (b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]\n", Value::Null, -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}\n", Value::Null, -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}\n", json!(1), -32602),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"check\",\"arguments\":[]}}\n",
            json!(2),
            -32602,
        ),
        (b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"nope\"}}\n", json!(3), -32602),
        (b"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"resources/read\",\"params\":{}}\n", json!(4), -32602),
        (b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"no/such\"}\r\n", json!(5), -32601),
    ] {
        client.say_raw(line).await;
        let answer = client.hear().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{answer}");
    }
    client.ping(6).await;
    client.finish().await;
}

#[tokio::test]
async fn a_line_over_the_limit_is_refused_and_the_next_one_works() {
    let mut client = Client::ready(|_| None).await;
    let long = "x".repeat(crate::protocol::LINE_BYTES_MAX);
    // As the TypeScript SDK writes it: the id comes last.
    let line = json!({"method": "tools/call", "params": {"name": "send", "arguments": {"content": long}},
        "jsonrpc": "2.0", "id": "big"});
    client.say(line).await;
    let answer = client.hear().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("big"), &json!(-32600)));
    let content = "y".repeat(1 << 20);
    client.call(2, "send", json!({"to_id": "bob", "content": content})).await;
    let Request::Send(send) = client.daemon.last() else { panic!() };
    assert_eq!(send.content.0.len(), 1 << 20);
    client.finish().await;
}

#[tokio::test]
async fn the_end_of_input_ends_a_wait_and_its_answer_is_flushed() {
    let mut client = Client::ready(|r| matches!(r, Request::Check(_)).then_some(Reply::Never)).await;
    client.start_call(1, "check", json!({"wait_seconds": 60})).await;
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Call(Request::Check(_))))).await;
    let began = std::time::Instant::now();
    client.end_input();
    let message = client.hear().await;
    assert_eq!(content_of(&message)["messages"], json!([]));
    assert_eq!(client.hear().await, Value::Null, "nothing follows");
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    let daemon = client.finish().await;
    assert!(daemon.log().contains(&Seen::Stopped("check")));
}

#[tokio::test]
async fn calls_that_hang_do_not_hold_up_the_end() {
    let mut client = Client::ready(|r| matches!(r, Request::Send(_)).then_some(Reply::Never)).await;
    client.start_call(1, "send", json!({"to_id": "bob", "content": "a"})).await;
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Call(Request::Send(_))))).await;
    client.finish().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_from_and_may_go_away() {
    let mut client = Client::with(Daemon::ordinary(), Setup { pipe: 256, ..Setup::default() });
    client.initialize("t", json!({})).await;
    let flood = async {
        let mut id = 1;
        loop {
            client.say(json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"})).await;
            id += 1;
        }
    };
    timeout(Duration::from_millis(700), flood).await.expect_err("at some point nothing is read any more");
    client.from = BufReader::new(tokio::io::duplex(1).0);
    client.finish().await;
}

#[tokio::test]
async fn a_cancelled_wait_has_no_answer_and_loses_nothing() {
    let waits = |r: &Request| matches!(r, Request::Check(c) if c.wait_ms > 0);
    let mut client = Client::ready(move |r| waits(r).then_some(Reply::Never)).await;
    client.start_call(1, "check", json!({"wait_seconds": 60})).await;
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Call(Request::Check(_))))).await;
    client.ping(2).await;
    client.cancel(1).await;
    client.daemon.logged(|log| log.contains(&Seen::Stopped("check"))).await;
    assert_eq!(client.call(3, "check", json!({})).await["messages"], json!([]));
    client.cancel(3).await;
    client.ping(4).await;
    client.finish().await;
}

#[tokio::test]
async fn many_calls_run_at_once_and_too_many_are_refused() {
    let waits = |r: &Request| matches!(r, Request::Check(c) if c.wait_ms > 0);
    let mut client = Client::ready(move |r| waits(r).then_some(Reply::Never)).await;
    for id in 1..=64 {
        client.start_call(id, "check", json!({"wait_seconds": 60})).await;
    }
    client
        .daemon
        .logged(|log| log.iter().filter(|s| matches!(s, Seen::Call(Request::Check(_)))).count() == 64)
        .await;
    assert_eq!(client.call(65, "check", json!({})).await["error"]["code"], "busy");
    client.ping(66).await;
    client.cancel(1).await;
    client.daemon.logged(|log| log.contains(&Seen::Stopped("check"))).await;
    client.call(67, "check", json!({})).await;
    client.finish().await;
}

#[tokio::test]
async fn an_id_that_is_in_use_is_not_answered_twice() {
    let waits = |r: &Request| matches!(r, Request::Check(c) if c.wait_ms > 0);
    let mut client = Client::ready(move |r| waits(r).then_some(Reply::Never)).await;
    client.start_call(1, "check", json!({"wait_seconds": 60})).await;
    client.start_call(1, "check", json!({})).await;
    let answer = client.hear().await;
    assert_eq!((answer.get("id"), &answer["error"]["code"]), (None, &json!(-32600)));
    client.finish().await;
}

#[tokio::test]
async fn a_panic_in_a_tool_is_an_answer() {
    let mut client = Client::ready(|r| matches!(r, Request::List(_)).then_some(Reply::Panic)).await;
    let failed = client.call(1, "list_instances", json!({})).await;
    assert!(failed["error"]["message"].as_str().unwrap().contains("a bug in ipcd"));
    client.call(2, "check", json!({})).await;
    client.finish().await;
}

#[tokio::test]
async fn unknown_arguments_are_refused_and_nulls_are_not() {
    let mut client = Client::ready(|_| None).await;
    let refused = client.call(1, "check", json!({"wait": 3})).await;
    assert_eq!(refused["error"]["code"], "invalid_argument");
    assert!(refused["error"]["message"].as_str().unwrap().contains("`wait`"));
    assert!(refused["error"]["hint"].as_str().unwrap().contains("wait_seconds"));
    for tool in super::super::catalog::TOOLS.iter().filter(|tool| !tool.name.starts_with("share_")) {
        let value = |required: bool| if required { json!("bob") } else { Value::Null };
        let mut given: serde_json::Map<_, _> =
            tool.fields.iter().map(|field| (field.name.to_owned(), value(field.required))).collect();
        if tool.name == "register" {
            given.insert("name".to_owned(), json!("bob"));
        }
        let result = client.call(2, tool.name, Value::Object(given)).await;
        assert_eq!(result.get("error"), None, "{}: {result}", tool.name);
    }
    client.finish().await;
}
