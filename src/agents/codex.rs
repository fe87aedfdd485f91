//! Codex. Its hooks have Claude Code's form and are strict: an unknown key makes the hook fail. It gives
//! its children an environment without marks.

use std::path::PathBuf;

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
