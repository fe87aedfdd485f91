//! The daemon's life: how it comes to be, how it ends, and what may be done to its files meanwhile.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::machine::{ended, spawn};
use crate::world::{World, kill, runs, until};

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

#[test]
fn a_stale_socket_is_replaced() {
    let world = World::new();
    std::fs::set_permissions(world.folder("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
    drop(UnixListener::bind(world.socket()).unwrap());
    assert!(is_socket(&world.socket()));
    assert_eq!(world.run(&["list"]).code, 0);
    let first = world.daemon_pid();
    world.kill_daemon();
    assert!(is_socket(&world.socket()), "left behind by the killed one");
    assert_eq!(world.run(&["list"]).code, 0);
    assert_ne!(world.daemon_pid(), first);
}

#[test]
fn what_is_no_socket_is_an_error_that_names_it_and_stays() {
    for kind in ["file", "folder", "link"] {
        let world = World::new();
        std::fs::set_permissions(world.folder("run"), std::fs::Permissions::from_mode(0o700)).unwrap();
        let place = world.socket();
        match kind {
            "file" => std::fs::write(&place, "precious").unwrap(),
            "folder" => std::fs::create_dir(&place).unwrap(),
            _ => symlink(world.file("precious", "precious"), &place).unwrap(),
        }
        let daemon = world.run(&["daemon"]);
        assert_eq!(daemon.code, 1, "{kind}: {daemon:?}");
        assert!(
            daemon.err.contains(place.to_str().unwrap()) && daemon.err.contains("not a socket"),
            "{daemon:?}"
        );
        let said = world.run(&["list", "--json"]);
        assert_eq!(said.code, 1, "{kind}: {said:?}");
        let error = &said.json()["error"];
        assert!(error["message"].as_str().unwrap().contains(place.to_str().unwrap()), "{kind}: {error}");
        match kind {
            "file" => assert_eq!(std::fs::read_to_string(&place).unwrap(), "precious"),
            "folder" => assert!(place.is_dir()),
            _ => {
                assert!(std::fs::symlink_metadata(&place).unwrap().is_symlink());
                assert_eq!(std::fs::read_to_string(world.home().join("precious")).unwrap(), "precious");
            }
        }
    }
}

#[test]
fn of_two_daemons_one_stays_and_the_other_ends_well() {
    for _ in 0..5 {
        let world = World::new();
        let mut two = [spawn(world.command(&["daemon"])), spawn(world.command(&["daemon"]))];
        let mut first = None;
        until("one of them ends", || {
            first = two.iter_mut().position(|child| child.try_wait().unwrap().is_some());
            first.is_some()
        });
        let [a, b] = two;
        let (loser, mut winner) = if first == Some(0) { (a, b) } else { (b, a) };
        let said = ended(loser);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(world.run(&["--no-spawn", "list"]).code, 0);
        assert_eq!(world.daemon_pid() as u32, winner.id());
        winner.kill().unwrap();
        winner.wait().unwrap();
    }
}

#[test]
fn many_commands_at_once_start_one_daemon() {
    let world = World::new();
    let commands: Vec<Child> = (0..20).map(|_| spawn(world.command(&["list", "--json"]))).collect();
    for command in commands {
        let said = ended(command);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.json()["instances"].is_array());
    }
    until("one daemon is left", || world.daemons() == [world.noted_pid()]);
    let status: Vec<Child> = (0..20).map(|_| spawn(world.command(&["status", "--json"]))).collect();
    let pids: Vec<Value> = status.into_iter().map(|s| ended(s).json()["daemon"]["pid"].clone()).collect();
    assert!(pids.iter().all(|pid| *pid == world.noted_pid()), "{pids:?}");
    assert!(std::fs::read_to_string(world.state().join("daemon.log")).unwrap().contains("ready"));
}

#[test]
fn a_terminated_daemon_loses_nothing_and_waits_go_on_with_the_next() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\nsender_share_percent = 100\n");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let mut carol = world.agent("carol");
    let waiting = carol.start("check", json!({"wait_seconds": 60}));
    until("carol waits", || world.json(&["list"])["instances"][2]["wakes"] == "waiting");
    let mut stored = Vec::new();
    for round in 0..5 {
        let send = |n: usize| json!({"to_id": "bob", "content": format!("{round}.{n}")});
        let calls: Vec<i64> = (0..10).map(|n| alice.start("send", send(n))).collect();
        for (n, call) in calls.into_iter().enumerate() {
            if n == round * 2 {
                world.daemons().into_iter().for_each(|pid| kill(pid, "TERM"));
            }
            let outcome = alice.finish(call);
            assert!(!outcome.is_error, "{outcome:?}");
            stored.push(outcome.value["id"].as_u64().unwrap());
        }
    }
    alice.ok("send", json!({"to_id": "carol", "content": "at last"}));
    let heard = carol.finish(waiting);
    assert!(!heard.is_error, "{heard:?}");
    assert_eq!(heard.value["messages"][0]["content"], "at last", "the call was repeated by its front end");
    let mut read = Vec::new();
    while read.len() < stored.len() {
        let answer = bob.ok("check", json!({"wait_seconds": 5}));
        let messages = answer["messages"].as_array().unwrap();
        assert!(!messages.is_empty(), "{} of {}", read.len(), stored.len());
        read.extend(messages.iter().map(|m| m["id"].as_u64().unwrap()));
    }
    assert_eq!(read, stored, "all that was answered, once, in order");
}

