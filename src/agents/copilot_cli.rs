//! Copilot CLI. Its hooks take the words at the top level; Claude Code's nested form is ignored.

use super::Facts;
use super::hook::{self, Codec, Moment};

pub(super) const FACTS: Facts = Facts {
    word: "copilot",
    title: "Copilot CLI",
    wire: "copilot",
    mark: Some("COPILOT_CLI"),
    hook: Some(Codec { say }),
};

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start | Moment::Prompt | Moment::Tool => hook::single("additionalContext", words),
        Moment::Stop => hook::decision("block", words),
    }
}
