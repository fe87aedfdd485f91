//! How much a line holds, before it is taken apart: a value of two bytes takes more than a hundred once it
//! is parsed, so that a line within the limit of bytes could cost this process hundreds of MiB.

/// Values in one call of a tool: more than any agent writes, some 40 MiB when they are all fields.
pub const VALUES_MAX: usize = 100_000;

/// Values in any other line. The SDK's types copy those several times to find out what they are.
pub const VALUES_ELSEWHERE_MAX: usize = 10_000;

/// Whether the JSON of `line` holds more than `most` values. Any bytes will do.
pub fn more_than(line: &[u8], most: usize) -> bool {
    if line.len() < most {
        // Each takes a byte at least.
        return false;
    }
    // What stands in strings counts for too much here, and most lines are short of commas all the same.
    let marks = line.iter().filter(|byte| begins_a_value(**byte)).count();
    marks >= most && outside_strings(line) >= most
}

/// Each value but the outermost has one of these before it.
fn begins_a_value(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b'{')
}

fn outside_strings(line: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for &byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ => count += usize::from(!in_string && begins_a_value(byte)),
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_text_is_not() {
        for (line, values) in [
            ("1", 1),
            ("[]", 2),
            ("[1,2,3]", 4),
            (r#"{"a":1,"b":[2,{"c":"x,y[{\",,"}]}"#, 6),
            (r#"{"a":"\\","b":","}"#, 3),
            ("\"", 1),
            ("\\,", 2),
        ] {
            assert!(more_than(line.as_bytes(), values - 1), "{line}");
            assert!(!more_than(line.as_bytes(), values), "{line}");
        }
    }
}
