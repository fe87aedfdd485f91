//! An agent: a program with an `ipcd mcp` of its own, spoken to as an MCP client does, and with a
//! shell below it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{SOON, Said, World, kill, runs, until};

/// Stands for the agent's program: it runs the MCP server on its own stdin and stdout, writes down its
/// pid, and then runs what it reads from a FIFO, as an agent's shell tool would. Like some real ones it
/// leaves a descriptor open in what it starts: number 9, this script.
const PROGRAM: &str = r#"
exec 3<&0 9<"$0"
"$IPCD" mcp "$@" <&3 3<&- &
mcp=$!
echo $mcp >"$0.pid.new" && mv "$0.pid.new" "$0.pid"
exec 3<&- </dev/null >/dev/null
while kill -0 $mcp 2>/dev/null && read -r line; do eval "$line"; done <"$0.fifo"
wait $mcp
"#;

pub struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    answers: BTreeMap<i64, Value>,
    /// What the server said unasked.
    pub notifications: Vec<Value>,
    next_id: i64,
    script: PathBuf,
    commands: Option<std::fs::File>,
    ran: u32,
}

/// The result of a tool.
#[derive(Debug)]
pub struct Outcome {
    pub is_error: bool,
    pub value: Value,
}

impl World {
    /// An agent that has said hello and is registered as `name`.
    pub fn agent(&self, name: &str) -> Agent {
        let mut agent = self.nameless(&[]);
        agent.ok("register", json!({"instance_id": name}));
        agent
    }

    /// An agent that has said hello, started with these arguments of `ipcd mcp`.
    pub fn nameless(&self, arguments: &[&str]) -> Agent {
        let mut agent = self.silent("work", arguments);
        agent.handshake("test-agent");
        agent
    }

    /// An agent of this client that is registered as `name`; the client gives it these variables.
    pub fn agent_of(&self, client: &str, name: &str, variables: &[(&str, &str)]) -> Agent {
        let mut agent = self.silent_with("work", &[], variables);
        agent.handshake(client);
        agent.ok("register", json!({"instance_id": name}));
        agent
    }

    /// An agent in this folder that has said nothing yet.
    pub fn silent(&self, folder: &str, arguments: &[&str]) -> Agent {
        self.silent_with(folder, arguments, &[])
    }

    /// [`World::silent`] with more in its environment.
    pub fn silent_with(&self, folder: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Agent {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let script = self.file(&format!("agent-{number}"), PROGRAM);
        let fifo = script.with_extension("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().is_ok_and(|s| s.success()), "mkfifo");
        let mut child = Command::new("sh")
            .arg(&script)
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .envs(environment.iter().copied())
            .env("IPCD", &self.program)
            .current_dir(self.folder(folder))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(script.with_extension("err")).expect("a file"))
            .spawn()
            .expect("sh runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        // Opening waits for the reader: the agent's shell is there from here on.
        let commands = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the agent's shell");
        Agent {
            child,
            stdin,
            lines,
            answers: BTreeMap::new(),
            notifications: Vec::new(),
            next_id: 1,
            script,
            commands: Some(commands),
            ran: 0,
        }
    }
}

impl Agent {
    pub fn handshake(&mut self, client: &str) -> Value {
        self.handshake_with(client, json!({}))
    }

    /// The handshake of a client that can do these things.
    pub fn handshake_with(&mut self, client: &str, capabilities: Value) -> Value {
        let hello = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": capabilities,
            "clientInfo": {"name": client, "version": "1"},
        });
        let answer = self.request("initialize", hello);
        self.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        answer
    }

