//! Nothing that a shared command started survives: not its end, its time-out, a cancel, the end of the
//! client or a `kill -9` of the front end. Nothing hangs, and no credential is in what is sent.
//!
//! `cargo test` runs each way to the end once; `IPCD_TEST_COMMANDS=25` runs each so often. The last line
//! is the figure. For Linux: elsewhere less is known of what got away (docs/platforms.md).
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::{SOON, World, kill, until};

/// A call of `share_command` may take its time-out, the grace after it, and what a busy machine adds.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Ways of a process to get away from whoever started it. What is not Linux knows less of them.
const ESCAPES: &[&str] = &[
    "sleep 300 &",
    "setsid sleep 300 &",
    "setsid sleep 300 >/dev/null 2>&1 </dev/null &",
    "setsid sh -c 'setsid sleep 300 & setsid sleep 300 &' &",
    "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' &)",
    "nohup sleep 300 >/dev/null 2>&1 &",
    "sleep 300 & kill -STOP $!",
    "for i in 1 2 3 4 5 6 7 8; do setsid sleep 300 & done",
    // A new process and session in place of the last, again and again. It ends by itself if nobody does it.
    "setsid sh ./chain 1 >/dev/null 2>&1 &",
];

const CHAIN: &str = "[ $1 -lt 20000 ] && setsid sh ./chain $(($1 + 1)) &\n";

struct Arena {
    world: World,
    marks: u32,
}

impl Arena {
    fn new() -> Arena {
        let world = World::with_config(
            "[share_command]\nmode = \"allow\"\ntimeout_s = 0.5\n[limits]\nsends_per_minute = 0\nmailbox_messages = 100000\n",
        );
        world.folder("work");
        world.file("work/chain", CHAIN);
        Arena { world, marks: 0 }
    }

    /// A command with a mark that all it starts carries, which does all of these and then that.
    fn command(&mut self, escapes: &[&str], then: &str) -> (String, String) {
        self.marks += 1;
        let mark = format!("{}-{}", self.world.home().display(), self.marks);
        let ready = format!("echo $$ >ready.new; mv ready.new ready-{}", self.marks);
        let script = format!("{}\n{ready}\n{then}\n", escapes.join("\n"));
        self.world.file(&format!("work/script-{}", self.marks), script);
        (format!("env IPCD_TEST_MARK={mark} sh ./script-{}", self.marks), mark)
    }

    /// Waits until the command that was made last has done what it wanted to.
    fn ready(&self) {
        let file = self.world.home().join(format!("work/ready-{}", self.marks));
        until("the command has begun", || file.exists());
    }
}

/// The processes that carry this mark and run.
fn marked(mark: &str) -> Vec<i32> {
    let mark = format!("IPCD_TEST_MARK={mark}");
    let carries = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|b| *b == 0).any(|variable| variable == mark.as_bytes())
    };
    let pids = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(carries).collect()
}

/// What came of it all.
#[derive(Debug, Default)]
struct Figure {
    commands: u32,
    survivors: usize,
    hangs: u32,
    slowest: Duration,
}

impl Figure {
    /// None of it is left, at once or soon.
    fn ended(&mut self, mark: &str, within: Duration) {
        let begun = Instant::now();
        let mut left = marked(mark);
        while !left.is_empty() && begun.elapsed() < within {
            std::thread::sleep(Duration::from_millis(5));
            left = marked(mark);
        }
        self.commands += 1;
        self.survivors += left.len();
        left.into_iter().for_each(|pid| kill(pid, "KILL"));
    }

    fn answered(&mut self, agent: &mut Agent, call: i64) -> Option<Value> {
        let begun = Instant::now();
        let answer = agent.answer_within(call, ANSWER_MAX);
        self.slowest = self.slowest.max(begun.elapsed());
        self.hangs += u32::from(answer.is_none());
        answer
    }
}

fn share(agent: &mut Agent, command: &str) -> i64 {
    agent.start("share_command", json!({"to_id": "bob", "command": command}))
}

