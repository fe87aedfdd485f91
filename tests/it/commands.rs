//! What a shared command prints, how it ends, and that nothing of it is left: the library's own
//! [`Command::run`], watched over by the real program.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ipcd::protocol::refusal::RefusalCode;
use ipcd::share::Here;
use ipcd::share::command::{Command, Ran};
use ipcd::share::policy::CommandPolicy;
use serde_json::json;

use crate::world::{SOON, runs};

struct World {
    _dir: tempfile::TempDir,
    here: Here,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let cwd = dir.path().canonicalize().expect("the folder");
        let ipcd = crate::world::program().into();
        World { here: Here { cwd, home: None, ipcd, remote: None }, _dir: dir }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.here.cwd.join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    async fn run(&self, policy: &CommandPolicy, text: &str) -> Ran {
        Command::parse(text).expect(text).run(policy, &self.here, None).await.expect(text)
    }
}

fn limited(timeout: Duration) -> CommandPolicy {
    CommandPolicy { timeout, ..CommandPolicy::default() }
}

async fn until(fact: impl Fn() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < SOON, "the fact never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn pid_in(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
}

#[tokio::test]
async fn a_command_tells_its_output_and_its_end() {
    let world = World::new();
    let ran = world.run(&CommandPolicy::default(), "echo 'hi  there'").await;
    assert_eq!(ran.shared.content, "Command output: echo 'hi  there'");
    assert_eq!(
        ran.shared.data,
        json!({"type": "command", "command": "echo 'hi  there'", "stdout": "hi  there\n", "stderr": "",
               "returncode": 0, "timed_out": false})
    );
    let ran = world.run(&CommandPolicy::default(), "ls /nonexistent").await;
    assert_eq!((ran.exit.code, ran.timed_out), (2, false));
    assert!(ran.shared.data["stderr"].as_str().unwrap().contains("nonexistent"));
    let ran = world.run(&CommandPolicy::default(), "sh -c 'kill -9 $$'").await;
    assert_eq!((ran.exit.code, ran.exit.signal.as_deref()), (-9, Some("SIGKILL")));
    assert_eq!(ran.shared.data["signal"], "SIGKILL");
    let ran = world.run(&CommandPolicy::default(), "printf '\\377x'").await;
    assert_eq!(ran.shared.data["stdout"], "\u{fffd}x");
    assert_eq!(ran.shared.data["lossy"], true);
    let ran = world.run(&CommandPolicy::default(), "pwd").await;
    assert_eq!(ran.shared.data["stdout"], format!("{}\n", world.here.cwd.display()));
}

#[tokio::test]
async fn stdin_is_empty_and_there_is_no_terminal() {
    let world = World::new();
    for command in ["head -n 1", "cat", "sh -c 'read x || echo none; exit 0'"] {
        let ran = world.run(&CommandPolicy::default(), command).await;
        assert_eq!((ran.exit.code, ran.timed_out), (0, false), "{command}");
    }
    let ran = world.run(&CommandPolicy::default(), "sh -c 'echo x > /dev/tty'").await;
    assert_ne!(ran.exit.code, 0);
}

#[tokio::test]
async fn a_command_ends_in_time_with_its_children() {
    let world = World::new();
    let begun = Instant::now();
    let ran = world.run(&limited(Duration::from_millis(300)), "sleep 40").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    assert!(ran.timed_out);
    assert_eq!(ran.exit.signal.as_deref(), Some("SIGTERM"));
    assert_eq!(ran.shared.data["timed_out"], true);
    world.file(
        "deaf.sh",
        "trap '' TERM\nsleep 300 &\necho $! > child\necho begun\nwhile :; do sleep 1; done\n",
    );
    let ran = world.run(&limited(Duration::from_millis(300)), "sh deaf.sh").await;
    assert_eq!(ran.exit.signal.as_deref(), Some("SIGKILL"));
    assert_eq!(ran.shared.data["stdout"], "begun\n");
    let child = pid_in(&world.here.cwd.join("child")).unwrap();
    assert!(!runs(child), "it is gone before the answer is there");
}

