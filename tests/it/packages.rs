//! What is handed to clients and registries in files: the plugins, the entry of the MCP registry, the bundle.
//! The clients' own validators look at them in `tests/clients`; here they must say what this version is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::World;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn every_file_that_tells_the_version_tells_this_one() {
    let server = read("packaging/mcp/server.json");
    for (path, version) in [
        ("contrib/plugins/ipcd/.claude-plugin/plugin.json", None),
        ("contrib/plugins/gemini/gemini-extension.json", None),
        ("packaging/mcpb/manifest.json", None),
        ("packaging/mcp/server.json", Some(&server["packages"][0]["version"])),
    ] {
        assert_eq!(read(path)["version"], env!("CARGO_PKG_VERSION"), "{path}");
        assert!(version.is_none_or(|version| version == env!("CARGO_PKG_VERSION")), "{path}");
    }
}

#[test]
fn the_entry_of_the_registry_is_what_the_readme_proves() {
    let server = read("packaging/mcp/server.json");
    let name = server["name"].as_str().expect("a name");
    let readme = std::fs::read_to_string(file("README.md")).expect("there is a README");
    assert!(readme.contains(&format!("mcp-name: {name}")), "the registry looks for it in the visible text");
    assert!(
        server["description"].as_str().is_some_and(|text| text.len() <= 100),
        "the registry takes no more"
    );
    let package = &server["packages"][0];
    assert_eq!(
        (&package["registryType"], &package["identifier"]),
        (&json!("cargo"), &json!(env!("CARGO_PKG_NAME")))
    );
    assert_eq!(package["packageArguments"], json!([{"type": "positional", "value": "mcp"}]));
}

#[test]
fn the_bundle_lists_the_tools_that_there_are() {
    let manifest = read("packaging/mcpb/manifest.json");
    let named = |tools: &Value| -> Vec<String> {
        let mut names: Vec<String> = tools
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|t| Some(t["name"].as_str()?.to_owned()))
            .collect();
        names.sort();
        names
    };
    let world = World::new();
    let mut desktop = world.nameless(&["--name", "desktop"]);
    // Its daemon is there then, and ends with this world.
    desktop.ok("list_instances", json!({}));
    let listed = desktop.request("tools/list", json!({}));
    assert_eq!(named(&manifest["tools"]), named(&listed["tools"]));
}

#[test]
fn the_plugins_run_what_an_install_writes() {
    let world = World::new();
    let said = world.run(&["install", "--client", "claude,gemini", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let installed = |name: &str| -> Value {
        let text = std::fs::read_to_string(world.home().join(name)).expect("it was written");
        serde_json::from_str(&text.replace(env!("CARGO_BIN_EXE_ipcd"), "ipcd")).expect("JSON")
    };
    let gemini = installed(".gemini/settings.json");
    assert_eq!(read("contrib/plugins/gemini/hooks/hooks.json")["hooks"], gemini["hooks"]);
    assert_eq!(read("contrib/plugins/gemini/gemini-extension.json")["mcpServers"], gemini["mcpServers"]);
    // One folder for three clients: each of them is recognised when the hook runs.
    let plugin = std::fs::read_to_string(file("contrib/plugins/ipcd/hooks/hooks.json")).expect("it is there");
    let plugin: Value = serde_json::from_str(&plugin).expect("JSON");
    let claude = installed(".claude/settings.json")["hooks"].to_string().replace(" --client claude", "");
    let mut claude: Value = serde_json::from_str(&claude).expect("JSON");
    // But for the one that waits in the background, which only one of the three can run.
    let waits = claude["Stop"].as_array_mut().expect("two").pop().expect("two");
    assert_eq!(waits["hooks"][0]["command"], "ipcd hook wait");
    assert_eq!(plugin["hooks"], claude);
    let skill =
        std::fs::read_to_string(file("contrib/plugins/ipcd/skills/peers/SKILL.md")).expect("it is there");
    let context = std::fs::read_to_string(file("contrib/plugins/gemini/PEERS.md")).expect("it is there");
    assert!(skill.ends_with(&context), "Gemini's extension teaches the same");
}
