//! Places that somebody prepared: links, files, foreign and open folders where ours belong. Each is an
//! error that names it, and nothing is created through it.

use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::machine::{is_root, skip};
use crate::world::{Said, World};

const STRANGER: u32 = 65533;

/// A trap, set in a fresh home; what the error must name.
type Trap = fn(&Site) -> PathBuf;

struct Site {
    world: World,
    /// Where a link leads: what is created here was created through it.
    elsewhere: PathBuf,
    /// Stands for `XDG_RUNTIME_DIR`.
    runtime: PathBuf,
}

impl Site {
    fn new() -> Site {
        let world = World::new();
        let (elsewhere, runtime) = (world.folder("elsewhere"), world.folder("runtime"));
        let site = Site { elsewhere, runtime, world };
        for path in [&site.elsewhere, &site.runtime] {
            mode(path, 0o700);
        }
        site
    }

    /// Our own folders, as they should be.
    fn ours(&self) -> PathBuf {
        let state = self.world.home().join(".local/state/ipcd");
        for path in [state.clone(), self.runtime.join("ipcd")] {
            std::fs::create_dir_all(&path).expect("ours");
            mode(&path, 0o700);
        }
        state
    }

    /// Runs what needs a daemon, by the ordinary way to its places.
    fn send(&self, arguments: &[&str]) -> Said {
        let mut command = self.world.command(&["send", "bob", "hi"]);
        command.args(arguments).env_remove("IPCD_HOME").env("XDG_RUNTIME_DIR", &self.runtime);
        Said::of(command.stdin(Stdio::null()).output().expect("the program runs"))
    }
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
}

fn linked(site: &Site, at: PathBuf) -> PathBuf {
    std::fs::create_dir_all(at.parent().expect("a parent")).expect("ours");
    symlink(site.elsewhere.join("target"), &at).expect("a link");
    at
}

const TRAPS: &[(&str, Trap)] = &[
    ("a link instead of our runtime folder", |s| linked(s, s.runtime.join("ipcd"))),
    ("a link instead of our state folder", |s| linked(s, s.world.home().join(".local/state/ipcd"))),
    ("a link to a folder instead of our runtime folder", |s| {
        symlink(&s.elsewhere, s.runtime.join("ipcd")).expect("a link");
        s.runtime.join("ipcd")
    }),
    ("a runtime folder that all can write to", |s| {
        mode(&s.runtime, 0o777);
        s.runtime.clone()
    }),
    ("our own folder, open to others", |s| {
        s.ours();
        mode(&s.runtime.join("ipcd"), 0o755);
        s.runtime.join("ipcd")
    }),
    ("a file instead of our folder", |s| {
        std::fs::write(s.runtime.join("ipcd"), "").expect("ours");
        s.runtime.join("ipcd")
    }),
    ("a link instead of the lock", |s| linked(s, s.ours().join("ipcd.lock"))),
    ("a link instead of the log", |s| linked(s, s.ours().join("daemon.log"))),
    ("a link instead of the lock of those who start a daemon", |s| {
        s.ours();
        linked(s, s.runtime.join("ipcd/spawn.lock"))
    }),
    ("a file instead of the socket", |s| {
        s.ours();
        std::fs::write(s.runtime.join("ipcd/ipcd.sock"), "mine").expect("ours");
        s.runtime.join("ipcd/ipcd.sock")
    }),
    ("a link instead of the socket", |s| {
        s.ours();
        linked(s, s.runtime.join("ipcd/ipcd.sock"))
    }),
];

/// Those that need another user.
const FOREIGN_TRAPS: &[(&str, Trap)] = &[
    ("another's runtime folder", |s| {
        chown(&s.runtime, Some(STRANGER), Some(STRANGER)).expect("root gives");
        s.runtime.clone()
    }),
    ("another's folder instead of ours", |s| {
        s.ours();
        chown(s.runtime.join("ipcd"), Some(STRANGER), Some(STRANGER)).expect("root gives");
        s.runtime.join("ipcd")
    }),
    ("another's link on the way", |s| {
        let link = s.world.home().join(".local");
        symlink(&s.elsewhere, &link).expect("a link");
        lchown(&link, Some(STRANGER), Some(STRANGER)).expect("root gives");
        link
    }),
];

