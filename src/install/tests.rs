//! Edits of texts, and the files in `contrib` that say what they come to. What becomes of real files is
//! tested with the real program.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn server(table: &'static str, argv: &[&str]) -> Edit {
    Edit::Server { table, value: json!({"command": argv[0], "args": argv[1..]}) }
}

fn hook(event: &'static str, command: &str) -> Edit {
    Edit::Hook { event, value: json!({"hooks": [{"type": "command", "command": command}]}) }
}

fn edits() -> Vec<Edit> {
    vec![
        server("mcpServers", &["/bin/ipcd", "mcp"]),
        hook("Stop", "/bin/ipcd hook Stop --client claude"),
        hook("Start", "'/a b/ipcd' hook Start --client claude"),
    ]
}

/// What a text says, whatever its spaces and comments.
fn data(text: &str) -> Value {
    let text = text.trim_start_matches('\u{feff}');
    let text = if text.is_empty() { "{}" } else { text };
    let root = jsonc_parser::cst::CstRootNode::parse(text, &jsonc_parser::ParseOptions::default()).unwrap();
    json::value(&root.value().unwrap())
}

const FILES: [&str; 9] = [
    "",
    "{}",
    "{\n}\n",
    "\u{feff}{\r\n\t\"a\": 1\r\n}\r\n",
    "// top\n{\n  // mine\n  \"mcpServers\": {\n    \"x\": {\"command\": \"y\"}, // x\n  },\n}\n// end\n",
    "{\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"mine hook Stop\"}]}]},\"z\":[1,2]}",
    "{ \"mcpServers\": {}, \"hooks\": { \"Stop\": [] } }",
    "{\n    \"big\": 123456789012345678901234567890,\n    \"s\": \"\\u00e9\\n\"\n}",
    "{'single': 'quotes', unquoted: 0x1F, \"n\": +1, }",
];

#[test]
fn what_is_added_can_be_taken_out_again_and_nothing_else_changes() {
    for before in FILES {
        let after = json::add(before, &edits()).unwrap();
        assert_eq!(json::add(&after, &edits()).unwrap(), after, "a second time changes nothing: {before}");
        assert_eq!(json::server(&after, "mcpServers").unwrap().unwrap(), ["/bin/ipcd", "mcp"]);
        assert_eq!(json::hooks(&after).unwrap().len(), 2);
        let removed = json::remove(&after, &edits(), Some(before)).unwrap();
        assert_eq!(data(&removed), data(before), "{before}");
        for line in before.lines().filter(|line| line.contains("//")) {
            assert!(after.contains(line.trim()) && removed.contains(line.trim()), "{line}");
        }
    }
}

