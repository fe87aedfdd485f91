//! `ipcd hook`: tells an agent, in its client's own form, that mail waits.
//!
//! What always holds: it says how many messages wait and nothing that a peer wrote, for clients put
//! a hook's words beside those of their user; it is silent when nothing waits or anything fails; it
//! starts no daemon and ends in order.

use std::io::{IsTerminal, Read};
use std::sync::mpsc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::args::{Global, HookArgs, HookClient};
use super::caller::{hello, link};
use crate::paths::Paths;
use crate::protocol::request::{Auto, AutoSet, Request};
use crate::protocol::response::AutoState;

/// How long the daemon may take. The agent stands still meanwhile.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How long the client may take to write what the hook is about. Some never close the pipe.
const INPUT_TIME: Duration = Duration::from_millis(200);

/// Longest description of an event, in bytes: the result of a tool call may be part of it.
const INPUT_BYTES_MAX: u64 = 8 << 20;

/// What is going on in the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// It begins, or a person said something: words for its context are welcome.
    Start,
    Prompt,
    /// A tool call ended.
    Tool,
    /// It is about to end its turn.
    Stop,
}

/// What a client tells its hooks, as far as it matters here. Names differ, meanings do not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Input {
    #[serde(alias = "sessionId", alias = "conversation_id")]
    session_id: Option<String>,
    /// The turn goes on because of a stop hook already.
    #[serde(alias = "stopHookActive")]
    stop_hook_active: bool,
    /// The same, as a count.
    loop_count: u64,
}

/// What a hook can say.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Say<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hook_specific_output: Option<Context<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "additional_context")]
    cursor_context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "followup_message")]
    cursor_followup: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    hook_event_name: &'a str,
    additional_context: &'a str,
}

/// What to print, if there is anything to say.
pub async fn hook(global: &Global, args: HookArgs) -> Option<String> {
    let moment = Moment::of(&args.event)?;
    let input = Input::read();
    if moment == Moment::Stop && (input.stop_hook_active || input.loop_count > 0) {
        // It was told once and chose to end; to hold it again would never end.
        return None;
    }
    let look = look(global, moment, input.session_id);
    let unread = tokio::time::timeout(ANSWER_TIME, look).await.ok()??;
    say(args.client, moment, &words(unread))
}

/// How many messages wait, if now is a time to say so.
async fn look(global: &Global, moment: Moment, session: Option<String>) -> Option<u64> {
    let link = link(&Paths::from_env().ok()?, false, hello(global.speak_as.clone(), session));
    let auto = |set| Request::Auto(Auto { set, minutes: None, from: None });
    let state: AutoState = link.ask(auto(AutoSet::Status)).await.ok()?;
    // In the middle of a turn it looks as often as it was asked to.
    let wanted = moment != Moment::Tool || (state.enabled && state.due);
    if wanted && state.enabled {
        let _ = link.ask::<AutoState>(auto(AutoSet::Looked)).await;
    }
    link.close().await;
    (wanted && state.unread > 0).then_some(state.unread)
}

fn words(unread: u64) -> String {
    match unread {
        1 => "ipcd: 1 message waits for you; call check to read it".to_owned(),
        n => format!("ipcd: {n} messages wait for you; call check to read them"),
    }
}

impl Moment {
    /// Clients name the same events differently.
    fn of(event: &str) -> Option<Moment> {
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

    /// The event's name in the answer, where the client wants it back.
    fn name(self, client: HookClient) -> &'static str {
        match (self, client) {
            (Moment::Start, _) => "SessionStart",
            (Moment::Prompt, HookClient::Gemini) => "BeforeAgent",
            (Moment::Prompt, _) => "UserPromptSubmit",
            (Moment::Tool, HookClient::Gemini) => "AfterTool",
            (Moment::Tool, _) => "PostToolUse",
            (Moment::Stop, HookClient::Gemini) => "AfterAgent",
            (Moment::Stop, _) => "Stop",
        }
    }
}

