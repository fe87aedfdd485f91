//! Zed. It has no hooks.

use std::path::PathBuf;

use serde_json::json;

use super::Facts;
use super::setup::{Command, Edit, Part, Places, Setup, json_file};

pub(super) const FACTS: Facts =
    Facts { word: "zed", title: "Zed", wire: "zed", mark: None, hook: None, setup: SETUP };

// Its configuration.

const SETUP: Setup = Setup { programs: &["zed", "zeditor"], sign: folder, parts, note: "" };

fn folder(places: &Places) -> PathBuf {
    places.xdg_config().join("zed")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let folder = places.project.map_or_else(|| folder(places), |project| project.join(".zed"));
    let entry = command.entry();
    let value = json!({"source": "custom", "command": entry["command"], "args": entry["args"], "env": {}});
    vec![json_file(folder.join("settings.json"), vec![Edit::Server { table: "context_servers", value }])]
}
