//! VS Code. Its agent mode runs hooks of Claude Code's form, which are a preview: none are used here.

use super::Facts;

pub(super) const FACTS: Facts =
    Facts { word: "vscode", title: "VS Code", wire: "Visual Studio Code", mark: None, hook: None };
