//! One `ipcd mcp` with its client's ends of the pipes, and the right to kill it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::world::{SOON, World, until};

/// The process of one front end, while there is one to kill. It is taken out before it is waited for:
/// the system gives its number to another process from then on.
#[derive(Default)]
pub struct Victim(Mutex<Option<i32>>);

impl Victim {
    /// False: there is nobody at the moment.
    pub fn kill(&self) -> bool {
        let pid = self.0.lock().expect("sound");
        pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
    }

    fn is(&self, child: &Child) {
        *self.0.lock().expect("sound") = i32::try_from(child.id()).ok();
    }

    fn is_gone(&self) {
        *self.0.lock().expect("sound") = None;
    }
}

pub struct FrontEnd {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    last_id: i64,
    victim: Arc<Victim>,
}

impl FrontEnd {
    /// Starts one that has its name. `None`: it was killed first.
    pub fn start(world: &World, name: &str, victim: &Arc<Victim>) -> Option<FrontEnd> {
        let mut command = world.command(&["mcp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the front end starts");
        victim.is(&child);
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            // A line that was cut off by a kill is no JSON, and the last one.
            let lines = stdout.lines().map_while(Result::ok);
            for value in lines.map_while(|line| serde_json::from_str(&line).ok()) {
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut front_end = FrontEnd { child, stdin, lines, last_id: 0, victim: Arc::clone(victim) };
        let info = json!({"name": "test", "version": "1"});
        let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info});
        let id = front_end.write("initialize", hello)?;
        front_end.answer(id)?;
        front_end.line(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        let id = front_end.tool("register", json!({"instance_id": name}))?;
        let (refused, answer) = front_end.answer(id)?;
        assert!(!refused, "{name}, pid {}: {answer}", front_end.child.id());
        Some(front_end)
    }

    pub fn tool(&mut self, tool: &str, arguments: Value) -> Option<i64> {
        self.write("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    fn write(&mut self, method: &str, params: Value) -> Option<i64> {
        self.last_id += 1;
        self.line(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))?;
        Some(self.last_id)
    }

    fn line(&mut self, line: &Value) -> Option<()> {
        self.stdin.as_mut()?.write_all(format!("{line}\n").as_bytes()).ok()
    }

    /// The next answer, as its call, whether it is a refusal, and what it says.
    pub fn next(&mut self) -> Option<(i64, bool, Value)> {
        loop {
            let value = match self.lines.recv_timeout(SOON) {
                Ok(value) => value,
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(timeout) => panic!("no answer: {timeout}"),
            };
            if let Some(id) = value["id"].as_i64().filter(|_| value["method"].is_null()) {
                let result = &value["result"];
                return Some((id, result["isError"] == json!(true), result["structuredContent"].clone()));
            }
        }
    }

    pub fn answer(&mut self, id: i64) -> Option<(bool, Value)> {
        loop {
            let (found, refused, value) = self.next()?;
            if found == id {
                return Some((refused, value));
            }
        }
    }

    /// The client is gone, and its front end must go after it.
    pub fn abandoned(mut self) {
        self.victim.is_gone();
        self.stdin = None;
        until("a front end ends after its client", || self.child.try_wait().expect("a child").is_some());
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        self.victim.is_gone();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
