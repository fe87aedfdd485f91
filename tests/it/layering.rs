//! The arrows of `docs/architecture.md`, held to the code: a module names only what is below it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each module may import of ours. Its own insides are always allowed.
const ARROWS: &[(&str, &[&str])] = &[
    ("json", &[]),
    ("protocol", &["json"]),
    ("transport", &[]),
    ("files", &[]),
    ("telemetry", &[]),
    ("planted", &[]),
    ("release", &["protocol"]),
    ("broker", &["protocol"]),
    ("store", &["broker", "protocol", "files", "json"]),
    ("history", &["protocol", "files"]),
    ("audit", &["protocol", "files", "json"]),
    ("service", &["protocol"]),
    ("share", &["protocol"]),
    ("paths", &["protocol", "transport"]),
    ("config", &["broker", "protocol", "share"]),
    ("agents", &["protocol"]),
    ("install", &["agents", "files", "protocol"]),
    ("client", &["protocol", "transport"]),
    (
        "daemon",
        &[
            "audit",
            "broker",
            "store",
            "history",
            "transport",
            "protocol",
            "config",
            "paths",
            "telemetry",
            "files",
            "release",
        ],
    ),
    ("mcp", &["json", "agents", "client", "protocol", "share", "config", "paths", "transport", "release"]),
    (
        "cli",
        &[
            "service",
            "files",
            "release",
            "agents",
            "client",
            "protocol",
            "history",
            "audit",
            "install",
            "share",
            "config",
            "paths",
            "telemetry",
            "transport",
            "daemon",
            "mcp",
        ],
    ),
];

/// Crates that one module keeps to itself.
const KEPT: &[(&str, &[&str])] = &[
    ("rmcp", &["mcp"]),
    ("redb", &["store"]),
    ("interprocess", &["transport"]),
    ("sd_notify", &["transport"]),
    ("jsonc_parser", &["install"]),
    ("toml_edit", &["install"]),
    ("similar", &["install"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli", "daemon", "mcp", "main"]),
    ("tokio", &["client", "cli", "daemon", "mcp", "share", "transport"]),
];

#[test]
fn arrows_run_one_way() {
    let mut wrong = Vec::new();
    for (module, file, text) in sources() {
        let allowed = ARROWS.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
        if module == "main" || module == "lib" {
            continue;
        }
        let Some(allowed) = allowed else {
            wrong.push(format!("{}: no arrows are drawn for `{module}`", file.display()));
            continue;
        };
        for named in crate_paths(&text) {
            // Any module may ask whether it is to break a promise: tests must see it.
            if named != module && named != "planted" && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{}: `{module}` must not name `{named}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (module, file, text) in sources() {
        for (name, homes) in KEPT {
            let named = code(&text).any(|line| line.contains(&format!("{name}::")));
            if named && !homes.contains(&module.as_str()) {
                wrong.push(format!("{}: `{name}` belongs to {homes:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_reads_no_clock_and_does_no_io() {
    let banned = [
        "std::fs",
        "std::net",
        "std::io",
        "std::thread",
        "std::process",
        "SystemTime",
        "Instant::now",
        "std::env",
    ];
    let mut wrong = Vec::new();
    for (_, file, text) in sources().into_iter().filter(|(m, _, _)| m == "broker" || m == "protocol") {
        for word in banned {
            if code(&text).any(|line| line.contains(word)) {
                wrong.push(format!("{}: `{word}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each source file with the module that it belongs to. Test files may name what they test with.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources").map(|e| e.expect("an entry").path()) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if entry.is_dir() {
                folders.push(entry);
            } else if name.ends_with(".rs") {
                files.push(entry);
            }
        }
    }
    let module = |file: &Path| {
        let below = file.strip_prefix(&root).expect("below src");
        let first = below.components().next().expect("a name").as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    };
    let read = |file: &PathBuf| std::fs::read_to_string(file).expect("UTF-8");
    let files = files.into_iter().filter(|f| !f.components().any(|c| c.as_os_str() == "tests"));
    let found: Vec<_> = files.map(|f| (module(&f), f.clone(), read(&f))).collect();
    assert!(found.len() > 30, "the sources were found");
    found
}

/// Lines of code outside comments and unit tests.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    body.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The modules that a file names, in `use` lines and in paths.
fn crate_paths(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned()
    };
    code(text).flat_map(|line| line.split("crate::").skip(1).map(word)).filter(|w| !w.is_empty()).collect()
}
