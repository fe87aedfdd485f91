//! Claude Code. Its hooks are the model that most other clients follow.

use std::path::PathBuf;

use serde_json::json;

use super::hook::{self, Codec, Moment};
use super::setup::{Command, Edit, HOOK_SECONDS, Part, Places, Setup, grouped, json_file};
use super::{Facts, Program};

pub(super) const FACTS: Facts = Facts {
    word: "claude",
    title: "Claude Code",
    wire: "claude-code",
    mark: Some("CLAUDECODE"),
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

const SETUP: Setup = Setup { programs: &["claude"], sign: folder, parts, note: "" };

const EVENTS: [&str; 4] = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"];

fn folder(places: &Places) -> PathBuf {
    places.or_home("CLAUDE_CONFIG_DIR", ".claude")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let entry = command.entry();
    let value = json!({"type": "stdio", "command": entry["command"], "args": entry["args"], "env": {}});
    let (servers, settings) = match places.project {
        Some(project) => (project.join(".mcp.json"), project.join(".claude/settings.json")),
        None => (
            places.or_home("CLAUDE_CONFIG_DIR", "").join(".claude.json"),
            folder(places).join("settings.json"),
        ),
    };
    vec![
        json_file(servers, vec![Edit::Server { table: "mcpServers", value }]),
        json_file(settings, grouped(Program::ClaudeCode, command, &EVENTS, HOOK_SECONDS)),
    ]
}
