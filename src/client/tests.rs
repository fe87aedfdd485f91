//! A client against daemons that do what a test says.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};

use super::connection::{Connection, Ended, Said};
use super::*;
use crate::protocol::PROTOCOL;
use crate::protocol::event::MailWaiting;
use crate::protocol::hello::{Role, Welcome};
use crate::protocol::name::Name;
use crate::protocol::request::{Check, Nothing};
use crate::protocol::response::Done;
use crate::protocol::startup::Startup;
use crate::protocol::wire::{Incoming, answer_line, cancelled_call, push_line};
use crate::transport::codec::{Line, LineReader};
use crate::transport::lock::FileLock;
use crate::transport::{self, Listener, Stream};

/// Longer than anything here takes, shorter than anybody's patience.
const DEADLINE: Duration = Duration::from_secs(60);

fn runs<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await.expect("the test hangs") })
}

/// The daemon's end of one connection.
struct Session {
    lines: LineReader<ReadHalf<Stream>>,
    writer: WriteHalf<Stream>,
}

impl Session {
    /// The next connection, after its hello.
    async fn accept(listener: &Listener) -> Session {
        let mut session = Session::accept_silently(listener).await;
        let (id, _) = session.call("hello").await;
        let welcome = Welcome { protocol: 1, server: "fake".into(), line_bytes: LINE_BYTES_MAX };
        session.write(&answer_line(&id, &Ok(welcome))).await;
        session
    }

    async fn accept_silently(listener: &Listener) -> Session {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, writer) = tokio::io::split(stream);
        Session { lines: LineReader::new(reader, LINE_BYTES_MAX), writer }
    }

    async fn next(&mut self) -> Option<Incoming> {
        // A client that ends with answers unread resets the connection.
        match self.lines.next().await.ok()?? {
            Line::Whole(line) => Some(Incoming::parse(&line).unwrap()),
            Line::Oversized { .. } => panic!("an oversized line"),
        }
    }

    /// The next line, which is this call: its id and parameters.
    async fn call(&mut self, expected: &str) -> (CallId, String) {
        match self.next().await {
            Some(Incoming::Call { id, method, params }) if method == expected => {
                (id, params.map(|p| p.get().to_owned()).unwrap_or_default())
            }
            other => panic!("{expected} was expected: {other:?}"),
        }
    }

    async fn notification(&mut self, expected: &str) -> Option<Box<RawValue>> {
        match self.next().await {
            Some(Incoming::Notification { method, params }) if method == expected => params,
            other => panic!("{expected} was expected: {other:?}"),
        }
    }

    async fn answer(&mut self, id: &CallId, answer: serde_json::Value) {
        self.write(&answer_line(id, &Ok(answer))).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::Builder::new().permissions(private()).tempdir().unwrap())
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("ipcd.sock")
    }

    fn spawn_lock(&self) -> PathBuf {
        self.0.path().join("spawn.lock")
    }

    fn config(&self, patience: Duration) -> LinkConfig {
        LinkConfig {
            socket: self.socket(),
            spawn_lock: self.spawn_lock(),
            launch: false,
            hello: hello(),
            resume: Arc::new(|| None),
            patience,
        }
    }

    fn link(&self) -> Link {
        Link::new(self.config(DEADLINE))
    }

    fn bind(&self) -> Listener {
        transport::remove_stale_socket(&self.socket()).unwrap();
        transport::bind(&self.socket()).unwrap()
    }
}

fn private() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        role: Role::Cli,
        client: "test".into(),
        program: None,
        program_session: None,
        speak_as: None,
    }
}

/// A call that can be told from others by its number.
fn check(number: u64) -> Request {
    Request::Check(Check { wait_ms: number, ..Check::default() })
}

fn number(params: &str) -> u64 {
    serde_json::from_str::<Check>(params).unwrap().wait_ms
}

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

