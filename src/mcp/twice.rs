//! Keys that stand twice in a call. JSON leaves it open which of the two counts, so a client can show one
//! to a person and a server take the other; here neither is taken.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Where a call says what is to be done: in the message, in its params and in their arguments. What a
/// message carries further down is data, and its sender's affair.
const PATH: [&str; 2] = ["params", "arguments"];

/// The first key that stands twice in one object on the way to the arguments.
pub fn key(line: &[u8]) -> Option<String> {
    let mut found = None;
    // What cannot be read here is refused elsewhere, by its name.
    let _ =
        Walk { path: &PATH, found: &mut found }.deserialize(&mut serde_json::Deserializer::from_slice(line));
    found
}

/// As it stands in the line, unless something in it is escaped.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Looks at a value of any kind: only what is an object has keys.
struct Walk<'a> {
    path: &'a [&'a str],
    found: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    /// A number that no machine word holds comes here too, as an object of one key.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<Key>()? {
            match self.path.split_first() {
                Some((next, path)) if key.0 == *next => {
                    map.next_value_seed(Walk { path, found: &mut *self.found })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if let Some(Key(key)) = seen.replace(key) {
                *self.found = Some(key.into_owned());
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        IgnoredAny.visit_seq(seq).map(drop)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
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
            (r#"{"params":7,"params":-7}"#, Some("params")),
            (r#"{"params":0.5,"params":null}"#, Some("params")),
            ("[]", None),
        ] {
            assert_eq!(key(line.as_bytes()).as_deref(), twice, "{line}");
        }
    }
}
