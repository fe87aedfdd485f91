//! The arguments of one call: taken one by one, each parsed into what it means.
//!
//! Clients and models are met halfway where nothing is lost by it (`null` and an empty name for what is
//! left out, `"30"` for 30); what is unknown or senseless is refused by its name.

use std::sync::Arc;

use rmcp::model::JsonObject;
use serde_json::Value;

use super::definition::{Definition, Kind};
use crate::protocol::message::{Body, Data, MessageId};
use crate::protocol::refusal::Refusal;

/// Longest piece of what a client wrote that a refusal quotes, in characters: it says which, and a model
/// has it in its context.
const QUOTED_CHARS_MAX: usize = 40;

/// The arguments that are not taken yet.
pub struct Args {
    tool: &'static Definition,
    given: JsonObject,
}

impl Args {
    /// # Errors
    /// `invalid_argument`: an argument that the tool does not know, or one that it needs is missing.
    pub fn new(tool: &'static Definition, given: Option<JsonObject>) -> Result<Args, Refusal> {
        let mut given = given.unwrap_or_default();
        given.retain(|_, value| !value.is_null());
        let known = || tool.fields.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        if let Some(unknown) = given.keys().find(|name| !tool.fields.iter().any(|f| f.name == **name)) {
            let hint = match tool.fields {
                [] => format!("`{}` takes no arguments", tool.name),
                _ => format!("the arguments of `{}` are {}", tool.name, known()),
            };
            return Err(Refusal::invalid_argument(format!("no argument `{}`", quoted(unknown))).hint(hint));
        }
        if given.contains_key("forward") {
            // What is passed on says enough by itself.
            given.entry("content").or_insert_with(|| "".into());
        }
        if let Some(missing) = tool.fields.iter().find(|f| f.required && !given.contains_key(f.name)) {
            return Err(Refusal::invalid_argument(format!("`{}` is missing", missing.name)).hint(format!(
                "the arguments of `{}` are {}",
                tool.name,
                known()
            )));
        }
        Ok(Args { tool, given })
    }

    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.given.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(senseless(name, "a string", &other)),
        }
    }

    /// A text that the catalog requires.
    pub fn required(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::invalid_argument(format!("`{name}` is missing")))
    }

    pub fn body(&mut self, name: &str) -> Result<Body, Refusal> {
        Ok(Body(Arc::from(self.required(name)?)))
    }

    /// The caller's idea of its own name; an empty one is none.
    pub fn own(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// Names: one string, with commas or not, or an array of strings.
    pub fn names(&mut self, name: &str) -> Result<Vec<String>, Refusal> {
        let texts = match self.given.remove(name) {
            None => Vec::new(),
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    other => Err(senseless(name, "a name or an array of names", &other)),
                })
                .collect::<Result<_, _>>()?,
            Some(other) => return Err(senseless(name, "a name or an array of names", &other)),
        };
        let names = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
        Ok(names.filter(|text| !text.is_empty()).map(str::to_owned).collect())
    }

    /// A whole number within the bounds of the catalog.
    pub fn whole(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.given.remove(name) else { return Ok(None) };
        let (min, max) = match self.tool.fields.iter().find(|f| f.name == name).map(|f| &f.kind) {
            Some(Kind::Whole(min, max)) => (*min, *max),
            _ => (0, u64::MAX),
        };
        match whole_number(&value).filter(|number| (min..=max).contains(number)) {
            Some(number) => Ok(Some(number)),
            None if max == u64::MAX => Err(senseless(name, &format!("a whole number from {min}"), &value)),
            None => Err(senseless(name, &format!("a whole number from {min} to {max}"), &value)),
        }
    }

    pub fn id(&mut self, name: &str) -> Result<Option<MessageId>, Refusal> {
        Ok(self.whole(name)?.map(MessageId))
    }

    pub fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.given.remove(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(senseless(name, "true or false", &other)),
        }
    }

    /// Any JSON, carried as it is.
    pub fn data(&mut self, name: &str) -> Option<Data> {
        self.given.remove(name).map(|value| to_data(&value))
    }

    /// Which messages the caller is done with.
    pub fn ack(&mut self, name: &str) -> Result<Option<Acked>, Refusal> {
        let want = "an array of message ids, \"all\" or \"on_flush\"";
        match self.given.remove(name) {
            None => Ok(None),
            Some(Value::String(word)) if word == "all" => Ok(Some(Acked::All)),
            Some(Value::String(word)) if word == "on_flush" => Ok(Some(Acked::OnFlush)),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| whole_number(item).map(MessageId).ok_or_else(|| senseless(name, want, item)))
                .collect::<Result<_, _>>()
                .map(|ids| Some(Acked::Ids(ids))),
            Some(one) => match whole_number(&one) {
                Some(id) => Ok(Some(Acked::Ids(vec![MessageId(id)]))),
                None => Err(senseless(name, want, &one)),
            },
        }
    }
}