fn rounds() -> u32 {
    std::env::var("IPCD_TEST_COMMANDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn nothing_survives_its_command() {
    let mut arena = Arena::new();
    let mut figure = Figure::default();
    let mut alice = arena.world.agent("alice");
    for _ in 0..rounds() {
        // Each way by itself, at the command's own end: gone when the answer is there.
        for escape in ESCAPES {
            let (command, mark) = arena.command(&[escape], "echo done");
            let call = share(&mut alice, &command);
            let answer = figure.answered(&mut alice, call);
            figure.ended(&mark, Duration::ZERO);
            let result = answer.expect("an answer")["result"]["structuredContent"].clone();
            assert_eq!((&result["returncode"], &result["timed_out"]), (&json!(0), &json!(false)), "{result}");
        }
        // All of them at once, at a time-out.
        for then in
            ["sleep 300", "trap '' TERM; while :; do sleep 1; done", "while :; do :; done", "exec yes"]
        {
            let (command, mark) = arena.command(ESCAPES, then);
            let call = share(&mut alice, &command);
            let answer = figure.answered(&mut alice, call);
            figure.ended(&mark, Duration::ZERO);
            let result = answer.expect("an answer")["result"]["structuredContent"].clone();
            assert_eq!(result["timed_out"], true, "{result}");
        }
        // At a cancel, which is not answered.
        let (command, mark) = arena.command(ESCAPES, "sleep 300");
        let call = share(&mut alice, &command);
        arena.ready();
        alice.cancel(call);
        figure.ended(&mark, SOON);
        // At the end of the input, at a polite signal and at a kill.
        for end in ["input", "TERM", "KILL"] {
            let mut carol = arena.world.agent("carol");
            let (command, mark) = arena.command(ESCAPES, "sleep 300");
            share(&mut carol, &command);
            arena.ready();
            match end {
                "input" => drop(carol.leaves()),
                signal => kill(carol.pid(), signal),
            }
            figure.ended(&mark, Duration::from_secs(5));
        }
    }
    say(&format!(
        "survivors={} hang={} commands={} slowest_ms={}",
        figure.survivors,
        figure.hangs,
        figure.commands,
        figure.slowest.as_millis()
    ));
    assert_eq!((figure.survivors, figure.hangs), (0, 0));
}

/// Whoever ends the process between the two ends the command with it, and the agent hears of it.
#[test]
fn nothing_survives_the_process_that_watches() {
    let mut arena = Arena::new();
    let mut alice = arena.world.agent("alice");
    for (signal, escapes) in
        [("TERM", ESCAPES), ("INT", ESCAPES), ("KILL", &["sleep 300 &", "sleep 300 >/dev/null &"])]
    {
        let (command, mark) = arena.command(escapes, "sleep 300");
        let call = share(&mut alice, &command);
        arena.ready();
        let note = std::fs::read_to_string(arena.world.home().join(format!("work/ready-{}", arena.marks)));
        let leader = note.expect("a note").trim().to_owned();
        let stat = std::fs::read_to_string(format!("/proc/{leader}/stat")).expect("the command");
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)).expect("a parent");
        kill(parent.parse().expect("a pid"), signal);
        let outcome = alice.finish(call);
        until("all of it is gone", || marked(&mark).is_empty());
        match signal {
            "KILL" => assert_eq!(outcome.value["error"]["code"], "retry", "{outcome:?}"),
            _ => assert_eq!(outcome.value["signal"], "SIGKILL", "{outcome:?}"),
        }
    }
}

/// Credentials of every sort that an agent may have, by name or by look.
const CREDENTIALS: [(&str, &str); 5] = [
    ("MY_SERVICE_TOKEN", "correct-horse-battery"),
    ("DATABASE_URL", "postgres://ada:staple-staple@localhost/db"),
    ("OPENAI_API_KEY", "sk-0123456789abcdef0123456789abcdef"),
    ("NOTES", concat!("ghp", "_aB3dE5gH1jK2mN4pQ6sT8vW0xY7zaB3dE5gH")),
    ("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "9"),
];

#[test]
fn no_credential_is_in_what_a_command_prints() {
    let world = World::with_config("[share_command]\nmode = \"allow\"\n");
    let mut alice = world.silent_with("work", &[], &CREDENTIALS);
    alice.handshake("test-agent");
    alice.ok("register", json!({"instance_id": "alice"}));
    let mut bob = world.agent("bob");
    let token = format!("ghp{}", "_0B3dE5gH1jK2mN4pQ6sT8vW0xY7zaB3dE5gH");
    std::fs::write(world.home().join("work/log.txt"), format!("using {token}\n")).expect("a file");
    let commands = [
        "env",
        "sh -c 'set; echo \"[$MY_SERVICE_TOKEN] [$DATABASE_URL]\"'",
        "sh -c 'tr \"\\0\" \"\\n\" </proc/self/environ'",
        // Of the process that watches, of the front end, and of the agent.
        "sh -c 'cat /proc/$PPID/environ /proc/$(cut -d\" \" -f4 /proc/$PPID/stat)/environ'",
        "sh -c 'cat /proc/[0-9]*/environ 2>/dev/null | tr \"\\0\" \"\\n\" | grep -a -e correct -e staple; true'",
        "sh -c 'cat <&9'",
        "ls -l /proc/self/fd",
        "cat log.txt",
    ];
    let mut leaks = 0;
    for command in commands {
        let answer = alice.ok("share_command", json!({"to_id": "bob", "command": command}));
        let mail = bob.ok("check", json!({"id": answer["id"]}))["messages"][0].to_string();
        let secret = |value: &&str| value.len() > 1 && mail.contains(*value);
        let known = CREDENTIALS.map(|(_, value)| value);
        leaks += known.iter().filter(|value| secret(value)).count() + usize::from(mail.contains(&token));
        leaks += usize::from(mail.contains("battery") || mail.contains("staple-staple"));
        assert!(!mail.contains("exec 3<&0"), "a descriptor of the client reached `{command}`: {mail}");
        bob.ok("check", json!({}));
    }
    say(&format!("env_leaks={leaks} commands={}", commands.len()));
    assert_eq!(leaks, 0);
}

#[expect(clippy::print_stdout, reason = "the figure that this test is for")]
fn say(figure: &str) {
    println!("{figure}");
}
