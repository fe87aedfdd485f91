//! Claude Code. Its hooks are the model that most other clients follow.

use super::Facts;
use super::hook::{self, Codec, Moment};

pub(super) const FACTS: Facts = Facts {
    word: "claude",
    title: "Claude Code",
    wire: "claude-code",
    mark: Some("CLAUDECODE"),
    hook: Some(Codec { say }),
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::context("SessionStart", words),
        Moment::Prompt => hook::context("UserPromptSubmit", words),
        Moment::Tool => hook::context("PostToolUse", words),
        Moment::Stop => hook::decision("block", words),
    }
}