    /// Calls a tool that must succeed.
    pub fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let outcome = self.call(tool, arguments);
        assert!(!outcome.is_error, "{tool}: {outcome:?}");
        outcome.value
    }

    /// Calls a tool that must fail; its code.
    pub fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let outcome = self.call(tool, arguments);
        assert!(outcome.is_error, "{tool} should have failed: {outcome:?}");
        let error = &outcome.value["error"];
        assert!(error["message"].is_string() && error["hint"].is_string(), "{outcome:?}");
        assert!(error["recoverable"].is_boolean(), "{outcome:?}");
        error["code"].as_str().unwrap_or_else(|| panic!("no code: {outcome:?}")).to_owned()
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Outcome {
        let id = self.start(tool, arguments);
        self.finish(id)
    }

    /// Starts a call and does not wait for it.
    pub fn start(&mut self, tool: &str, arguments: Value) -> i64 {
        self.send("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The result of a call that was started.
    pub fn finish(&mut self, id: i64) -> Outcome {
        let answer = self.answer(id);
        let result = answer.get("result").unwrap_or_else(|| panic!("a protocol error: {answer}"));
        let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"));
        let value = result["structuredContent"].clone();
        let told: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(told, value, "text and structure say the same");
        Outcome { is_error: result["isError"] == json!(true), value }
    }

    /// A request that must be answered with a result.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        let answer = self.answer(id);
        answer.get("result").unwrap_or_else(|| panic!("{method}: {answer}")).clone()
    }

    pub fn send(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        id
    }

    /// Writes a line as it is.
    pub fn write(&mut self, line: &str) {
        self.write_bytes(line.as_bytes());
    }

    /// Writes a line that need not be text.
    pub fn write_bytes(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(line).and_then(|()| stdin.write_all(b"\n")).expect("the server reads");
    }

    /// The answer to a request, which must come soon.
    pub fn answer(&mut self, id: i64) -> Value {
        self.answer_within(id, SOON).unwrap_or_else(|| panic!("no answer to {id}\n{}", self.stderr()))
    }

    /// The answer to a request, if it comes in time.
    pub fn answer_within(&mut self, id: i64, time: Duration) -> Option<Value> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Some(answer);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.next_message(left)?;
            match message.get("id").and_then(Value::as_i64).filter(|_| message.get("method").is_none()) {
                Some(id) => {
                    self.answers.insert(id, message);
                }
                None => self.notifications.push(message),
            }
        }
    }

    /// The next line of the server, whatever it is.
    pub fn next_message(&mut self, time: Duration) -> Option<Value> {
        match self.lines.recv_timeout(time) {
            Ok(line) => Some(
                serde_json::from_str(&line).unwrap_or_else(|e| panic!("not JSON on stdout: {e}: {line}")),
            ),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// What the server asks of its client, which must come soon.
    pub fn asked(&mut self) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.next_message(left).unwrap_or_else(|| panic!("no question\n{}", self.stderr()));
            match (message.get("method").is_some(), message.get("id").and_then(Value::as_i64)) {
                (true, _) if message.get("id").is_some() => return message,
                (false, Some(id)) => {
                    self.answers.insert(id, message);
                }
                _ => self.notifications.push(message),
            }
        }
    }

    /// Answers what the server asked.
    pub fn answers(&mut self, question: &Value, result: Value) {
        self.write(&json!({"jsonrpc": "2.0", "id": question["id"], "result": result}).to_string());
    }

    pub fn cancel(&mut self, id: i64) {
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        self.write(&cancel.to_string());
    }

    /// The pid of the agent's `ipcd mcp`.
    pub fn pid(&self) -> i32 {
        let file = self.script.with_extension("pid");
        let mut pid = None;
        until("the agent says its pid", || {
            pid = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        pid.expect("it did")
    }

    /// Ends as a crash does: no farewell.
    pub fn dies(self) {
        let pid = self.pid();
        kill(pid, "KILL");
        until("the front end is gone", || !runs(pid));
    }

    /// Ends as a client does that closes its end; gives the time that the server took.
    pub fn leaves(mut self) -> Duration {
        let pid = self.pid();
        let start = Instant::now();
        self.stdin = None;
        until("the front end ends", || !runs(pid));
        start.elapsed()
    }

    /// Runs a command of `ipcd` in the agent's own shell.
    pub fn shell(&mut self, arguments: &str) -> Said {
        self.shell_reading(arguments, "/dev/null")
    }

    /// [`Agent::shell`], with this file as the command's input.
    pub fn shell_reading(&mut self, arguments: &str, input: &str) -> Said {
        self.ran += 1;
        let base = self.script.with_extension(format!("ran-{}", self.ran));
        let at = base.display();
        let line = format!(
            "\"$IPCD\" {arguments} >{at}.out 2>{at}.err <{input}; echo $? >{at}.new; mv {at}.new {at}.code\n"
        );
        self.commands.as_mut().expect("open").write_all(line.as_bytes()).expect("the agent's shell reads");
        let read = |kind: &str| std::fs::read_to_string(format!("{at}.{kind}")).ok();
        let mut code = None;
        until(&format!("`ipcd {arguments}` ends"), || {
            code = read("code").and_then(|text| text.trim().parse().ok());
            code.is_some()
        });
        let text = |kind| read(kind).unwrap_or_default();
        Said { code: code.expect("it did"), out: text("out"), err: text("err") }
    }

    /// Starts a command of `ipcd` in the agent's own shell, which goes on without it. It is told of a Claude
    /// Code that is woken by the end of a hook.
    pub fn background(&mut self, arguments: &str, name: &str) {
        let at = self.script.with_extension(name);
        let at = at.display();
        let line = format!(
            "{{ AI_AGENT=claude-code_2-1-330_harness \"$IPCD\" {arguments} >{at}.out 2>{at}.err </dev/null; echo $? >{at}.new; mv {at}.new {at}.code; }} &\n"
        );
        self.commands.as_mut().expect("open").write_all(line.as_bytes()).expect("the agent's shell reads");
    }

    /// What a command in the background has said by now.
    pub fn said(&self, name: &str) -> String {
        let at = self.script.with_extension(name);
        std::fs::read_to_string(format!("{}.out", at.display())).unwrap_or_default()
    }

    /// Waits for the end of a command in the background.
    pub fn ended(&self, name: &str) -> Said {
        let at = self.script.with_extension(name);
        let read = |kind: &str| std::fs::read_to_string(format!("{}.{kind}", at.display())).ok();
        let mut code = None;
        until(&format!("{name} ends"), || {
            code = read("code").and_then(|text| text.trim().parse().ok());
            code.is_some()
        });
        let text = |kind| read(kind).unwrap_or_default();
        Said { code: code.expect("it did"), out: text("out"), err: text("err") }
    }

    /// Its client closes the front end's input and goes on.
    pub fn closes_its_front_end(&mut self) {
        let pid = self.pid();
        self.stdin = None;
        until("the front end ends", || !runs(pid));
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.script.with_extension("err")).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stdin = None;
        self.commands = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_front_end_ends_with_the_reader_of_its_answers_even_if_its_input_stays_open() {
    let world = World::new();
    let mut server = world.command(&["mcp", "--name", "alice"]);
    let mut server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    drop(server.stdout.take());
    until("the end of the front end", || server.try_wait().expect("its state").is_some());
    drop(server);
}
