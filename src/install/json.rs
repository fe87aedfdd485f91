//! Edits of a JSON file that keep everything else in it: comments, order, spaces, line ends.
//!
//! What always holds: an edit that is there already changes no byte; nothing is taken away that
//! [`super::ours`] does not know; what cannot be edited is refused before anything is.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode};
use serde_json::Value;

use super::ours;
use crate::agents::setup::{Edit, SERVER};
use crate::protocol::refusal::{Refusal, RefusalCode};

/// Windows editors begin a file with it.
const BOM: char = '\u{feff}';

/// `text` with what `edits` want.
pub fn add(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    let document = Document::parse(text)?;
    for edit in edits {
        match edit {
            Edit::Server { table, value } => {
                let table = document.object(table)?;
                match table.get(SERVER) {
                    Some(entry) => update(&entry, value)?,
                    None => drop(table.append(SERVER, input(value))),
                }
            }
            Edit::Hook { event, value } => add_hook(&document, event, value)?,
            Edit::Key { key, value } if document.top.get(key).is_none() => {
                document.top.append(key, input(value));
            }
            Edit::Key { .. } | Edit::Whole { .. } => {}
        }
    }
    Ok(document.text())
}

/// `text` without what is ours. Objects and arrays that are empty now go too, unless `before`, the text
/// that was there before the first edit, has them.
pub fn remove(text: &str, edits: &[Edit], before: Option<&str>) -> Result<String, Refusal> {
    let document = Document::parse(text)?;
    let before = before.map(|text| Document::parse(if text.trim().is_empty() { "{}" } else { text }));
    let before = before.transpose()?;
    let was = |path: &[&str]| before.as_ref().is_none_or(|before| before.has(path));
    for edit in edits {
        if let Edit::Server { table: name, .. } = edit
            && let Some(table) = document.top.object_value(name)
            && let Some(entry) = table.get(SERVER).filter(is_server)
        {
            entry.remove();
            prune(&document.top, name, table.properties().is_empty() && !was(&[name]));
        }
    }
    if edits.iter().any(|edit| matches!(edit, Edit::Hook { .. }))
        && let Some(hooks) = document.top.object_value("hooks")
    {
        for event in hooks.properties() {
            let Some((name, array)) = event.decoded_name().zip(event.array_value()) else { continue };
            if remove_hooks(&array) {
                prune(&hooks, &name, array.elements().is_empty() && !was(&["hooks", &name]));
            }
        }
        prune(&document.top, "hooks", hooks.properties().is_empty() && !was(&["hooks"]));
    }
    let only_ours = document.top.properties().iter().all(|property| {
        edits.iter().any(
            |edit| matches!(edit, Edit::Key { key, .. } if property.decoded_name().as_deref() == Some(*key)),
        )
    });
    if only_ours && before.as_ref().is_some_and(|before| before.top.properties().is_empty()) {
        document.top.properties().into_iter().for_each(CstObjectProp::remove);
    }
    Ok(document.text())
}

/// The command line of the entry of ipcd below `table`, if there is one.
pub fn server(text: &str, table: &str) -> Result<Option<Vec<String>>, Refusal> {
    let document = Document::parse(text)?;
    let entry = document.top.object_value(table).and_then(|table| table.get(SERVER));
    Ok(entry.and_then(|entry| ours::argv(&value(&entry.value()?))))
}

/// The command lines of the hooks of ipcd.
pub fn hooks(text: &str) -> Result<Vec<Vec<String>>, Refusal> {
    let document = Document::parse(text)?;
    let hooks = document.top.get("hooks").and_then(|hooks| hooks.value());
    Ok(hooks.map(|hooks| ours::hooks(&value(&hooks))).unwrap_or_default())
}

struct Document {
    root: CstRootNode,
    top: CstObject,
    bom: bool,
}

impl Document {
    fn parse(text: &str) -> Result<Document, Refusal> {
        let (bom, text) = (text.starts_with(BOM), text.trim_start_matches(BOM));
        // What no client would read is not touched either.
        let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
        let text = if text.trim().is_empty() { "{}\n" } else { text };
        let root = CstRootNode::parse(text, &options).map_err(|error| {
            Refusal::new(RefusalCode::Unreadable, format!("it is no JSON: {error}"))
                .hint("mend the file, or edit it by hand")
        })?;
        let top = root.object_value().ok_or_else(|| not("the file", "an object"))?;
        Ok(Document { root, top, bom })
    }

    /// The object `name` at the top, made if it is not there.
    fn object(&self, name: &str) -> Result<CstObject, Refusal> {
        self.top.object_value_or_create(name).ok_or_else(|| not(&format!("`{name}`"), "an object"))
    }

