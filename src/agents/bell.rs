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

/// How each bell begins, before the count and behind it.
const BEGINS: &str = "ipcd: ";
const ONE: &str = " message waits for you; call ";
const MANY: &str = " messages wait for you; call ";

/// What an agent is told when mail waits. `read` is the tool that reads it.
pub fn words(unread: u64, read: &str) -> String {
    match unread {
        1 => format!("{BEGINS}1{ONE}{read} to read it"),
        n => format!("{BEGINS}{n}{MANY}{read} to read them"),
    }
}

/// Whether a prompt is a bell that a client passed on, as it came or in words of its own: no person said it.
pub fn is_one(prompt: &str) -> bool {
    let told = |after: &str| {
        let number = after.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0);
        number.is_some_and(|end| after[end..].starts_with(ONE) || after[end..].starts_with(MANY))
    };
    prompt.match_indices(BEGINS).any(|(at, begins)| told(&prompt[at + begins.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_is_known_among_prompts_in_whatever_a_client_wraps_it() {
        for read in ["check", "get_messages"] {
            for unread in [1, 2, 100] {
                let words = words(unread, read);
                assert!(is_one(&words), "{words}");
                assert!(is_one(&format!("{words} (07:17:32 UTC)")), "{words}");
                assert!(
                    is_one(&format!("<system-reminder>\nStop hook: {words}\n\n</system-reminder>")),
                    "{words}"
                );
            }
        }
        for prompt in [
            "",
            "hello",
            "ipcd: call check",
            "ipcd:  message waits for you; call check",
            "what is ipcd: 12?",
            "ipcd: é",
        ] {
            assert!(!is_one(prompt), "{prompt}");
        }
    }
}
