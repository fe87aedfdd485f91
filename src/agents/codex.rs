//! Codex. Its hooks have Claude Code's form and are strict: an unknown key makes the hook fail. It gives
//! its children an environment without marks. It names its thread with each call, and its command `queue`
//! puts a prompt into a thread, idle or not.

use std::path::PathBuf;

use super::bell::{Around, Bell};
use super::hook::{self, Codec, Moment};
use super::setup::{Command, Edit, HOOK_SECONDS, Part, Places, Setup, Syntax, grouped, json_file};
use super::{Facts, Program};

pub(super) const FACTS: Facts = Facts {
    word: "codex",
    title: "Codex",
    wire: "codex",
    mark: None,
    hook: Some(Codec { say }),
    setup: SETUP,
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::context("SessionStart", words),
        Moment::Prompt => hook::context("UserPromptSubmit", words),
        Moment::Tool => hook::context("PostToolUse", words),
        Moment::Stop => hook::decision("block", words),
    }
}

// Its configuration.

const SETUP: Setup = Setup {
    programs: &["codex"],
    sign: folder,
    parts,
    note: "Codex runs new hooks only after you have trusted them: it asks when it starts, or see /hooks",
};

const EVENTS: [&str; 4] = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"];

fn folder(places: &Places) -> PathBuf {
    places.or_home("CODEX_HOME", ".codex")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let folder = places.project.map_or_else(|| folder(places), |project| project.join(".codex"));
    let server = Edit::Server { table: "mcp_servers", value: command.entry() };
    vec![
        Part { file: folder.join("config.toml"), syntax: Syntax::Toml, edits: vec![server] },
        json_file(folder.join("hooks.json"), grouped(Program::Codex, command, &EVENTS, HOOK_SECONDS)),
    ]
}

// Its bell.

/// Longest name of a thread, in characters: a UUID has 36.
const THREAD_CHARS_MAX: usize = 100;

pub(super) fn bell(around: &Around<'_>) -> Option<Bell> {
    Queue::of(around.thread?).map(Bell::Queue)
}

/// The queue of one thread.
#[derive(Debug)]
pub struct Queue {
    thread: String,
}

impl Queue {
    /// `None`: `thread` is no thread's name, and could mean something else on a command line.
    fn of(thread: &str) -> Option<Queue> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let named = !thread.is_empty() && thread.len() <= THREAD_CHARS_MAX && !thread.starts_with('-');
        (named && thread.chars().all(plain)).then(|| Queue { thread: thread.to_owned() })
    }

    /// The arguments of `codex` that queue `words`.
    pub fn arguments<'a>(&'a self, words: &'a str) -> [&'a str; 5] {
        ["queue", "--thread", &self.thread, "--message", words]
    }
}

/// Whether `exe` is Codex itself: the one that runs knows its own queue best.
pub fn is_codex(exe: &str) -> bool {
    exe.rsplit(['/', '\\']).next().is_some_and(|name| name.starts_with("codex"))
}

/// Where Codex keeps its threads, by this variable of its own environment.
pub const HOME: &str = "CODEX_HOME";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_a_plain_word() {
        let queue = Queue::of("01a072a7-6d07-76a1-828b-300553a73a70").unwrap();
        assert_eq!(queue.arguments("W")[2..], ["01a072a7-6d07-76a1-828b-300553a73a70", "--message", "W"]);
        for other in ["", "--last", "a b", "a\nb", "../x", &"x".repeat(101)] {
            assert!(Queue::of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_program_that_runs_is_known_by_its_name() {
        assert!(is_codex("/usr/lib/node_modules/@openai/codex/vendor/x86_64-unknown-linux-musl/codex/codex"));
        assert!(is_codex("/opt/codex-x86_64-unknown-linux-musl"));
        assert!(!is_codex("/usr/bin/node") && !is_codex(""));
    }
}
