//! How long an idle agent is left waiting: from the moment a peer's call is written until the bell is with
//! the recipient's client, and what a hook costs the agent that runs it, in turn with a program that does nothing.
//!
//! `cargo bench --bench bell` prints both. Nothing here passes or fails.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Rings, and hooks of each kind.
const TIMES: usize = 300;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bell-{}", std::process::id()));
    let home = Home::make(&folder);
    let inbox = UnixListener::bind(folder.join("cc.sock")).expect("a socket");
    let mut alice = home.agent("alice", "test-agent");
    let mut bob = home.agent("bob", "claude-code");
    let (mut bells, mut sends) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let began = Instant::now();
        alice.call("send", r#"{"to_id":"bob","content":"hello"}"#);
        let mut ring = String::new();
        // A ring that was not wanted any more says nothing.
        while ring.is_empty() {
            inbox.accept().expect("a ring").0.read_to_string(&mut ring).expect("words");
        }
        bells.push(began.elapsed());
        alice.hear();
        sends.push(began.elapsed());
        bob.call("check", "{}");
        bob.hear();
    }
    println!("{:34} {:>9} {:>9}", "", "p50 ms", "p99 ms");
    row("send to bell", &mut bells);
    row("send to its answer", &mut sends);
    for (title, event, mail) in
        [("hook, nothing waits", "Stop", false), ("hook, 1 waits", "UserPromptSubmit", true)]
    {
        if mail {
            alice.call("send", r#"{"to_id":"bob","content":"hello"}"#);
            alice.hear();
        }
        let (mut hooks, mut nothings) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            nothings.push(ended(Command::new("/bin/true")));
            hooks.push(ended(home.hook(event, &bob.folder)));
        }
        row(title, &mut hooks);
        row("/bin/true, in turn with it", &mut nothings);
    }
    let mut alone = Vec::new();
    drop((alice, bob));
    home.stop();
    for _ in 0..TIMES {
        alone.push(ended(home.hook("Stop", &folder)));
    }
    row("hook, no daemon", &mut alone);
    let _ = std::fs::remove_dir_all(&folder);
}

/// Time that a program takes from its start to its end.
fn ended(mut command: Command) -> Duration {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let began = Instant::now();
    assert!(command.output().expect("it runs").status.success());
    began.elapsed()
}

fn row(title: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let ms = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("{title:34} {:>9.2} {:>9.2}", ms(times.len() / 2), ms(times.len() * 99 / 100));
}

struct Home(PathBuf);

impl Home {
    fn make(folder: &Path) -> Home {
        std::fs::create_dir_all(folder).expect("a folder on the disk of the target");
        std::fs::write(folder.join("config.toml"), "[limits]\nsends_per_minute = 0\n").expect("a file");
        Home(folder.to_owned())
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcd"));
        command.env_clear().env("IPCD_HOME", &self.0).env("HOME", &self.0).current_dir(folder);
        command
    }

    fn hook(&self, event: &str, folder: &Path) -> Command {
        let mut command = self.command(folder);
        command.args(["hook", event, "--client", "claude"]);
        command
    }

    fn agent(&self, name: &str, client: &str) -> Agent {
        let folder = self.0.join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = self.command(&folder);
        command.args(["mcp", "--name", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("CLAUDE_CODE_MESSAGING_SOCKET", self.0.join("cc.sock"));
        let mut child = command.spawn().expect("the front end starts");
        let to = child.stdin.take().expect("piped");
        let from = BufReader::new(child.stdout.take().expect("piped"));
        let mut agent = Agent { child, to, from, folder };
        let hello = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-06-18","capabilities":{{}},"clientInfo":{{"name":"{client}","version":"1"}}}}}}"#
        );
        agent.say(&hello);
        agent.hear();
        agent.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        // Once there is an answer, there is a name.
        agent.call("check", "{}");
        agent.hear();
        agent
    }

    fn stop(&self) {
        // A person's command: it needs a parent that is no agent's, which ours is no longer.
        let _ = ended_quietly(self.command(&self.0).arg("stop"));
    }
}

fn ended_quietly(command: &mut Command) -> std::io::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().map(drop)
}

struct Agent {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Agent {
    fn say(&mut self, line: &str) {
        self.to.write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    fn call(&mut self, tool: &str, arguments: &str) {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
        );
        self.say(&line);
    }

    fn hear(&mut self) {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("it answers");
        assert!(line.contains("\"result\"") && !line.contains("\"isError\":true"), "{line}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
