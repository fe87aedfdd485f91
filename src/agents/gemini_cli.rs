//! Gemini CLI. Its hooks have Claude Code's form under other names, and their times are in milliseconds.

use std::path::PathBuf;

use serde_json::json;

use super::hook::{self, Codec, Moment};
use super::setup::{Command, Edit, HOOK_SECONDS, Part, Places, Setup, grouped, json_file};
use super::{Facts, Program};

pub(super) const FACTS: Facts = Facts {
    word: "gemini",
    title: "Gemini CLI",
    wire: "gemini",
    mark: Some("GEMINI_SESSION_ID"),
    hook: Some(Codec { say }),
    setup: SETUP,
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::context("SessionStart", words),
        Moment::Prompt => hook::context("BeforeAgent", words),
        Moment::Tool => hook::context("AfterTool", words),
        Moment::Stop => hook::decision("deny", words),
    }
}

// Its configuration.

const SETUP: Setup = Setup { programs: &["gemini"], sign: folder, parts, note: "" };

const EVENTS: [&str; 4] = ["SessionStart", "BeforeAgent", "AfterTool", "AfterAgent"];

/// Longest call of a tool, in milliseconds: its own default, said so that a wait can rely on it.
const CALL_MS: u64 = 600_000;

fn folder(places: &Places) -> PathBuf {
    places.or_home("GEMINI_CLI_HOME", "").join(".gemini")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let folder = places.project.map_or_else(|| folder(places), |project| project.join(".gemini"));
    let mut value = command.entry();
    value["timeout"] = json!(CALL_MS);
    let mut edits = vec![Edit::Server { table: "mcpServers", value }];
    edits.extend(grouped(Program::GeminiCli, command, &EVENTS, HOOK_SECONDS * 1000));
    vec![json_file(folder.join("settings.json"), edits)]
}