#[test]
fn nothing_is_created_through_what_somebody_prepared() {
    let mut traps: Vec<_> = TRAPS.to_vec();
    if is_root() {
        traps.extend(FOREIGN_TRAPS);
    } else {
        skip("three of the prepared places", "only root can give something away");
    }
    let mut wrong = Vec::new();
    for (what, trap) in &traps {
        let site = Site::new();
        let named = trap(&site);
        let said = site.send(&[]);
        let created = std::fs::read_dir(&site.elsewhere).expect("ours").count();
        let clear = (1..=3).contains(&said.code)
            && said.out.is_empty()
            && said.err.starts_with("error: ")
            && said.err.contains(named.to_str().expect("UTF-8"));
        if created > 0 || !clear {
            wrong.push(format!("{what}: {created} created through it, {said:?}"));
        }
        end_daemon(&site);
    }
    let (cells, ok) = (traps.len(), traps.len() - wrong.len());
    crate::gauge::figure(&format!("prepared places: cells={cells} ok={ok}"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One that came up in spite of all would stay behind.
fn end_daemon(site: &Site) {
    let note =
        std::fs::read_to_string(site.world.home().join(".local/state/ipcd/ipcd.lock")).unwrap_or_default();
    if let Some(pid) = note.lines().next().and_then(|line| line.parse().ok()) {
        crate::world::kill(pid, "KILL");
    }
}

/// A store is never thrown away, and a link is one that is damaged: it is kept aside, and everybody hears.
#[test]
fn a_link_instead_of_the_store_is_kept_aside_and_nothing_is_created_through_it() {
    let site = Site::new();
    linked(&site, site.ours().join("ipcd.redb"));
    let said = site.send(&[]);
    assert_eq!((said.code, std::fs::read_dir(&site.elsewhere).expect("ours").count()), (0, 0), "{said:?}");
    let mut status = site.world.command(&["status"]);
    status.env_remove("IPCD_HOME").env("XDG_RUNTIME_DIR", &site.runtime);
    let status = Said::of(status.stdin(Stdio::null()).output().expect("the program runs"));
    assert!(status.out.contains("the store is damaged") && status.out.contains("kept as"), "{status:?}");
    end_daemon(&site);
}

#[test]
fn whatever_the_umask_is_everything_is_ours_alone_and_works() {
    for umask in ["000", "027", "777"] {
        let world = World::new();
        let run = |arguments: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("umask {umask}; exec \"$IPCD\" {arguments}")]);
            command.env_clear().envs(world.environment()).env("IPCD", env!("CARGO_BIN_EXE_ipcd"));
            Said::of(command.current_dir(world.home()).stdin(Stdio::null()).output().expect("sh runs"))
        };
        assert_eq!(run("send user hi").code, 0, "umask {umask}");
        let read = run("check --json");
        assert_eq!(
            (read.code, read.json()["messages"][0]["content"].as_str()),
            (0, Some("hi")),
            "umask {umask}"
        );
        assert_eq!(run("stop").code, 0, "umask {umask}");
        // A second daemon finds what the first one made.
        assert_eq!(run("send user again").code, 0, "umask {umask}");
        let open = Command::new("find")
            .arg(world.state())
            .arg(world.home().join("run"))
            .args(["-perm", "/077"])
            .output();
        assert_eq!(String::from_utf8_lossy(&open.expect("find runs").stdout), "", "umask {umask}");
        // Before the home goes: a folder without rights cannot be emptied by everybody.
        assert_eq!(run("stop").code, 0);
    }
}

#[test]
fn a_path_that_no_address_can_hold_is_one_clear_line() {
    let site = Site::new();
    let long = site.runtime.join("d".repeat(100)).join("e".repeat(100));
    let mut command = site.world.command(&["send", "bob", "hi"]);
    command.env_remove("IPCD_HOME").env("XDG_RUNTIME_DIR", &long);
    let said = Said::of(command.stdin(Stdio::null()).output().expect("the program runs"));
    assert_eq!((said.code, said.err.lines().count()), (1, 2), "{said:?}");
    assert!(said.err.contains("bytes") && said.err.contains("hint: set IPCD_HOME"), "{said:?}");
    assert!(!long.exists());
}

#[test]
fn without_a_runtime_folder_everybody_meets_in_the_home() {
    let site = Site::new();
    for odd in [None, Some(""), Some("relative/run")] {
        let mut command = site.world.command(&["status", "--json", "--no-spawn"]);
        command.env_remove("IPCD_HOME").env_remove("XDG_RUNTIME_DIR");
        if let Some(odd) = odd {
            command.env("XDG_RUNTIME_DIR", odd);
        }
        let said = Said::of(command.stdin(Stdio::null()).output().expect("the program runs"));
        // Nobody serves there, unless this machine's user has an ipcd: then it answers.
        assert!([0, 1, 3].contains(&said.code), "{odd:?}: {said:?}");
        assert!(!site.world.home().join("relative").exists(), "{odd:?}");
    }
}
