//! What goes into the broker and what comes out of it.

use std::sync::Arc;

use super::mutation::{MailboxId, MessageRow, Mutation};
use crate::protocol::event::Event;
use crate::protocol::hello::Hello;
use crate::protocol::message::{Mail, MessageId, WholeFormat};
use crate::protocol::name::Name;
use crate::protocol::peer::{Peer, ProcessId};
use crate::protocol::refusal::Refusal;
use crate::protocol::request::Request;
use crate::protocol::response::Response;
use crate::protocol::time::Timestamp;
use crate::protocol::wire::CallId;

/// Number of one live connection, given by the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    Opened {
        session: SessionId,
        hello: Hello,
        peer: Peer,
    },
    Call {
        session: SessionId,
        call: CallId,
        request: Request,
    },
    /// The caller wants no answer any more.
    Cancelled {
        session: SessionId,
        call: CallId,
    },
    /// `polite`: the client said that it ends, and so did not die with mail in its hands.
    Closed {
        session: SessionId,
        polite: bool,
    },
    /// The process that held this mailbox's name is gone (see [`Broker::doubtful`](super::Broker::doubtful)).
    Departed(MailboxId, ProcessId),
    /// The daemon ends in order: nothing is handed out or taken in after this.
    Stopping,
}

/// Something to do outside, once the step's mutations are durable.
#[derive(Debug)]
pub enum Effect {
    Reply {
        session: SessionId,
        call: CallId,
        outcome: Result<Response, Refusal>,
        copies: Vec<Copy>,
    },
    /// Answer with a piece of a message that is read already, from its copy.
    ReadCopy {
        session: SessionId,
        call: CallId,
        mailbox: MailboxId,
        id: MessageId,
        offset: u64,
        unread: u64,
    },
    Push {
        session: SessionId,
        event: Event,
    },
    /// A delivery ended; the history may know.
    Ended(Ended),
    /// A person asked the daemon to end.
    Stop,
}

/// A message that is too large for its answer: a private copy is made before the answer goes out,
/// and the answer's `path` is filled in.
#[derive(Clone, Debug)]
pub struct Copy {
    pub mailbox: MailboxId,
    pub format: WholeFormat,
    pub message: Arc<MessageRow>,
    /// The message without its content, as the answer shows it.
    pub header: Mail,
}

/// How a delivery ended, for the history.
#[derive(Clone, Debug)]
pub struct Ended {
    pub at: Timestamp,
    pub to: Name,
    pub message: Arc<MessageRow>,
    pub how: EndedHow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedHow {
    Read,
    /// A dead letter that a person purged.
    Purged,
    /// A dead letter that made room for a younger one.
    MadeRoom,
}

/// All mail of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub messages: usize,
    /// Bytes of contents, summaries and data.
    pub bytes: usize,
}

/// What a run of inputs came to.
#[derive(Debug, Default)]
pub struct Step {
    pub mutations: Vec<Mutation>,
    pub effects: Vec<Effect>,
}
