//! Calls, posts and pushes on a connection that holds.

use serde_json::json;

use super::*;
use crate::protocol::event::MailWaiting;
use crate::protocol::wire::{cancelled_call, push_line};

#[test]
fn answers_in_any_order_reach_their_callers() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        let daemon = async {
            let mut session = Session::accept(&listener).await;
            let mut calls = vec![];
            for _ in 0..3 {
                let (id, params) = session.call("check").await;
                calls.push((id, number(&params)));
            }
            assert_eq!(calls.iter().map(|c| c.1).collect::<Vec<_>>(), [1, 2, 3]);
            for (id, number) in calls.iter().rev() {
                session.answer(id, json!(number)).await;
            }
        };
        let client = async { tokio::join!(link.ask(check(1)), link.ask(check(2)), link.ask(check(3))) };
        let (answers, ()) = tokio::join!(client, daemon);
        assert_eq!(answers, (Ok(1), Ok(2), Ok(3)));
    });
}

#[test]
fn a_dropped_call_is_cancelled_and_its_late_answer_ignored() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        let mut abandoned = Box::pin(link.call(check(1)));
        let mut session = tokio::select! {
            _ = &mut abandoned => panic!("nobody answered"),
            session = Session::accept(&listener) => session,
        };
        let (id, _) = session.call("check").await;
        drop(abandoned);
        let params = session.notification("cancel").await;
        assert_eq!(cancelled_call(params.as_deref()), Some(id.clone()));
        session.answer(&id, json!(1)).await;
        let daemon = async {
            let (id, _) = session.call("check").await;
            session.answer(&id, json!(2)).await;
        };
        assert_eq!(tokio::join!(link.ask(check(2)), daemon).0, Ok(2));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn posts_keep_their_place_and_goodbye_comes_last() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        link.close().await; // nothing to say goodbye to
        link.post(check(1));
        let daemon = async {
            let mut session = Session::accept(&listener).await;
            for expected in 1..=3 {
                let (id, params) = session.call("check").await;
                assert_eq!(number(&params), expected);
                session.answer(&id, json!(expected)).await;
            }
            session
        };
        let client = async {
            let second = link.ask::<u64>(check(2)).await;
            link.post(check(3));
            second
        };
        let (second, mut session) = tokio::join!(client, daemon);
        assert_eq!(second, Ok(2));
        for number in 0..200 {
            link.post(check(number));
        }
        let daemon = async {
            for expected in 0..200 {
                let (id, params) = session.call("check").await;
                assert_eq!(number(&params), expected);
                session.answer(&id, json!(expected)).await;
            }
            session.notification("bye").await;
            assert!(session.next().await.is_none());
        };
        tokio::join!(link.close(), daemon);
        assert_eq!(link.call(check(1)).await.unwrap_err().code, RefusalCode::Retry);
    });
}

#[test]
fn pushes_reach_every_listener() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        let mut listeners = [link.events(), link.clone().events()];
        link.post(check(1));
        let mut session = Session::accept(&listener).await;
        let event = Event::Mail(MailWaiting { unread: 3 });
        session.write(b"{\"jsonrpc\":\"2.0\",\"method\":\"of_a_newer_daemon\"}\n").await;
        session.write(&push_line(&event)).await;
        for listener in &mut listeners {
            assert_eq!(listener.recv().await.unwrap(), event);
        }
    });
}

#[test]
fn the_end_of_all_handles_ends_the_connection() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        link.post(check(1));
        let mut session = Session::accept(&listener).await;
        session.call("check").await;
        drop(link);
        assert!(session.next().await.is_none(), "no goodbye");
    });
}

#[test]
fn a_call_longer_than_a_line_is_refused_at_once() {
    let home = Home::new();
    runs(async {
        let content = crate::protocol::message::Body("x".repeat(LINE_BYTES_MAX).into());
        let send = Request::Broadcast(crate::protocol::request::Broadcast {
            content,
            summary: None,
            data: None,
            key: None,
            from: None,
        });
        assert_eq!(home.link().call(send).await.unwrap_err().code, RefusalCode::TooLarge);
    });
}
