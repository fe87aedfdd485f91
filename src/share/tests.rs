use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::json;
use tempfile::TempDir;

use super::command::{Command, Ran};
use super::file::{FILE_BYTES_MAX, OpenFile};
use super::policy::{ArgvPrefix, CommandMode, CommandPolicy, FileMode, FilePolicy};
use super::*;

/// Long enough for any machine, short enough to fail.
const DEADLINE: Duration = Duration::from_secs(20);

struct World {
    dir: TempDir,
    here: Here,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("home/.ssh")).unwrap();
        fs::create_dir(root.join("work")).unwrap();
        World { here: Here { cwd: root.join("work"), home: Some(root.join("home")) }, dir }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.here.cwd.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn share(&self, name: impl AsRef<Path>) -> Result<Shared, Refusal> {
        self.share_by(&FilePolicy::default(), name)
    }

    fn share_by(&self, policy: &FilePolicy, name: impl AsRef<Path>) -> Result<Shared, Refusal> {
        let file = OpenFile::open(name.as_ref(), &self.here)?;
        match file.verdict(policy, &self.here) {
            Verdict::Deny(refusal) => Err(refusal),
            Verdict::Ask { rule } => Err(unasked(&rule)),
            Verdict::Allow { .. } | Verdict::AskIfAble { .. } => file.read(policy, Some("why")),
        }
    }

    fn refused(&self, name: impl AsRef<Path>) -> RefusalCode {
        self.share(name).expect_err("it is refused").code
    }

    async fn run(&self, policy: &CommandPolicy, text: &str) -> Ran {
        Command::parse(text).expect(text).run(policy, &self.here, None).await.expect(text)
    }
}

fn limited(timeout: Duration) -> CommandPolicy {
    CommandPolicy { timeout, ..CommandPolicy::default() }
}

/// Whether no such process runs; one that nobody has buried yet does not run either.
fn gone(pid: i32) -> bool {
    let dead = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']));
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
        || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(dead)
}

async fn until(fact: impl Fn() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < DEADLINE, "the fact never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
}

#[test]
fn a_text_file_is_shared_whole() {
    let world = World::new();
    let text = "zwölf\n".repeat(4_000);
    let path = world.file("notes.txt", &text);
    let shared = world.share("notes.txt").unwrap();
    assert_eq!(shared.content, format!("Shared file: {}", path.display()));
    let (path, size) = (path.to_str().unwrap(), text.len());
    assert_eq!(
        shared.data,
        json!({"type": "file", "filepath": path, "content": text, "description": "why", "size_bytes": size})
    );
}

#[test]
fn bytes_that_are_no_text_arrive_unchanged() {
    use base64::Engine;
    let world = World::new();
    for bytes in [vec![0xff, 0, 1, 2], vec![0; 1 << 20], vec![1; 1 << 20]] {
        world.file("blob", &bytes);
        let data = world.share("blob").unwrap().data;
        assert_eq!(data["encoding"], "base64");
        assert!(data.to_string().len() < 3 << 19, "it fits a message");
        let sent = base64::engine::general_purpose::STANDARD.decode(data["content"].as_str().unwrap());
        assert!(sent.unwrap() == bytes);
    }
}

