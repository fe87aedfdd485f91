//! Starting a daemon, or not.

use std::path::Path;

use super::*;
use crate::protocol::startup::Startup;
use crate::transport::lock::FileLock;

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

/// Each says that it serves, or that another one does, and is dead when somebody comes.
#[test]
fn a_daemon_that_dies_as_it_is_ready_is_followed_by_the_next() {
    let home = Home::new();
    let line = |startup: fn(String) -> Startup| {
        String::from_utf8(startup(home.socket().display().to_string()).line()).unwrap()
    };
    let (ready, other) = (line(|socket| Startup::Ready { socket }), line(|socket| Startup::Other { socket }));
    let starts = home.0.path().join("starts");
    let script = format!(
        "printf x >>'{0}'; [ $(wc -c <'{0}') = 1 ] && printf '%s' '{ready}' || printf '%s' '{other}'",
        starts.display()
    );
    runs(async {
        let error = launch::reach(&home.socket(), &home.spawn_lock(), Some(&shell(&script))).await;
        let error = error.unwrap_err();
        assert!(error.message.contains("does not listen at") && error.code == RefusalCode::Retry, "{error}");
    });
    assert_eq!(std::fs::read(&starts).unwrap(), b"xxxxx", "so many were started, and no more");
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
            "FAKE_DAEMON_HOME=$1 exec \"$2\" --exact client::tests::launching::fake_daemon --ignored 3>&1 >/dev/null"
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
