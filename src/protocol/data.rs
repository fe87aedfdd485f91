//! Which `data` a message may carry: what every reader's JSON parser takes.
//!
//! The daemon keeps `data` as it was written. A reader takes it apart, together with the mail around it:
//! `data` that its parser refuses would hide all of that mail from it.

use serde::{Deserialize, Deserializer, de::Error};

use super::message::Data;

/// Arrays and objects within each other. Parsers stop at some depth (serde_json at 128), and an answer
/// puts a few levels around the `data`.
const DEPTH_MAX: usize = 64;

/// Keys that serde_json keeps for itself: it takes an object with one for something else.
const PRIVATE_KEYS: &str = "$serde_json::private::";

/// For `deserialize_with`: a caller's `data`.
pub fn from_caller<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Data>, D::Error> {
    let data = Option::<Data>::deserialize(deserializer)?;
    match data.as_ref().map(|data| fit(data.get())) {
        Some(Err(reason)) => Err(D::Error::custom(reason)),
        _ => Ok(data),
    }
}

/// Whether any reader can take `json`, which is whole and correct; else why not.
fn fit(json: &str) -> Result<(), String> {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(bytes, at);
                check_string(&json[at..end], bytes[end..].trim_ascii_start().first() == Some(&b':'))?;
                at = end;
                continue;
            }
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("`data` is nested deeper than {DEPTH_MAX} levels"));
        }
        at += 1;
    }
    Ok(())
}

/// Behind the string that begins at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match json.get(at) {
            None => return json.len(),
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// `string` with its quotes. Escapes can hide what parsers stumble over; without them there is nothing
/// to decode.
fn check_string(string: &str, is_key: bool) -> Result<(), String> {
    let plain = !string.contains("\\u");
    if plain && !(is_key && string.starts_with("\"$")) {
        return Ok(());
    }
    let Ok(text) = serde_json::from_str::<String>(string) else {
        return Err("`data` has a string with half of a surrogate pair".to_owned());
    };
    if is_key && text.starts_with(PRIVATE_KEYS) {
        return Err(format!("`data` has a key that begins with `{PRIVATE_KEYS}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[{\"a\":".repeat(depth / 2), "1".to_owned() + &"}]".repeat(depth / 2))
    }

    #[test]
    fn what_some_parser_refuses_is_refused() {
        for (json, said) in [
            (nested(66), "nested deeper"),
            (r#"{"a":[{"$serde_json::private::Number":"x"}]}"#.to_owned(), "a key that begins"),
            (r#"{"\u0024serde_json::private::RawValue" : "["}"#.to_owned(), "a key that begins"),
            (r#"{"$serde_json\u003a:private::Number":"x"}"#.to_owned(), "a key that begins"),
            (r#"["\ud83d"]"#.to_owned(), "half of a surrogate pair"),
            (r#"["\ud83d\u0041"]"#.to_owned(), "half of a surrogate pair"),
            (r#"{"\uDE00":[[]]}"#.to_owned(), "half of a surrogate pair"),
        ] {
            assert!(fit(&json).unwrap_err().contains(said), "{json}");
        }
    }

    #[test]
    fn all_else_is_taken_and_can_be_read() {
        for json in [
            nested(64),
            format!("[{}]", "[],{},".repeat(500) + "0"),
            r#"{"a":"[[[{{{\\\"[","$serde":1,"b":["$serde_json::private::Number",-0.10e400]}"#.to_owned(),
            r#""\\""#.to_owned(),
            r#"["\ud83d\ude00", "\u00e9[", "\\ud800"]"#.to_owned(),
            "null".to_owned(),
        ] {
            fit(&json).unwrap();
            serde_json::from_str::<Value>(&json).unwrap();
        }
    }
}
