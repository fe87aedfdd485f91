//! Durable changes. A [`Mutation`] is one row put or dropped: the whole language between the broker
//! and a store. Recovery feeds the stored rows back as the same mutations.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::protocol::message::{Body, Data, MessageId, SharedSender};
use crate::protocol::name::{Name, NameKey};
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::Refusal;
use crate::protocol::response::DeadReason;
use crate::protocol::time::Timestamp;

/// Number of a mailbox: names come and go, the mailbox behind them stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailboxId(pub u64);

/// One durable change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    PutCounters(Counters),
    PutMailbox(MailboxId, Arc<MailboxRow>),
    DropMailbox(MailboxId),
    PutName(NameKey, NameRow),
    DropName(NameKey),
    PutMessage(Arc<MessageRow>),
    DropMessage(MessageId),
    PutDelivery(MailboxId, MessageId, DeliveryRow),
    DropDelivery(MailboxId, MessageId),
    PutKey(MailboxId, String, KeyRow),
    DropKey(MailboxId, String),
    PutReceipt(MailboxId, MessageId, ReceiptRow),
    DropReceipt(MailboxId, MessageId),
}

/// The numbers that go on, and what the store says of its own past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The last message's number.
    pub last_message: u64,
    /// The last mailbox's number.
    pub last_mailbox: u64,
    /// Messages up to this number may have been shown before an unclean end.
    pub repeat_until: u64,
    /// The last daemon ended in order; leases died with nothing unsaid.
    pub clean: bool,
    /// The latest wall-clock time that was seen.
    pub wall: Timestamp,
}

/// What a name points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRow {
    pub mailbox: MailboxId,
    /// `Some`: an old name, and when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxRow {
    /// The name that points here, as its holder spelled it.
    pub name: Name,
    /// `None`: nobody ever held the name; mail waits for whoever takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
    /// Mailboxes that were merged into this one, oldest first, so that replies to what they sent find
    /// it. At most [`MERGED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MailboxId>,
}

/// Mailboxes that a mailbox remembers to have taken in: an agent that comes and goes takes in one a
/// day, and nobody replies to older mail.
pub const MERGED_MAX: usize = 16;

/// Who holds a mailbox, or held it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name belongs to this process until it is gone. `None`: to nobody, or to a process that
    /// the daemon could not see, and then to its connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// The agent that the process is a front end of: what runs below it speaks for it. `None`: a
    /// shell that registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<ProcessId>,
    /// The name was picked by the daemon.
    pub auto: bool,
    /// It sent or got mail.
    pub used: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    pub since: Timestamp,
    pub last_seen: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_check: Option<AutoCheck>,
}

/// An instance's wish that its hooks look for mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoCheck {
    pub minutes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// A message, stored once however many mailboxes it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    pub id: MessageId,
    pub from: Name,
    /// `None`: the daemon itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_mailbox: Option<MailboxId>,
    pub sent_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Stored beside the rest, as it is (`store/rows.rs`).
    #[serde(skip)]
    pub content: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    pub hops: u32,
    /// When the conversation that this message continues began.
    pub chain_at: Timestamp,
    pub sender: SharedSender,
}

/// One message in one mailbox, as far as it is durable: ready, or dead. Leases are volatile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Leases that ended because a reader died.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// It may have been shown before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redelivered: bool,
    /// A person put it back from the dead letters: it expires no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requeued: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Dead>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dead {
    pub reason: DeadReason,
    pub at: Timestamp,
}

/// What a sender's key stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    pub at: Timestamp,
    /// Tells the message from another under the same key.
    pub digest: u64,
    pub outcomes: Vec<KeyOutcome>,
}

/// What became of one recipient of a keyed message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyOutcome {
    Sent { id: MessageId, mailbox: MailboxId, to: Name, forwarded_from: Option<Name> },
    Refused { to: String, refusal: Refusal },
}

/// What a mailbox remembers of a message that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_mailbox: Option<MailboxId>,
    pub thread: MessageId,
    pub hops: u32,
    pub chain_at: Timestamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl MessageRow {
    pub fn size(&self) -> usize {
        message_size(&self.content, self.summary.as_deref(), self.data.as_ref())
    }
}

/// Bytes that count against limits: content, summary and data as they were decoded.
pub fn message_size(content: &Body, summary: Option<&str>, data: Option<&Data>) -> usize {
    content.0.len() + summary.map_or(0, str::len) + data.map_or(0, |d| d.get().len())
}
