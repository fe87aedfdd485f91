//! JSON behind what stands in a buffer: a line of the wire, a row of the store, a record of the audit log.
//!
//! What always holds: the bytes are those that `serde_json::to_vec` makes.

use std::io;

use serde::Serialize;

/// Writes a value behind what is in `buffer`.
///
/// # Errors
/// It has no JSON form; then a part of it may stand there.
pub fn append<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::new(Signs(buffer)))
}

/// Takes JSON as it comes: sign by sign. A quote, a colon, a comma is put into the buffer where it is written;
/// a call for each, and a copy of one byte, took longer than the texts and numbers between them.
pub struct Signs<'b>(pub &'b mut Vec<u8>);

impl io::Write for Signs<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [sign] => self.0.push(*sign),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bytes_are_those_of_serde_json() {
        let long = "long \u{1f4ee} ".repeat(500);
        for value in [
            json!({"a": [1, -2, 3.5, 123_456_789_012_345_678_u64], "b": {}, "c": [], "": null}),
            json!({"\"\\\n\u{1}": "\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}ä", "flags": [true, false]}),
            json!(long),
        ] {
            let mut buffer = b"before".to_vec();
            append(&mut buffer, &value).unwrap();
            assert_eq!(buffer, [b"before", &*serde_json::to_vec(&value).unwrap()].concat());
        }
    }
}
