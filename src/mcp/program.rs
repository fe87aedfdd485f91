//! The client program: what it says of itself in the handshake, with a call, and in the environment.

use rmcp::model::{Implementation, RequestMetaObject};
use serde_json::Value;

use crate::protocol::hello::{Hello, Role, claim};
use crate::protocol::response::Wakes;
use crate::release;

/// Environment variables in which clients tell their own session, with the clients' names.
const SESSION_VARIABLES: [&str; 4] =
    ["CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID", "GEMINI_SESSION_ID", "OPENCODE_PID"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// `claude-code`. Without its version: an update is still the same client, and resumes its name.
    pub name: Option<String>,
    /// Its own session or thread, when it says so in the protocol.
    pub session: Option<String>,
}

impl Program {
    pub fn of(info: Option<Implementation>, meta: &RequestMetaObject) -> Program {
        Program { name: info.map(|info| info.name), session: thread(meta).map(str::to_owned) }
    }

    /// What the daemon hears first.
    pub fn hello(self, wakes: Wakes) -> Hello {
        let session = self.session.or_else(|| {
            SESSION_VARIABLES.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
        });
        Hello {
            protocol: release::protocol(),
            role: Role::Mcp,
            client: release::program(),
            program: self.name.as_deref().map(claim),
            program_session: session.as_deref().map(claim),
            speak_as: None,
            wakes: Some(wakes).filter(|wakes| *wakes != Wakes::None),
        }
    }
}

/// The client's own conversation, if a call names it.
pub fn thread(meta: &RequestMetaObject) -> Option<&str> {
    ["threadId", "sessionId"].iter().find_map(|key| meta.get(*key).and_then(Value::as_str))
}
