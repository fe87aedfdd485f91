//! Claude Desktop. It has no hooks.

use super::Facts;

pub(super) const FACTS: Facts =
    Facts { word: "claude-desktop", title: "Claude Desktop", wire: "claude-ai", mark: None, hook: None };
