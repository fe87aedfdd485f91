//! Bells: what a front end can do to wake the client that it runs under.
//!
//! What always holds: what is said is a count and what to do about it, and nothing that a peer could
//! have written, for clients put such words beside those of their user; a means is described here and
//! used elsewhere, since nothing here does I/O.

use super::claude_code::Inbox;
use super::codex::Queue;
use crate::protocol::response::Wakes;

/// A way to wake one agent.
#[derive(Debug)]
pub enum Bell {
    /// The inbox of a session of Claude Code.
    Inbox(Inbox),
    /// The queue of a thread of Codex.
    Queue(Queue),
}

impl Bell {
    /// What senders are told of it.
    pub fn wakes(&self) -> Wakes {
        match self {
            Bell::Inbox(_) => Wakes::InboxSocket,
            Bell::Queue(_) => Wakes::CodexQueue,
        }
    }
}

/// What a front end sees of its client.
pub struct Around<'a> {
    /// An environment variable of the front end, if it is set and not empty.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The client's own conversation, as its last call named it.
    pub thread: Option<&'a str>,
}

/// What an agent is told when mail waits. `read` is the tool that reads it.
pub fn words(unread: u64, read: &str) -> String {
    match unread {
        1 => format!("ipcd: 1 message waits for you; call {read} to read it"),
        n => format!("ipcd: {n} messages wait for you; call {read} to read them"),
    }
}
