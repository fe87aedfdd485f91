//! Copilot CLI. Its hooks take the words at the top level; Claude Code's nested form is ignored.

use std::path::PathBuf;

use serde_json::json;

use super::hook::{self, Codec, Moment};
use super::setup::{Command, Edit, HOOK_SECONDS, Part, Places, Setup, json_file, script_file};
use super::{Facts, Program};

pub(super) const FACTS: Facts = Facts {
    word: "copilot",
    title: "Copilot CLI",
    wire: "copilot",
    mark: Some("COPILOT_CLI"),
    hook: Some(Codec { say }),
    setup: SETUP,
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start | Moment::Prompt | Moment::Tool => hook::single("additionalContext", words),
        Moment::Stop => hook::decision("block", words),
    }
}

// Its configuration.

const SETUP: Setup = Setup {
    programs: &["copilot"],
    sign: folder,
    parts,
    note: "Copilot CLI loads extensions, by which mail wakes it, only after it was started once with --experimental",
};

const EVENTS: [&str; 4] = ["sessionStart", "userPromptSubmitted", "postToolUse", "agentStop"];

/// It makes a prompt of each line that `ipcd hook watch` writes.
const EXTENSION: &str = include_str!("../../contrib/copilot-cli/extension.mjs");

fn folder(places: &Places) -> PathBuf {
    places.or_home("COPILOT_HOME", ".copilot")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let entry = command.entry();
    let value = json!({
        "type": "local", "command": entry["command"], "args": entry["args"], "tools": ["*"], "env": {},
    });
    let (servers, hooks) = match places.project {
        Some(project) => (project.join(".github/mcp.json"), project.join(".github/hooks/ipcd.json")),
        None => (folder(places).join("mcp-config.json"), folder(places).join("hooks/ipcd.json")),
    };
    let hook = |event: &'static str| {
        let bash = command.hook(event, Program::CopilotCli);
        Edit::Hook { event, value: json!({"type": "command", "bash": bash, "timeoutSec": HOOK_SECONDS}) }
    };
    let mut edits = vec![Edit::Key { key: "version", value: json!(1) }];
    edits.extend(EVENTS.map(hook));
    let mut parts =
        vec![json_file(servers, vec![Edit::Server { table: "mcpServers", value }]), json_file(hooks, edits)];
    if places.project.is_none() {
        let extension = folder(places).join("extensions/ipcd/extension.mjs");
        parts.push(script_file(extension, EXTENSION, command));
    }
    parts
}
