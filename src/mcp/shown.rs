//! A tool's result, and the line that it goes out with: one JSON as structured content and as the one text
//! block, since clients show a model only one of the two.
//!
//! What always holds: both say the same. The SDK's type wants the first taken apart; a `null` stands there
//! for it, and the text is written in its place when the line is made.

use std::io;

use rmcp::model::{CallToolResult, ContentBlock, JsonRpcMessage, ServerJsonRpcMessage, ServerResult};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::Signs;

/// What stands around a tool's text in its line, in bytes, and a little more.
const AROUND_BYTES: usize = 160;

pub fn result(answer: Box<RawValue>, is_error: bool) -> CallToolResult {
    let text = vec![ContentBlock::text(Box::<str>::from(answer))];
    let mut result = if is_error { CallToolResult::error(text) } else { CallToolResult::success(text) };
    result.structured_content = Some(Value::Null);
    result
}

/// The line of a message, its newline included.
pub fn to_line(message: &ServerJsonRpcMessage) -> Vec<u8> {
    let same = text(message);
    // Twice, and a backslash before each quote of the one.
    let mut line = Vec::with_capacity(same.map_or(0, |text| text.len() / 4 * 9) + AROUND_BYTES);
    let mut json = serde_json::Serializer::with_formatter(Signs(&mut line), Filled { same });
    message.serialize(&mut json).expect("the SDK's messages have string keys only");
    line.push(b'\n');
    line
}

/// The text of a tool's result, which its structured content is to repeat.
fn text(message: &ServerJsonRpcMessage) -> Option<&str> {
    let JsonRpcMessage::Response(response) = message else { return None };
    let ServerResult::CallToolResult(result) = &response.result else { return None };
    match (&result.structured_content, &result.content[..]) {
        (Some(Value::Null), [only]) => only.as_text().map(|block| block.text.as_str()),
        _ => None,
    }
}

/// Writes compact JSON, with `same` in the place of the first `null`.
struct Filled<'a> {
    same: Option<&'a str>,
}

impl serde_json::ser::Formatter for Filled<'_> {
    fn write_null<W: ?Sized + io::Write>(&mut self, line: &mut W) -> io::Result<()> {
        line.write_all(self.same.take().unwrap_or("null").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::RequestId;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_said_twice_in_one_line() {
        for (answer, is_error) in [(json!({"a": null, "b": "\"\n", "c": [1.0]}), false), (json!({}), true)] {
            let raw = serde_json::value::to_raw_value(&answer).unwrap();
            let text = raw.get().to_owned();
            let result = ServerResult::CallToolResult(result(raw, is_error));
            let line = to_line(&ServerJsonRpcMessage::response(result, RequestId::Number(7)));
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            let said: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(said["id"], 7);
            assert_eq!(said["result"]["content"], json!([{"type": "text", "text": text}]));
            assert_eq!(said["result"]["structuredContent"], answer);
            assert_eq!(said["result"]["isError"], is_error);
        }
    }

    #[test]
    fn other_messages_are_written_as_they_are() {
        let message = ServerJsonRpcMessage::response(ServerResult::empty(()), RequestId::Number(7));
        assert_eq!(to_line(&message), b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n");
    }
}
