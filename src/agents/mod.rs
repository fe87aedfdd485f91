//! The client programs that agents run in, a closed list, one file each: what each is called, how it is
//! recognised, and what its hooks understand.
//!
//! What always holds: whatever differs between clients ends here; nothing here does I/O or reads the
//! environment by itself; a client that is not on the list is served all the same, by what is common.

pub mod bell;
pub mod claude_code;
mod claude_desktop;
pub mod codex;
mod copilot_cli;
mod cursor;
mod gemini_cli;
pub mod hook;
mod opencode;
pub mod setup;
mod vscode;
mod windsurf;
mod zed;

use crate::protocol::response::Wakes;

/// A client program that ipcd knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    ClaudeCode,
    ClaudeDesktop,
    Codex,
    GeminiCli,
    CopilotCli,
    Cursor,
    VsCode,
    Windsurf,
    Zed,
    Opencode,
}

/// What is known of one client: its file's one export.
struct Facts {
    /// What `--client` and the keys of `[wake]` call it.
    word: &'static str,
    /// What people call it.
    title: &'static str,
    /// How the name begins that it gives itself in MCP (`clientInfo.name`).
    wire: &'static str,
    /// An environment variable that its children have, and no other client's children.
    mark: Option<&'static str>,
    /// What its hooks understand, if it has any that ipcd can use.
    hook: Option<hook::Codec>,
    /// What its configuration needs.
    setup: setup::Setup,
}

impl Program {
    /// In the order in which people are shown them. Of two marks in one environment the earlier counts
    /// least: see [`Program::marked`].
    pub const ALL: [Program; 10] = [
        Program::ClaudeCode,
        Program::ClaudeDesktop,
        Program::Codex,
        Program::GeminiCli,
        Program::CopilotCli,
        Program::Cursor,
        Program::VsCode,
        Program::Windsurf,
        Program::Zed,
        Program::Opencode,
    ];

    fn facts(self) -> &'static Facts {
        match self {
            Program::ClaudeCode => &claude_code::FACTS,
            Program::ClaudeDesktop => &claude_desktop::FACTS,
            Program::Codex => &codex::FACTS,
            Program::GeminiCli => &gemini_cli::FACTS,
            Program::CopilotCli => &copilot_cli::FACTS,
            Program::Cursor => &cursor::FACTS,
            Program::VsCode => &vscode::FACTS,
            Program::Windsurf => &windsurf::FACTS,
            Program::Zed => &zed::FACTS,
            Program::Opencode => &opencode::FACTS,
        }
    }

    /// `claude`: what `--client` takes.
    pub fn word(self) -> &'static str {
        self.facts().word
    }

    /// `Claude Code`.
    pub fn title(self) -> &'static str {
        self.facts().title
    }

    /// The client that `--client` names.
    pub fn of_word(word: &str) -> Option<Program> {
        Program::ALL.into_iter().find(|program| program.word() == word)
    }

    /// The client that gives itself `name` in MCP. The longest beginning counts: `claude-ai` is not
    /// `claude-code`.
    pub fn of_wire(name: &str) -> Option<Program> {
        let begins = |program: &Program| {
            let wire = program.facts().wire;
            name.get(..wire.len()).is_some_and(|start| start.eq_ignore_ascii_case(wire))
        };
        Program::ALL.into_iter().filter(begins).max_by_key(|program| program.facts().wire.len())
    }

    /// The client whose child has the environment that `has` knows, if a mark tells. Clients imitate
    /// Claude Code's variables for the sake of its plugins, so its own mark counts last.
    pub fn marked(has: impl Fn(&str) -> bool) -> Option<Program> {
        let marked = |program: &Program| program.facts().mark.is_some_and(&has);
        Program::ALL.into_iter().rev().find(marked)
    }

    /// What its hooks understand, if it has any that ipcd can use.
    pub fn hook(self) -> Option<&'static hook::Codec> {
        self.facts().hook.as_ref()
    }

    /// How its agent is woken where `ipcd hook wait` or `watch` waits for it.
    pub fn watched(self) -> Wakes {
        match self {
            Program::CopilotCli => Wakes::CopilotExtension,
            Program::Opencode => Wakes::OpencodePrompt,
            _ => Wakes::RewakeHook,
        }
    }

    /// Whether the client wakes its agent when `ipcd hook wait` ends, as far as its `variable`s tell: what is
    /// told to one that does not is told to nobody.
    pub fn wakes_by_its_hook(self, variable: impl Fn(&str) -> Option<String>) -> bool {
        match self {
            Program::ClaudeCode => claude_code::rewakes(variable("AI_AGENT").as_deref()),
            _ => true,
        }
    }

    /// How an agent that this is seen `around` can be woken by its front end, if it can now.
    pub fn bell(self, around: &bell::Around<'_>) -> Option<bell::Bell> {
        match self {
            Program::ClaudeCode => claude_code::bell(around),
            Program::Codex => codex::bell(around),
            // opencode and Copilot CLI have extensions of ours, which `ipcd hook watch` tells.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_word_and_a_name_of_its_own() {
        for program in Program::ALL {
            assert_eq!(Program::of_word(program.word()), Some(program));
            assert_eq!(Program::of_wire(program.facts().wire), Some(program));
        }
    }

    #[test]
    fn clients_are_known_by_what_they_call_themselves() {
        for (name, program) in [
            ("claude-code", Some(Program::ClaudeCode)),
            ("claude-ai", Some(Program::ClaudeDesktop)),
            ("codex-mcp-client", Some(Program::Codex)),
            ("gemini-cli-mcp-client", Some(Program::GeminiCli)),
            ("copilot-cli", Some(Program::CopilotCli)),
            ("Visual Studio Code", Some(Program::VsCode)),
            ("Visual Studio Code - Insiders", Some(Program::VsCode)),
            ("cursor-vscode", Some(Program::Cursor)),
            ("opencode", Some(Program::Opencode)),
            ("claude", None),
            ("kodex", None),
            ("", None),
            ("ünï", None),
        ] {
            assert_eq!(Program::of_wire(name), program, "{name}");
        }
    }

    #[test]
    fn a_mark_in_the_environment_tells_the_client() {
        let marked = |names: &[&str]| Program::marked(|name| names.contains(&name));
        assert_eq!(marked(&["CLAUDECODE"]), Some(Program::ClaudeCode));
        assert_eq!(marked(&["CLAUDECODE", "COPILOT_CLI"]), Some(Program::CopilotCli));
        assert_eq!(marked(&["GEMINI_SESSION_ID"]), Some(Program::GeminiCli));
        assert_eq!(marked(&["OPENCODE"]), Some(Program::Opencode));
        assert_eq!(marked(&["PATH"]), None);
    }
}