#[tokio::test]
async fn what_a_command_leaves_behind_does_not_hold_the_answer() {
    let world = World::new();
    world.file("script.sh", "sleep 300 &\necho $! > child\necho hi\n");
    let begun = Instant::now();
    let ran = world.run(&CommandPolicy::default(), "sh script.sh").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    assert_eq!((ran.shared.data["stdout"].as_str(), ran.exit.code), (Some("hi\n"), 0));
    let child = pid_in(&world.here.cwd.join("child")).unwrap();
    assert!(!runs(child), "it is gone before the answer is there");
}

#[tokio::test]
async fn a_cancelled_command_ends_with_its_children() {
    let world = World::new();
    world.file("script.sh", "sleep 300 &\necho $! > child\necho $$ > leader\nwait\n");
    let (child, leader) = (world.here.cwd.join("child"), world.here.cwd.join("leader"));
    {
        let policy = CommandPolicy::default();
        let run = Command::parse("sh script.sh").unwrap().run(&policy, &world.here, None);
        tokio::select! {
            ran = run => panic!("it ended by itself: {ran:?}"),
            () = until(|| pid_in(&leader).is_some()) => {}
        }
    }
    let (child, leader) = (pid_in(&child).unwrap(), pid_in(&leader).unwrap());
    until(|| !runs(child) && !runs(leader)).await;
}

#[tokio::test]
async fn output_is_bounded_while_it_comes() {
    let world = World::new();
    let policy = CommandPolicy { max_output_bytes: 4_000, ..limited(Duration::from_millis(300)) };
    let ran = world.run(&policy, "yes bomb").await;
    let stdout = ran.shared.data["stdout"].as_str().unwrap();
    assert!(ran.timed_out && stdout.len() < 2_100, "{} bytes", stdout.len());
    assert!(stdout.starts_with("bomb\n") && stdout.contains("bytes left out"));
    assert_eq!(ran.shared.data["truncated"], true);
    let ran = world.run(&policy, "sh -c 'yes | head -c 1000000; echo end >&2; echo end'").await;
    let stdout = ran.shared.data["stdout"].as_str().unwrap();
    assert!(stdout.ends_with("y\nend\n") && stdout.contains("[... 998004 bytes left out ...]"), "{stdout}");
    assert_eq!(ran.shared.data["stderr"], "end\n", "each stream has its own part");
}

#[tokio::test]
async fn what_cannot_run_is_told() {
    let world = World::new();
    world.file("plain.txt", "no program");
    let refusal = async |text: &str, here: &Here| {
        Command::parse(text).unwrap().run(&CommandPolicy::default(), here, None).await.unwrap_err()
    };
    let missing = refusal("no-such-program --x", &world.here).await;
    assert_eq!(missing.code, RefusalCode::InvalidArgument);
    assert!(missing.message.contains("`no-such-program`") && missing.hint.contains("name and path"));
    assert!(refusal("'ls | wc'", &world.here).await.hint.contains("sh -c"));
    let alone = Here { ipcd: "/nonexistent".into(), ..world.here.clone() };
    let unwatched = refusal("echo hi", &alone).await;
    assert_eq!(unwatched.code, RefusalCode::Retry);
    assert!(unwatched.hint.contains("no command is run"), "{unwatched:?}");
    assert!(refusal("./plain.txt", &world.here).await.message.contains("ermission denied"));
    let nowhere = Here { cwd: world.here.cwd.join("gone"), ..world.here.clone() };
    assert_eq!(refusal("echo hi", &nowhere).await.code, RefusalCode::Unreadable);
    assert_eq!(Command::parse("echo a | wc -l").unwrap_err().code, RefusalCode::ShellSyntax);
    assert_eq!(Command::parse(&"x".repeat(40_000)).unwrap_err().code, RefusalCode::TooLarge);
}