impl Input {
    /// What the client wrote, or nothing of it when it is slow, large or no JSON.
    fn read() -> Input {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            return Input::default();
        }
        let (done, text) = mpsc::channel();
        // Left behind if the client never closes its end; the process ends soon.
        std::thread::spawn(move || {
            let mut text = Vec::new();
            if stdin.take(INPUT_BYTES_MAX).read_to_end(&mut text).is_ok() {
                let _ = done.send(text);
            }
        });
        let text = text.recv_timeout(INPUT_TIME).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// `words` in the form that `client` understands at this moment, if it can be told anything then.
/// Each form is exact: one client takes an unknown key for a failure of the hook.
fn say(client: HookClient, moment: Moment, words: &str) -> Option<String> {
    use HookClient::{Claude, Codex, Copilot, Cursor, Gemini};
    let say = match (client, moment) {
        (Claude | Codex | Copilot, Moment::Stop) => {
            Say { decision: Some("block"), reason: Some(words), ..Say::default() }
        }
        (Gemini, Moment::Stop) => Say { decision: Some("deny"), reason: Some(words), ..Say::default() },
        (Cursor, Moment::Stop) => Say { cursor_followup: Some(words), ..Say::default() },
        (Claude | Codex | Gemini, _) => {
            let context = Context { hook_event_name: moment.name(client), additional_context: words };
            Say { hook_specific_output: Some(context), ..Say::default() }
        }
        (Copilot, _) => Say { additional_context: Some(words), ..Say::default() },
        (Cursor, Moment::Start) => Say { cursor_context: Some(words), ..Say::default() },
        (Cursor, _) => return None,
    };
    serde_json::to_string(&say).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(client: HookClient, event: &str) -> Option<String> {
        say(client, Moment::of(event).expect(event), "W")
    }

    #[test]
    fn each_client_gets_its_own_form_and_no_key_more() {
        use HookClient::{Claude, Codex, Copilot, Cursor, Gemini};
        let context = |name: &str| {
            Some(format!(r#"{{"hookSpecificOutput":{{"hookEventName":"{name}","additionalContext":"W"}}}}"#))
        };
        let json = |text: &str| Some(text.to_owned());
        assert_eq!(said(Claude, "SessionStart"), context("SessionStart"));
        assert_eq!(said(Codex, "UserPromptSubmit"), context("UserPromptSubmit"));
        assert_eq!(said(Claude, "post-tool-use"), context("PostToolUse"));
        assert_eq!(said(Gemini, "BeforeAgent"), context("BeforeAgent"));
        assert_eq!(said(Gemini, "AfterAgent"), json(r#"{"decision":"deny","reason":"W"}"#));
        assert_eq!(said(Codex, "Stop"), json(r#"{"decision":"block","reason":"W"}"#));
        assert_eq!(said(Copilot, "agentStop"), json(r#"{"decision":"block","reason":"W"}"#));
        assert_eq!(said(Copilot, "userPromptSubmitted"), json(r#"{"additionalContext":"W"}"#));
        assert_eq!(said(Cursor, "sessionStart"), json(r#"{"additional_context":"W"}"#));
        assert_eq!(said(Cursor, "stop"), json(r#"{"followup_message":"W"}"#));
        assert_eq!(said(Cursor, "beforeSubmitPrompt"), None);
        assert_eq!(Moment::of("Notification"), None);
    }

    #[test]
    fn what_clients_write_is_understood() {
        let input = |text: &str| serde_json::from_str::<Input>(text).unwrap();
        let claude = input(r#"{"session_id":"s","hook_event_name":"Stop","stop_hook_active":true}"#);
        assert!(claude.stop_hook_active && claude.session_id.as_deref() == Some("s"));
        assert_eq!(input(r#"{"sessionId":"s","toolArgs":{}}"#).session_id.as_deref(), Some("s"));
        assert_eq!(input(r#"{"conversation_id":"s","loop_count":2}"#).loop_count, 2);
    }
}
