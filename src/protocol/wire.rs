//! The JSON-RPC 2.0 envelope, both directions.
//!
//! A line is decoded in two steps, envelope first: a call with bad parameters is then refused with
//! its own id, and only a broken envelope is answered without one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::Event;
use super::refusal::{Refusal, RefusalCode};
use super::response::Failure;
use crate::json;

/// A call's number, given by its caller: an integer or a string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum CallId {
    Number(i64),
    Text(String),
}

/// Longest string that names a call, in bytes: it is held as long as the call is.
const CALL_ID_BYTES_MAX: usize = 128;

/// Bytes of a usual line, an answer to `send`: a line begins with room for so many.
const LINE_BYTES_USUAL: usize = 256;

/// One line from a client, taken apart where it stands.
#[derive(Clone, Debug)]
pub enum Incoming<'a> {
    Call { id: CallId, method: Cow<'a, str>, params: Option<&'a RawValue> },
    Notification { method: Cow<'a, str>, params: Option<&'a RawValue> },
}

/// A line that is no call: the answer to it, and the id if it had a readable one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub id: Option<CallId>,
    pub error: RpcError,
}

/// One line from the daemon.
#[derive(Clone, Debug)]
pub enum FromDaemon {
    Answer {
        id: CallId,
        outcome: Result<Box<RawValue>, Refusal>,
    },
    /// The daemon could not tell which call this is about.
    Complaint(Refusal),
    Push(Event),
    /// A push that this build does not know.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RpcError {
    pub code: i64,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Failure>,
}

/// Parameters of the `cancel` notification.
#[derive(Serialize)]
pub struct Cancel<'a> {
    pub id: &'a CallId,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// In an `Option`, a `Cow` alone would never borrow.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl CallId {
    fn parse(raw: &RawValue) -> Option<CallId> {
        let text = raw.get();
        if text.starts_with('"') {
            let text: String = serde_json::from_str(text).ok()?;
            return (text.len() <= CALL_ID_BYTES_MAX).then_some(CallId::Text(text));
        }
        text.parse().ok().map(CallId::Number)
    }
}

impl Incoming<'_> {
    pub fn parse(line: &[u8]) -> Result<Incoming<'_>, Unreadable> {
        let bad = |id: Option<CallId>, code, message: &str| Unreadable {
            id,
            error: RpcError { code, message: message.to_owned(), data: None },
        };
        let not_a_call = "not a JSON-RPC 2.0 call: an object with `jsonrpc`, `id`, `method`";
        if line.trim_ascii_start().first() == Some(&b'[') {
            // Batches are not part of this protocol, and an array must not pass for an object.
            return Err(bad(None, -32600, not_a_call));
        }
        // Text is looked at once, and not string by string. Of what is none, the parser says where.
        let envelope = match str::from_utf8(line) {
            Ok(text) => serde_json::from_str::<Envelope>(text),
            Err(_) => serde_json::from_slice(line),
        };
        let envelope = match envelope {
            Ok(envelope) => envelope,
            Err(e) if e.is_data() => return Err(bad(id_alone(line), -32600, not_a_call)),
            Err(e) => return Err(bad(None, -32700, &format!("not JSON: {e}"))),
        };
        let had_id = envelope.id.is_some();
        let id = envelope.id.and_then(CallId::parse);
        if envelope.jsonrpc != "2.0" {
            return Err(bad(id, -32600, "`jsonrpc` is not \"2.0\""));
        }
        if had_id && id.is_none() {
            return Err(bad(None, -32600, "`id` is neither an integer nor a short string"));
        }
        let Some(Text(method)) = envelope.method else {
            return Err(bad(id, -32600, "no `method`"));
        };
        let params = envelope.params;
        Ok(match id {
            Some(id) => Incoming::Call { id, method, params },
            None => Incoming::Notification { method, params },
        })
    }
}

/// The id of an object that is no call.
fn id_alone(line: &[u8]) -> Option<CallId> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    CallId::parse(line.id)
}

/// The call that a `cancel` notification names.
pub fn cancelled_call(params: Option<&RawValue>) -> Option<CallId> {
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let params: Params = serde_json::from_str(params?.get()).ok()?;
    CallId::parse(params.id)
}

impl FromDaemon {
    /// `None`: not a line that a daemon would write.
    pub fn parse(line: &[u8]) -> Option<FromDaemon> {
        #[derive(Deserialize)]
        struct Line<'a> {
            #[serde(borrow, default)]
            id: Option<&'a RawValue>,
            #[serde(borrow, default)]
            method: Option<Text<'a>>,
            #[serde(borrow, default)]
            params: Option<&'a RawValue>,
            #[serde(default)]
            result: Option<Box<RawValue>>,
            #[serde(default)]
            error: Option<RpcError>,
        }
        let line: Line = serde_json::from_slice(line).ok()?;
        if let Some(Text(method)) = line.method {
            let event = Event::decode(&method, line.params);
            return Some(event.map_or(FromDaemon::Unknown, FromDaemon::Push));
        }
        let id = line.id.and_then(CallId::parse);
        match (id, line.result, line.error) {
            (Some(id), Some(result), None) => Some(FromDaemon::Answer { id, outcome: Ok(result) }),
            (Some(id), None, Some(error)) => Some(FromDaemon::Answer { id, outcome: Err(error.into()) }),
            (None, None, Some(error)) => Some(FromDaemon::Complaint(error.into())),
            _ => None,
        }
    }
}

