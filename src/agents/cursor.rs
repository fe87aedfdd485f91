//! Cursor. Its hooks can be told something at the start, and can go on with a prompt at the end.

use super::Facts;
use super::hook::{self, Codec, Moment};

pub(super) const FACTS: Facts =
    Facts { word: "cursor", title: "Cursor", wire: "cursor", mark: None, hook: Some(Codec { say }) };

fn say(moment: Moment, words: &str) -> Option<String> {
    match moment {
        Moment::Start => hook::single("additional_context", words),
        Moment::Prompt | Moment::Tool => None,
        Moment::Stop => hook::single("followup_message", words),
    }
}