    fn has(&self, path: &[&str]) -> bool {
        let Some((last, above)) = path.split_last() else { return true };
        let mut object = Some(self.top.clone());
        for name in above {
            object = object.and_then(|object| object.object_value(name));
        }
        object.is_some_and(|object| object.get(last).is_some())
    }

    fn text(&self) -> String {
        let text = self.root.to_string();
        if self.bom { format!("{BOM}{text}") } else { text }
    }
}

fn not(what: &str, wanted: &str) -> Refusal {
    Refusal::invalid_argument(format!("{what} is not {wanted}")).hint("mend the file, or edit it by hand")
}

fn prune(object: &CstObject, name: &str, empty: bool) {
    if let Some(property) = object.get(name).filter(|_| empty) {
        property.remove();
    }
}

fn is_server(entry: &CstObjectProp) -> bool {
    entry.value().is_some_and(|entry| ours::is_server(&value(&entry)))
}

/// Gives an entry that is there the command of `wanted`, and leaves the rest as the user has it.
fn update(entry: &CstObjectProp, wanted: &Value) -> Result<(), Refusal> {
    let found = entry.value().map(|found| value(&found)).unwrap_or_default();
    if !ours::is_server(&found) {
        return Err(Refusal::invalid_argument(format!("another server is called `{SERVER}` there"))
            .hint("give that entry another name, then install again"));
    }
    let Some(object) = entry.object_value() else { return Ok(()) };
    for (key, value) in ours::renewed(&found, wanted) {
        match object.get(&key) {
            Some(property) => property.set_value(input(&value)),
            None => drop(object.append(&key, input(&value))),
        }
    }
    Ok(())
}

fn add_hook(document: &Document, event: &str, wanted: &Value) -> Result<(), Refusal> {
    let hooks = document.object("hooks")?;
    let array = hooks.array_value_or_create(event);
    let array = array.ok_or_else(|| not(&format!("`hooks.{event}`"), "an array"))?;
    let Some(line) = ours::lines(wanted).into_iter().next() else { return Ok(()) };
    for element in array.elements() {
        if let Some(same) = find_line(&element, &line) {
            // A hook that is there keeps its matcher, its time and its options; only the way to ipcd is renewed.
            let found = same.decoded_value().unwrap_or_default();
            let renewed = ours::renewed_line(&found, &line);
            if renewed != found {
                same.replace_with(CstInputValue::String(renewed));
            }
            return Ok(());
        }
    }
    array.append(input(wanted));
    if array.elements().len() == 1 {
        array.ensure_multiline();
    }
    Ok(())
}

/// The string inside `node` that runs the same hook as `line`, whatever the path of its program.
fn find_line(node: &CstNode, line: &str) -> Option<jsonc_parser::cst::CstStringLit> {
    if let Some(string) = node.as_string_lit() {
        let same = string.decoded_value().is_ok_and(|found| ours::same_hook(&found, line));
        return same.then_some(string);
    }
    if let Some(object) = node.as_object() {
        return object.properties().iter().filter_map(CstObjectProp::value).find_map(|v| find_line(&v, line));
    }
    node.as_array()?.elements().iter().find_map(|element| find_line(element, line))
}

/// Takes our hooks out of the array of an event; whether there was one.
fn remove_hooks(array: &CstArray) -> bool {
    let mut found = false;
    for element in array.elements() {
        let group = element.as_object().and_then(|object| object.array_value("hooks"));
        if let Some(group) = group {
            let inner: Vec<CstNode> =
                group.elements().into_iter().filter(|hook| ours::is_hook(&value(hook))).collect();
            let any = !inner.is_empty();
            found |= any;
            let all = inner.len() == group.elements().len();
            inner.into_iter().for_each(CstNode::remove);
            // A group that was empty before is the user's.
            if all && any {
                element.remove();
            }
        } else if ours::is_hook(&value(&element)) {
            found = true;
            element.remove();
        }
    }
    found
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(map) => {
            CstInputValue::Object(map.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}

/// What a node says, as far as commands are made of it: strings, arrays, objects.
pub(super) fn value(node: &CstNode) -> Value {
    if let Some(string) = node.as_string_lit() {
        return string.decoded_value().map_or(Value::Null, Value::String);
    }
    if let Some(array) = node.as_array() {
        return array.elements().iter().map(value).collect();
    }
    let Some(object) = node.as_object() else { return Value::Null };
    let pairs = object.properties().into_iter();
    Value::Object(pairs.filter_map(|p| Some((p.decoded_name()?, value(&p.value()?)))).collect())
}
