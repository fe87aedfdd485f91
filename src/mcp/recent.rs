//! The messages that this session's agent was handed last, so that it can pass one on: what was read is
//! settled by then, and the daemon keeps it no longer.

use std::collections::VecDeque;

use serde_json::Value;

/// Messages that are kept: more than one answer of `check` holds, and enough to look back a little.
const MESSAGES_MAX: usize = 64;

/// Bytes of text in them that are kept, roughly.
const BYTES_MAX: usize = 1 << 20;

/// The youngest last.
#[derive(Default)]
pub struct Recent {
    messages: VecDeque<(Value, usize)>,
    bytes: usize,
}

impl Recent {
    /// The agent was handed this message.
    pub fn keep(&mut self, message: &Value) {
        let size = message.to_string().len();
        self.messages.retain(|(known, bytes)| {
            let same = known["id"] == message["id"];
            self.bytes -= if same { *bytes } else { 0 };
            !same
        });
        self.messages.push_back((message.clone(), size));
        self.bytes += size;
        while self.messages.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            let Some((_, bytes)) = self.messages.pop_front() else { break };
            self.bytes -= bytes;
        }
    }

    /// The message of this number, if it is remembered.
    pub fn find(&self, id: u64) -> Option<&Value> {
        self.messages.iter().map(|(message, _)| message).find(|message| message["id"].as_u64() == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_ones_are_remembered_once_each_and_within_bounds() {
        let mut recent = Recent::default();
        for id in 1..=100 {
            recent.keep(&json!({"id": id, "content": "x"}));
        }
        recent.keep(&json!({"id": 100, "content": "y"}));
        assert_eq!(recent.messages.len(), MESSAGES_MAX);
        assert!(recent.find(36).is_none() && recent.find(37).is_some());
        assert_eq!(recent.find(100).unwrap()["content"], "y");
        recent.keep(&json!({"id": 101, "content": "z".repeat(BYTES_MAX / 2)}));
        recent.keep(&json!({"id": 102, "content": "z".repeat(BYTES_MAX / 2)}));
        assert!(recent.find(101).is_none() && recent.find(102).is_some() && recent.bytes <= BYTES_MAX);
        recent.keep(&json!({"id": 103, "content": "z".repeat(2 * BYTES_MAX)}));
        assert_eq!((recent.messages.len(), recent.bytes), (0, 0), "one that is too large is not kept at all");
    }
}
