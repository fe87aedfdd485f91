//! Windsurf. No hook of it can tell its agent anything.

use std::path::PathBuf;

use super::Facts;
use super::setup::{Command, Edit, Part, Places, Setup, json_file};

pub(super) const FACTS: Facts =
    Facts { word: "windsurf", title: "Windsurf", wire: "windsurf", mark: None, hook: None, setup: SETUP };

// Its configuration.

const SETUP: Setup = Setup { programs: &["windsurf"], sign: folder, parts, note: "" };

fn folder(places: &Places) -> PathBuf {
    places.home.join(".codeium/windsurf")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    if places.project.is_some() {
        return Vec::new();
    }
    let server = Edit::Server { table: "mcpServers", value: command.entry() };
    vec![json_file(folder(places).join("mcp_config.json"), vec![server])]
}
