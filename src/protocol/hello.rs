//! The first thing said on a connection: who calls, and in which version of the wire.

use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, RefusalCode};

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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: VersionRange,
    pub role: Role,
    /// Program and version of the client itself: `ipcd/0.1.0`.
    pub client: String,
    /// The program that the client works for, as it names itself: `claude-code`. A claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// That program's own session, where it tells one. A claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_session: Option<String>,
    /// Which of several instances above a command it means.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub speak_as: Option<String>,
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

impl VersionRange {
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
    fn the_highest_common_version_wins() {
        let ours = VersionRange { min: 2, max: 4 };
        assert_eq!(ours.common(VersionRange { min: 1, max: 3 }), Ok(3));
        assert_eq!(ours.common(VersionRange { min: 4, max: 9 }), Ok(4));
        for theirs in [VersionRange { min: 1, max: 1 }, VersionRange { min: 5, max: 6 }] {
            assert_eq!(ours.common(theirs).unwrap_err().code, RefusalCode::UnsupportedProtocol);
        }
    }
}
