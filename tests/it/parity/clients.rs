//! Rows 45 and 50 to 52: what agents of each vendor find, and what people read to get them there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::World;

#[test]
fn row_45_auto_process() {
    let world = World::new();
    let (mut claude, mut fred) = (world.agent("claude"), world.agent("fred"));
    for agent in [&mut claude, &mut fred] {
        assert_eq!(agent.shell("auto start 1").code, 0);
    }
    let text: String = "0123456789".repeat(200);
    let data = json!({"ack": true, "list": [1, 2, 3]});
    fred.ok("send", json!({"to_id": "claude", "content": text, "data": data}));
    let answer = claude.ok("auto_process", json!({"instance_id": "claude"}));
    let mail = &answer["messages"][0];
    assert_eq!(
        (&mail["content"], &mail["data"]),
        (&json!(text), &data),
        "whole, and not 50 characters of it"
    );
    // Two of the seed's agents of these names acknowledged each other's acknowledgements for ever.
    for _ in 0..5 {
        for agent in [&mut fred, &mut claude] {
            agent.shell("hook PostToolUse --client claude");
            assert_eq!(agent.ok("auto_process", json!({}))["messages"], json!([]));
        }
    }
    assert_eq!(world.json(&["status"])["backlog_messages"], 0);
}

fn descriptions(agent: &mut Agent) -> BTreeMap<String, String> {
    let listed = agent.request("tools/list", json!({}));
    let text = |tool: &Value, key: &str| tool[key].as_str().unwrap_or_default().to_owned();
    listed["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .map(|t| (text(t, "name"), text(t, "description")))
        .collect()
}

#[test]
fn row_50_phrases_lead_to_tools() {
    let world = World::new();
    let mut alice = world.agent("alice");
    let tools = descriptions(&mut alice);
    for (phrase, tool) in [
        ("register as X", "register"),
        ("call me X", "register"),
        ("my name is X", "register"),
        ("msg X", "send"),
        ("tell X", "send"),
        ("reply:", "send"),
        ("forward to X", "send"),
        ("msgs?", "check"),
        ("any messages?", "check"),
        ("who's online?", "list_instances"),
        ("list instances", "list_instances"),
        ("broadcast:", "broadcast"),
        ("tell everyone", "broadcast"),
        ("send to all", "broadcast"),
        ("rename to X", "rename"),
        ("change my name to X", "rename"),
        ("I want to be called X now", "rename"),
        ("share FILE with X", "share_file"),
    ] {
        let with: Vec<&String> =
            tools.iter().filter(|(_, text)| text.contains(phrase)).map(|(n, _)| n).collect();
        assert_eq!(with, [tool], "{phrase:?}");
    }
    assert!(world.run(&["auto", "--help"]).out.contains("look for mail"), "auto checking is a command");
}

#[test]
fn row_50_a_reply_goes_to_whoever_was_read_last() {
    let world = World::new();
    let (mut alice, mut bob, mut carol) = (world.agent("alice"), world.agent("bob"), world.agent("carol"));
    let asked = carol.ok("send", json!({"to_id": "alice", "content": "older"}));
    bob.ok("send", json!({"to_id": "alice", "content": "how far are you?"}));
    let read = alice.ok("check", json!({}));
    assert_eq!(read["messages"].as_array().map(Vec::len), Some(2));
    let reply = alice.ok("send", json!({"content": "nearly done"}));
    assert_eq!(reply["to"], "bob", "the last sender");
    let reply = alice.ok("send", json!({"content": "you too", "reply_to": asked["id"]}));
    assert_eq!(reply["to"], "carol");
    let heard = carol.ok("check", json!({}));
    assert_eq!(
        (&heard["messages"][0]["reply_to"], &heard["messages"][0]["content"]),
        (&asked["id"], &json!("you too"))
    );
    // "forward to X" is a send of what was read.
    alice.ok("send", json!({"to_id": "carol", "content": read["messages"][1]["content"]}));
    assert_eq!(carol.ok("check", json!({}))["messages"][0]["content"], "how far are you?");
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The commands in a client's configuration, whatever it calls the place where they stand.
fn commands(config: &Value) -> Vec<Vec<String>> {
    let words = |value: &Value| -> Vec<String> {
        match value {
            Value::String(word) => vec![word.clone()],
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let mut found = Vec::new();
    if let Some(object) = config.as_object() {
        if let Some(command) = object.get("command") {
            found.push([words(command), object.get("args").map(words).unwrap_or_default()].concat());
        }
        object.values().for_each(|below| found.extend(commands(below)));
    }
    found
}

/// A configuration in the form that the end of its name says.
fn parse(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the file");
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") => serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        Some("toml") => toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project(folder)).expect("the folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = files.filter(|f| f.extension().is_some_and(|e| e != "md")).collect();
    files.sort();
    files
}

#[test]
fn row_51_client_configurations() {
    let clients = files("contrib/clients");
    assert!(clients.len() >= 10, "{clients:?}");
    for path in clients {
        let commands = commands(&parse(&path));
        let [argv] = commands.as_slice() else { panic!("{}: {commands:?}", path.display()) };
        let (program, arguments) = argv.split_first().expect("a command");
        assert_eq!(Path::new(program).file_name(), Some("ipcd".as_ref()), "{}", path.display());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(arguments[0], "mcp");
        let world = World::new();
        let mut agent = world.nameless(&arguments[1..]);
        assert!(agent.ok("list_instances", json!({}))["instances"].is_array(), "{}", path.display());
    }
    for path in files("contrib/hooks") {
        for argv in commands(&parse(&path)) {
            let words: Vec<&str> = argv.iter().flat_map(|word| word.split(' ')).collect();
            assert_eq!(words[..2], ["ipcd", "hook"], "{}", path.display());
            let said = World::new().run(&words[1..]);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{}: {words:?}", path.display());
        }
    }
}

#[test]
fn row_51_each_client_s_protocol_version() {
    let world = World::new();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut agent = world.silent("work", &[]);
        let hello = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "client", "version": "1"},
        });
        let answer = agent.request("initialize", hello);
        assert_eq!(
            (&answer["protocolVersion"], &answer["serverInfo"]["name"]),
            (&json!(version), &json!("ipcd"))
        );
        agent.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        assert_eq!(descriptions(&mut agent).len(), 13, "{version}");
        agent.ok("send", json!({"to_id": "later", "content": version}));
    }
    let mut agent = world.silent("work", &[]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "client", "version": "1"},
    });
    let found = agent.request("server/discover", json!({"_meta": meta}));
    assert!(found["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")), "{found}");
    let params = json!({"name": "send", "arguments": {"to_id": "later", "content": "2026"}, "_meta": meta});
    assert_eq!(agent.request("tools/call", params)["structuredContent"]["stored"], true);
    assert_eq!(world.agent("later").ok("check", json!({}))["messages"].as_array().map(Vec::len), Some(5));
}

/// What stands in the fenced blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn row_52_one_page_install() {
    let readme = std::fs::read_to_string(project("README.md")).expect("there is a README");
    let shell = blocks(&readme, "sh").join("\n");
    for command in ["cargo install --locked --path . && ipcd demo", "cargo test --locked"] {
        assert!(shell.contains(command), "{command}");
    }
    assert!(project("Cargo.lock").exists(), "--locked needs it");
    let snippets = [blocks(&readme, "json"), blocks(&readme, "toml")].concat();
    let parsed = |text: &&str| -> Value {
        serde_json::from_str(text).or_else(|_| toml::from_str(text)).unwrap_or_else(|e| panic!("{e}: {text}"))
    };
    let found: Vec<Vec<String>> = snippets.iter().flat_map(|text| commands(&parsed(text))).collect();
    assert!(found.len() >= 2 && found.iter().all(|argv| argv == &["ipcd", "mcp"]), "{found:?}");
    let demo = World::new().run(&["demo"]);
    assert_eq!(demo.code, 0, "{demo:?}");
}
