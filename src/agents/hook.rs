//! Hooks: what clients tell them, and what they can say back.
//!
//! What always holds: names differ between clients, meanings do not; each client's form is exact, for one
//! takes an unknown key for a failure of the hook. What is said is given by the caller and holds nothing
//! that a peer wrote.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Program, bell};
use crate::protocol::request;

/// What is going on in the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It begins, or a person said something: words for its context are welcome.
    Start,
    Prompt,
    /// A tool call ended.
    Tool,
    /// It is about to end its turn.
    Stop,
}

impl Moment {
    /// As the daemon is asked about it.
    pub fn on_the_wire(self) -> request::Moment {
        match self {
            Moment::Start => request::Moment::Start,
            Moment::Prompt => request::Moment::Prompt,
            Moment::Tool => request::Moment::Tool,
            Moment::Stop => request::Moment::Stop,
        }
    }

    /// Clients name the same events differently.
    pub fn of(event: &str) -> Option<Moment> {
        let event: String = event.chars().filter(char::is_ascii_alphanumeric).collect();
        match event.to_ascii_lowercase().as_str() {
            "sessionstart" | "start" => Some(Moment::Start),
            "userpromptsubmit" | "userpromptsubmitted" | "beforesubmitprompt" | "beforeagent" | "prompt" => {
                Some(Moment::Prompt)
            }
            "posttooluse" | "posttoolbatch" | "aftertool" | "tool" => Some(Moment::Tool),
            "stop" | "agentstop" | "afteragent" | "subagentstop" => Some(Moment::Stop),
            _ => None,
        }
    }
}

/// What a client tells its hooks, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Input {
    #[serde(alias = "sessionId")]
    session_id: Option<String>,
    /// Of Codex alone.
    turn_id: Option<IgnoredAny>,
    /// Of Cursor alone.
    conversation_id: Option<String>,
    /// At a prompt, what it says. Text so far; a client that sends anything else is understood still, and
    /// so is half of a letter in it.
    prompt: Option<Box<RawValue>>,
}

impl Input {
    /// The client's own session.
    pub fn session(&self) -> Option<&str> {
        self.session_id.as_deref().or(self.conversation_id.as_deref())
    }

    /// Whether this is about a prompt that no person gave: one that ipcd made itself, by a bell or by keeping
    /// a turn going, or the client's own word that something in its background has ended. Clients run
    /// their prompt hooks for those, too.
    pub fn is_unspoken(&self) -> bool {
        const BACKGROUND: [&str; 2] = ["<task-notification>", "</task-notification>"];
        let Some(prompt) = &self.prompt else { return false };
        let ended = serde_json::from_str::<String>(prompt.get())
            .is_ok_and(|text| text.trim().starts_with(BACKGROUND[0]) && text.trim().ends_with(BACKGROUND[1]));
        ended || bell::is_one(prompt.get())
    }

    /// Whose hook this is, as far as its input tells: for clients that leave no mark in the environment.
    pub fn program(&self) -> Option<Program> {
        match self {
            Input { turn_id: Some(_), .. } => Some(Program::Codex),
            Input { conversation_id: Some(_), .. } => Some(Program::Cursor),
            _ => None,
        }
    }
}

/// What one client's hooks understand.
pub struct Codec {
    /// Words in the client's form, if it can be told anything at this moment.
    pub(super) say: fn(Moment, &str) -> Option<String>,
}

impl Codec {
    /// `words` in the client's form, if it can be told anything at this moment.
    pub fn say(&self, moment: Moment, words: &str) -> Option<String> {
        (self.say)(moment, words)
    }
}

/// Words for the context of an agent, in the form that Claude Code began and others took over.
/// `event` is what the client calls the moment.
pub(super) fn context(event: &str, words: &str) -> Option<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Say<'a> {
        hook_specific_output: Context<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Context<'a> {
        hook_event_name: &'a str,
        additional_context: &'a str,
    }
    let context = Context { hook_event_name: event, additional_context: words };
    serde_json::to_string(&Say { hook_specific_output: context }).ok()
}