#[test]
fn an_entry_that_is_there_keeps_what_its_user_made_of_it() {
    let own = r#"{"mcpServers":{"ipcd":{"command":"ipcd","args":["mcp","--name","web"],"env":{"A":"1"}}}}"#;
    let after = json::add(own, &[server("mcpServers", &["/new/ipcd", "mcp"])]).unwrap();
    let expected = own.replace(r#""command":"ipcd""#, r#""command":"/new/ipcd""#);
    assert_eq!(after, expected);
    let core = server("mcpServers", &["/new/ipcd", "mcp", "--tools", "core"]);
    let after = json::add(&after, &[core]).unwrap();
    assert_eq!(
        json::server(&after, "mcpServers").unwrap().unwrap()[1..],
        ["mcp", "--name", "web", "--tools", "core"]
    );
    let all = server("mcpServers", &["/new/ipcd", "mcp", "--tools", "all"]);
    let after = json::add(&after, &[all]).unwrap();
    assert_eq!(
        json::server(&after, "mcpServers").unwrap().unwrap()[1..],
        ["mcp", "--name", "web", "--tools", "all"]
    );
    let array = r#"{"mcp":{"ipcd":{"type":"local","command":["ipcd","mcp"],"enabled":false}}}"#;
    let wanted = Edit::Server { table: "mcp", value: json!({"command": ["/new/ipcd", "mcp"]}) };
    let after = json::add(array, &[wanted]).unwrap();
    assert_eq!(after, array.replace(r#""ipcd","mcp""#, r#""/new/ipcd", "mcp""#));
}

#[test]
fn a_hook_that_is_there_keeps_its_matcher_and_its_neighbours() {
    let own = concat!(
        r#"{"hooks":{"Stop":[{"matcher":"*","hooks":[{"command":"/old/ipcd hook Stop --client claude","#,
        r#""timeout":3},{"command":"mine"}]}]}}"#
    );
    let after = json::add(own, &edits()[1..2]).unwrap();
    assert_eq!(after, own.replace("/old/ipcd", "/bin/ipcd"));
    let removed = json::remove(&after, &edits()[1..2], None).unwrap();
    assert_eq!(data(&removed), json!({"hooks":{"Stop":[{"matcher":"*","hooks":[{"command":"mine"}]}]}}));
}

#[test]
fn the_line_of_a_hook_keeps_its_options_when_its_program_is_renewed() {
    let renewed = |line: &str| {
        let own = json!({"hooks": {"Stop": [{"hooks": [{"command": line}]}]}}).to_string();
        let after = json::add(&own, &edits()[1..2]).unwrap();
        data(&after)["hooks"]["Stop"][0]["hooks"][0]["command"].as_str().unwrap().to_owned()
    };
    let options = "hook Stop  --client claude --as 'my api' 2>/dev/null";
    for program in ["ipcd", "/old/ipcd", "'/o l d/ipcd'", r"/o\ l/ipcd", r#""/o"'/l d'/ipcd"#, "/bin/ipcd"] {
        assert_eq!(renewed(&format!("{program} {options}")), format!("/bin/ipcd {options}"), "{program}");
    }
}

#[test]
fn an_empty_group_of_the_user_stays_when_ours_goes() {
    let ours = r#"{"hooks":[{"command":"/bin/ipcd hook Stop --client claude"}]}"#;
    let own = r#"{"matcher":"mine","hooks":[]}"#;
    let removed = json::remove(&format!(r#"{{"hooks":{{"Stop":[{ours},{own}]}}}}"#), &edits(), None).unwrap();
    assert_eq!(data(&removed), json!({"hooks":{"Stop":[{"matcher":"mine","hooks":[]}]}}));
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let foreign = r#"{"mcpServers":{"ipcd":{"command":"node","args":["mcp"]}}}"#;
    assert!(json::add(foreign, &edits()).unwrap_err().message.contains("another server"));
    assert_eq!(json::remove(foreign, &edits(), None).unwrap(), foreign);
    let alike = r#"{"hooks":{"Stop":[{"command":"echo ipcd hook Stop"},{"command":"my-ipcd hook Stop"}]}}"#;
    assert_eq!(json::remove(alike, &edits(), None).unwrap(), alike);
    for bad in ["[]", "1", "{", "{\"a\" 1}", "{\"mcpServers\":[]}", "{\"hooks\":{\"Stop\":{}}}", "{} {}"] {
        assert!(json::add(bad, &edits()).is_err(), "{bad}");
    }
}

#[test]
fn toml_keeps_every_byte_before_the_entry() {
    let wanted = [server("mcp_servers", &["/bin/ipcd", "mcp"])];
    for before in [
        "",
        "model = \"m\"",
        "# top\nmodel = \"m\" # why\n\n[mcp_servers.x]\ncommand = \"y\"\n\n# end\n",
        "a = 1\r\n[b]\r\nc = 2\r\n",
        "[mcp_servers]\n",
    ] {
        let after = toml::add(before, &wanted).unwrap();
        assert!(after.starts_with(before), "{after}");
        assert_eq!(toml::add(&after, &wanted).unwrap(), after);
        assert_eq!(toml::server(&after, "mcp_servers").unwrap().unwrap(), ["/bin/ipcd", "mcp"]);
        let removed = toml::remove(&after, &wanted).unwrap();
        assert_eq!(removed.trim(), before.trim(), "{before}");
    }
    let inline = "mcp_servers = { x = { command = \"y\" } } # all\n";
    let after = toml::add(inline, &wanted).unwrap();
    assert!(after.contains("# all") && toml::server(&after, "mcp_servers").unwrap().is_some(), "{after}");
    let own = "[mcp_servers.ipcd]\ncommand = \"ipcd\" # mine\nargs = [\"mcp\", \"--name\", \"x\"]\nenabled = true\n";
    let after = toml::add(own, &wanted).unwrap();
    assert_eq!(after, own.replace("\"ipcd\" # mine", "\"/bin/ipcd\" # mine"));
    assert!(toml::add("[mcp_servers.ipcd]\nurl = \"http://x\"\n", &wanted).is_err());
    assert!(toml::add("mcp_servers = 3\n", &wanted).is_err());
    assert!(toml::add("a = \n", &wanted).unwrap_err().message.contains("line 1"));
}

proptest! {
    #[test]
    fn no_text_makes_an_edit_panic(text in "[\\[\\]{}:,\"'/*a-z0-9 \\n\\\\.#=]{0,60}") {
        let _ = json::add(&text, &edits());
        let _ = json::remove(&text, &edits(), Some(&text));
        let wanted = [server("mcp_servers", &["/bin/ipcd", "mcp"])];
        if let Ok(after) = toml::add(&text, &wanted) {
            prop_assert!(toml::server(&after, "mcp_servers").unwrap().is_some());
        }
    }
}

/// The files to copy are what an install writes, with the program found by the PATH.
#[test]
fn the_files_in_contrib_are_what_is_written() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    let exists = |_: &Path| false;
    let places = Places {
        home: Path::new("/h"),
        config: Path::new("/h/.config"),
        project: None,
        var: &|_| None,
        exists: &exists,
    };
    let command = Command { program: "ipcd".to_owned(), tools: None };
    let mut stale = Vec::new();
    for program in Program::ALL {
        let name = match program {
            Program::ClaudeCode => "claude-code",
            Program::CopilotCli => "copilot-cli",
            Program::GeminiCli => "gemini-cli",
            program => program.word(),
        };
        for part in program.parts(&places, &command) {
            let (servers, hooks): (Vec<_>, Vec<_>) =
                part.edits.into_iter().partition(|edit| matches!(edit, Edit::Server { .. }));
            for (folder, edits) in [("clients", servers), ("hooks", hooks)] {
                if edits.is_empty() {
                    continue;
                }
                let (kind, text) = match part.syntax {
                    Syntax::Json => ("json", json::add("", &edits).unwrap()),
                    Syntax::Toml => ("toml", toml::add("", &edits).unwrap()),
                    Syntax::Script => continue,
                };
                let file = contrib.join(folder).join(format!("{name}.{kind}"));
                if std::env::var_os("IPCD_UPDATE_CONTRIB").is_some() {
                    std::fs::write(&file, &text).unwrap();
                }
                if std::fs::read_to_string(&file).ok().as_deref() != Some(&text) {
                    stale.push(file);
                }
            }
        }
    }
    assert!(stale.is_empty(), "IPCD_UPDATE_CONTRIB=1 cargo test --lib contrib writes them anew: {stale:?}");
}

#[test]
fn an_extension_knows_where_the_program_is_and_goes_whole() {
    let exists = |_: &Path| false;
    let (home, config) = (Path::new("/h"), Path::new("/h/.config"));
    let places = Places { home, config, project: None, var: &|_| None, exists: &exists };
    let command = Command { program: "/a \"b\"/ipcd".to_owned(), tools: None };
    let mut found = 0;
    for program in Program::ALL {
        for part in program.parts(&places, &command).iter().filter(|part| part.syntax == Syntax::Script) {
            let text = script::put("", &part.edits).unwrap();
            assert!(text.contains(r#"spawn("/a \"b\"/ipcd", ["hook", "watch""#), "{text}");
            assert!(script::is_ours(&text) && script::remove(&text).is_empty());
            assert_eq!(script::put(&text, &part.edits).unwrap(), text);
            let foreign = "export const Mine = 1;\n";
            assert!(script::put(foreign, &part.edits).is_err());
            assert_eq!(script::remove(foreign), foreign);
            found += 1;
        }
    }
    assert_eq!(found, 2);
}