#[test]
fn a_call_that_is_given_up_on_still_hears_what_came_of_it() {
    runs(async {
        let home = Home::new();
        let listener = home.bind();
        let link = home.link();
        let (give_up, given_up) = oneshot::channel::<()>();
        let call = link.call_until(check(1), async { drop(given_up.await) });
        let daemon = async {
            let mut session = Session::accept(&listener).await;
            let (id, _) = session.call("check").await;
            give_up.send(()).unwrap();
            let params = session.notification("cancel").await;
            assert_eq!(cancelled_call(params.as_deref()), Some(id.clone()));
            session.answer(&id, json!("on its way")).await;
        };
        let (answer, ()) = tokio::join!(call, daemon);
        assert_eq!(answer.unwrap().get(), r#""on its way""#);

        drop(listener);
        let unreachable = Home::new().link();
        let answer = unreachable.call_until(check(2), std::future::ready(())).await;
        assert_eq!(answer.unwrap_err().code, RefusalCode::Cancelled);
    });
}

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
                while let Some(Incoming::Call { id, method, .. }) = session.next().await {
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

#[cfg(target_os = "linux")]
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
        assert!(matches!(connection.next().await, Ok(Said::Welcome)));
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

/// What a shell says and does in the place of a daemon.
fn shell(script: &str) -> Starter {
    Starter { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] }
}

#[test]
fn what_a_daemon_says_when_it_cannot_start_is_what_the_caller_hears() {
    let home = Home::new();
    let refusal = Refusal::new(RefusalCode::StoreTooNew, "the store is of a newer ipcd").hint("update");
    let line = String::from_utf8(Startup::Error(refusal.clone()).line()).unwrap();
    for (script, said) in [
        (format!("printf '%s' '{line}'"), None),
        ("exit 7".to_owned(), Some("ended before it was ready (exit status: 7)")),
        ("echo hello".to_owned(), Some("does not start as a daemon does")),
    ] {
        runs(async {
            let starter = shell(&script);
            let error = launch::reach(&home.socket(), &home.spawn_lock(), Some(&starter)).await.unwrap_err();
            match said {
                None => assert_eq!(error, refusal),
                Some(said) => assert!(error.message.contains(said), "{error}"),
            }
        });
    }
    runs(async {
        let starter = Starter { program: "/nonexistent/ipcd".into(), arguments: vec![] };
        let error = launch::reach(&home.socket(), &home.spawn_lock(), Some(&starter)).await.unwrap_err();
        assert!(error.message.contains("/nonexistent/ipcd") && error.code == RefusalCode::Retry, "{error}");
    });
}

#[test]
fn a_directory_of_others_is_not_started_in() {
    let home = Home::new();
    let open = home.0.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    runs(async {
        let lock = open.join("spawn.lock");
        let error = launch::reach(&open.join("ipcd.sock"), &lock, Some(&shell(""))).await.unwrap_err();
        assert_eq!(error.code, RefusalCode::UnsafeDirectory);
        assert!(!lock.exists());
    });
}

#[test]
fn of_twenty_starters_one_starts() {
    let home = Home::new();
    let starter = Starter {
        program: "/bin/sh".into(),
        arguments: vec![
            "-c".into(),
            // The line of a daemon goes to its stdout, where a test program says other things.
            "FAKE_DAEMON_HOME=$1 exec \"$2\" --exact client::tests::fake_daemon --ignored 3>&1 >/dev/null"
                .into(),
            "sh".into(),
            home.0.path().into(),
            std::env::current_exe().unwrap().into(),
        ],
    };
    runs(async {
        let mut starters = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (socket, lock, starter) = (home.socket(), home.spawn_lock(), starter.clone());
            starters.spawn(async move { launch::reach(&socket, &lock, Some(&starter)).await });
        }
        for stream in starters.join_all().await {
            stream.unwrap();
        }
        let starts = std::fs::read_to_string(home.0.path().join("starts")).unwrap();
        assert_eq!(starts.lines().count(), 1, "{starts}");
        let mut stream = transport::connect(&home.socket()).await.unwrap();
        stream.write_all(b"stop\n").await.unwrap();
        let gone = LineReader::new(stream, 10).next().await;
        assert!(matches!(gone, Ok(None) | Err(_)), "{gone:?}");
    });
}

/// A daemon that listens and answers nothing, as a program of its own.
#[test]
#[ignore = "is started by another test"]
fn fake_daemon() {
    use std::io::Write as _;
    let Some(home) = std::env::var_os("FAKE_DAEMON_HOME") else { return };
    let home = Path::new(&home);
    let open = |path: &Path| std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    writeln!(open(&home.join("starts")), "{}", std::process::id()).unwrap();
    let socket = home.join("ipcd.sock");
    let said = |startup: fn(String) -> Startup| {
        let line = startup(socket.to_string_lossy().into_owned()).line();
        open(Path::new("/dev/fd/3")).write_all(&line).unwrap();
    };
    let Some(_lock) = FileLock::try_acquire(&home.join("ipcd.lock")).unwrap() else {
        return said(|socket| Startup::Other { socket });
    };
    runs(async {
        transport::remove_stale_socket(&socket).unwrap();
        let listener = transport::bind(&socket).unwrap();
        said(|socket| Startup::Ready { socket });
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(Some(Line::Whole(_))) = LineReader::new(stream, 10).next().await {
                return;
            }
        }
    });
}