impl From<&Refusal> for RpcError {
    fn from(refusal: &Refusal) -> RpcError {
        let code = match refusal.code {
            RefusalCode::InvalidArgument => -32602,
            RefusalCode::Cancelled => -32800,
            _ => -32000,
        };
        RpcError { code, message: refusal.message.clone(), data: Some(Failure::from(refusal)) }
    }
}

impl From<RpcError> for Refusal {
    fn from(error: RpcError) -> Refusal {
        match error.data {
            Some(failure) => Refusal { code: failure.code, message: failure.message, hint: failure.hint },
            None => Refusal::invalid_argument(error.message),
        }
    }
}

/// A line with the answer to one call, its newline included.
pub fn answer_line<T: Serialize>(id: &CallId, outcome: &Result<T, Refusal>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a, T> {
        jsonrpc: &'static str,
        id: &'a CallId,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<&'a T>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<RpcError>,
    }
    let error = outcome.as_ref().err().map(RpcError::from);
    line(&Line { jsonrpc: "2.0", id, result: outcome.as_ref().ok(), error })
}

/// A line that answers what was no call.
pub fn complaint_line(unreadable: &Unreadable) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        jsonrpc: &'static str,
        id: Option<&'a CallId>,
        error: &'a RpcError,
    }
    line(&Line { jsonrpc: "2.0", id: unreadable.id.as_ref(), error: &unreadable.error })
}

/// A line with a push of the daemon.
pub fn push_line(event: &Event) -> Vec<u8> {
    match event {
        Event::Mail(mail) => notification_line(event.method(), mail),
        Event::Renamed(new) => notification_line(event.method(), new),
        Event::Session(named) => notification_line(event.method(), named),
        Event::Released | Event::Closing => notification_line(event.method(), &super::request::Nothing {}),
    }
}

/// A line with a call.
pub fn call_line<T: Serialize + ?Sized>(id: &CallId, method: &str, params: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a, T: ?Sized> {
        jsonrpc: &'static str,
        id: &'a CallId,
        method: &'a str,
        params: &'a T,
    }
    line(&Line { jsonrpc: "2.0", id, method, params })
}

/// A line with a notification.
pub fn notification_line<T: Serialize + ?Sized>(method: &str, params: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a, T: ?Sized> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a T,
    }
    line(&Line { jsonrpc: "2.0", method, params })
}

fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut line = Vec::with_capacity(LINE_BYTES_USUAL);
    json::append(&mut line, value).expect("every type of the wire has string keys only");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_call_is_answered_with_its_id_if_it_has_one() {
        for (text, id, code) in [
            ("{", None, -32700),
            ("[]", None, -32600),
            ("7", None, -32600),
            (r#"{"id":1,"method":"check"}"#, Some(CallId::Number(1)), -32600),
            (r#"{"jsonrpc":"1.0","id":1,"method":"check"}"#, Some(CallId::Number(1)), -32600),
            (r#"{"jsonrpc":"2.0","id":1}"#, Some(CallId::Number(1)), -32600),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"check"}"#, None, -32600),
            (r#"{"jsonrpc":"2.0","id":[],"method":"check"}"#, None, -32600),
            (&"[".repeat(100_000), None, -32600),
            (&r#"{"a":"#.repeat(100_000), None, -32700),
        ] {
            let unreadable = Incoming::parse(text.as_bytes()).expect_err(text);
            assert_eq!((unreadable.id, unreadable.error.code), (id, code), "{}", &text[..text.len().min(60)]);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_somebody_reads_them() {
        let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"check\",\"params\":{\"from\":\"\xff\"}}";
        let unreadable = Incoming::parse(line).unwrap_err();
        assert_eq!((unreadable.id, unreadable.error.code), (None, -32700));
        assert_eq!(unreadable.error.message, "not JSON: invalid unicode code point at line 1 column 60");
        let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"check\",\"more\":\"\xff\"}";
        assert!(matches!(Incoming::parse(line), Ok(Incoming::Call { id: CallId::Number(1), .. })));
    }

    #[test]
    fn a_null_id_is_no_id_and_so_a_notification() {
        let line = br#"{"jsonrpc":"2.0","id":null,"method":"bye"}"#;
        assert!(
            matches!(Incoming::parse(line), Ok(Incoming::Notification { method, .. }) if method == "bye")
        );
    }

    #[test]
    fn a_refusal_survives_the_wire() {
        let refusal = Refusal::new(RefusalCode::MailboxFull, "`bob` has 100 unread messages").hint("wait");
        let line = answer_line::<()>(&CallId::Text("a".into()), &Err(refusal.clone()));
        let Some(FromDaemon::Answer { id, outcome }) = FromDaemon::parse(&line) else { panic!() };
        assert_eq!((id, outcome.unwrap_err()), (CallId::Text("a".into()), refusal));
    }
}
