//! Daemons that go away, hang, refuse, or are none.

use serde_json::json;

use super::*;
use crate::client::connection::{Connection, Ended, Said};
use crate::protocol::hello::{Hello, VersionRange};
use crate::protocol::name::Name;
use crate::protocol::request::Nothing;
use crate::protocol::response::Done;

#[test]
fn what_a_daemon_left_unanswered_the_next_one_answers_in_order() {
    let home = Home::new();
    runs(async {
        let listener = home.bind();
        let register = Register { name: Some("alice".into()), ..Register::default() };
        let mut config = home.config(DEADLINE);
        config.resume = Arc::new(move || Some(register.clone()));
        let link = Link::new(config);
        let mut resumed = link.resumed();
        let registered = json!({"name": "alice", "resumed": true, "unread": 0, "peers": []});
        let daemons = async {
            let mut session = Session::accept(&listener).await;
            session.call("register").await;
            for expected in [1, 2, 3] {
                let (id, params) = session.call("check").await;
                assert_eq!(number(&params), expected);
                if expected == 2 {
                    session.answer(&id, json!(2)).await;
                }
            }
            drop(session);
            let mut session = Session::accept(&listener).await;
            let (id, params) = session.call("register").await;
            assert!(params.contains("alice"));
            session.answer(&id, registered).await;
            for expected in [1, 3] {
                let (id, params) = session.call("check").await;
                assert_eq!(number(&params), expected);
                session.answer(&id, json!(expected)).await;
            }
        };
        let client = async { tokio::join!(link.ask(check(1)), link.ask(check(2)), link.ask(check(3))) };
        let (answers, ()) = tokio::join!(client, daemons);
        assert_eq!(answers, (Ok(1), Ok(2), Ok(3)));
        let resumed = resumed.wait_for(Option::is_some).await.unwrap().clone();
        assert_eq!(resumed.unwrap().unwrap().name, Name::parse("alice").unwrap());
    });
}

#[test]
fn an_idle_client_with_a_name_comes_back_and_one_without_does_not() {
    let home = Home::new();
    runs(async {
        let listener = home.bind();
        let mut config = home.config(DEADLINE);
        config.resume = Arc::new(|| Some(Register::default()));
        let (named, nameless) = (Link::new(config), home.link());
        for link in [&named, &nameless] {
            let daemon = async {
                let mut session = Session::accept(&listener).await;
                while let Some(line) = session.next().await {
                    let Ok(Incoming::Call { id, method, .. }) = Incoming::parse(&line) else { return };
                    session.answer(&id, json!({})).await;
                    if method == "status" {
                        return;
                    }
                }
            };
            let status = link.ask::<Done>(Request::Status(Nothing {}));
            assert_eq!(tokio::join!(status, daemon).0, Ok(Done {}));
        }
        // Both have lost their connection by now; the one with a name comes again, and only that one.
        let mut session = Session::accept(&listener).await;
        session.call("register").await;
        let daemon = async {
            let mut session = Session::accept(&listener).await;
            let (id, _) = session.call("check").await;
            session.answer(&id, json!(7)).await;
        };
        assert_eq!(tokio::join!(nameless.ask(check(1)), daemon).0, Ok(7));
    });
}

#[test]
fn an_idle_client_notices_a_daemon_that_comes_back_much_later() {
    let home = Home::new();
    runs(async {
        let mut config = home.config(DEADLINE);
        config.resume = Arc::new(|| Some(Register::default()));
        let link = Link::new(config);
        let mut driver = link.shared.idle.lock().unwrap().take().unwrap();
        // As after a loss, when the time to try again is over.
        driver.wait_for_socket();
        tokio::spawn(driver.run());
        tokio::task::yield_now().await;
        let listener = home.bind();
        Session::accept(&listener).await.call("register").await;
        drop(link);
    });
}

#[test]
fn what_is_no_protocol_ends_the_connection_and_not_the_call() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        let daemons = async {
            for garbage in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\xff\xfe\n", b"{\"id\":0}\n", b"[]\n"] {
                let mut session = Session::accept_silently(&listener).await;
                session.call("hello").await;
                session.write(garbage).await;
            }
            let mut session = Session::accept(&listener).await;
            let (id, _) = session.call("check").await;
            session.answer(&id, json!(1)).await;
        };
        assert_eq!(tokio::join!(link.ask(check(1)), daemons).0, Ok(1));
    });
}

#[test]
fn a_daemon_that_does_not_want_us_is_asked_once() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        let theirs = crate::protocol::hello::VersionRange { min: 7, max: 9 };
        let refusal = PROTOCOL.common(theirs).unwrap_err();
        let daemon = async {
            let mut session = Session::accept_silently(&listener).await;
            let (id, _) = session.call("hello").await;
            session.write(&answer_line::<()>(&id, &Err(refusal.clone()))).await;
            session
        };
        let (answer, _session) = tokio::join!(link.call(check(1)), daemon);
        assert_eq!(answer.unwrap_err(), refusal);
    });
}

