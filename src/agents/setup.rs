//! What a client's configuration needs so that its agents reach ipcd: which files, and what goes into them.
//!
//! What always holds: this is data; reading, editing and writing files is for `install`. Each client's own
//! part of it stands in the client's file.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Program;

/// What ipcd calls itself in every client's list of servers.
pub const SERVER: &str = "ipcd";

/// Time that a client gives a hook, in seconds. A hook answers within milliseconds, or gives up after
/// one second.
pub(super) const HOOK_SECONDS: u64 = 10;

/// Where a client looks for its configuration.
pub struct Places<'a> {
    pub home: &'a Path,
    /// Where programs keep their settings: `~/.config`, `~/Library/Application Support`.
    pub config: &'a Path,
    /// The folder of one project, if only that is meant.
    pub project: Option<&'a Path>,
    /// A folder that a variable of the environment names. Clients can be told to live elsewhere.
    pub var: &'a dyn Fn(&str) -> Option<PathBuf>,
    pub exists: &'a dyn Fn(&Path) -> bool,
}

impl Places<'_> {
    /// The folder that `variable` names, else one below the home.
    pub(super) fn or_home(&self, variable: &str, below: &str) -> PathBuf {
        (self.var)(variable).unwrap_or_else(|| self.home.join(below))
    }

    /// `XDG_CONFIG_HOME`, for clients that follow it on every system.
    pub(super) fn xdg_config(&self) -> PathBuf {
        self.or_home("XDG_CONFIG_HOME", ".config")
    }
}

/// How a client is to run ipcd.
#[derive(Clone, Debug)]
pub struct Command {
    /// An absolute path, or `ipcd` where files may be shared between machines.
    pub program: String,
    /// Which tools it shall offer, if that was said.
    pub tools: Option<String>,
}

impl Command {
    /// Arguments of the MCP server.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["mcp".to_owned()];
        if let Some(tools) = &self.tools {
            arguments.extend(["--tools".to_owned(), tools.clone()]);
        }
        arguments
    }

    /// `{"command": …, "args": […]}`, which most clients understand.
    pub(super) fn entry(&self) -> Value {
        json!({"command": self.program, "args": self.arguments()})
    }

    /// The line of shell that answers `event` of a client.
    pub(super) fn hook(&self, event: &str, client: Program) -> String {
        let program = shlex::try_quote(&self.program).unwrap_or(self.program.as_str().into());
        format!("{program} hook {event} --client {}", client.word())
    }
}

/// One file of a client, and what it needs.
pub struct Part {
    pub file: PathBuf,
    pub syntax: Syntax,
    pub edits: Vec<Edit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// With comments and trailing commas, where the client allows them.
    Json,
    Toml,
    /// A program of the client's own language, which is ours as a whole.
    Script,
}

/// One thing that a file shall hold.
#[derive(Clone, Debug)]
pub enum Edit {
    /// [`SERVER`] in the object `table`.
    Server { table: &'static str, value: Value },
    /// One more element of the array `hooks.EVENT`.
    Hook { event: &'static str, value: Value },
    /// A key at the top, unless it is there with any value.
    Key { key: &'static str, value: Value },
    /// The whole file.
    Whole { text: String },
}

/// How one client is set up.
pub(super) struct Setup {
    /// Programs on the PATH that show that it is installed.
    pub programs: &'static [&'static str],
    /// A file or folder that shows that it was used.
    pub sign: fn(&Places) -> PathBuf,
    /// Nothing where the client has no such scope.
    pub parts: fn(&Places, &Command) -> Vec<Part>,
    /// What remains for the person to do.
    pub note: &'static str,
}

/// A file of JSON.
pub(super) fn json_file(file: PathBuf, edits: Vec<Edit>) -> Part {
    Part { file, syntax: Syntax::Json, edits }
}

/// An extension of ours, `script`, that runs `ipcd`: the program is told where that is.
pub(super) fn script_file(file: PathBuf, script: &str, command: &Command) -> Part {
    let text = script.replacen(r#"spawn("ipcd""#, &format!("spawn({}", json!(command.program)), 1);
    Part { file, syntax: Syntax::Script, edits: vec![Edit::Whole { text }] }
}

/// Hooks of the form that Claude Code began: a group with one command. `time` is in the client's unit.
pub(super) fn grouped(client: Program, command: &Command, events: &[&'static str], time: u64) -> Vec<Edit> {
    let hook = |event: &&'static str| {
        let hook = json!({"type": "command", "command": command.hook(event, client), "timeout": time});
        Edit::Hook { event, value: json!({"hooks": [hook]}) }
    };
    events.iter().map(hook).collect()
}

impl Program {
    /// Programs on the PATH that show that it is installed.
    pub fn programs(self) -> &'static [&'static str] {
        self.facts().setup.programs
    }

    /// A file or folder that shows that it was used.
    pub fn sign(self, places: &Places) -> PathBuf {
        (self.facts().setup.sign)(places)
    }

    /// What its configuration needs; nothing where it has no configuration of a project.
    pub fn parts(self, places: &Places, command: &Command) -> Vec<Part> {
        (self.facts().setup.parts)(places, command)
    }

    /// What remains for the person to do; empty: nothing.
    pub fn note(self) -> &'static str {
        self.facts().setup.note
    }
}
