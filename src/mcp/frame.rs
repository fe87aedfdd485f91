//! One line of a client, decoded.
//!
//! A line is parsed to a [`Value`] before it becomes one of the SDK's types: those are untagged enums,
//! and numbers beyond 64 bits survive them only that way. A `tools/call` is taken apart by hand, so
//! that a malformed one is refused as such and its arguments are never guessed at; one that says
//! something twice is refused, since whoever showed it to a person may have shown the other.

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, ClientNotification, ClientRequest,
    ErrorCode, ErrorData, JsonRpcError, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use serde_json::{Map, Value};

use super::overlong::IdScan;
use super::params::quoted;
use super::twice;
use super::values::{VALUES_ELSEWHERE_MAX, VALUES_MAX, more_than};

const TOOL_CALL: &str = "tools/call";

/// Longest reason why a call is malformed, in characters.
const REASON_CHARS_MAX: usize = 200;

/// What a line is.
pub enum Frame {
    Request(RequestId, Box<ClientRequest>),
    /// The client gave up on a request of its own.
    Cancelled(RequestId, ClientJsonRpcMessage),
    /// Another notification, or the answer to a request of ours.
    Other(ClientJsonRpcMessage),
    /// Nothing that anybody waits for.
    Nothing,
}

/// Why a line is not a message, with the id of the request that it was meant to be.
#[derive(Debug)]
pub struct Complaint {
    pub id: Option<RequestId>,
    pub code: ErrorCode,
    pub text: String,
}

impl Frame {
    pub fn parse(line: &[u8]) -> Result<Frame, Complaint> {
        if line.trim_ascii().is_empty() {
            return Ok(Frame::Nothing);
        }
        if more_than(line, VALUES_MAX) {
            return Err(Complaint::too_many_values(line, VALUES_MAX));
        }
        let value: Value = serde_json::from_slice(line)
            .map_err(|e| Complaint::new(None, ErrorCode::PARSE_ERROR, format!("not JSON: {e}")))?;
        let Value::Object(fields) = value else {
            let text = "one JSON object per line: batches are not supported";
            return Err(Complaint::new(None, ErrorCode::INVALID_REQUEST, text));
        };
        let (method, id) = (fields.get("method"), fields.get("id"));
        let is_call = id.is_some() && method.and_then(Value::as_str) == Some(TOOL_CALL);
        if !is_call && more_than(line, VALUES_ELSEWHERE_MAX) {
            // Only a request is answered: the number of an answer to us may be that of a call of theirs.
            return match (method, id) {
                (Some(_), Some(_)) => Err(Complaint::too_many_values(line, VALUES_ELSEWHERE_MAX)),
                _ => Ok(Frame::Nothing),
            };
        }
        match (method.is_some(), id) {
            (true, Some(id)) => {
                let id: RequestId = serde_json::from_value(id.clone()).map_err(|_| {
                    Complaint::new(
                        None,
                        ErrorCode::INVALID_REQUEST,
                        "`id` is neither an integer nor a string",
                    )
                })?;
                Frame::request(id, fields, line)
            }
            (true, None) => Ok(Frame::notification(fields)),
            (false, _) => Ok(Frame::other(fields)),
        }
    }

    fn request(id: RequestId, mut fields: Map<String, Value>, line: &[u8]) -> Result<Frame, Complaint> {
        if fields.get("method").and_then(Value::as_str) == Some(TOOL_CALL) {
            if let Some(key) = twice::key(line) {
                let text = format!("tools/call: `{}` stands twice in it", quoted(&key));
                return Err(Complaint::new(Some(id), ErrorCode::INVALID_PARAMS, text));
            }
            let params = fields.remove("params").unwrap_or_default();
            return match tool_call(params) {
                Ok(request) => Ok(Frame::Request(id, Box::new(request))),
                Err(e) => {
                    // It may quote the whole of what is wrong.
                    let why: String = e.to_string().chars().take(REASON_CHARS_MAX).collect();
                    Err(Complaint::new(Some(id), ErrorCode::INVALID_PARAMS, format!("tools/call: {why}")))
                }
            };
        }
        match serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(fields)) {
            Ok(JsonRpcMessage::Request(request)) => Ok(Frame::Request(id, Box::new(request.request))),
            _ => Err(Complaint::new(Some(id), ErrorCode::INVALID_REQUEST, "not a JSON-RPC 2.0 request")),
        }
    }

    fn notification(fields: Map<String, Value>) -> Frame {
        match serde_json::from_value(Value::Object(fields)) {
            Ok(message @ ClientJsonRpcMessage::Notification(_)) => match cancelled(&message) {
                Some(id) => Frame::Cancelled(id, message),
                None => Frame::Other(message),
            },
            _ => Frame::Nothing,
        }
    }

    fn other(fields: Map<String, Value>) -> Frame {
        match serde_json::from_value::<ClientJsonRpcMessage>(Value::Object(fields)) {
            Ok(message @ (JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_))) => Frame::Other(message),
            _ => Frame::Nothing,
        }
    }
}

fn tool_call(mut params: Value) -> serde_json::Result<ClientRequest> {
    let meta = params.get_mut("_meta").map(Value::take).unwrap_or_default();
    let mut request = CallToolRequest::new(serde_json::from_value::<CallToolRequestParams>(params)?);
    if let Value::Object(meta) = meta {
        request.extensions.insert(rmcp::model::RequestMetaObject::from(meta));
    }
    Ok(ClientRequest::CallToolRequest(request))
}

