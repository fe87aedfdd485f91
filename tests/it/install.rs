//! `ipcd install` and `ipcd uninstall` on the files of clients, in homes of their own.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::{Said, World};

/// Every file below a folder, with what is in it; folders end in `/`.
fn everything(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() && !entry.is_symlink() {
            found.insert(entry.join(""), String::new());
            found.append(&mut everything(&entry));
        } else {
            found.insert(entry.clone(), fs::read_to_string(&entry).unwrap_or_default());
        }
    }
    found
}

/// Runs in a home without `IPCD_HOME`, as a user would.
fn run(world: &World, arguments: &[&str]) -> Said {
    let mut command = world.command(arguments);
    command.env_remove("IPCD_HOME").env("PATH", "/usr/bin:/bin");
    Said::of(command.output().expect("the program runs"))
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const CLIENTS: &str = "claude,claude-desktop,codex,gemini,copilot,cursor,vscode,windsurf,zed,opencode";

const CLAUDE: &str =
    "{\n  // mine\n  \"numStartups\": 12,\n  \"mcpServers\": {\n    \"x\": {\"command\": \"y\"}\n  }\n}\n";

#[test]
fn every_client_is_connected_and_all_of_it_is_undone() {
    let world = World::new();
    world.file(".claude.json", CLAUDE);
    world.folder(".codex");
    world.file(".codex/config.toml", "model = \"m\" # mine\n");
    fs::set_permissions(world.home().join(".claude.json"), fs::Permissions::from_mode(0o640)).expect("chmod");
    let before = everything(world.home());

    let shown = run(&world, &["install", "--client", CLIENTS, "--dry-run"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("+++ ") && shown.out.contains("Nothing was written"), "{shown:?}");
    assert_eq!(everything(world.home()), before, "a dry run writes nothing");

    let done = run(&world, &["install", "--client", CLIENTS, "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let rows = lines(&done);
    assert_eq!(rows.len(), 16, "{done:?}");
    assert!(rows.iter().all(|row| row["change"] == "created" || row["change"] == "changed"), "{done:?}");
    let claude = fs::read_to_string(world.home().join(".claude.json")).expect("it is there");
    assert!(
        claude.starts_with("{\n  // mine\n  \"numStartups\": 12,")
            && claude.contains("\"x\": {\"command\": \"y\"}")
    );
    assert!(claude.contains(&format!("\"command\": \"{}\"", env!("CARGO_BIN_EXE_ipcd"))), "{claude}");
    let mode =
        |name: &str| fs::metadata(world.home().join(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(
        (mode(".claude.json"), mode(".claude.json.ipcd-backup"), mode(".cursor/mcp.json")),
        (0o640, 0o640, 0o600)
    );

    let installed = everything(world.home());
    let again = run(&world, &["install", "--client", CLIENTS]);
    assert!(again.code == 0 && again.out.starts_with("Nothing to do"), "{again:?}");
    assert_eq!(everything(world.home()), installed, "a second time changes nothing");

    let undone = run(&world, &["uninstall"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(everything(world.home()), before, "byte for byte, and no trace");
    assert_eq!(mode(".claude.json"), 0o640);
    let again = run(&world, &["uninstall"]);
    assert!(again.code == 0 && again.out.starts_with("Nothing to do"), "{again:?}");
    assert_eq!(everything(world.home()), before);
}

#[test]
fn what_others_wrote_since_stays_when_ours_goes() {
    let world = World::new();
    world.file(".claude.json", CLAUDE);
    assert_eq!(run(&world, &["install", "--client", "claude,copilot"]).code, 0);
    // The client writes its own state, and the user adds a hook.
    let file = world.home().join(".claude.json");
    let text =
        fs::read_to_string(&file).expect("it is there").replace("\"numStartups\": 12", "\"numStartups\": 13");
    fs::write(&file, text).expect("written");
    let settings = world.home().join(".claude/settings.json");
    let text = fs::read_to_string(&settings).expect("it is there");
    fs::write(&settings, text.replacen('{', "{\n  \"model\": \"m\",", 1)).expect("written");

    assert_eq!(run(&world, &["install", "--client", "claude", "--tools", "core"]).code, 0);
    assert!(fs::read_to_string(&file).expect("it is there").contains("\"core\""));

    assert_eq!(run(&world, &["uninstall"]).code, 0);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), CLAUDE.replace("12", "13"));
    let left: Value =
        serde_json::from_str(&fs::read_to_string(&settings).expect("it is there")).expect("JSON");
    assert_eq!(left, serde_json::json!({"model": "m"}));
    let files = everything(world.home());
    let names: Vec<_> = files.keys().map(|path| path.strip_prefix(world.home()).expect("below")).collect();
    assert_eq!(names, [Path::new(".claude"), Path::new(".claude/settings.json"), Path::new(".claude.json")]);
}

#[test]
fn links_are_followed_and_what_cannot_be_edited_keeps_no_other_from_it() {
    let world = World::new();
    let dotfiles = world.folder("dotfiles");
    fs::write(dotfiles.join("mcp.json"), "{}").expect("written");
    world.folder(".cursor");
    std::os::unix::fs::symlink(dotfiles.join("mcp.json"), world.home().join(".cursor/mcp.json"))
        .expect("a link");
    std::os::unix::fs::symlink("/nonexistent/x", world.home().join(".cursor/hooks.json")).expect("a link");
    world.folder(".gemini");
    world.file(".gemini/settings.json", "{ broken");
    world.folder(".codex");
    world.file(".codex/config.toml", "[mcp_servers.ipcd]\ncommand = \"node\"\n");
    let said = run(&world, &["install", "--json"]);
    assert_eq!(said.code, 1, "{said:?}");
    let rows = lines(&said);
    let of = |client: &str, file: &str| {
        let row = rows
            .iter()
            .find(|row| row["client"] == client && row["file"].as_str().is_some_and(|f| f.ends_with(file)));
        row.unwrap_or_else(|| panic!("{client} {file}: {said:?}")).clone()
    };
    assert_eq!(of("cursor", "mcp.json")["change"], "changed");
    assert!(world.home().join(".cursor/mcp.json").is_symlink(), "the link stays a link");
    assert!(fs::read_to_string(dotfiles.join("mcp.json")).expect("it is there").contains("ipcd"));
    assert_eq!(fs::read_dir(&dotfiles).expect("a folder").count(), 1, "the backup is beside the link");
    assert!(of("cursor", "hooks.json")["error"]["message"].as_str().is_some_and(|m| m.contains("link")));
    assert!(of("gemini", "settings.json")["error"]["message"].as_str().is_some_and(|m| m.contains("JSON")));
    assert!(
        of("codex", "config.toml")["error"]["message"].as_str().is_some_and(|m| m.contains("another server"))
    );
    assert_eq!(of("codex", "hooks.json")["change"], "created");
    assert_eq!(
        fs::read_to_string(world.home().join(".gemini/settings.json")).expect("it is there"),
        "{ broken"
    );
    let said = run(&world, &["install", "--client", "codex,gemini,cursor"]);
    let last = said.out.lines().last().unwrap_or_default();
    assert_eq!(last, "Not set up, or not all of it, as said above: Codex, Gemini CLI, Cursor.", "{said:?}");
    assert!(!said.out.contains("New sessions of"), "none of them: {said:?}");
    let said = run(&world, &["uninstall"]);
    assert!(!said.out.contains("settings.json"), "nothing of ours is in what is broken: {said:?}");
    assert_eq!(fs::read_to_string(dotfiles.join("mcp.json")).expect("it is there"), "{}");
    assert!(world.home().join(".cursor/mcp.json").is_symlink());
}

#[test]
fn a_folder_that_cannot_be_synced_keeps_the_backup() {
    let world = World::new();
    let folder = world.folder(".codex");
    world.file(".codex/config.toml", "model = \"m\"\n");
    // It cannot be opened to be synced, by anyone but root.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).expect("chmod");
    let done = run(&world, &["install", "--client", "codex"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("chmod");
    assert_eq!(done.code, 0, "{done:?}");
    let backup = fs::read_to_string(folder.join("config.toml.ipcd-backup")).expect("it is there");
    assert_eq!(backup, "model = \"m\"\n");
    assert_eq!(run(&world, &["uninstall"]).code, 0);
    assert_eq!(fs::read_to_string(folder.join("config.toml")).expect("it is there"), backup);
}

#[test]
fn a_project_is_set_up_by_itself() {
    let world = World::new();
    let project = world.folder("webapp");
    let there = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env_remove("IPCD_HOME").current_dir(&project).env("PATH", "/usr/bin:/bin");
        Said::of(command.output().expect("the program runs"))
    };
    assert_eq!(there(&["install", "--project", "--client", "claude,codex,windsurf"]).code, 0);
    assert!(project.join(".mcp.json").exists() && project.join(".codex/config.toml").exists());
    assert!(!world.home().join(".claude.json").exists());
    assert_eq!(there(&["uninstall", "--project"]).code, 0);
    assert!(everything(&project).is_empty());
}

#[test]
fn without_any_client_it_says_which_it_knows() {
    let world = World::new();
    let said = run(&world, &["install"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no client program") && said.err.contains("windsurf"), "{said:?}");
    assert_eq!(run(&world, &["install", "--client", "emacs"]).code, 2);
    assert!(everything(world.home()).is_empty());
}
