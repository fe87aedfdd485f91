//! A daemon of ipcd in a home of its own, and those who talk to it: over the socket, and through front ends.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::CONTENT;
use crate::load::Client;

/// What is measured is no flood: there are no quotas.
const CONFIG: &str =
    "[limits]\nsends_per_minute = 0\nmailbox_messages = 1000000\nmailbox_bytes = 268435456\nsessions = 600\n";

/// A daemon has so long to come up.
const READY_WITHIN: Duration = Duration::from_secs(10);

pub struct World {
    pub home: PathBuf,
    pub daemon: Child,
    pub socket: PathBuf,
}

/// Front ends, each with a client that speaks MCP to it.
pub struct FrontEnds {
    pub processes: Vec<Child>,
    pub clients: Vec<Client>,
}

impl World {
    pub fn start(folder: &Path, name: &str) -> World {
        let home = folder.join(name);
        std::fs::create_dir_all(&home).expect("a folder");
        std::fs::write(home.join("config.toml"), CONFIG).expect("a config");
        let socket = home.join("run/ipcd.sock");
        let mut world = World { daemon: spawn_daemon(&home), home, socket };
        assert!(ready(&mut world.daemon, &world.socket), "the daemon ended");
        world
    }

    /// A program of this home.
    pub fn command(&self, arguments: &[&str]) -> Command {
        program(&self.home, arguments)
    }

    /// Ends the daemon in order.
    pub fn end(&mut self) {
        stop(&mut self.daemon);
    }

    pub fn begin(&mut self) {
        self.daemon = spawn_daemon(&self.home);
    }

    /// Somebody who said hello and registered.
    pub fn client(&self, name: &str) -> Client {
        let mut client = Client::connect(&self.socket);
        client.exchange(&hello("mcp"));
        let answer = client.exchange(&call(1, "register", &format!(r#"{{"name":"{name}"}}"#)));
        assert!(answer.contains("\"result\""), "{answer}");
        client
    }

    /// Each sends to a mailbox of its own.
    pub fn clients(&self, count: usize) -> Vec<Client> {
        (0..count)
            .map(|number| self.client(&format!("from-{number}")).asks(send(&format!("to-{number}")), STORED))
            .collect()
    }

    pub fn front_ends(&self, count: usize) -> FrontEnds {
        let mut front_ends = FrontEnds { processes: Vec::new(), clients: Vec::new() };
        for number in 0..count {
            let (process, mut client) = self.front_end();
            let name = format!(r#"{{"name":"mcp-{number}-of-{count}"}}"#);
            let answer = client.exchange(&tool(1, "register", &name));
            assert!(answer.contains("\"isError\":false"), "{answer}");
            let content = "x".repeat(CONTENT);
            let message = format!(r#"{{"to_id":"to-{number}","content":"{content}"}}"#);
            front_ends.processes.push(process);
            front_ends.clients.push(client.asks(tool(2, "send", &message) + "\n", "stored"));
        }
        front_ends
    }

    /// A front end that has said hello to its client.
    pub fn front_end(&self) -> (Child, Client) {
        let mut command = self.command(&["mcp", "--no-auto-register"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("a front end");
        let mut client = Client::of(&mut process);
        client.exchange(INITIALIZE);
        client.write(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        (process, client)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        stop(&mut self.daemon);
    }
}

impl FrontEnds {
    /// All of them end when nobody talks to them any more.
    pub fn end(self) {
        drop(self.clients);
        for mut process in self.processes {
            let _ = process.wait();
        }
    }
}

pub const STORED: &str = "\"stored\":true";

pub const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;

pub fn hello(role: &str) -> String {
    call(0, "hello", &format!(r#"{{"protocol":{{"min":1,"max":1}},"role":"{role}","client":"bench/1"}}"#))
}

pub fn call(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

pub fn tool(id: u64, name: &str, arguments: &str) -> String {
    call(id, "tools/call", &format!(r#"{{"name":"{name}","arguments":{arguments}}}"#))
}

/// A message of the usual size.
pub fn send(to: &str) -> String {
    let content = "x".repeat(CONTENT);
    call(2, "send", &format!(r#"{{"to":["{to}"],"content":"{content}"}}"#)) + "\n"
}

pub fn program(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcd"));
    command.args(arguments).env("IPCD_HOME", home).env("IPCD_LOG", "error").stdin(Stdio::null());
    command
}

fn spawn_daemon(home: &Path) -> Child {
    program(home, &["daemon"]).stdout(Stdio::null()).spawn().expect("a daemon")
}

/// Waits until somebody listens there; false when `child` has ended.
pub fn ready(child: &mut Child, socket: &Path) -> bool {
    let start = Instant::now();
    while UnixStream::connect(socket).is_err() {
        let runs = child.try_wait().is_ok_and(|ended| ended.is_none());
        if !runs || start.elapsed() > READY_WITHIN {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

/// Asks it to end, and waits until it has.
pub fn stop(child: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    let _ = child.wait();
}
