//! Claude Code. Its hooks are the model that most other clients follow. Each of its sessions has an inbox:
//! a socket that takes lines of JSON from other programs, and wakes the session for each.
//!
//! What is written to the inbox, but for its first line, is not documented by its makers, and was tried
//! with 2.1.330. Nothing answers: whether a session minds is seen by its reading the mail, or not.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use super::bell::{Around, Bell};
use super::hook::{self, Codec, Moment};
use super::setup::{Command, Edit, HOOK_SECONDS, Part, Places, Setup, grouped, json_file};
use super::{Facts, Program};

pub(super) const FACTS: Facts = Facts {
    word: "claude",
    title: "Claude Code",
    wire: "claude-code",
    mark: Some("CLAUDECODE"),
    hook: Some(Codec { say }),
    setup: SETUP,
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::context("SessionStart", words),
        Moment::Prompt => hook::context("UserPromptSubmit", words),
        Moment::Tool => hook::context("PostToolUse", words),
        Moment::Stop => hook::decision("block", words),
    }
}

// Its configuration.

const SETUP: Setup = Setup { programs: &["claude"], sign: folder, parts, note: "" };

const EVENTS: [&str; 4] = ["SessionStart", "UserPromptSubmit", "PostToolUse", "Stop"];

fn folder(places: &Places) -> PathBuf {
    places.or_home("CLAUDE_CONFIG_DIR", ".claude")
}

fn parts(places: &Places, command: &Command) -> Vec<Part> {
    let entry = command.entry();
    let value = json!({"type": "stdio", "command": entry["command"], "args": entry["args"], "env": {}});
    let (servers, settings) = match places.project {
        Some(project) => (project.join(".mcp.json"), project.join(".claude/settings.json")),
        None => (
            places.or_home("CLAUDE_CONFIG_DIR", "").join(".claude.json"),
            folder(places).join("settings.json"),
        ),
    };
    vec![
        json_file(servers, vec![Edit::Server { table: "mcpServers", value }]),
        json_file(settings, hooks(command)),
    ]
}

/// Time of the hook that waits in the background, in seconds: after it nobody waits before the next turn ends.
const REWAKE_SECONDS: u64 = 24 * 3600;

/// Hooks that answer at once, and at the end of a turn one that waits and wakes the session by its end: for
/// sessions without an inbox, and gone at once where there is one. A version that cannot be woken so, and a
/// session without a terminal, would wait for its end, were it not said that it runs in the background.
fn hooks(command: &Command) -> Vec<Edit> {
    let mut edits = grouped(Program::ClaudeCode, command, &EVENTS, HOOK_SECONDS);
    let wait = json!({
        "type": "command", "command": command.hook("wait", Program::ClaudeCode), "timeout": REWAKE_SECONDS,
        "async": true, "asyncRewake": true,
    });
    edits.push(Edit::Hook { event: "Stop", value: json!({"hooks": [wait]}) });
    edits
}

/// The first version that begins a turn when a hook in the background ends so. Some before it run the hook
/// and hear nothing of its end.
const REWAKES_SINCE: [u32; 3] = [2, 1, 79];

/// Whether it is so new a version, by `claude-code_2-1-330_harness`, which it tells its children.
pub(super) fn rewakes(agent: Option<&str>) -> bool {
    let version = agent.and_then(|agent| agent.strip_prefix("claude-code_")?.split('_').next());
    let numbers = version.map(|version| version.split('-').map_while(|number| number.parse().ok()));
    numbers.is_some_and(|numbers| numbers.collect::<Vec<u32>>().as_slice() >= REWAKES_SINCE.as_slice())
}

// Its bell.

/// Claude Code tells its children where the inbox is, and the token that makes them its children there.
pub(super) fn bell(around: &Around<'_>) -> Option<Bell> {
    let socket = PathBuf::from((around.variable)("CLAUDE_CODE_MESSAGING_SOCKET")?);
    let token = (around.variable)("CLAUDE_CODE_MESSAGING_TOKEN").map(Token);
    socket.is_absolute().then_some(Bell::Inbox(Inbox { socket, token }))
}

/// Where one session takes messages.
#[derive(Debug)]
pub struct Inbox {
    socket: PathBuf,
    token: Option<Token>,
}

/// Opens the inbox: it is never printed.
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Inbox {
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The lines that make one message of `words`; `id` is a UUID. Of two equal ones from one sender the
    /// session drops the second.
    pub fn lines(&self, id: &str, words: &str) -> Vec<u8> {
        let mut lines = Vec::new();
        if let Some(Token(token)) = &self.token {
            lines.extend_from_slice(format!("{}\n", json!({"type": "auth", "token": token})).as_bytes());
        }
        let message = json!({"role": "user", "content": words});
        let frame = json!({"type": "user", "msgV": 1, "msg_id": id, "from": "ipcd", "message": message});
        lines.extend_from_slice(format!("{frame}\n").as_bytes());
        lines
    }
}

