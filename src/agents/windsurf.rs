//! Windsurf. No hook of it can tell its agent anything.

use super::Facts;

pub(super) const FACTS: Facts =
    Facts { word: "windsurf", title: "Windsurf", wire: "windsurf", mark: None, hook: None };
