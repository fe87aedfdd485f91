//! Claude Desktop. It has no hooks.

use std::path::PathBuf;

use serde_json::json;

use super::Facts;
use super::setup::{Command, Edit, Part, Places, Setup, json_file};

pub(super) const FACTS: Facts = Facts {
    word: "claude-desktop",
    title: "Claude Desktop",
    wire: "claude-ai",
    mark: None,
    hook: None,
    setup: SETUP,
};

// Its configuration.

const SETUP: Setup = Setup {
    programs: &[],
    sign: folder,
    parts,
    note: "Claude Desktop reads its configuration when it starts",
};

fn folder(places: &Places) -> PathBuf {
    places.config.join("Claude")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    if places.project.is_some() {
        return Vec::new();
    }
    let mut value = command.entry();
    // It is started in no folder that would give a name.
    if let Some(arguments) = value["args"].as_array_mut() {
        arguments.extend([json!("--name"), json!("desktop")]);
    }
    let server = Edit::Server { table: "mcpServers", value };
    vec![json_file(folder(places).join("claude_desktop_config.json"), vec![server])]
}
