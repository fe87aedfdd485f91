//! Each tool's arguments as the daemon gets them.

use super::*;
use crate::protocol::message::MessageId;
use crate::protocol::request::Check;

/// The request that a call becomes, as its parameters.
async fn becomes(client: &mut Client, tool: &str, arguments: Value) -> Value {
    let result = client.call(1, tool, arguments).await;
    assert_eq!(result.get("error"), None, "{result}");
    let request = client.daemon.last();
    let mut params = serde_json::to_value(&request).unwrap();
    if let Some(key) = params.as_object_mut().unwrap().remove("key") {
        assert!(key.as_str().unwrap().starts_with("mcp-"), "{key}");
    }
    json!([request.method(), params])
}

#[tokio::test]
async fn arguments_become_requests() {
    let mut client = Client::ready(|_| None).await;
    let checked = |more: Value| {
        let mut check = json!({"wait_ms": 0, "peek": false, "offset": 0});
        check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!(["check", check])
    };
    for (tool, arguments, request) in [
        (
            "register",
            json!({"instance_id": "bob"}),
            json!(["register", {"name": "bob", "auto": false, "held": []}]),
        ),
        ("register", json!({"name": "bob"}), json!(["register", {"name": "bob", "auto": false, "held": []}])),
        (
            "send",
            json!({"from_id": "me", "to_id": "bob, carol", "content": "hi", "summary": "s", "data": [1], "reply_to": 7,
                "ttl_seconds": 60}),
            json!(["send", {"to": ["bob", "carol"], "content": "hi", "summary": "s", "data": [1], "reply_to": 7,
                "ttl_seconds": 60, "from": "me"}]),
        ),
        (
            "send",
            json!({"content": "to the last one", "from_id": ""}),
            json!(["send", {"to": [], "content": "to the last one"}]),
        ),
        (
            "send_message",
            json!({"from": "me", "to": "bob", "summary": "s", "content": "c"}),
            json!(["send", {"to": ["bob"], "content": "c", "summary": "s", "from": "me"}]),
        ),
        (
            "broadcast",
            json!({"from_id": "me", "content": "hi"}),
            json!(["broadcast", {"content": "hi", "from": "me"}]),
        ),
        ("check", json!({"instance_id": "me", "limit": 3}), checked(json!({"limit": 3, "from": "me"}))),
        ("check", json!({"wait_seconds": 2}), checked(json!({"wait_ms": 2_000}))),
        ("check", json!({"wait_seconds": 3600}), checked(json!({"wait_ms": 1_500_000}))),
        ("check", json!({"id": 9, "offset": 32768}), checked(json!({"id": 9, "offset": 32768}))),
        ("get_messages", json!({"terminal_name": "me"}), checked(json!({"from": "me"}))),
        ("get_messages", json!({"delete_after_read": false}), checked(json!({"peek": true}))),
        ("watch_messages", json!({"interval": 2}), checked(json!({"wait_ms": 300_000}))),
        ("watch_messages", json!({"timeout": 10}), checked(json!({"wait_ms": 10_000}))),
        ("list_instances", json!({}), json!(["list", {}])),
        ("list_terminals", json!({}), json!(["list", {}])),
        ("rename", json!({"old_id": "me", "new_id": "bob"}), json!(["rename", {"new": "bob", "old": "me"}])),
        (
            "auto_process",
            json!({"instance_id": "me", "auto_check": "start", "minutes": 4}),
            json!(["auto", {"set": "start", "minutes": 4, "from": "me"}]),
        ),
        ("auto_process", json!({"auto_check": "status"}), json!(["auto", {"set": "status"}])),
    ] {
        assert_eq!(becomes(&mut client, tool, arguments).await, request, "{tool}");
    }
    client.finish().await;
}