/// Keeps an agent from ending its turn, likewise.
pub(super) fn decision(decision: &str, reason: &str) -> Option<String> {
    #[derive(Serialize)]
    struct Say<'a> {
        decision: &'a str,
        reason: &'a str,
    }
    serde_json::to_string(&Say { decision, reason }).ok()
}

/// One line of text under one key.
pub(super) fn single(key: &str, words: &str) -> Option<String> {
    serde_json::to_string(&std::collections::BTreeMap::from([(key, words)])).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Program;
    use super::*;

    fn said(client: Program, event: &str) -> Option<String> {
        client.hook().expect("hooks").say(Moment::of(event).expect(event), "W")
    }

    #[test]
    fn each_client_gets_its_own_form_and_no_key_more() {
        use Program::{ClaudeCode, Codex, CopilotCli, Cursor, GeminiCli};
        let context = |name: &str| {
            Some(format!(r#"{{"hookSpecificOutput":{{"hookEventName":"{name}","additionalContext":"W"}}}}"#))
        };
        let json = |text: &str| Some(text.to_owned());
        assert_eq!(said(ClaudeCode, "SessionStart"), context("SessionStart"));
        assert_eq!(said(ClaudeCode, "post-tool-use"), context("PostToolUse"));
        assert_eq!(said(ClaudeCode, "Stop"), json(r#"{"decision":"block","reason":"W"}"#));
        assert_eq!(said(Codex, "UserPromptSubmit"), context("UserPromptSubmit"));
        assert_eq!(said(Codex, "Stop"), json(r#"{"decision":"block","reason":"W"}"#));
        assert_eq!(said(GeminiCli, "BeforeAgent"), context("BeforeAgent"));
        assert_eq!(said(GeminiCli, "AfterTool"), context("AfterTool"));
        assert_eq!(said(GeminiCli, "AfterAgent"), json(r#"{"decision":"deny","reason":"W"}"#));
        assert_eq!(said(CopilotCli, "agentStop"), json(r#"{"decision":"block","reason":"W"}"#));
        assert_eq!(said(CopilotCli, "userPromptSubmitted"), json(r#"{"additionalContext":"W"}"#));
        assert_eq!(said(Cursor, "sessionStart"), json(r#"{"additional_context":"W"}"#));
        assert_eq!(said(Cursor, "stop"), json(r#"{"followup_message":"W"}"#));
        assert_eq!(said(Cursor, "beforeSubmitPrompt"), None);
        assert_eq!(Moment::of("Notification"), None);
    }

    #[test]
    fn what_clients_write_is_understood() {
        let input = |text: &str| serde_json::from_str::<Input>(text).unwrap();
        let claude = input(r#"{"session_id":"s","hook_event_name":"Stop","stop_hook_active":true}"#);
        assert_eq!((claude.session(), claude.program()), (Some("s"), None));
        assert_eq!(input(r#"{"sessionId":"s","toolArgs":{}}"#).session(), Some("s"));
        let codex = input(r#"{"session_id":"s","turn_id":"1","prompt":"p"}"#);
        assert_eq!((codex.session(), codex.program()), (Some("s"), Some(Program::Codex)));
        let parts =
            input(r#"{"session_id":"s","prompt":[{"text":"ipcd: 2 messages wait for you; call check to"}]}"#);
        assert_eq!((parts.session(), parts.is_unspoken()), (Some("s"), true));
        let ended = r#"{"prompt":"\n<task-notification>\n<task-id>b</task-id>\n</task-notification>\n"}"#;
        assert!(input(ended).is_unspoken(), "the client's own word");
        assert!(!input(r#"{"prompt":"what is <task-notification></task-notification>?"}"#).is_unspoken());
        let half = input(r#"{"session_id":"s","prompt":"half of a letter: \ud83d"}"#);
        assert_eq!((half.session(), half.is_unspoken()), (Some("s"), false));
        assert!(!input(r#"{"prompt":"ipcd?"}"#).is_unspoken() && !input("{}").is_unspoken());
        let cursor = input(r#"{"conversation_id":"s","loop_count":2}"#);
        assert_eq!((cursor.session(), cursor.program()), (Some("s"), Some(Program::Cursor)));
    }
}
