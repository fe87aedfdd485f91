//! A message as its reader sees it, and the parts it is made of.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::name::Name;
use super::time::Timestamp;

/// Number of a message: given once, in the order in which messages were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text of a message. Shared, never copied on its way through the daemon; its `Debug` shows
/// only the length, so that no log holds mail.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(pub Arc<str>);

/// The `data` of a message: JSON that the daemon carries as it was written. What a caller may put there
/// is decided in [`data`](super::data).
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(pub Arc<RawValue>);

impl Data {
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// How deep its arrays and objects are nested; `None`: some string has half of a surrogate pair, so
    /// that it stands for no text. Both get past whoever carries JSON, and end whoever reads it.
    pub fn levels(&self) -> Option<usize> {
        let mut rest = self.get().as_bytes();
        let (mut level, mut deepest, mut in_string) = (0usize, 0, false);
        while let [byte, tail @ ..] = rest {
            rest = tail;
            match byte {
                b'"' => in_string = !in_string,
                b'\\' => rest = after_escape(rest)?,
                b'[' | b'{' if !in_string => {
                    level += 1;
                    deepest = deepest.max(level);
                }
                b']' | b'}' if !in_string => level = level.saturating_sub(1),
                _ => {}
            }
        }
        Some(deepest)
    }
}

/// What follows an escape whose backslash is gone; `None`: it is half of a surrogate pair.
fn after_escape(text: &[u8]) -> Option<&[u8]> {
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"u")?.get(..4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let rest = text.get(1..)?;
    match unit(text) {
        None => Some(rest),
        Some(0xd800..=0xdbff) => {
            let second = rest.get(4..)?.strip_prefix(b"\\")?;
            matches!(unit(second)?, 0xdc00..=0xdfff).then(|| second.get(5..))?
        }
        Some(0xdc00..=0xdfff) => None,
        Some(_) => rest.get(4..),
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Data) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Data {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.get().len())
    }
}

/// Who sent a message, as far as the daemon itself knows. Nothing in here was said by the sender,
/// but for `client`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// How much the kernel vouched for.
    pub verified: Verified,
    /// The program, as it names itself: a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The process lives in other namespaces than the daemon.
    #[serde(default)]
    pub sandboxed: bool,
    /// A terminal, and so perhaps a person, is behind it.
    #[serde(default)]
    pub interactive: bool,
}

/// What the kernel said of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// The daemon itself wrote this message.
    Daemon,
    /// User and process.
    Full,
    /// The user alone: the process was gone, or lives where the daemon cannot see.
    #[default]
    Uid,
}

/// A message as `check` answers it. See `docs/protocol.md` for the field's meanings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub id: MessageId,
    pub from: Name,
    pub to: Name,
    pub sent_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The whole text, or one piece of it when `offset` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Body>,
    /// What the whole takes, in bytes, when it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Private copy of the whole, when it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the copy and the pieces hold, when the whole is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<WholeFormat>,
    /// Where in the whole this piece begins, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Where the next piece begins; absent in the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<MessageId>,
    pub hops: u32,
    /// It may have been shown before: a reader or the daemon ended unexpectedly.
    pub redelivered: bool,
    /// How often it was handed out to a reader that died with it, and this time.
    pub delivery: u32,
    pub sender: Sender,
}

/// Form of a message that is too large to be shown at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WholeFormat {
    /// The content.
    Text,
    /// `{"content":…,"data":…}`.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_structure_and_half_a_pair_is_none() {
        for (json, levels) in [
            ("1", Some(0)),
            ("[]", Some(1)),
            (r#"{"a":[{}],"b":[]}"#, Some(3)),
            (r#"["[[[", "\"[[", "\\"]"#, Some(1)),
            (r#"["\ud83d\ude00", "\u00e9[", "\\ud800"]"#, Some(1)),
            (r#"["\ud83d"]"#, None),
            (r#"["\ud83d\u0041"]"#, None),
            (r#"["\ud83d\n"]"#, None),
            (r#"{"\uDE00":[[]]}"#, None),
        ] {
            let raw = RawValue::from_string(json.to_owned()).unwrap();
            assert_eq!(Data(Arc::from(raw)).levels(), levels, "{json}");
            let is_text = serde_json::from_str::<serde_json::Value>(json).is_ok();
            assert_eq!(is_text, levels.is_some(), "{json}");
        }
    }
}