#[test]
fn the_limit_is_one_mebibyte_and_not_a_byte_more() {
    let world = World::new();
    world.file("full", vec![b'x'; FILE_BYTES_MAX as usize]);
    assert_eq!(world.share("full").unwrap().data["size_bytes"], FILE_BYTES_MAX);
    world.file("over", vec![b'x'; FILE_BYTES_MAX as usize + 1]);
    assert_eq!(world.refused("over"), RefusalCode::TooLarge);
    fs::File::create(world.here.cwd.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(world.refused("sparse"), RefusalCode::TooLarge);
}

#[test]
fn only_regular_files_are_opened_and_nothing_waits() {
    let world = World::new();
    mkfifo(&world.here.cwd.join("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.here.cwd.join("socket")).unwrap();
    let begun = Instant::now();
    for path in ["fifo", "socket", ".", "/", "/dev/zero", "/dev/null", "/dev/tty"] {
        assert_eq!(world.refused(path), RefusalCode::NotAFile, "{path}");
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
    for path in ["missing", "fifo/x", ""] {
        let refusal = world.share(path).unwrap_err();
        assert!(refusal.code == RefusalCode::Unreadable || path.is_empty(), "{refusal:?}");
    }
    assert!(world.share("missing").unwrap_err().message.contains("No such file"));
}

#[test]
fn secrets_stay_by_place_under_whatever_name() {
    let world = World::new();
    let key = world.here.home.clone().unwrap().join(".ssh/config");
    fs::write(&key, "Host *").unwrap();
    symlink(&key, world.here.cwd.join("harmless.txt")).unwrap();
    symlink(key.parent().unwrap(), world.here.cwd.join("folder")).unwrap();
    world.file(".env", "A=1");
    for path in ["harmless.txt", "folder/config", "../home/.ssh/config", "~/.ssh/config", ".env", "./.env"] {
        let refusal = world.share(path).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Secret, "{path}: {refusal:?}");
        assert!(refusal.message.contains("share_file.deny"), "{refusal:?}");
    }
    assert_eq!(world.refused("/proc/self/environ"), RefusalCode::Secret);
    world.file("real.txt", "fine");
    symlink("real.txt", world.here.cwd.join("link.txt")).unwrap();
    assert_eq!(world.share("link.txt").unwrap().data["content"], "fine");
}

#[test]
fn secrets_stay_by_content_and_are_not_quoted() {
    let world = World::new();
    let token = format!("ghp{}", "_aB3dE5gH1jK2mN4pQ6sT8vW0xY7zaB3dE5gH");
    world.file("log.txt", format!("ok\nusing {token}\n"));
    let refusal = world.share("log.txt").unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Secret);
    assert!(refusal.message.contains("GitHub token"), "{refusal:?}");
    assert!(!format!("{refusal:?}").contains(&token[4..]));
    let trusting = FilePolicy { scan_secrets: false, ..FilePolicy::default() };
    assert!(world.share_by(&trusting, "log.txt").is_ok());
}

#[test]
fn a_file_that_changes_between_the_verdict_and_the_reading_is_not_sent() {
    let world = World::new();
    let path = world.file("growing.log", "one\n");
    let open = OpenFile::open(&path, &world.here).unwrap();
    fs::write(&path, "one\ntwo\n").unwrap();
    let refusal = open.read(&FilePolicy::default(), None).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Unreadable);
    assert!(refusal.message.contains("changed while it was read"));
    let open = OpenFile::open(&path, &world.here).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "other").unwrap();
    let shared = open.read(&FilePolicy::default(), None).unwrap();
    assert_eq!(shared.data["content"], "one\ntwo\n", "what was judged is what is sent");
}

