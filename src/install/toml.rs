//! Edits of a TOML file that keep everything else in it.
//!
//! What always holds: an entry that is there already changes no byte; a new one goes to the end, so that
//! nothing that was written before it moves.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, value};

use super::ours;
use crate::agents::setup::{Edit, SERVER};
use crate::protocol::refusal::{Refusal, RefusalCode};

/// `text` with what `edits` want. TOML holds servers only.
pub fn add(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    edits.iter().try_fold(text.to_owned(), |text, edit| match edit {
        Edit::Server { table, value } => add_server(&text, table, value),
        Edit::Hook { .. } | Edit::Key { .. } | Edit::Whole { .. } => Ok(text),
    })
}

fn add_server(text: &str, table: &str, wanted: &Value) -> Result<String, Refusal> {
    let mut document = parse(text)?;
    let Some(servers) = document.get_mut(table) else { return appended(text, table, wanted) };
    let whole = servers.is_table();
    let servers = servers.as_table_like_mut().ok_or_else(|| {
        Refusal::invalid_argument(format!("`{table}` is no table")).hint("mend the file, or edit it by hand")
    })?;
    match servers.get_mut(SERVER) {
        None if whole => return appended(text, table, wanted),
        None => drop(servers.insert(SERVER, value(inline(wanted)))),
        Some(entry) => {
            let found = entry.as_table_like().map(json).unwrap_or_default();
            if !ours::is_server(&found) {
                return Err(Refusal::invalid_argument(format!("another server is called `{SERVER}` there"))
                    .hint("give that entry another name, then install again"));
            }
            let renewed = ours::renewed(&found, wanted);
            if renewed.is_empty() {
                return Ok(text.to_owned());
            }
            if let Some(entry) = entry.as_table_like_mut() {
                renewed.iter().for_each(|(key, value)| set(entry, key, item(value)));
            }
        }
    }
    Ok(written(&document, text))
}

/// Gives a key another value. The comment behind the old one stays.
fn set(entry: &mut dyn TableLike, key: &str, item: Item) {
    match (entry.get_mut(key), item) {
        (Some(Item::Value(old)), Item::Value(mut new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (_, item) => drop(entry.insert(key, item)),
    }
}

/// The document with the line ends that `text` has: the library writes its own.
fn written(document: &DocumentMut, text: &str) -> String {
    let plain = document.to_string().replace("\r\n", "\n");
    if text.contains("\r\n") { plain.replace('\n', "\r\n") } else { plain }
}

/// The entry at the end: whatever stands before it stays as it is.
fn appended(text: &str, table: &str, wanted: &Value) -> Result<String, Refusal> {
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = match text {
        "" => "",
        text if text.ends_with('\n') => line_end,
        _ => &[line_end, line_end].concat(),
    };
    let mut lines = vec![format!("[{table}.{SERVER}]")];
    lines.extend(inline(wanted).iter().map(|(key, value)| format!("{key} = {}", value.to_string().trim())));
    let longer = format!("{text}{gap}{}{line_end}", lines.join(line_end));
    parse(&longer)?;
    Ok(longer)
}

/// Stands for a moment behind the header of the table that goes.
const GOES: &str = " # this table goes";

/// `text` without what is ours.
pub fn remove(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    let mut document = parse(text)?;
    for edit in edits {
        let Edit::Server { table, .. } = edit else { continue };
        let Some(servers) = document.get_mut(table).and_then(Item::as_table_like_mut) else { continue };
        let Some(entry) = servers.get_mut(SERVER) else { continue };
        if !entry.as_table_like().is_some_and(|entry| ours::is_server(&json(entry))) {
            continue;
        }
        match entry.as_table_mut().filter(|entry| !entry.is_dotted()) {
            // Comments before a header belong to it here, and to the user in fact: only the header goes.
            Some(entry) => {
                entry.clear();
                entry.set_implicit(false);
                entry.decor_mut().set_suffix(GOES);
                return Ok(without_line(&written(&document, text), GOES));
            }
            None => drop(servers.remove(SERVER)),
        }
        return Ok(written(&document, text));
    }
    Ok(text.to_owned())
}

/// `text` without the line that ends with `end`, and without the empty line before it.
fn without_line(text: &str, end: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for line in text.split_inclusive('\n') {
        if !line.trim_end().ends_with(end) {
            kept.push(line);
        } else if kept.last().is_some_and(|line| line.trim().is_empty()) {
            kept.pop();
        }
    }
    kept.concat()
}

/// The command line of the entry of ipcd below `table`, if there is one.
pub fn server(text: &str, table: &str) -> Result<Option<Vec<String>>, Refusal> {
    let document = parse(text)?;
    let servers = document.get(table).and_then(Item::as_table_like);
    let entry = servers.and_then(|servers| servers.get(SERVER)).and_then(Item::as_table_like);
    Ok(entry.and_then(|entry| ours::argv(&json(entry))))
}

fn parse(text: &str) -> Result<DocumentMut, Refusal> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count()) + 1;
        Refusal::new(RefusalCode::Unreadable, format!("it is no TOML: {} in line {line}", error.message()))
            .hint("mend the file, or edit it by hand")
    })
}

fn inline(wanted: &Value) -> InlineTable {
    let pairs = wanted.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.as_str(), item(value).into_value().ok()?))).collect()
}

/// A word or a list of words: commands are made of nothing else.
fn item(value: &Value) -> Item {
    match value {
        Value::Array(words) => {
            let words: Array = words.iter().filter_map(Value::as_str).collect();
            toml_edit::value(words)
        }
        word => toml_edit::value(word.as_str().unwrap_or_default()),
    }
}

fn json(entry: &dyn TableLike) -> Value {
    let word =
        |value: &toml_edit::Value| value.as_str().map_or(Value::Null, |word| Value::String(word.to_owned()));
    let value = |item: &Item| match item.as_array() {
        Some(array) => Value::Array(array.iter().map(word).collect()),
        None => item.as_value().map_or(Value::Null, word),
    };
    Value::Object(entry.iter().map(|(key, item)| (key.to_owned(), value(item))).collect::<Map<_, _>>())
}
