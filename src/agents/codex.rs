//! Codex. Its hooks have Claude Code's form and are strict: an unknown key makes the hook fail. It gives
//! its children an environment without marks.

use super::Facts;
use super::hook::{self, Codec, Moment};

pub(super) const FACTS: Facts =
    Facts { word: "codex", title: "Codex", wire: "codex", mark: None, hook: Some(Codec { say }) };

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::context("SessionStart", words),
        Moment::Prompt => hook::context("UserPromptSubmit", words),
        Moment::Tool => hook::context("PostToolUse", words),
        Moment::Stop => hook::decision("block", words),
    }
}
