//! What the front end needs of the daemon: the seam between the tools and the client library.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::client::{Link, LinkConfig, Resumed};
use crate::protocol::event::Event;
use crate::protocol::hello::Hello;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Register, Request};

/// The daemon's answer to one call.
pub type Answer = Result<Box<RawValue>, Refusal>;

/// A boxed future.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The registration to make first on each new connection.
pub type Resume = Arc<dyn Fn() -> Option<Register> + Send + Sync>;

/// Makes a backend, once it is known who calls. It connects with its first call.
pub type Dial = Box<dyn Fn(Hello, Resume) -> Arc<dyn Backend> + Send + Sync>;

/// A daemon, however often it restarts.
pub trait Backend: Send + Sync {
    /// Queues a call at once, before any later one, and waits for its answer, across restarts. When `stop` fires the daemon is told to give up on it; the answer is then
    /// [`RefusalCode::Cancelled`], or the real one if it came first.
    fn call(&self, request: Request, stop: CancellationToken) -> Later<Answer>;

    /// Queues a call at once, before any later one; its answer is dropped, and so is the call when the
    /// connection ends.
    fn post(&self, request: Request);

    /// What the daemon pushes from now on.
    fn events(&self) -> broadcast::Receiver<Event>;

    /// What became of the last registration on a new connection; changes with each.
    fn resumed(&self) -> watch::Receiver<Resumed>;

    /// Says goodbye, after all that was queued.
    fn close(&self) -> Later<()>;
}

/// The parts of a [`LinkConfig`] that do not depend on who calls.
pub struct Dialing {
    pub socket: std::path::PathBuf,
    pub spawn_lock: std::path::PathBuf,
    /// Start a daemon when there is none.
    pub launch: bool,
    /// How long a call survives without a daemon.
    pub patience: std::time::Duration,
}

impl Dialing {
    pub fn dial(self) -> Dial {
        Box::new(move |hello, resume| {
            Arc::new(Linked(Link::new(LinkConfig {
                socket: self.socket.clone(),
                spawn_lock: self.spawn_lock.clone(),
                launch: self.launch,
                hello,
                resume,
                patience: self.patience,
            })))
        })
    }
}

struct Linked(Link);

impl Backend for Linked {
    fn call(&self, request: Request, stop: CancellationToken) -> Later<Answer> {
        Box::pin(self.0.call_until(request, stop.cancelled_owned()))
    }

    fn post(&self, request: Request) {
        self.0.post(request);
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events()
    }

    fn resumed(&self) -> watch::Receiver<Resumed> {
        self.0.resumed()
    }

    fn close(&self) -> Later<()> {
        let link = self.0.clone();
        Box::pin(async move { link.close().await })
    }
}

/// What a call that was given up on is answered with.
pub fn cancelled() -> Refusal {
    Refusal::new(RefusalCode::Cancelled, "the call was cancelled")
}
