//! How long a client lets a tool call last.

use std::time::Duration;

/// Longest wait of one call, by the start of the client's own name, in seconds. Each is what the client
/// was seen to survive, or its documented limit, and some seconds less.
const SURVIVED: [(&str, u64); 5] =
    [("claude-code", 1500), ("codex", 240), ("gemini", 540), ("opencode", 240), ("copilot", 600)];

/// The SDK that most clients are made of gives up after 60 seconds.
const SURVIVED_BY_OTHERS: u64 = 50;

/// The wait that `client` gets when it asks for `wanted`.
pub fn survivable(client: &str, wanted: Duration) -> Duration {
    let known = SURVIVED.iter().find(|(name, _)| client.starts_with(name));
    wanted.min(Duration::from_secs(known.map_or(SURVIVED_BY_OTHERS, |(_, seconds)| *seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_as_long_as_its_client_survives() {
        for (client, wanted, lasts) in [
            ("codex-mcp-client", 3600, 240),
            ("gemini-cli-mcp-client", 3600, 540),
            ("claude-code", 600, 600),
            ("copilot-cli", 601, 600),
            ("somebody", 3600, 50),
            ("", 7, 7),
        ] {
            let wanted = Duration::from_secs(wanted);
            assert_eq!(survivable(client, wanted), Duration::from_secs(lasts), "{client}");
        }
    }
}
