//! The first thing said on a connection: who calls, and in which version of the wire.

use serde::{Deserialize, Deserializer, Serialize};

use super::refusal::{Refusal, RefusalCode};
use super::response::Wakes;

/// Longest text of a client about itself, in characters; the rest is cut off. It is stored with each name
/// and stands in each list and message.
pub const CLAIM_CHARS_MAX: usize = 100;

/// Versions of the wire, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRange {
    pub min: u32,
    pub max: u32,
}

/// What a client is, which decides what it may do and what becomes of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The MCP front end of one agent: it is an instance of its own.
    Mcp,
    /// A command: it speaks as the agent above it, as a shell that registered, or as the user.
    Cli,
}

/// Its texts are claims, and what is read of them is [fit to be shown](claim).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: VersionRange,
    pub role: Role,
    /// Program and version of the client itself: `ipcd/0.1.0`.
    #[serde(deserialize_with = "claimed")]
    pub client: String,
    /// The program that the client works for, as it names itself: `claude-code`.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "perhaps_claimed")]
    pub program: Option<String>,
    /// That program's own session, where it tells one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "perhaps_claimed")]
    pub program_session: Option<String>,
    /// Which of several instances above a command it means.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub speak_as: Option<String>,
    /// How the agent of a front end is woken when mail comes; the call `bell` changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes: Option<Wakes>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version that both speak from here on.
    pub protocol: u32,
    /// Program and version of the daemon.
    pub server: String,
    /// Longest line that the daemon reads, in bytes.
    pub line_bytes: usize,
}

/// A client's text about itself, fit for a list that people read.
pub fn claim(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(CLAIM_CHARS_MAX).collect()
}

fn claimed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|text| claim(&text))
}

fn perhaps_claimed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.as_deref().map(claim))
}

impl VersionRange {
    /// Said by a client that needs no more than `status`, `stop` and `retire`, which never change.
    pub const ANY: VersionRange = VersionRange { min: 0, max: u32::MAX };

    /// The highest version that both know.
    pub fn common(self, theirs: VersionRange) -> Result<u32, Refusal> {
        let version = self.max.min(theirs.max);
        if version >= self.min.max(theirs.min) {
            return Ok(version);
        }
        Err(Refusal::new(
            RefusalCode::UnsupportedProtocol,
            format!(
                "the daemon speaks protocol {} to {}, the client {} to {}",
                self.min, self.max, theirs.min, theirs.max
            ),
        )
        .hint("run `ipcd stop`, then try again: the next daemon is the one that is installed now"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_little_about_itself() {
        let long = "\u{1b}é".repeat(3_000_000);
        let hello = serde_json::json!({
            "protocol": {"min": 1, "max": 1}, "role": "mcp",
            "client": long, "program": long, "program_session": long,
        });
        let hello: Hello = serde_json::from_value(hello).unwrap();
        let cut = "é".repeat(CLAIM_CHARS_MAX);
        assert_eq!((hello.client, hello.program), (cut.clone(), Some(cut.clone())));
        assert_eq!(hello.program_session, Some(cut));
    }

    #[test]
    fn the_highest_common_version_wins() {
        let ours = VersionRange { min: 2, max: 4 };
        assert_eq!(ours.common(VersionRange { min: 1, max: 3 }), Ok(3));
        assert_eq!(ours.common(VersionRange { min: 4, max: 9 }), Ok(4));
        assert_eq!(ours.common(VersionRange::ANY), Ok(4));
        for theirs in [VersionRange { min: 1, max: 1 }, VersionRange { min: 5, max: 6 }] {
            assert_eq!(ours.common(theirs).unwrap_err().code, RefusalCode::UnsupportedProtocol);
        }
    }
}
