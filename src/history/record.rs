//! One line of the history: a form of its own, so that the store and the wire can change without it.

use serde::{Deserialize, Serialize};

use crate::protocol::message::{Body, Data, MessageId, SharedSender};
use crate::protocol::name::Name;
use crate::protocol::time::Timestamp;

/// How one delivery ended. Fields are added as optional ones, none is renamed or removed: old files
/// stay readable, and scripts read them too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// When it ended.
    pub at: Timestamp,
    pub id: MessageId,
    pub from: Name,
    pub to: Name,
    pub sent_at: Timestamp,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    pub content: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<MessageId>,
    pub sender: SharedSender,
}

/// What became of a message in one mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its reader settled it.
    Read,
    /// Nobody read it in time, and it was not kept as a dead letter.
    Expired,
    /// A dead letter that made room for newer ones.
    Dead,
    /// A person removed it.
    Purged,
    /// Something that a later ipcd knows.
    #[serde(other)]
    Other,
}