#[test]
fn a_swapped_link_leaks_nothing() {
    let world = World::new();
    let secret = world.here.home.clone().unwrap().join(".ssh/config");
    fs::write(&secret, "inner").unwrap();
    world.file("outer.txt", "outer");
    let link = world.here.cwd.join("link");
    symlink("outer.txt", &link).unwrap();
    let swapping = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let spare = world.here.cwd.join("spare");
            while swapping.load(std::sync::atomic::Ordering::Relaxed) {
                for target in [secret.as_path(), Path::new("outer.txt")] {
                    symlink(target, &spare).unwrap();
                    fs::rename(&spare, &link).unwrap();
                }
            }
        });
        for _ in 0..2_000 {
            if let Ok(shared) = world.share("link") {
                assert_eq!(shared.data["content"], "outer");
            }
        }
        swapping.store(false, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn the_mode_decides_where_files_come_from() {
    let world = World::new();
    world.file("in.txt", "in");
    fs::create_dir_all(world.here.cwd.join("deep/er")).unwrap();
    let outside = world.dir.path().join("work-other.txt");
    fs::write(&outside, "out").unwrap();
    symlink(&outside, world.here.cwd.join("out.txt")).unwrap();
    let by = |mode| FilePolicy { mode, ..FilePolicy::default() };
    assert!(world.share_by(&by(FileMode::Any), &outside).is_ok());
    let roots = by(FileMode::Roots);
    assert!(world.share_by(&roots, "in.txt").is_ok());
    for path in [outside.as_path(), Path::new("out.txt"), Path::new("../work-other.txt")] {
        assert_eq!(world.share_by(&roots, path).unwrap_err().code, RefusalCode::Denied);
    }
    let deep = Here { cwd: world.here.cwd.join("deep/er"), ..world.here.clone() };
    let verdict =
        |here: &Here| OpenFile::open(Path::new("../../in.txt"), here).unwrap().verdict(&roots, here);
    assert!(matches!(verdict(&deep), Verdict::Deny(_)));
    fs::create_dir(world.here.cwd.join(".git")).unwrap();
    assert!(matches!(verdict(&deep), Verdict::Allow { .. }), "the top of the working tree is a root");
    let named = |root: &Path| FilePolicy {
        roots: vec![root.to_str().unwrap().to_owned().try_into().unwrap()],
        ..by(FileMode::Roots)
    };
    assert!(world.share_by(&named(world.dir.path()), &outside).is_ok());
    assert!(world.share_by(&named(Path::new("~/")), "in.txt").is_err());
    assert_eq!(world.share_by(&by(FileMode::Off), "in.txt").unwrap_err().code, RefusalCode::Denied);
    assert_eq!(world.share_by(&by(FileMode::Ask), "in.txt").unwrap_err().code, RefusalCode::Denied);
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
    until(|| gone(child)).await;
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
    until(|| gone(child)).await;
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
    until(|| gone(child) && gone(leader)).await;
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_dies_with_its_front_end() {
    let world = World::new();
    world.file("script.sh", "echo $$ > leader\nexec sleep 300\n");
    let leader = world.here.cwd.join("leader");
    std::thread::scope(|scope| {
        // The kernel takes the end of the thread for the end of the process: nothing is dropped here.
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (policy, here) = (CommandPolicy::default(), world.here.clone());
            let mut run =
                Box::pin(
                    async move { Command::parse("sh script.sh").unwrap().run(&policy, &here, None).await },
                );
            runtime.block_on(async {
                tokio::select! {
                    ran = &mut run => panic!("it ended by itself: {ran:?}"),
                    () = until(|| pid_in(&leader).is_some()) => {}
                }
            });
            std::mem::forget((run, runtime));
        });
    });
    let leader = pid_in(&leader).unwrap();
    let begun = Instant::now();
    while !gone(leader) {
        assert!(begun.elapsed() < DEADLINE, "it outlived its front end");
        std::thread::sleep(Duration::from_millis(5));
    }
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
    assert!(refusal("./plain.txt", &world.here).await.message.contains("ermission denied"));
    let nowhere = Here { cwd: world.here.cwd.join("gone"), home: None };
    assert_eq!(refusal("echo hi", &nowhere).await.code, RefusalCode::Unreadable);
    assert_eq!(Command::parse("echo a | wc -l").unwrap_err().code, RefusalCode::ShellSyntax);
    assert_eq!(Command::parse(&"x".repeat(40_000)).unwrap_err().code, RefusalCode::TooLarge);
}

#[test]
fn files_of_passwords_are_secrets_wherever_they_stand() {
    let policy = FilePolicy::default();
    let denied = |path: &str| policy.deny.iter().any(|glob| glob.covers(Path::new(path), None));
    for path in ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/h/.cargo/credentials", "/h/.vault-token"] {
        assert!(denied(path), "{path}");
    }
    assert!(!denied("/etc/hostname") && !denied("/w/shadow.css") && !denied("/w/credentials.rs"));
}

#[test]
fn the_mode_decides_who_is_asked() {
    let verdict = |mode, text: &str| {
        let allow = vec![ArgvPrefix::try_from(vec!["git".to_owned(), "log".to_owned()]).unwrap()];
        Command::parse(text).unwrap().verdict(&CommandPolicy { mode, allow, ..CommandPolicy::default() })
    };
    let rule = |mode: &str| format!("share_command.mode = \"{mode}\"");
    assert_eq!(verdict(CommandMode::Allow, "rm x"), Verdict::Allow { rule: rule("allow") });
    assert_eq!(verdict(CommandMode::Auto, "rm x"), Verdict::AskIfAble { rule: rule("auto") });
    assert_eq!(verdict(CommandMode::Ask, "rm x"), Verdict::Ask { rule: rule("ask") });
    assert_eq!(verdict(CommandMode::Allowlist, "git log -1"), Verdict::Allow { rule: rule("allowlist") });
    for (mode, text) in [
        (CommandMode::Off, "git log"),
        (CommandMode::Allowlist, "git logs"),
        (CommandMode::Allowlist, "git"),
        (CommandMode::Allowlist, "/tmp/git log"),
    ] {
        let Verdict::Deny(refusal) = verdict(mode, text) else { panic!("{text} is denied") };
        assert_eq!(refusal.code, RefusalCode::Denied);
        assert!(refusal.message.contains("share_command"), "{refusal:?}");
    }
}
