//! What this build calls itself, and which versions of the wire it speaks.
//!
//! What always holds: a release says its own version and [`PROTOCOL`](crate::protocol::PROTOCOL). Only a
//! debug build can pretend another (`IPCD_PRETEND_VERSION=9.1.0`, `IPCD_PRETEND_PROTOCOL=2-3`): so tests let
//! programs meet that are not written yet.

use crate::protocol::hello::VersionRange;

#[cfg(not(debug_assertions))]
mod pretended {
    use super::VersionRange;

    pub fn version() -> Option<&'static str> {
        None
    }

    pub fn protocol() -> Option<VersionRange> {
        None
    }
}

#[cfg(debug_assertions)]
mod pretended {
    use std::sync::OnceLock;

    use super::VersionRange;

    pub fn version() -> Option<&'static str> {
        static VERSION: OnceLock<Option<String>> = OnceLock::new();
        VERSION.get_or_init(|| std::env::var("IPCD_PRETEND_VERSION").ok()).as_deref()
    }

    pub fn protocol() -> Option<VersionRange> {
        let text = std::env::var("IPCD_PRETEND_PROTOCOL").ok()?;
        let (min, max) = text.split_once('-')?;
        Some(VersionRange { min: min.parse().ok()?, max: max.parse().ok()? })
    }
}

/// The version of this program: `0.1.0`.
pub fn version() -> &'static str {
    pretended::version().unwrap_or(env!("CARGO_PKG_VERSION"))
}

/// Program and version, as both ends of a connection name themselves: `ipcd/0.1.0`.
pub fn program() -> String {
    format!("ipcd/{}", version())
}

/// The versions of the wire that this program speaks.
pub fn protocol() -> VersionRange {
    pretended::protocol().unwrap_or(crate::protocol::PROTOCOL)
}
