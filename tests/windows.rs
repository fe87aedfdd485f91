//! The program on Windows, from outside. `tests/cross.sh test x86_64-pc-windows-gnu` runs it under wine.
#![cfg(windows)]

use std::io::{BufRead, BufReader, Write};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION};
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_TERMINATE, TerminateProcess};

/// For everything that should happen at once. Generous: wine starts slowly.
const SOON: Duration = Duration::from_secs(60);

/// A home of its own, and what runs in it.
struct World(tempfile::TempDir);

/// A front end, spoken to as an MCP client does.
struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    next_id: i64,
}

impl World {
    fn new() -> World {
        World(tempfile::Builder::new().prefix("ipcd-").tempdir().expect("a temporary folder"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcd"));
        command.args(arguments).env("IPCD_HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    /// Runs a command; what it printed is read to its end, so nothing may keep it open.
    fn json(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(arguments);
        let output = command.arg("--json").stdin(Stdio::null()).output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    fn agent(&self, name: &str) -> Agent {
        let mut command = self.command(&["mcp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let stdin = child.stdin.take();
        let mut agent = Agent { child, stdin, lines, next_id: 1 };
        let hello = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test-agent", "version": "1"},
        });
        agent.request("initialize", hello);
        agent.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent.ok("register", json!({"instance_id": name}));
        agent
    }

    fn daemon_pid(&self) -> u32 {
        let status = self.json(&["status"]);
        u32::try_from(status["daemon"]["pid"].as_u64().expect("status tells the pid")).expect("a pid")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Front ends are gone by now, and nobody is above this command: a daemon may be stopped.
        let _ = self.command(&["stop"]).stdin(Stdio::null()).output();
    }
}

impl Agent {
    fn write(&mut self, line: &Value) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("the server reads");
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let line = self.lines.recv_timeout(SOON).expect("an answer");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if answer["id"] == id {
                return answer.get("result").unwrap_or_else(|| panic!("{method}: {answer}")).clone();
            }
        }
    }

    fn ok(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert_ne!(result["isError"], json!(true), "{tool}: {result}");
        result["structuredContent"].clone()
    }

    /// The end of its input is its own, and in order.
    fn ends(mut self) {
        self.stdin = None;
        let deadline = Instant::now() + SOON;
        while self.child.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < deadline, "a front end does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_front_ends_exchange_mail_over_the_pipe() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let sent = alice.ok("send", json!({"to_id": "bob", "content": "the schema is at docs\\api.md — ✓"}));
    assert_eq!((&sent["stored"], &sent["recipient"]["state"]), (&json!(true), &json!("live")), "{sent}");
    let read = bob.ok("check", json!({"wait_seconds": 5}));
    let message = &read["messages"][0];
    assert_eq!(message["content"], "the schema is at docs\\api.md — ✓");
    assert_eq!((&message["from"], &message["redelivered"]), (&json!("alice"), &json!(false)));
    let sender = &message["sender"];
    assert_eq!((&sender["verified"], &sender["pid"]), (&json!("full"), &json!(alice.child.id())), "{sender}");
    assert!(sender["exe"].as_str().is_some_and(|exe| exe.ends_with("ipcd.exe")), "{sender}");
    let folder = world.0.path().file_name().expect("a name").to_str().expect("text");
    assert!(sender["cwd"].as_str().is_some_and(|cwd| cwd.ends_with(folder)), "{sender}");
    bob.ok("send", json!({"reply_to": message["id"], "content": "read"}));
    assert_eq!(alice.ok("check", json!({"wait_seconds": 5}))["messages"][0]["content"], "read");
    bob.ends();
    alice.ends();
}

#[test]
fn the_pipe_is_its_owners_alone_and_each_home_has_its_own() {
    let (one, two) = (World::new(), World::new());
    let [first, second] = [&one, &two].map(|world| {
        let agent = world.agent("alice");
        let pipe = world.json(&["status"])["daemon"]["socket"].as_str().expect("an address").to_owned();
        let descriptor = descriptor(&pipe);
        let (owner, list) = descriptor.strip_prefix("O:").and_then(|d| d.split_once("D:")).expect("both");
        let owner = owner.split("G:").next().unwrap_or_default();
        assert!(pipe.starts_with(&format!(r"\\.\pipe\ipcd-{owner}-")), "{pipe} {descriptor}");
        let rights: Vec<&str> = list.split('(').collect();
        assert_eq!((rights.len(), rights[0]), (2, "P"), "one entry, and nothing is inherited: {descriptor}");
        assert!(rights[1].starts_with("A;;") && rights[1].ends_with(&format!(";;;{owner})")), "{descriptor}");
        agent.ends();
        pipe
    });
    assert_ne!(first, second);
}

#[test]
fn a_killed_daemon_loses_nothing_and_the_next_call_starts_another() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    alice.ok("send", json!({"to_id": "bob", "content": "kept"}));
    let pid = world.daemon_pid();
    kill(pid);
    assert_eq!(bob.ok("check", json!({"wait_seconds": 5}))["messages"][0]["content"], "kept");
    assert_ne!(world.daemon_pid(), pid);
    bob.ends();
    alice.ends();
}

#[test]
fn an_agent_shares_what_a_command_prints() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let shared = alice.ok("share_command", json!({"to_id": "bob", "command": "cmd /c echo hello"}));
    assert_eq!((&shared["returncode"], &shared["timed_out"]), (&json!(0), &json!(false)), "{shared}");
    let read = bob.ok("check", json!({"wait_seconds": 5}));
    assert_eq!(read["messages"][0]["data"]["stdout"], "hello\r\n", "{read}");
    bob.ends();
    alice.ends();
}

#[test]
fn a_person_sends_reads_and_stops_the_daemon() {
    let world = World::new();
    // The first command starts the daemon, which must not hold what this command prints.
    assert_eq!(world.json(&["send", "nobody-yet", "hello"])["stored"], true);
    let status = world.json(&["status"]);
    assert!(status["daemon"]["pid"].is_u64(), "{status}");
    world.json(&["stop"]);
    let gone = world
        .command(&["list", "--no-spawn", "--json"])
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    assert_eq!(gone.status.code(), Some(3), "no daemon");
}

/// What a pipe says of itself to whoever may open it.
fn descriptor(pipe: &str) -> String {
    let what = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let (mut descriptor, mut text) = (std::ptr::null_mut(), std::ptr::null_mut());
    let none = std::ptr::null_mut;
    let end = std::fs::OpenOptions::new().read(true).write(true).open(pipe).expect("the pipe");
    #[expect(unsafe_code, reason = "Windows has no other interface")]
    // SAFETY: the handle is open; descriptor and text are ours until they are freed.
    unsafe {
        let handle = end.as_raw_handle();
        let error = GetSecurityInfo(
            handle,
            SE_KERNEL_OBJECT,
            what,
            none(),
            none(),
            none().cast(),
            none().cast(),
            &mut descriptor,
        );
        assert_eq!(error, 0, "it may be read");
        let done = ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor,
            SDDL_REVISION_1,
            what,
            &mut text,
            std::ptr::null_mut(),
        );
        assert_ne!(done, 0, "it is one");
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let copy = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        LocalFree(descriptor);
        copy
    }
}

fn kill(pid: u32) {
    #[expect(unsafe_code, reason = "Windows has no other interface")]
    // SAFETY: a process of this user; the handle is closed after its one use.
    unsafe {
        let process = OpenProcess(PROCESS_TERMINATE, 0, pid);
        assert!(!process.is_null(), "the daemon runs");
        let process = OwnedHandle::from_raw_handle(process);
        assert_ne!(TerminateProcess(process.as_raw_handle(), 1), 0, "it may be ended");
    }
}
