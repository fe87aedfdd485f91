//! A daemon that a service manager starts: it takes over a socket that it did not make.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::machine::{skip, there_is};
use crate::world::{SOON, World, kill, runs, until};

const MANAGER: &str = "systemd-socket-activate";

/// A stand-in for a service manager, which becomes the daemon with the first connection.
struct Manager {
    child: Child,
    err: std::path::PathBuf,
}

impl Manager {
    /// Listens at the world's socket under this name; `None` where there is no such program.
    fn start(world: &World, name: &str, arguments: &[&str]) -> Option<Manager> {
        if !there_is(MANAGER) {
            skip("activation", "there is no systemd-socket-activate");
            return None;
        }
        let run = world.folder("run");
        std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o700)).expect("ours");
        let mut command = Command::new("sh");
        command.args(["-c", "umask 077; exec \"$@\"", "sh", MANAGER, "-l"]).arg(world.socket());
        command.arg(format!("--fdname={name}")).args(arguments);
        // The stand-in passes on what it is told to, and nothing else.
        for (variable, _) in world.environment() {
            command.args(["-E", &variable]);
        }
        command.args([env!("CARGO_BIN_EXE_ipcd"), "daemon"]).env_clear().envs(world.environment());
        command.env("NOTIFY_SOCKET", world.home().join("notify"));
        let err = world.home().join("manager.err");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&err).expect("a file"));
        let manager = Manager { child: command.spawn().expect("it runs"), err };
        // A connection would be the first already: it says itself when it listens.
        until("the manager listens", || manager.said().contains("Listening on"));
        Some(manager)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.err).unwrap_or_default()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn variables(pid: i32) -> Vec<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|b| *b == 0).map(|v| String::from_utf8_lossy(v).into_owned()).collect()
}

#[test]
fn the_first_command_is_answered_by_the_activated_daemon() {
    let world = World::new();
    let Some(manager) = Manager::start(&world, "ipcd", &[]) else { return };
    let status = world.json(&["status"]);
    assert_eq!(
        (&status["daemon"]["activated"], &status["daemon"]["pid"]),
        (&json!(true), &json!(manager.pid()))
    );
    let mut alice = world.agent("alice");
    assert_eq!(alice.ok("send", json!({"to_id": "alice", "content": "x"}))["stored"], true);
    assert_eq!(alice.ok("check", json!({}))["messages"][0]["content"], "x");
    assert_eq!(world.daemons(), [manager.pid()], "nobody started another");
    assert_eq!(
        crate::armour::passed_on(manager.pid()),
        Vec::<String>::new(),
        "what it was handed goes no further"
    );
    assert_eq!(world.run(&["stop"]).code, 0);
    assert!(world.socket().exists(), "the socket is its maker's");
}

#[test]
fn a_socket_of_another_name_is_refused() {
    let world = World::new();
    let Some(mut manager) = Manager::start(&world, "web", &[]) else { return };
    let _first = UnixStream::connect(world.socket()).expect("the manager listens");
    let mut status = None;
    until("the daemon refuses", || {
        status = manager.child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.and_then(|s| s.code()), Some(1), "{}", manager.said());
    assert!(manager.said().contains("`web`") && manager.said().contains("`ipcd`"), "{}", manager.said());
    assert!(!world.state().join("ipcd.redb").exists(), "it touched nothing");
}

fn hears(socket: &UnixDatagram, expected: &str) {
    let mut buffer = [0; 4096];
    let bytes = match socket.recv(&mut buffer) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("{expected} was not told"),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(String::from_utf8_lossy(&buffer[..bytes]), expected);
}

fn notify_socket(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a socket");
    socket.set_read_timeout(Some(SOON)).expect("a timeout");
    socket
}

#[test]
fn the_manager_is_told_of_the_begin_and_the_end() {
    let world = World::new();
    let notify = notify_socket(&world.home().join("notify"));
    let passed = ["-E", "NOTIFY_SOCKET"];
    let Some(manager) = Manager::start(&world, "ipcd", &passed) else { return };
    let mut alice = world.agent("alice");
    hears(&notify, "READY=1");
    let handed = variables(manager.pid());
    assert!(handed.iter().any(|v| v.starts_with("LISTEN_FDS=")), "it was handed a socket: {handed:?}");
    alice.ok("send", json!({"to_id": "alice", "content": "x"}));
    kill(manager.pid(), "TERM");
    hears(&notify, "STOPPING=1");
    until("it ends", || !runs(manager.pid()));
}

#[test]
fn what_a_manager_says_to_one_process_reaches_none_of_its_children() {
    let world = World::new();
    let mut command = world.command(&["share", "command", "user", "--", "env"]);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "ipcd");
    command.env("NOTIFY_SOCKET", world.home().join("nowhere")).env("KEPT", "yes");
    assert!(command.output().expect("it runs").status.success());
    let ours = |variables: Vec<String>| -> Vec<String> {
        let said =
            |v: &String| v.starts_with("LISTEN_") || v.starts_with("NOTIFY_") || v.starts_with("KEPT=");
        variables.into_iter().filter(said).collect()
    };
    let shared = world.json(&["check"])["messages"][0]["data"]["stdout"].clone();
    let lines = shared.as_str().expect("the environment").lines().map(str::to_owned);
    assert_eq!(ours(lines.collect()), ["KEPT=yes"], "a command that it runs");
    assert_eq!(ours(variables(world.daemon_pid())), Vec::<String>::new(), "a daemon that it starts");
    assert_eq!(world.json(&["status"])["daemon"]["activated"], false);
}

#[test]
fn an_idle_exit_leaves_the_socket_to_its_maker() {
    let world = World::with_config("[daemon]\nidle_exit_s = 0.2\n");
    let Some(manager) = Manager::start(&world, "ipcd", &[]) else { return };
    assert_eq!(world.run(&["send", "later", "kept"]).code, 0);
    until("the idle daemon ends", || !runs(manager.pid()));
    assert!(world.socket().exists());
    // The stand-in went with it, and a client finds nobody behind the socket: it helps itself.
    assert_eq!(world.json(&["send", "later", "more"])["recipient"]["unread"], 2);
    assert_eq!(world.json(&["status"])["daemon"]["activated"], false);
}

#[test]
fn a_daemon_of_a_client_gives_way_to_the_manager_s() {
    let world = World::new();
    let mut alice = world.agent("alice");
    alice.ok("send", json!({"to_id": "alice", "content": "kept"}));
    let old = world.daemon_pid();
    // A manager binds the path anew, whoever holds it.
    std::fs::remove_file(world.socket()).unwrap();
    let Some(manager) = Manager::start(&world, "ipcd", &[]) else { return };
    let status = world.json(&["status"]);
    assert_eq!(status["daemon"]["pid"], manager.pid());
    assert!(!runs(old), "the store has one owner");
    assert_eq!(alice.ok("check", json!({}))["messages"][0]["content"], "kept");
    assert_eq!(world.daemons(), [manager.pid()]);
}
