//! A connection to the daemon that outlives daemons.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::protocol::event::Event;
use crate::protocol::hello::Hello;
use crate::protocol::refusal::Refusal;
use crate::protocol::request::{Register, Request};

/// What a [`Link`] needs to know.
pub struct LinkConfig {
    pub socket: PathBuf,
    /// Serialises the starting of daemons.
    pub spawn_lock: PathBuf,
    /// Start a daemon when there is none.
    pub launch: bool,
    pub hello: Hello,
    /// The registration to make first on each new connection, before any call.
    pub resume: Arc<dyn Fn() -> Option<Register> + Send + Sync>,
    /// How long a call survives without a daemon.
    pub patience: Duration,
}

/// Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Link {}

impl Link {
    /// Does nothing yet: the first call connects.
    pub fn new(_config: LinkConfig) -> Link {
        todo!()
    }

    /// Makes a call and waits for its answer, across daemon restarts. Dropping the future cancels it.
    pub async fn call(&self, _request: Request) -> Result<Box<RawValue>, Refusal> {
        todo!()
    }

    /// [`Link::call`] with its answer decoded.
    pub async fn ask<T: DeserializeOwned>(&self, _request: Request) -> Result<T, Refusal> {
        todo!()
    }

    /// Queues a call at once and drops its answer; order with later calls is kept. Lost with the connection.
    pub fn post(&self, _request: Request) {
        todo!()
    }

    /// What the daemon pushes from now on.
    pub fn events(&self) -> tokio::sync::broadcast::Receiver<Event> {
        todo!()
    }

    /// Says that this client ends in order, after all that was queued is written.
    pub async fn close(&self) {
        todo!()
    }
}
