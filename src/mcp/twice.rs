//! Keys that stand twice in a call. JSON leaves it open which of the two counts, so a client can show one
//! to a person and a server take the other; here neither is taken.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::de::Read;
use serde_json::value::RawValue;

/// Where a call says what is to be done: in the message, in its params and in their arguments. What a
/// message carries further down is data, and its sender's affair.
const PATH: [&str; 2] = ["params", "arguments"];

/// The first key that stands twice in one object on the way to the arguments.
pub fn key(line: &[u8]) -> Option<String> {
    on(&PATH, serde_json::Deserializer::from_slice(line))
}

fn on<'de, R: Read<'de>>(path: &[&str], mut json: serde_json::Deserializer<R>) -> Option<String> {
    let mut found = None;
    // What cannot be read here is refused elsewhere, by its name.
    let _ = json.deserialize_map(Walk { path, found: &mut found });
    found
}

struct Walk<'a> {
    path: &'a [&'a str],
    found: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let mut twice = None;
            match self.path.split_first() {
                Some((next, path)) if key == *next => {
                    // Read on its own: what is no object ends there, and the same key may come again.
                    let value: &RawValue = map.next_value()?;
                    twice = on(path, serde_json::Deserializer::from_str(value.get()));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            twice = twice.or_else(|| seen.replace(key));
            if twice.is_some() {
                *self.found = twice;
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_on_the_way_to_the_arguments_and_there() {
        for (line, twice) in [
            (r#"{"a":1,"params":{"arguments":{"to_id":"a","x":1,"to_id":"b"}}}"#, Some("to_id")),
            (r#"{"params":{"name":"a","arguments":{},"name":"b"}}"#, Some("name")),
            (r#"{"params":{},"id":1,"params":{}}"#, Some("params")),
            (r#"{"params":{"arguments":{"to\u005fid":"a","to_id":"b"}}}"#, Some("to_id")),
            (r#"{"params":{"arguments":{"data":{"a":1,"a":2},"to_id":"b"}}}"#, None),
            (r#"{"params":[{"a":1,"a":2}]}"#, None),
            (r#"{"params":{"arguments":null,"arguments":{"to_id":"a"}}}"#, Some("arguments")),
            (r#"{"params":{"arguments":["a",{}],"arguments":{}}}"#, Some("arguments")),
            (r#"{"params":{"arguments":"a","name":"b","name":"c"}}"#, Some("name")),
            (r#"{"params":1,"params":{"name":"a"}}"#, Some("params")),
            (r#"{"params":-1e400,"params":true}"#, Some("params")),
            (r#"{"params":{"arguments":{"":1,"to_id":"a","to_id":"b"}}}"#, Some("to_id")),
            (r#"{"params":{"arguments":{"":{"a":1,"a":2}}}}"#, None),
            (r#"{"params":{"arguments":{"n":1e400,"m":12345678901234567890123}}}"#, None),
            ("[]", None),
        ] {
            assert_eq!(key(line.as_bytes()).as_deref(), twice, "{line}");
        }
    }
}
