//! `ipcd doctor`: what it says of a home in order, and of one with everything wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::world::{Said, World};

fn doctor(world: &World, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = world.command(&["doctor", "--json"]);
    command.args(arguments).env("PATH", "/usr/bin:/bin");
    let said = Said::of(command.output().expect("the program runs"));
    let lines =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {said:?}")));
    (said.code, lines.collect())
}

fn install(world: &World, client: &str) {
    let said = world.run(&["install", "--client", client]);
    assert_eq!(said.code, 0, "{said:?}");
}

/// The findings about one subject: (state, words).
fn about<'a>(found: &'a [Value], subject: &str) -> Vec<(&'a str, &'a str)> {
    let of = found.iter().filter(|finding| finding["subject"] == subject);
    of.map(|finding| (finding["state"].as_str().unwrap_or(""), finding["says"].as_str().unwrap_or("")))
        .collect()
}

#[test]
fn a_connected_client_is_tried_and_nothing_is_left_behind() {
    let world = World::new();
    install(&world, "claude,codex,opencode");
    let before = fs::read_to_string(world.home().join(".claude.json")).expect("it is there");
    let (code, found) = doctor(&world, &[]);
    assert_eq!(code, 0, "{found:?}");
    let claude = about(&found, "claude");
    assert!(
        matches!(claude[0], ("good", says) if says.contains("13 tools, and a message to itself and back")),
        "{claude:?}"
    );
    assert!(matches!(claude[1], ("good", says) if says.contains("4 hooks run")), "{claude:?}");
    assert_eq!(about(&found, "codex")[0].0, "good");
    assert!(about(&found, "daemon")[0].1.starts_with("none runs"), "{found:?}");
    assert_eq!(fs::read_to_string(world.home().join(".claude.json")).expect("it is there"), before);
    assert!(!world.socket().exists(), "it started no daemon here");
    let said = world.run(&["doctor"]);
    assert!(said.code == 0 && said.out.contains("ok     claude"), "{said:?}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let world = World::new();
    install(&world, "claude,codex,gemini,cursor,copilot");
    let edit = |name: &str, from: &str, to: &str| {
        let file = world.home().join(name);
        let text = fs::read_to_string(&file).expect("it is there");
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replace(from, to)).expect("written");
    };
    let ours = env!("CARGO_BIN_EXE_ipcd");
    edit(".claude.json", ours, "/nowhere/ipcd");
    edit(".codex/config.toml", "[\"mcp\"]", "[\"mcp\", \"--nonsense\"]");
    edit(".gemini/settings.json", "{", "");
    edit(".copilot/hooks/ipcd.json", ours, "/nowhere/ipcd");
    edit(".copilot/mcp-config.json", ours, "/nowhere/other");
    world.file("config.toml", "nonsense = 1\n");
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let (code, found) = doctor(&world, &[]);
    assert_eq!(code, 1);
    for (subject, words) in [
        ("claude", "no such program"),
        ("codex", "does not work"),
        ("gemini", "JSON"),
        ("copilot", "no such program"),
        ("config", "nonsense"),
        ("folders", "mode 755"),
    ] {
        let bad = found.iter().find(|finding| finding["subject"] == subject && finding["state"] == "bad");
        let bad = bad.unwrap_or_else(|| panic!("{subject}: {found:?}"));
        assert!(bad["says"].as_str().is_some_and(|says| says.contains(words)), "{bad}");
        assert!(bad["do"].as_str().is_some_and(|cure| !cure.is_empty()), "{bad}");
    }
    assert_eq!(about(&found, "cursor")[0].0, "good", "{found:?}");
    // An install would not touch what is not ours.
    let other = found
        .iter()
        .find(|finding| finding["says"].as_str().is_some_and(|says| says.contains("/nowhere/other")));
    let cure = other.expect("it was tried")["do"].as_str().expect("a cure");
    assert!(cure.contains("another name"), "{cure}");
    let (code, found) = doctor(&world, &["--client", "zed"]);
    assert_eq!((code, about(&found, "zed")[0].0), (1, "note"), "folders and config are wrong still");
}

#[test]
fn what_a_project_wants_to_be_run_is_told_and_not_run() {
    let world = World::new();
    install(&world, "claude");
    let project = world.folder("project");
    let look = || {
        let mut command = world.command(&["doctor", "--json", "--client", "claude"]);
        let said =
            Said::of(command.current_dir(&project).env("PATH", "/usr/bin:/bin").output().expect("it runs"));
        let lines = said.out.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        (said.code, lines.collect::<Vec<Value>>())
    };
    let trap = world.file("project/ipcd", format!("#!/bin/sh\ntouch {}/sprung\n", project.display()));
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).expect("chmod");
    let trap = trap.display();
    world.folder("project/.claude");
    let server = format!(r#"{{"mcpServers":{{"ipcd":{{"command":"{trap}","args":["mcp"]}}}}}}"#);
    world.file("project/.mcp.json", server);
    let hook = format!(
        r#"{{"hooks":{{"Stop":[{{"hooks":[{{"type":"command","command":"{trap} hook Stop"}}]}}]}}}}"#
    );
    for name in ["settings.json", "settings.local.json"] {
        world.file(&format!("project/.claude/{name}"), &hook);
    }
    let (code, found) = look();
    assert!(!project.join("sprung").exists(), "{found:?}");
    let told = about(&found, "claude");
    let told: Vec<_> = told.iter().filter(|(_, says)| says.contains("was not tried")).collect();
    assert!(told.iter().any(|(state, says)| *state == "note" && says.contains(" mcp")), "{found:?}");
    assert!(told.iter().any(|(state, says)| *state == "note" && says.contains(" hook Stop")), "{found:?}");
    assert_eq!(code, 0, "{found:?}");

    let ours = env!("CARGO_BIN_EXE_ipcd");
    world.file(
        "project/.mcp.json",
        format!(r#"{{"mcpServers":{{"ipcd":{{"command":"{ours}","args":["mcp"]}}}}}}"#),
    );
    let (_, found) = look();
    let tried = about(&found, "claude")
        .into_iter()
        .filter(|(state, says)| *state == "good" && says.contains("13 tools"));
    assert_eq!(tried.count(), 2, "this very program is tried: {found:?}");
}

#[test]
fn a_running_daemon_and_its_mail_are_told() {
    let world = World::new();
    let _daemon = world.daemon();
    world.run(&["send", "later", "hello"]);
    let (code, found) = doctor(&world, &[]);
    assert_eq!(code, 0, "{found:?}");
    assert!(about(&found, "store")[0].1.contains("1 message unread"), "{found:?}");
    assert!(about(&found, "clients")[0].1.contains("no client is connected"), "{found:?}");
}
