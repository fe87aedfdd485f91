//! Extensions of ours in a client's own language: files that are ours as a whole, or not at all.
//!
//! What always holds: a file that does not begin as ours do is somebody else's.

use crate::agents::setup::Edit;
use crate::protocol::refusal::Refusal;

/// How each of them begins.
const BEGINNING: &str = "// Wakes an idle session of ";

/// What they run.
const RUNS: &str = r#""hook", "watch""#;

/// The file as it shall be.
pub fn put(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    if !text.trim().is_empty() && !is_ours(text) {
        return Err(Refusal::invalid_argument("a file of somebody else is there")
            .hint("give that file another name, then install again"));
    }
    let whole = edits.iter().find_map(|edit| match edit {
        Edit::Whole { text } => Some(text.clone()),
        Edit::Server { .. } | Edit::Hook { .. } | Edit::Key { .. } => None,
    });
    Ok(whole.unwrap_or_else(|| text.to_owned()))
}

/// Nothing of a file that is ours, all of any other.
pub fn remove(text: &str) -> String {
    if is_ours(text) { String::new() } else { text.to_owned() }
}

pub fn is_ours(text: &str) -> bool {
    text.starts_with(BEGINNING) && text.contains(RUNS)
}