#[test]
fn a_terminated_daemon_says_so_and_ends_well() {
    let world = World::new();
    let daemon = world.daemon();
    let mut client = world.client();
    kill(daemon.pid(), "TERM");
    assert!(client.hear().is_some_and(|line| line.contains("\"closing\"")));
    assert_eq!(client.hear(), None);
    assert_eq!(daemon.ends(), 0);
    assert!(!world.socket().exists());
}

const IDLE: &str = "[daemon]\nidle_exit_s = 0.2\n";

#[test]
fn an_idle_daemon_ends_and_the_next_command_starts_another() {
    let world = World::with_config(IDLE);
    assert_eq!(world.run(&["send", "later", "kept"]).code, 0);
    until("the idle daemon ends", || world.daemons().is_empty());
    assert!(!world.socket().exists(), "it took its socket along");
    assert_eq!(world.run(&["status", "--no-spawn"]).code, 3, "none is started against one's will");
    assert_eq!(world.run(&["status", "--line"]).out, "", "a prompt starts none");
    assert!(world.daemons().is_empty());
    let status = world.json(&["status"]);
    assert_eq!(status["daemon"]["activated"], false);
    assert_eq!(status["unclaimed"][0]["unread"], 1);
    until("it ends again", || world.daemons().is_empty());
    assert_eq!(world.agent("later").ok("check", json!({}))["messages"][0]["content"], "kept");
}

#[test]
fn a_live_front_end_keeps_its_daemon_and_a_daemon_by_hand_stays() {
    let world = World::with_config(IDLE);
    let mut alice = world.agent("alice");
    let pid = world.daemon_pid();
    an_idle_daemon_ends();
    assert_eq!(world.daemons(), [pid], "somebody is connected");
    alice.ok("list_instances", json!({}));
    alice.leaves();
    until("nobody is there any more", || !runs(pid));
    let daemon = world.daemon();
    an_idle_daemon_ends();
    assert!(runs(daemon.pid()), "it was started by hand");
}

/// One that begins to idle now: whoever began before it and is there still does not end of idling.
fn an_idle_daemon_ends() {
    let world = World::with_config(IDLE);
    assert_eq!(world.run(&["send", "later", "kept"]).code, 0);
    until("it ends", || world.daemons().is_empty());
}

#[test]
fn stop_is_for_people() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let pid = world.daemon_pid();
    let said = alice.shell("stop --json");
    assert_eq!((said.code, &said.json()["error"]["code"]), (1, &json!("needs_human")));
    assert!(runs(pid));
    let said = world.run(&["stop"]);
    assert_eq!((said.code, said.out.as_str()), (0, "the daemon has stopped\n"));
    assert!(!runs(pid), "it is gone when the command ends");
    // It does not stay away: the agent needs one.
    assert_eq!(alice.ok("send", json!({"to_id": "bob", "content": "x"}))["stored"], true);
    let said = alice.shell("stop --json");
    assert_eq!(said.json()["error"]["code"], "needs_human", "not in the next one either");
}

#[test]
fn an_agent_is_no_person_while_the_daemon_has_just_started() {
    let world = World::new();
    let mut alice = world.agent("alice");
    for _ in 0..5 {
        world.kill_daemon();
        let said = alice.shell("release alice --json");
        assert_eq!(said.json()["error"]["code"], "needs_human", "{said:?}");
    }
}

#[test]
fn a_daemon_without_its_socket_is_replaced() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let old = world.daemon_pid();
    std::fs::remove_dir_all(world.home().join("run")).unwrap();
    let status = world.run(&["list", "--json"]);
    assert_eq!(status.code, 0, "{status:?}");
    until("one daemon is left", || world.daemons() == [world.noted_pid()]);
    let new = world.daemon_pid();
    assert_ne!(new, old);
    assert_eq!(alice.ok("send", json!({"to_id": "alice", "content": "x"}))["stored"], true);
    // The same with a socket of somebody else in its place, as a service manager does it.
    std::fs::remove_file(world.socket()).unwrap();
    drop(UnixListener::bind(world.socket()).unwrap());
    assert_eq!(world.run(&["list"]).code, 0);
    until("one daemon is left", || world.daemons() == [world.noted_pid()]);
    assert_ne!(world.daemon_pid(), new);
    assert_eq!(alice.ok("check", json!({}))["messages"].as_array().map(Vec::len), Some(1));
}

#[test]
fn everything_is_the_owner_s_alone_under_any_umask() {
    for umask in ["000", "777", "022"] {
        let world = World::new();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("umask {umask}; \"$IPCD\" send later {} && \"$IPCD\" check", "x".repeat(20_000)));
        shell.env_clear().envs(world.environment()).env("IPCD", env!("CARGO_BIN_EXE_ipcd"));
        let said = ended(spawn(shell));
        assert_eq!(said.code, 0, "umask {umask}: {said:?}");
        let mut reader = world.agent("later");
        until("it is read, and in the history", || {
            reader.ok("check", json!({}));
            world.state().join("history").exists()
        });
        for (path, mode) in [
            ("run", 0o700),
            ("run/ipcd.sock", 0o600),
            ("run/spawn.lock", 0o600),
            ("state", 0o700),
            ("state/ipcd.redb", 0o600),
            ("state/ipcd.lock", 0o600),
            ("state/head", 0o600),
            ("state/daemon.log", 0o600),
            ("state/history", 0o700),
            ("state/copies", 0o700),
        ] {
            let path = world.home().join(path);
            // The history is written after the answers.
            until(&format!("{} is there", path.display()), || path.exists());
            let found = std::fs::metadata(&path).expect("it was there");
            assert_eq!(found.mode() & 0o777, mode, "umask {umask}: {}", path.display());
        }
    }
}
