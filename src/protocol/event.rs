//! What the daemon says unasked: JSON-RPC notifications from the daemon to a client.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::name::Name;

/// A push. It carries nothing that a peer controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Mail came for this session's instance, or was read.
    Mail(MailWaiting),
    /// This session's instance has another name now, and this session did not ask for it.
    Renamed(NewName),
    /// The agent's client calls its own session so: a hook of it said it.
    Session(ClientSession),
    /// This session lost its name to a person's `ipcd release`.
    Released,
    /// The daemon ends; what is unanswered may be repeated on a new connection.
    Closing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailWaiting {
    pub unread: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewName {
    pub name: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSession {
    pub session: String,
}

impl Event {
    pub fn method(&self) -> &'static str {
        match self {
            Event::Mail(_) => "mail",
            Event::Renamed(_) => "renamed",
            Event::Session(_) => "session",
            Event::Released => "released",
            Event::Closing => "closing",
        }
    }

    /// A push that this build knows; a newer daemon may know more, and they are not for us.
    pub fn decode(method: &str, params: Option<&RawValue>) -> Option<Event> {
        match method {
            "mail" => serde_json::from_str(params?.get()).ok().map(Event::Mail),
            "renamed" => serde_json::from_str(params?.get()).ok().map(Event::Renamed),
            "session" => serde_json::from_str(params?.get()).ok().map(Event::Session),
            "released" => Some(Event::Released),
            "closing" => Some(Event::Closing),
            _ => None,
        }
    }
}
