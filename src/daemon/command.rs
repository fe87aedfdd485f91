//! What goes into the engine, and what comes out of it. Sessions and engine know each other by these alone.

use tokio::sync::mpsc::UnboundedSender;

use crate::broker::{Input, SessionId};
use crate::protocol::hello::Hello;
use crate::protocol::peer::Peer;
use crate::protocol::wire::CallId;
use crate::store::StoreError;

/// What a session's writer gets.
#[derive(Debug)]
pub enum Outgoing {
    /// The answer to a call, which is in flight until this line is written.
    Answer(CallId, Vec<u8>),
    Line(Vec<u8>),
    /// Nothing follows: write what is there and close.
    End,
}

/// Where a session's lines go. Unbounded as a channel, bounded by the calls in flight, each of which
/// has one answer of bounded size.
pub type Outbox = UnboundedSender<Outgoing>;

/// What the engine gets.
#[derive(Debug)]
pub enum Command {
    Open {
        session: SessionId,
        hello: Hello,
        peer: Peer,
        outbox: Outbox,
    },
    Input(Input),
    /// End in order: answer what was read, commit, close the store.
    Stop,
}

/// Why the engine ended.
#[derive(Debug)]
pub enum End {
    /// It was told to.
    Stopped,
    Failed(StoreError),
}

/// What the engine says while it runs.
#[derive(Debug)]
pub enum Notice {
    /// A person asked for the daemon to end.
    StopWanted,
    /// The engine has ended.
    Ended(End),
}

/// Sends commands to the engine. Unbounded as a channel: a session has so many calls in flight and no more,
/// and none of them reads on while a commit runs.
#[derive(Clone, Debug)]
pub struct EngineHandle(UnboundedSender<Command>);

impl EngineHandle {
    pub fn new(commands: UnboundedSender<Command>) -> EngineHandle {
        EngineHandle(commands)
    }

    /// False: the engine has ended, and the daemon is about to.
    pub fn tell(&self, command: Command) -> bool {
        self.0.send(command).is_ok()
    }
}
