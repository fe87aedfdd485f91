//! Zed. It has no hooks.

use super::Facts;

pub(super) const FACTS: Facts = Facts { word: "zed", title: "Zed", wire: "zed", mark: None, hook: None };
