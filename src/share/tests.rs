use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;
use tempfile::TempDir;

use super::command::Command;
use super::file::{FILE_BYTES_MAX, OpenFile};
use super::policy::{ArgvPrefix, CommandMode, CommandPolicy, FileMode, FilePolicy};
use super::*;

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
        let ipcd = PathBuf::from("ipcd");
        World {
            here: Here { cwd: root.join("work"), home: Some(root.join("home")), ipcd, remote: None },
            dir,
        }
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
            Verdict::Deny { refusal, .. } => Err(refusal),
            Verdict::Ask { rule } => Err(unasked(&rule)),
            Verdict::Allow { .. } | Verdict::AskIfAble { .. } => file.read(policy, Some("why")),
        }
    }

    fn refused(&self, name: impl AsRef<Path>) -> RefusalCode {
        self.share(name).expect_err("it is refused").code
    }
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
        let shared = (0..2_000).filter_map(|_| world.share("link").ok());
        let leaks = shared.filter(|shared| shared.data["content"] != "outer").count();
        // Before the look at them: a panic would leave the swapping to go on for ever.
        swapping.store(false, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(leaks, 0);
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
    assert!(matches!(verdict(&deep), Verdict::Deny { .. }));
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
    let world = World::new();
    let verdict = |mode, text: &str| {
        let allow = vec![ArgvPrefix::try_from(vec!["git".to_owned(), "log".to_owned()]).unwrap()];
        let policy = CommandPolicy { mode, allow, ..CommandPolicy::default() };
        Command::parse(text).unwrap().verdict(&policy, &world.here)
    };
    let rule = |mode: &str| format!("share_command.mode = \"{mode}\"");
    assert_eq!(verdict(CommandMode::Allow, "rm x"), Verdict::Allow { rule: rule("allow") });
    assert_eq!(verdict(CommandMode::Auto, "rm x"), Verdict::AskIfAble { rule: rule("auto") });
    assert_eq!(verdict(CommandMode::Ask, "rm x"), Verdict::Ask { rule: rule("ask") });
    let listed = "share_command.allow has [\"git\", \"log\"]".to_owned();
    assert_eq!(verdict(CommandMode::Allowlist, "git log -1"), Verdict::Allow { rule: listed });
    for (mode, text, word) in [
        (CommandMode::Off, "git log", "off"),
        (CommandMode::Allowlist, "git logs", "allowlist"),
        (CommandMode::Allowlist, "git", "allowlist"),
        (CommandMode::Allowlist, "/tmp/git log", "allowlist"),
    ] {
        let Verdict::Deny { rule: found, refusal } = verdict(mode, text) else { panic!("{text} is denied") };
        assert_eq!((found, refusal.code), (rule(word), RefusalCode::Denied));
        assert!(refusal.message.contains("share_command"), "{refusal:?}");
    }
}

#[test]
fn nothing_of_this_host_is_shared_for_an_agent_on_another() {
    let world = World::new();
    world.file("a.txt", "a");
    for (remote, rule) in [(Remote::Said, "ipcd mcp --remote-client"), (Remote::Ssh, "SSH_CONNECTION")] {
        let here = Here { remote: Some(remote), ..world.here.clone() };
        let file = OpenFile::open(Path::new("a.txt"), &here).unwrap();
        let allowing = CommandPolicy { mode: CommandMode::Allow, ..CommandPolicy::default() };
        let command = Command::parse("echo hi").unwrap();
        for verdict in [file.verdict(&FilePolicy::default(), &here), command.verdict(&allowing, &here)] {
            let Verdict::Deny { rule: found, refusal } = verdict else { panic!("{verdict:?}") };
            assert_eq!((found.as_str(), refusal.code), (rule, RefusalCode::Denied));
            assert!(refusal.hint.contains("--local-client"), "{refusal:?}");
        }
    }
}
