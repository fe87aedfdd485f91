//! opencode. Its plugins take the place of hooks.

use std::path::PathBuf;

use serde_json::json;

use super::Facts;
use super::setup::{Command, Edit, Part, Places, Setup, json_file, script_file};

pub(super) const FACTS: Facts = Facts {
    word: "opencode",
    title: "opencode",
    wire: "opencode",
    mark: Some("OPENCODE"),
    hook: None,
    setup: SETUP,
};

// Its configuration.

const SETUP: Setup = Setup { programs: &["opencode"], sign: folder, parts, note: NOTE };

const NOTE: &str = "opencode fetches its package for plugins when it starts next; without a network it waits a minute for that";

/// It makes a prompt of each line that `ipcd hook watch` writes.
const PLUGIN: &str = include_str!("../../contrib/opencode/ipcd.js");

fn folder(places: &Places) -> PathBuf {
    places.xdg_config().join("opencode")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let folder = places.project.map_or_else(|| folder(places), ToOwned::to_owned);
    let with_comments = folder.join("opencode.jsonc");
    let file = if (places.exists)(&with_comments) { with_comments } else { folder.join("opencode.json") };
    let argv: Vec<String> = std::iter::once(command.program.clone()).chain(command.arguments()).collect();
    let value = json!({"type": "local", "command": argv, "enabled": true, "environment": {}});
    // A project has its plugins one folder further down than its configuration.
    let plugins = folder.join(if places.project.is_some() { ".opencode/plugins" } else { "plugins" });
    vec![
        json_file(file, vec![Edit::Server { table: "mcp", value }]),
        script_file(plugins.join("ipcd.js"), PLUGIN, command),
    ]
}
