//! Keys that stand twice in a call. JSON leaves it open which of the two counts, so a client can show one
//! to a person and a server take the other; here neither is taken.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// Where a call says what is to be done: in the message, in its params and in their arguments. What a
/// message carries further down is data, and its sender's affair.
const PATH: [&str; 3] = ["params", "arguments", ""];

/// The first key that stands twice in one object on the way to the arguments.
pub fn key(line: &[u8]) -> Option<String> {
    let found = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(line);
    // What is no object here is refused elsewhere, by its name.
    let _ = Walk { path: &PATH, found: &found }.deserialize(&mut json);
    found.into_inner()
}

struct Walk<'a> {
    path: &'a [&'a str],
    found: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            match self.path.split_first() {
                Some((next, path)) if key == *next => {
                    map.next_value_seed(Walk { path, found: self.found })?
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if let Some(twice) = seen.replace(key) {
                self.found.replace(Some(twice));
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
            (r#"{"params":{"arguments":{"n":1e400,"m":12345678901234567890123}}}"#, None),
            ("[]", None),
        ] {
            assert_eq!(key(line.as_bytes()).as_deref(), twice, "{line}");
        }
    }
}