fn cancelled(message: &ClientJsonRpcMessage) -> Option<RequestId> {
    let JsonRpcMessage::Notification(notification) = message else { return None };
    let ClientNotification::CancelledNotification(cancelled) = &notification.notification else {
        return None;
    };
    cancelled.params.request_id.clone()
}

impl Complaint {
    pub fn new(id: Option<RequestId>, code: ErrorCode, text: impl Into<String>) -> Complaint {
        Complaint { id, code, text: text.into() }
    }

    fn too_many_values(line: &[u8], most: usize) -> Complaint {
        let mut scan = IdScan::default();
        scan.feed(line);
        let text = format!("the line holds more than {most} values");
        Complaint::new(scan.finish(), ErrorCode::INVALID_REQUEST, text)
    }

    pub fn answer(self) -> ServerJsonRpcMessage {
        JsonRpcMessage::Error(JsonRpcError::new(self.id, ErrorData::new(self.code, self.text, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_answered_with_the_id_that_it_has() {
        for (line, id, code) in [
            ("{", None, -32700),
            ("{\"id\":1,\"method\":\"\u{0}\"}", None, -32700),
            ("[]", None, -32600),
            ("7", None, -32600),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, None, -32600),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None, -32600),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, None, -32600),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Some(1), -32600),
            (r#"{"id":1,"method":"ping"}"#, Some(1), -32600),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, Some(1), -32602),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#, Some(1), -32602),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
                Some(1),
                -32602,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}"#, Some(1), -32602),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"a":1,"a":2}}}"#,
                Some(1),
                -32602,
            ),
        ] {
            let Err(complaint) = Frame::parse(line.as_bytes()) else { panic!("{line}") };
            assert_eq!((complaint.id, complaint.code.0), (id.map(RequestId::Number), code), "{line}");
        }
        assert_eq!(Frame::parse(b"{\"a\":\"\xff\"}").err().map(|c| c.code.0), Some(-32700));
    }

    #[test]
    fn a_line_of_too_many_values_is_refused_under_its_id() {
        let line = |method: &str, count: usize| {
            let data = "1,".repeat(count - 1);
            format!(
                r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"name":"send","arguments":{{"data":[{data}1]}}}},"id":7}}"#
            )
        };
        for (method, fits) in [(TOOL_CALL, VALUES_MAX), ("resources/read", VALUES_ELSEWHERE_MAX)] {
            // Eight more stand around them.
            let frame = Frame::parse(line(method, fits - 8).as_bytes());
            assert!(frame.err().is_none_or(|c| !c.text.contains("values")), "{method}");
            let Err(complaint) = Frame::parse(line(method, fits - 7).as_bytes()) else { panic!("{method}") };
            assert_eq!(complaint.id, Some(RequestId::Number(7)));
            assert!(complaint.text.contains(&format!("more than {fits} values")), "{}", complaint.text);
        }
        // A text may hold as many commas as it likes.
        // Nobody waits for an answer to these, and an answer's number is one of ours.
        let many = vec!["1"; VALUES_ELSEWHERE_MAX + 1].join(",");
        for unasked in [
            format!(r#"{{"jsonrpc":"2.0","method":"{TOOL_CALL}","params":{{"arguments":[{many}]}}}}"#),
            format!(r#"{{"jsonrpc":"2.0","id":5,"result":[{many}]}}"#),
        ] {
            assert!(matches!(Frame::parse(unasked.as_bytes()), Ok(Frame::Nothing)));
        }
        let text = line(TOOL_CALL, 1).replace("[1]", &format!("\"{}\"", ",".repeat(VALUES_MAX)));
        assert!(matches!(Frame::parse(text.as_bytes()), Ok(Frame::Request(..))));
    }

    #[test]
    fn numbers_of_any_size_reach_the_tool_as_they_were_written() {
        let line = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":9},"name":"send",
            "arguments":{"data":{"big":123456789012345678901234567890,"small":-0.10,"e":1e400,"n":null,"i":7}}}}"#;
        let Ok(Frame::Request(_, request)) = Frame::parse(line.replace('\n', "").as_bytes()) else {
            panic!()
        };
        let ClientRequest::CallToolRequest(call) = *request else { panic!() };
        let data = &call.params.arguments.expect("arguments")["data"];
        assert_eq!(
            data.to_string(),
            r#"{"big":123456789012345678901234567890,"small":-0.10,"e":1e+400,"n":null,"i":7}"#
        );
        let meta = call.extensions.get::<rmcp::model::RequestMetaObject>().expect("meta");
        assert!(meta.get_progress_token().is_some());
    }

    #[test]
    fn a_cancel_names_its_request_and_noise_is_nothing() {
        let line = br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
        assert!(matches!(Frame::parse(line), Ok(Frame::Cancelled(id, _)) if id.to_string() == "a"));
        for noise in [&b"  \r"[..], b"{}", br#"{"jsonrpc":"2.0","id":1}"#, br#"{"method":"x"}"#] {
            assert!(matches!(Frame::parse(noise), Ok(Frame::Nothing)), "{}", String::from_utf8_lossy(noise));
        }
    }
}