#[tokio::test]
async fn senseless_arguments_never_reach_the_daemon() {
    let mut client = Client::ready(|_| None).await;
    client.daemon.logged(|log| !log.is_empty()).await;
    for (tool, arguments, code) in [
        ("register", json!({}), "invalid_argument"),
        ("register", json!({"name": "bad name!"}), "invalid_name"),
        ("register", json!({"name": "eve\n"}), "invalid_name"),
        ("register", json!({"name": "a", "instance_id": "b"}), "invalid_argument"),
        ("send", json!({"to_id": "bob"}), "invalid_argument"),
        ("send", json!({"to_id": 7, "content": "a"}), "invalid_argument"),
        ("send_message", json!({"to": " ", "summary": "s", "content": "c"}), "invalid_argument"),
        ("check", json!({"wait_seconds": 3601}), "invalid_argument"),
        ("watch_messages", json!({"timeout": 0}), "invalid_argument"),
        ("auto_process", json!({"auto_check": "start", "minutes": 61}), "invalid_argument"),
        ("auto_process", json!({"auto_check": "perhaps"}), "invalid_argument"),
    ] {
        assert_eq!(client.call(1, tool, arguments).await["error"]["code"], code, "{tool}");
    }
    let daemon = client.finish().await;
    assert_eq!(daemon.words(), ["bye"]);
}

#[tokio::test]
async fn each_send_has_a_key_of_its_own() {
    let mut client = Client::ready(|_| None).await;
    let mut keys = Vec::new();
    for arguments in
        [json!({"content": "a"}), json!({"content": "a"}), json!({"content": "a", "key": "mine"})]
    {
        client.call(1, "send", arguments).await;
        let Request::Send(send) = client.daemon.last() else { panic!() };
        keys.push(send.key.unwrap());
    }
    assert_eq!(keys[2], "mine");
    assert_ne!(keys[0], keys[1]);
    client.finish().await;
}

#[tokio::test]
async fn automatic_processing_shows_all_and_acknowledges_once() {
    let messages = json!([
        {"id": 1, "from": "bob", "content": "x".repeat(2000), "data": {"k": 1}, "sender": {"verified": "full"}},
        {"id": 2, "from": "bob", "content": "done", "data": {"auto_processed": true}, "sender": {"verified": "full"}},
        {"id": 3, "from": "system", "content": "renamed", "sender": {"verified": "daemon"}},
    ]);
    let checked = json!({"messages": messages, "remaining": 0, "waited_seconds": 0.0, "unread": 3});
    let mut client =
        Client::ready(move |r| matches!(r, Request::Check(_)).then(|| Reply::Now(answer(checked.clone()))))
            .await;
    let result = client.call(1, "auto_process", json!({"acknowledge": true})).await;
    assert_eq!(result["messages"], messages);
    assert_eq!(result["acknowledged"], json!([1]));
    let daemon = client.finish().await;
    let sends: Vec<_> = daemon.words().into_iter().filter(|word| word.starts_with("send")).collect();
    assert_eq!(
        sends,
        [
            r#"send {"to":[],"content":"message 1 was processed automatically","data":{"auto_processed":true},"reply_to":1,"key":"receipt-1"}"#
        ]
    );
    assert!(daemon.words().contains(&r#"post auto {"set":"looked"}"#.to_owned()));
}

#[tokio::test]
async fn a_refusal_is_an_error_with_code_and_hint() {
    let mut client = Client::ready(|r| {
        matches!(r, Request::Send(_))
            .then(|| refusal(RefusalCode::MailboxFull, "`bob` has 100 unread messages"))
    })
    .await;
    let failed = client.call(1, "send", json!({"to_id": "bob", "content": "a"})).await;
    let error = json!({"code": "mailbox_full", "message": "`bob` has 100 unread messages", "hint": "a hint", "recoverable": true});
    assert_eq!(failed, json!({"error": error}));
    client.finish().await;
}

#[tokio::test]
async fn progress_is_told_to_who_asks_for_it() {
    let waits = |r: &Request| matches!(r, Request::Check(_)).then_some(Reply::Never);
    let setup = Setup { progress_every: Duration::from_millis(20), ..Setup::default() };
    let mut client = Client::with(Daemon::new(waits), setup);
    client.initialize("t", json!({})).await;
    client.start_call(1, "check", json!({"wait_seconds": 30})).await;
    let params =
        json!({"name": "check", "arguments": {"wait_seconds": 30}, "_meta": {"progressToken": "tok"}});
    client.say(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})).await;
    for _ in 0..3 {
        let told = client.hear().await;
        assert_eq!(told["method"], "notifications/progress");
        assert_eq!(
            (&told["params"]["progressToken"], told["params"]["total"].as_f64()),
            (&json!("tok"), Some(30.0))
        );
    }
    client.finish().await;
}

