//! Gemini CLI. Its hooks have Claude Code's form under other names, and their times are in milliseconds.

use super::Facts;
use super::hook::{self, Codec, Moment};

pub(super) const FACTS: Facts = Facts {
    word: "gemini",
    title: "Gemini CLI",
    wire: "gemini",
    mark: Some("GEMINI_SESSION_ID"),
    hook: Some(Codec { say }),
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::context("SessionStart", words),
        Moment::Prompt => hook::context("BeforeAgent", words),
        Moment::Tool => hook::context("AfterTool", words),
        Moment::Stop => hook::decision("deny", words),
    }
}
