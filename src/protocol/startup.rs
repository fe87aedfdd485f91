//! The one line that a daemon writes to the client that started it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// How a start went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Startup {
    /// It serves, there.
    Ready { socket: PathBuf },
    /// Another daemon serves this store already, there.
    Other { socket: PathBuf },
    /// It cannot serve, and trying again does not help before something is mended.
    Error(Refusal),
}

impl Startup {
    /// The line, its newline included.
    pub fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("paths of ipcd are UTF-8 and refusals are strings");
        line.push(b'\n');
        line
    }

    pub fn parse(line: &[u8]) -> Option<Startup> {
        serde_json::from_slice(line).ok()
    }
}
