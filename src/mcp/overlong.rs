//! Finds the id of a line that is too long to keep, while it flies by: most SDKs write the id last.

use rmcp::model::RequestId;

/// Longest member that is kept while it is unclear whether it is the id, in bytes.
const TOKEN_BYTES_MAX: usize = 160;

/// Reads the line's bytes in any portions and keeps only the id of the outermost object.
#[derive(Default)]
pub struct IdScan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The key or value of the outermost object that is being read.
    token: Vec<u8>,
    value_is_id: bool,
    id: Option<RequestId>,
}

impl IdScan {
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.step(byte);
        }
    }

    /// The id, when there was one that is an integer or a short string.
    pub fn finish(self) -> Option<RequestId> {
        self.id
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.keep(byte);
                self.depth += 1;
            }
            b'}' | b']' => {
                self.end_member();
                self.depth = self.depth.saturating_sub(1);
            }
            b':' if self.depth == 1 => {
                self.value_is_id = self.token == b"\"id\"";
                self.token.clear();
            }
            b',' => self.end_member(),
            b' ' | b'\t' | b'\r' => {}
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < TOKEN_BYTES_MAX {
            self.token.push(byte);
        }
    }

    fn end_member(&mut self) {
        if self.depth != 1 {
            return;
        }
        if self.value_is_id {
            self.id = serde_json::from_slice(&self.token).ok();
        }
        self.value_is_id = false;
        self.token.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(line: &str) -> Option<String> {
        let mut scan = IdScan::default();
        for byte in line.as_bytes().chunks(3) {
            scan.feed(byte);
        }
        scan.finish().map(|id| id.to_string())
    }

    #[test]
    fn the_id_of_the_outermost_object_is_found_wherever_it_stands() {
        for (line, id) in [
            (r#"{"jsonrpc":"2.0","id":7,"params":{"id":8}}"#, Some("7")),
            (
                r#"{"params":{"id":8,"x":[{"id":9}],"s":"\",\"id\":3}"},"jsonrpc":"2.0", "id" : "a-1" }"#,
                Some("a-1"),
            ),
            (r#"{"method":"m","params":{"text":"{\"id\":5}"}}"#, None),
            (r#"{"id":null}"#, None),
            (r#"{"id":{"a":1}}"#, None),
            (r#"[{"id":1}]"#, None),
        ] {
            assert_eq!(id_of(line).as_deref(), id, "{line}");
        }
    }
}
