//! Sharing a file or the output of a command with a peer.
//!
//! What always holds: this runs in the process of the agent that shares, with that agent's rights and
//! folder, never in the daemon; what the policy does not allow is refused by the name of the rule; a
//! secret is never quoted, not even in the refusal.

pub mod glob;
pub mod policy;

use serde_json::Value;

use crate::protocol::refusal::Refusal;

/// What a share sends: the text and the structured part of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared {
    pub content: String,
    pub data: Value,
}

/// What the policy says of one share, before it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go ahead.
    Allow { rule: String },
    /// Ask a person where the client can ask, else go ahead.
    AskIfAble { rule: String },
    /// Ask a person; where nobody can be asked, refuse with [`Verdict::unasked`].
    Ask { rule: String },
    /// Do not.
    Deny(Refusal),
}
