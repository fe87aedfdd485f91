//! VS Code. Its agent mode runs hooks of Claude Code's form, which are a preview: none are used here.

use std::path::PathBuf;

use serde_json::json;

use super::Facts;
use super::setup::{Command, Edit, Part, Places, Setup, json_file};

pub(super) const FACTS: Facts = Facts {
    word: "vscode",
    title: "VS Code",
    wire: "Visual Studio Code",
    mark: None,
    hook: None,
    setup: SETUP,
};

// Its configuration.

const SETUP: Setup = Setup { programs: &["code"], sign: folder, parts, note: "" };

fn folder(places: &Places) -> PathBuf {
    places.config.join("Code/User")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let folder = places.project.map_or_else(|| folder(places), |project| project.join(".vscode"));
    let entry = command.entry();
    let value = json!({"type": "stdio", "command": entry["command"], "args": entry["args"]});
    vec![json_file(folder.join("mcp.json"), vec![Edit::Server { table: "servers", value }])]
}