#[tokio::test]
async fn resources_show_the_status_and_the_inbox() {
    let mut client = Client::ready(|_| None).await;
    let listed = client.request(1, "resources/list", json!({})).await;
    assert_eq!(listed["result"]["resources"].as_array().unwrap().len(), 2);
    let read = client.request(2, "resources/read", json!({"uri": "ipc://status"})).await;
    let contents = &read["result"]["contents"][0];
    assert_eq!(contents["text"], r#"{"ok":"status"}"#);
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!("ipc://status"), &json!("application/json"))
    );
    let read = client.request(3, "resources/read", json!({"uri": "ipc://inbox"})).await;
    assert!(read["result"]["contents"][0]["text"].as_str().unwrap().contains("messages"));
    let Request::Check(check) = client.daemon.last() else { panic!() };
    assert!(check.peek);
    let missing = client.request(4, "resources/read", json!({"uri": "ipc://other"})).await;
    assert_eq!(missing["error"]["code"], -32002);
    client.finish().await;
}

#[tokio::test]
async fn a_message_is_passed_on_whole_after_it_was_read() {
    let script = |request: &Request| match request {
        Request::Check(Check { id: None, .. }) => {
            let message = json!({"id": 7, "from": "bob", "to": "webapp", "sent_at": "2026-11-21T21:24:00Z",
                "content": "hi", "data": {"n": 123456789012345678901234567890u128.to_string()}, "hops": 3,
                "sender": {"verified": "full"}});
            Some(Reply::Now(answer(
                json!({"messages": [message], "remaining": 0, "waited_seconds": 0.0, "unread": 0}),
            )))
        }
        Request::Check(Check { id: Some(MessageId(8)), offset, .. }) => {
            let (content, next) =
                if *offset == 0 { ("{\"content\":\"lo", Some(14)) } else { ("ng\",\"data\":[1]}", None) };
            let message =
                json!({"id": 8, "from": "bob", "content": content, "next_offset": next, "whole": "json"});
            Some(Reply::Now(answer(
                json!({"messages": [message], "remaining": 0, "waited_seconds": 0.0, "unread": 0}),
            )))
        }
        Request::Check(_) => Some(refusal(RefusalCode::UnknownMessage, "no message")),
        _ => None,
    };
    let mut client = Client::ready(script).await;
    client.call(1, "check", json!({})).await;
    client.call(2, "send", json!({"to_id": "carol", "content": "see", "forward": 7})).await;
    let forwarded = |client: &Client| match client.daemon.last() {
        Request::Send(send) => serde_json::from_str::<Value>(send.data.unwrap().get()).unwrap(),
        other => panic!("{other:?}"),
    };
    let expected = json!({"type": "forwarded", "id": 7, "from": "bob", "to": "webapp",
        "sent_at": "2026-11-21T21:24:00Z", "content": "hi", "data": {"n": "123456789012345678901234567890"}});
    assert_eq!(forwarded(&client), expected);
    client.call(3, "send", json!({"to_id": "carol", "forward": 8})).await;
    let expected = json!({"type": "forwarded", "id": 8, "from": "bob", "content": "long", "data": [1]});
    assert_eq!(forwarded(&client), expected);
    let unknown = client.call(4, "send", json!({"to_id": "carol", "content": "", "forward": 9})).await;
    assert_eq!(unknown["error"]["code"], "unknown_message");
    let both = client.call(5, "send", json!({"to_id": "c", "content": "", "forward": 7, "data": {}})).await;
    assert_eq!(both["error"]["code"], "invalid_argument");
    client.finish().await;
}
