//! The one line that a daemon which a client started writes to its stdout, before anything else.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// How the start went. A socket is given as its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Startup {
    /// It listens.
    Ready { socket: String },
    /// Another daemon was there first; this process ends.
    Other { socket: String },
    /// It cannot run; this process ends.
    Error(Refusal),
}

/// Longest such line in bytes: a path, or a refusal with its hint.
pub const STARTUP_LINE_BYTES_MAX: usize = 16 << 10;

impl Startup {
    /// The line, its newline included.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("strings are always JSON");
        line.push(b'\n');
        line
    }

    /// `None`: not a line that a daemon would write.
    pub fn parse(line: &[u8]) -> Option<Startup> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::RefusalCode;
    use super::*;

    #[test]
    fn the_line_is_read_as_it_was_written() {
        for (startup, text) in [
            (Startup::Ready { socket: "/a".into() }, "{\"ready\":{\"socket\":\"/a\"}}\n"),
            (Startup::Other { socket: "/a".into() }, "{\"other\":{\"socket\":\"/a\"}}\n"),
            (
                Startup::Error(Refusal::new(RefusalCode::StoreTooNew, "m").hint("h")),
                "{\"error\":{\"code\":\"store_too_new\",\"message\":\"m\",\"hint\":\"h\"}}\n",
            ),
        ] {
            assert_eq!(startup.line(), text.as_bytes());
            assert_eq!(Startup::parse(text.as_bytes()), Some(startup));
        }
        assert_eq!(Startup::parse(b"thread 'main' panicked"), None);
    }
}
