//! Passing a message on. What goes out is a message of the agent that passes it on, with the other one
//! whole in its `data`: what is said there of the first sender is the second one's word.

use serde_json::{Value, json};

use super::answer::to_value;
use super::call::Call;
use super::params::to_data;
use crate::protocol::message::{Data, MessageId, WholeFormat};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Check, Request};

/// Facts of a message that go along.
const FACTS: [&str; 5] = ["id", "from", "to", "sent_at", "summary"];

/// The message `id` as the data of another.
///
/// # Errors
/// `unknown_message`: this agent has no such message, or read it too long ago.
pub async fn data(call: &Call, id: MessageId) -> Result<Data, Refusal> {
    let known = call.session.recent(id).filter(|message| message["content"].is_string());
    let message = match known {
        Some(message) => message,
        None => whole(call, id).await?,
    };
    let mut data = json!({"type": "forwarded"});
    for fact in FACTS.into_iter().chain(["content", "data"]) {
        if let Some(value) = message.get(fact) {
            data[fact] = value.clone();
        }
    }
    Ok(to_data(&data))
}

/// Reads one that waits still, or is too large to have been shown, in pieces.
async fn whole(call: &Call, id: MessageId) -> Result<Value, Refusal> {
    let mut message = piece(call, id, 0).await?;
    let mut text = message["content"].as_str().unwrap_or_default().to_owned();
    let mut next = message["next_offset"].as_u64();
    while let Some(offset) = next {
        let more = piece(call, id, offset).await?;
        text.push_str(more["content"].as_str().unwrap_or_default());
        // A daemon that does not get on must not keep us here.
        next = more["next_offset"].as_u64().filter(|after| *after > offset);
    }
    // One that has data too travels as JSON of both.
    let both =
        (message["whole"] == json!(WholeFormat::Json)).then(|| serde_json::from_str::<Value>(&text).ok());
    match both.flatten() {
        Some(both) => {
            message["content"] = both["content"].clone();
            message["data"] = both["data"].clone();
        }
        None => message["content"] = json!(text),
    }
    Ok(message)
}

async fn piece(call: &Call, id: MessageId, offset: u64) -> Result<Value, Refusal> {
    let check = Check { id: Some(id), offset, ..Check::default() };
    let answer = call.ask(Request::Check(check)).await.map_err(|refusal| match refusal.code {
        RefusalCode::UnknownMessage => {
            refusal.hint("a message can be passed on soon after it was read; else copy it")
        }
        _ => refusal,
    })?;
    Ok(to_value(&answer)?["messages"][0].take())
}
