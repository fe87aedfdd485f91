//! Cursor. Its hooks can be told something at the start, and can go on with a prompt at the end.

use std::path::PathBuf;

use serde_json::json;

use super::hook::{self, Codec, Moment};
use super::setup::{Command, Edit, Part, Places, Setup, json_file};
use super::{Facts, Program};

pub(super) const FACTS: Facts = Facts {
    word: "cursor",
    title: "Cursor",
    wire: "cursor",
    mark: None,
    hook: Some(Codec { say }),
    setup: SETUP,
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::single("additional_context", words),
        Moment::Prompt | Moment::Tool => None,
        Moment::Stop => hook::single("followup_message", words),
    }
}

// Its configuration.

const SETUP: Setup = Setup { programs: &["cursor", "cursor-agent"], sign: folder, parts, note: "" };

/// How often in a row its stop hook may make it go on.
const LOOPS: u64 = 10;

fn folder(places: &Places) -> PathBuf {
    places.home.join(".cursor")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let folder = places.project.map_or_else(|| folder(places), |project| project.join(".cursor"));
    let hook = |event: &str| command.hook(event, Program::Cursor);
    vec![
        json_file(
            folder.join("mcp.json"),
            vec![Edit::Server { table: "mcpServers", value: command.entry() }],
        ),
        json_file(
            folder.join("hooks.json"),
            vec![
                Edit::Key { key: "version", value: json!(1) },
                Edit::Hook { event: "sessionStart", value: json!({"command": hook("sessionStart")}) },
                Edit::Hook { event: "stop", value: json!({"command": hook("stop"), "loop_limit": LOOPS}) },
            ],
        ),
    ]
}
