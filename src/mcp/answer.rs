//! An answer in its two forms: as the text that the daemon wrote, which a tool mostly hands on as it is, and
//! taken apart, where something in it is looked at or changed.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::protocol::refusal::{Refusal, RefusalCode};

/// Takes an answer apart.
pub fn to_value(answer: &RawValue) -> Result<Value, Refusal> {
    serde_json::from_str(answer.get()).map_err(|error| {
        Refusal::new(RefusalCode::Retry, format!("the daemon's answer makes no sense: {error}"))
            .hint("`ipcd status` tells whether the daemon is of another version")
    })
}

/// An answer of our own making.
pub fn to_json(answer: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(answer).expect("a value has string keys only")
}
