//! opencode. Its plugins take the place of hooks.

use super::Facts;

pub(super) const FACTS: Facts =
    Facts { word: "opencode", title: "opencode", wire: "opencode", mark: Some("OPENCODE"), hook: None };