/// The files in which a user says what becomes of messages from other programs; `config` is Claude
/// Code's own folder, `project` where it works.
pub fn settings(config: &Path, project: &Path) -> [PathBuf; 3] {
    let project = project.join(".claude");
    [config.join("settings.json"), project.join("settings.json"), project.join("settings.local.json")]
}

/// Whether a user who wrote these settings wants messages from other programs. A front end holds its
/// session's own token, which opens the inbox whatever the user chose: so the choice is kept here.
pub fn welcomes(settings: &[String]) -> bool {
    #[derive(Deserialize)]
    struct Settings {
        #[serde(default, rename = "crossSessionInbound")]
        inbound: Option<serde_json::Value>,
    }
    settings.iter().all(|text| match serde_json::from_str::<Settings>(text) {
        Ok(Settings { inbound }) => inbound.is_none_or(|inbound| inbound == "accept"),
        // One that Claude Code cannot read either says nothing.
        Err(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(variables: &[(&str, &str)]) -> Option<Inbox> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match bell(&Around { variable: &variable, thread: None })? {
            Bell::Inbox(inbox) => Some(inbox),
            Bell::Queue(_) => None,
        }
    }

    #[test]
    fn the_hook_that_waits_holds_up_no_turn() {
        let hooks = hooks(&Command { program: "/bin/ipcd".to_owned(), tools: None });
        let at = |line: &str| {
            let found = hooks.iter().find_map(|edit| match edit {
                Edit::Hook { event: "Stop", value } if value["hooks"][0]["command"] == line => Some(value),
                _ => None,
            });
            found.expect(line)["hooks"][0].clone()
        };
        let wait = at("/bin/ipcd hook wait --client claude");
        assert_eq!((&wait["async"], &wait["asyncRewake"]), (&json!(true), &json!(true)));
        let stop = at("/bin/ipcd hook Stop --client claude");
        assert!(stop["async"].is_null(), "what it says keeps the turn going: {stop}");
    }

    #[test]
    fn a_message_is_a_token_and_a_frame() {
        let socket = if cfg!(windows) { r"\\.\pipe\cc-socks-7" } else { "/run/user/1/cc-socks/7.sock" };
        let told = [("CLAUDE_CODE_MESSAGING_SOCKET", socket), ("CLAUDE_CODE_MESSAGING_TOKEN", "t0\"ken")];
        let whole = inbox(&told).unwrap();
        assert_eq!(whole.socket(), Path::new(socket));
        let lines = String::from_utf8(whole.lines("an-id", "W")).unwrap();
        let expected = "{\"type\":\"auth\",\"token\":\"t0\\\"ken\"}\n\
            {\"type\":\"user\",\"msgV\":1,\"msg_id\":\"an-id\",\"from\":\"ipcd\",\
            \"message\":{\"role\":\"user\",\"content\":\"W\"}}\n";
        assert_eq!(lines, expected);
        assert!(!format!("{whole:?}").contains("t0"), "{whole:?}");
        let open = inbox(&told[..1]).unwrap();
        assert_eq!(open.lines("an-id", "W").iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(inbox(&told[1..]).is_none());
        assert!(inbox(&[("CLAUDE_CODE_MESSAGING_SOCKET", "7.sock")]).is_none());
    }

    #[test]
    fn a_version_that_hears_nothing_of_a_hooks_end_is_not_waited_for() {
        for (agent, woken) in [
            (Some("claude-code_2-1-330_harness"), true),
            (Some("claude-code_2-1-79_harness"), true),
            (Some("claude-code_3_harness"), true),
            (Some("claude-code_2-1-78_harness"), false),
            (Some("claude-code_2-0-400_harness"), false),
            (Some("claude-code_new"), false),
            (Some("another_9-9-9"), false),
            (None, false),
        ] {
            assert_eq!(rewakes(agent), woken, "{agent:?}");
        }
    }

    #[test]
    fn who_wants_no_messages_from_programs_gets_none() {
        for (settings, wanted) in [
            (&[][..], true),
            (&["{}", r#"{"crossSessionInbound":"accept","model":"m"}"#], true),
            (&[r#"{"crossSessionInbound":"hold"}"#], false),
            (&[r#"{"crossSessionInbound":"refuse"}"#, r#"{"crossSessionInbound":"accept"}"#], false),
            (&[r#"{"crossSessionInbound":{"later":1}}"#], false),
            (&["no JSON"], true),
        ] {
            let texts: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(welcomes(&texts), wanted, "{settings:?}");
        }
    }
}