/// What a caller says that it is done with.
#[derive(Debug, PartialEq, Eq)]
pub enum Acked {
    Ids(Vec<MessageId>),
    /// All that it was shown.
    All,
    /// What this very call shows, once it is written.
    OnFlush,
}

/// A value as `data` of a message.
pub fn to_data(value: &Value) -> Data {
    let raw = serde_json::value::to_raw_value(value).expect("a JSON value is JSON");
    Data(Arc::from(raw))
}

/// Also what is whole in another spelling: `30.0`, `"30"`.
fn whole_number(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, rest)| match rest.trim_matches('0') {
        "" => whole,
        _ => "not whole",
    });
    whole.parse().ok()
}

/// The beginning of a text that may be long, with nothing in it that moves a cursor.
pub fn quoted(text: &str) -> String {
    let mut rest = text.chars();
    let shown: String = rest.by_ref().take(QUOTED_CHARS_MAX).flat_map(plain).collect();
    if rest.next().is_some() { shown + "…" } else { shown }
}

/// Control characters by their numbers; quotes and backslashes as they are, since JSON escapes them again.
fn plain(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_debug());
    let same = escaped.is_none().then_some(c);
    escaped.into_iter().flatten().chain(same)
}

fn senseless(name: &str, want: &str, got: &Value) -> Refusal {
    let shown = quoted(&got.to_string());
    Refusal::invalid_argument(format!("`{name}` is {shown}")).hint(format!("`{name}` takes {want}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::catalog::Toolset;
    use super::*;

    fn args(tool: &str, given: Value) -> Result<Args, Refusal> {
        let Value::Object(given) = given else { panic!() };
        Args::new(Toolset::All.find(tool).unwrap(), Some(given))
    }

    fn check(given: Value) -> Args {
        args("check", given).ok().unwrap()
    }

    #[test]
    fn what_a_tool_does_not_know_or_lacks_is_refused_by_name() {
        for (tool, given, said) in [
            ("send", json!({"content": "a", "too": 1}), "no argument `too`"),
            ("send", json!({"to_id": "bob", "content": null}), "`content` is missing"),
            ("list_instances", json!({"all": true}), "no argument `all`"),
        ] {
            let refusal = args(tool, given).err().unwrap();
            assert!(refusal.message.contains(said), "{}", refusal.message);
            assert!(!refusal.hint.is_empty());
        }
        assert!(args("list_instances", json!({"all": null})).is_ok());
    }

    #[test]
    fn names_come_in_three_forms() {
        for (given, names) in [
            (json!({"content": "", "to_id": " bob "}), &["bob"][..]),
            (json!({"content": "", "to_id": "bob, carol,"}), &["bob", "carol"]),
            (json!({"content": "", "to_id": ["bob", "carol"]}), &["bob", "carol"]),
            (json!({"content": ""}), &[]),
        ] {
            assert_eq!(args("send", given).ok().unwrap().names("to_id").unwrap(), names);
        }
        assert!(args("send", json!({"content": "", "to_id": [1]})).ok().unwrap().names("to_id").is_err());
    }

    #[test]
    fn numbers_are_whole_and_within_bounds() {
        for (given, number) in [(json!(30), 30), (json!("30"), 30), (json!(30.0), 30), (json!(0), 0)] {
            assert_eq!(check(json!({"wait_seconds": given})).whole("wait_seconds").unwrap(), Some(number));
        }
        for bad in [json!(-1), json!(3601), json!(1.5), json!("abc"), json!([1]), json!(true)] {
            let refusal = check(json!({"wait_seconds": bad})).whole("wait_seconds").unwrap_err();
            assert_eq!(refusal.hint, "`wait_seconds` takes a whole number from 0 to 3600");
        }
    }

    #[test]
    fn an_ack_is_ids_or_a_word() {
        let acked = |given: Value| check(json!({"ack": given})).ack("ack");
        assert_eq!(acked(json!([1, "2"])).unwrap(), Some(Acked::Ids(vec![MessageId(1), MessageId(2)])));
        assert_eq!(acked(json!(3)).unwrap(), Some(Acked::Ids(vec![MessageId(3)])));
        assert_eq!(acked(json!("all")).unwrap(), Some(Acked::All));
        assert_eq!(acked(json!("on_flush")).unwrap(), Some(Acked::OnFlush));
        assert!(acked(json!("some")).is_err());
    }
}