/// A daemon of protocol 0, older than any: it refuses, and says what it speaks to whoever speaks all.
async fn old_daemon(listener: &Listener) -> Session {
    let theirs = VersionRange { min: 0, max: 0 };
    let mut session = Session::accept_silently(listener).await;
    let (id, _) = session.call("hello").await;
    session.write(&answer_line::<()>(&id, &Err(theirs.common(PROTOCOL).unwrap_err()))).await;
    let mut session = Session::accept_silently(listener).await;
    let (id, params) = session.call("hello").await;
    let hello: Hello = serde_json::from_str(&params).unwrap();
    assert_eq!(hello.protocol, VersionRange::ANY);
    session.answer(&id, json!({"protocol": 0, "server": "ipcd/0.0.1", "line_bytes": 1})).await;
    session
}

#[test]
fn an_older_daemon_is_asked_to_make_way_once() {
    let home = Home::new();
    runs(async {
        let listener = home.bind();
        let link = Link::new(LinkConfig { launch: true, ..home.config(DEADLINE) });
        let daemons = async {
            let mut session = old_daemon(&listener).await;
            let (_, params) = session.call("retire").await;
            assert_eq!(params, format!(r#"{{"protocol":{}}}"#, serde_json::to_string(&PROTOCOL).unwrap()));
            drop(session);
            // Whoever starts daemons here starts the older one: to end it again would help nobody.
            old_daemon(&listener).await
        };
        let (answer, _session) = tokio::join!(link.call(check(1)), daemons);
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::UnsupportedProtocol);
        assert!(refusal.message.contains("ipcd/0.0.1 again"), "{refusal}");
        assert!(refusal.hint.contains("two versions are installed"), "{refusal:?}");
    });
}

#[test]
fn a_call_goes_to_the_daemon_that_comes_after_an_older_one() {
    let home = Home::new();
    runs(async {
        let listener = home.bind();
        let link = Link::new(LinkConfig { launch: true, ..home.config(DEADLINE) });
        let daemons = async {
            old_daemon(&listener).await.call("retire").await;
            let mut session = Session::accept(&listener).await;
            let (id, _) = session.call("check").await;
            session.answer(&id, json!(1)).await;
        };
        assert_eq!(tokio::join!(link.ask(check(1)), daemons).0, Ok(1));
    });
}

#[test]
fn a_call_that_ends_each_daemon_is_given_up() {
    let home = Home::new();
    runs(async {
        let (listener, link) = (home.bind(), home.link());
        let daemons = async {
            for _ in 0..pending::LOSSES_MAX {
                Session::accept(&listener).await.call("check").await;
            }
        };
        let refusal = tokio::join!(link.call(check(1)), daemons).0.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Retry);
        assert!(refusal.message.contains("hung up"), "{refusal}");
    });
}

#[test]
fn a_daemon_that_does_not_answer_hello_is_as_good_as_none() {
    let home = Home::new();
    runs(async {
        let listener = home.bind();
        let stream = transport::connect(&home.socket()).await.unwrap();
        let mut connection = Connection::open(stream, &hello(), Duration::from_millis(20));
        let mut session = Session::accept_silently(&listener).await;
        session.call("hello").await;
        assert_eq!(connection.next().await.unwrap_err(), Ended::Silent);

        // One that answers in time may be silent from then on.
        let stream = transport::connect(&home.socket()).await.unwrap();
        let mut connection = Connection::open(stream, &hello(), Duration::from_millis(20) + DEADLINE);
        let _session = Session::accept(&listener).await;
        assert!(matches!(connection.next().await, Ok(Said::Welcome(_))));
        assert!(tokio::time::timeout(Duration::from_millis(40), connection.next()).await.is_err());
    });
}

#[test]
fn a_call_waits_for_a_daemon_as_long_as_its_patience() {
    let home = Home::new();
    runs(async {
        let link = Link::new(home.config(Duration::ZERO));
        let refusal = link.call(check(1)).await.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Retry);
        assert!(refusal.message.contains("ipcd.sock") && !refusal.hint.is_empty(), "{refusal:?}");

        let link = home.link();
        let daemon = async {
            // The client runs, and finds nobody.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let listener = home.bind();
            let mut session = Session::accept(&listener).await;
            let (id, _) = session.call("check").await;
            session.answer(&id, json!(1)).await;
        };
        assert_eq!(tokio::join!(link.ask(check(1)), daemon).0, Ok(1));
    });
}
