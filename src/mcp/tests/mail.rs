//! When mail counts as read.

use super::*;

/// A daemon whose every check hands out one message: 1, then 2, and so on.
fn mailbox() -> impl Fn(&Request) -> Option<Reply> + Send + Sync {
    let next = Mutex::new(0);
    move |request| match request {
        Request::Check(check) if !check.peek => {
            let mut next = next.lock().unwrap();
            *next += 1;
            Some(mail(*next))
        }
        _ => None,
    }
}

#[tokio::test]
async fn the_next_call_settles_before_it_asks_anything() {
    let mut client = Client::ready(mailbox()).await;
    client.call(1, "check", json!({})).await;
    client.ping(2).await;
    client.call(3, "list_instances", json!({})).await;
    let daemon = client.finish().await;
    assert_eq!(
        daemon.words(),
        [r#"check {"wait_ms":0,"peek":false,"offset":0}"#, r#"ack {"ids":[1]}"#, "list {}", "bye"]
    );
}

#[tokio::test]
async fn a_call_sent_before_the_answer_was_seen_settles_nothing() {
    let mut client = Client::ready(mailbox()).await;
    let call = |id: u64, tool: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool}}).to_string()
    };
    client.daemon.logged(|log| !log.is_empty()).await;
    client.say_raw(format!("{}\n{}\n", call(1, "check"), call(2, "list_instances")).as_bytes()).await;
    client.hear().await;
    client.hear().await;
    client.ping(3).await;
    assert!(client.daemon.words().iter().all(|word| !word.contains("ack")), "{:?}", client.daemon.words());
    client.call(4, "list_instances", json!({})).await;
    assert_eq!(client.daemon.words()[2..], [r#"ack {"ids":[1]}"#, "list {}"]);
    client.finish().await;
}

#[tokio::test]
async fn a_cancel_before_the_flush_gives_the_mail_back_and_one_after_it_does_not() {
    // So small a pipe that an answer is never out before it is read.
    let mut client = Client::with(Daemon::new(mailbox()), Setup { pipe: 16, ..Setup::default() });
    client.initialize("t", json!({})).await;
    client.start_call(1, "check", json!({})).await;
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Call(Request::Check(_))))).await;
    client.cancel(1).await;
    let back = client.daemon.logged(|log| matches!(log.last(), Some(Seen::Post(_)))).await;
    assert_eq!(back.last().unwrap().word(), r#"post nack {"ids":[1]}"#);
    // Perhaps the answer was on its way out already; it changes nothing.
    client.say(json!({"jsonrpc": "2.0", "id": 2, "method": "ping"})).await;
    while client.hear().await["id"] != 2 {}

    client.call(3, "check", json!({})).await;
    client.cancel(3).await;
    client.call(4, "list_instances", json!({})).await;
    let words = client.daemon.words();
    assert_eq!(words[words.len() - 2..], [r#"ack {"ids":[2]}"#, "list {}"]);
    client.finish().await;
}

#[tokio::test]
async fn mail_that_a_slow_daemon_hands_to_a_cancelled_call_is_given_back() {
    // Longer than a cancelled call waits for what was on its way.
    let late = Duration::from_millis(600);
    let script = move |r: &Request| matches!(r, Request::Check(_)).then(|| Reply::Late(late, with_mail(1)));
    let mut client = Client::ready(script).await;
    client.start_call(1, "check", json!({})).await;
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Call(Request::Check(_))))).await;
    client.cancel(1).await;
    let back = client.daemon.logged(|log| matches!(log.last(), Some(Seen::Post(_)))).await;
    assert_eq!(back.last().unwrap().word(), r#"post nack {"ids":[1]}"#);
    client.finish().await;
}

#[tokio::test]
async fn looking_takes_nothing() {
    let mut client = Client::ready(|r| matches!(r, Request::Check(_)).then(|| mail(5))).await;
    client.call(1, "check", json!({"peek": true})).await;
    client.call(2, "get_messages", json!({"delete_after_read": false})).await;
    client.call(3, "check", json!({"id": 5})).await;
    client.request(4, "resources/read", json!({"uri": "ipc://inbox"})).await;
    client.call(5, "list_instances", json!({})).await;
    let daemon = client.finish().await;
    assert!(daemon.words().iter().all(|word| !word.contains("ack")), "{:?}", daemon.words());
}

#[tokio::test]
async fn what_the_caller_says_it_read_is_settled_once() {
    let mut client = Client::ready(mailbox()).await;
    client.call(1, "check", json!({"ack": "on_flush"})).await;
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Call(Request::Ack(_))))).await;
    client.call(2, "check", json!({})).await;
    client.call(3, "check", json!({"ack": [2]})).await;
    client.call(4, "list_instances", json!({"": null})).await;
    let daemon = client.finish().await;
    let acks: Vec<_> = daemon.words().into_iter().filter(|word| word.starts_with("ack")).collect();
    assert_eq!(
        acks,
        [r#"ack {"ids":[1]}"#, r#"ack {"ids":[2]}"#, r#"ack {"ids":[2]}"#, r#"ack {"ids":[3]}"#]
    );
}

#[tokio::test]
async fn numbers_of_any_size_go_through_both_ways() {
    const DATA: &str = r#"{"big":123456789012345678901234567890,"pi":3.14159265358979323846264338327950288,"z":-0.0,"n":null,"a":[1,2.50]}"#;
    let message = format!(r#"{{"id":1,"from":"bob","data":{DATA}}}"#);
    let checked = format!(r#"{{"messages":[{message}],"remaining":0,"waited_seconds":0.5,"unread":1}}"#);
    let daemon = Daemon::new({
        let checked = checked.clone();
        move |r| matches!(r, Request::Check(_)).then(|| Reply::Now(Ok(raw(&checked))))
    });
    let mut client = Client::of(daemon);
    client.initialize("t", json!({})).await;
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"send","arguments":{{"to_id":"bob","content":"x","data":{DATA}}}}}}}"#
    );
    client.say_raw(format!("{call}\n").as_bytes()).await;
    client.hear().await;
    let Request::Send(send) = client.daemon.last() else { panic!() };
    assert_eq!(send.data.unwrap().get(), DATA);

    client.start_call(2, "check", json!({})).await;
    let line = client.hear_line().await;
    assert!(line.contains(&format!(r#""structuredContent":{checked}"#)), "{line}");
    let text = serde_json::to_string(&checked).unwrap();
    assert!(line.contains(&format!(r#""text":{text}"#)), "{line}");
    client.finish().await;
}
