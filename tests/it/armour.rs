//! What the daemon took from itself, as its system shows it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::machine::{is_root, skip};
use crate::world::{Said, World, kill, runs, until};

/// A user who has nothing here: not the one that tests use as a stranger.
const SOMEBODY: u32 = 54321;

/// The value of a line of `/proc/PID/status` or `limits`.
fn fact(pid: i32, file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Descriptors above the standard ones that a program run by this process would get.
pub fn passed_on(pid: i32) -> Vec<String> {
    let numbers = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors");
    let numbers = numbers.map(|entry| entry.expect("an entry").file_name().into_string().expect("a number"));
    numbers
        .filter(|number| number.parse::<u32>().expect("a number") > 2)
        .filter(|number| {
            // One that was closed meanwhile is passed on to nobody.
            let Ok(info) = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")) else {
                return false;
            };
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags").trim();
            i32::from_str_radix(flags, 8).expect("octal") & libc::O_CLOEXEC == 0
        })
        .map(|number| {
            let target = std::fs::read_link(format!("/proc/{pid}/fd/{number}"));
            format!("{number} -> {}", target.unwrap_or_default().display())
        })
        .collect()
}

fn holds(pid: i32, file: &Path) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its descriptors").map_while(Result::ok);
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|target| target == file)
}

#[test]
fn the_daemon_has_no_rights_that_it_does_not_need() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let pid = world.daemon_pid();
    assert_eq!(fact(pid, "status", "NoNewPrivs:"), "1");
    assert_eq!(fact(pid, "status", "Seccomp:"), "2", "a filter");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
    for thread in threads.map(|entry| entry.expect("an entry").path()) {
        let status = std::fs::read_to_string(thread.join("status")).expect("it runs");
        assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    }
    if is_root() {
        assert_eq!(fact(pid, "limits", "Max core file size"), "0 0 bytes");
    }
    assert!(!world.log().contains("armour"), "every piece fits");
    // And it does its work: it sees who calls.
    alice.ok("send", json!({"to_id": "alice", "content": "hi"}));
    let sender = alice.ok("check", json!({}))["messages"][0]["sender"].clone();
    assert_eq!(sender["verified"], "full", "{sender}");
    assert!(sender["exe"].is_string() && sender["cwd"].is_string(), "{sender}");
}

#[test]
fn no_descriptor_of_the_daemon_would_reach_another_program() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    // A copy, a history, a wait: everything that it opens at some time.
    alice.ok("send", json!({"to_id": "bob", "content": "x".repeat(20 << 10)}));
    bob.ok("check", json!({}));
    bob.ok("check", json!({}));
    let _wait = bob.start("check", json!({"wait_seconds": 30}));
    assert_eq!(passed_on(world.daemon_pid()), Vec::<String>::new());
}

#[test]
fn a_daemon_keeps_nothing_of_the_agent_that_started_it() {
    let world = World::new();
    let leak = world.file("leak", "");
    let mut command = Command::new("sh");
    command.args(["-c", "exec 9>leak; \"$IPCD\" list --json"]);
    command.env_clear().envs(world.environment()).env("IPCD", env!("CARGO_BIN_EXE_ipcd"));
    let said = Said::of(command.current_dir(world.home()).stdin(Stdio::null()).output().expect("sh runs"));
    assert_eq!(said.code, 0, "{said:?}");
    let pid = world.daemon_pid();
    assert!(!holds(pid, &leak), "a lock or a pipe of the agent would stay with the daemon");
    assert!(holds(pid, &world.state().join("ipcd.redb")), "descriptors can be seen here");
}

/// Runs the program as [`SOMEBODY`] in a home of theirs, with its whole armour.
struct Somebody(World);

impl Somebody {
    /// `None`: not here, and said so.
    fn here(what: &str) -> Option<Somebody> {
        if !is_root() {
            skip(what, "only root can play another user");
            return None;
        }
        let world = World::new();
        std::os::unix::fs::chown(world.home(), Some(SOMEBODY), Some(SOMEBODY)).expect("root gives");
        let somebody = Somebody(world);
        let said = Said::of(somebody.command(&["--version"]).output().expect("setpriv runs"));
        if said.code != 0 {
            skip(what, "somebody else cannot run the program here");
            return None;
        }
        Some(somebody)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let id = SOMEBODY.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", env!("CARGO_BIN_EXE_ipcd")]);
        command.args(arguments).env_clear().envs(self.0.environment()).current_dir("/").stdin(Stdio::null());
        command
    }

    fn daemon(&self) -> Child {
        let mut command = self.command(&["daemon"]);
        let daemon = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("setpriv runs");
        until("it serves", || self.status().code == 0);
        daemon
    }

    /// Of a daemon that is there: a command that is quicker than the daemon would start another.
    fn status(&self) -> Said {
        Said::of(self.command(&["status", "--json", "--no-spawn"]).output().expect("setpriv runs"))
    }
}

#[test]
fn an_armoured_daemon_is_closed_to_its_own_user_and_sees_them_all_the_same() {
    let Some(somebody) = Somebody::here("armour, not to be looked into") else { return };
    let mut daemon = somebody.daemon();
    let pid = i32::try_from(daemon.id()).expect("a pid");
    let mut look = Command::new("setpriv");
    let id = SOMEBODY.to_string();
    look.args(["--reuid", &id, "--regid", &id, "--clear-groups", "cat", &format!("/proc/{pid}/environ")]);
    let look = Said::of(look.output().expect("setpriv runs"));
    assert!(look.code != 0 && look.out.is_empty(), "{look:?}");
    assert_eq!(std::fs::metadata(format!("/proc/{pid}/environ")).expect("it runs").uid(), 0);
    let sent = Said::of(somebody.command(&["send", "user", "hi", "--json"]).output().expect("setpriv runs"));
    assert_eq!(sent.code, 0, "{sent:?}");
    let read = Said::of(somebody.command(&["check", "--json"]).output().expect("setpriv runs")).json();
    let sender = &read["messages"][0]["sender"];
    assert_eq!(sender["verified"], "full", "{read}");
    assert!(sender["exe"].as_str().is_some_and(|exe| exe.ends_with("/ipcd")), "{read}");
    daemon.kill().expect("ours");
    daemon.wait().expect("ours");
}

#[test]
fn an_armoured_daemon_whose_socket_is_gone_gives_way_to_the_next() {
    let Some(somebody) = Somebody::here("armour, giving way") else { return };
    let mut first = somebody.daemon();
    let pid = i32::try_from(first.id()).expect("a pid");
    // Stopped, it cannot notice by itself that its socket is gone.
    kill(pid, "STOP");
    std::fs::remove_file(somebody.0.socket()).expect("the socket");
    let mut second = somebody.command(&["daemon"]);
    let mut second = second.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("setpriv runs");
    until("it is asked to end", || {
        let pending = fact(pid, "status", "ShdPnd:");
        u64::from_str_radix(&pending, 16).expect("a mask") & (1 << (libc::SIGTERM - 1)) != 0
    });
    kill(pid, "CONT");
    until("it gives way", || first.try_wait().expect("ours").is_some());
    until("the next one serves", || somebody.status().code == 0);
    second.kill().expect("ours");
    second.wait().expect("ours");
    assert!(!runs(pid));
}
