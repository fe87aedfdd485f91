//! A connection to the daemon that outlives daemons.
//!
//! What always holds: a call is answered, refused or cancelled, and never silently lost; calls reach
//! each daemon in the order in which they were made; a client starts a daemon only for a call that
//! waits for one. Repeating calls is safe: each is idempotent by its key or by its nature.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

mod connection;
mod handover;
mod launch;
mod line;
mod link;
mod pending;
mod service;
#[cfg(all(test, unix))]
mod tests;

use crate::protocol::LINE_BYTES_MAX;
use crate::protocol::event::Event;
use crate::protocol::hello::Hello;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Register, Request};
use crate::protocol::response::Registered;
use launch::Starter;
use line::Line;
use link::{Caller, Command, Driver, Outcome};

/// Calls of one client that are not answered. More than a host makes; a loop is stopped here.
const CALLS_MAX: usize = 1024;

/// Pushes that a slow listener can catch up with. They count mail; a lost one is made up by the next.
const EVENTS_KEPT: usize = 64;

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
    /// How long a call survives without a daemon. Zero: one try.
    pub patience: Duration,
}

/// Cheap to clone; all clones share one connection. It ends when all are gone.
#[derive(Clone)]
pub struct Link {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

struct Shared {
    /// The number of the next call; hello is 0.
    next_id: AtomicI64,
    room: Arc<Semaphore>,
    /// Until the first call.
    idle: std::sync::Mutex<Option<Driver>>,
    events: broadcast::Sender<Event>,
    resumed: watch::Receiver<Resumed>,
}

/// What became of the last registration that was made with a new connection.
pub type Resumed = Option<Result<Registered, Refusal>>;

impl Link {
    /// Does nothing yet: the first call connects.
    pub fn new(config: LinkConfig) -> Link {
        Link::with_starter(config, Starter::this_program().ok())
    }

    fn with_starter(config: LinkConfig, starter: Option<Starter>) -> Link {
        let (commands, queue) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let (resumed, watched) = watch::channel(None);
        let driver = Driver::new(config, starter, queue, events.clone(), resumed);
        let shared = Shared {
            next_id: AtomicI64::new(1),
            room: Arc::new(Semaphore::new(CALLS_MAX)),
            idle: std::sync::Mutex::new(Some(driver)),
            events,
            resumed: watched,
        };
        Link { commands, shared: Arc::new(shared) }
    }

    /// Makes a call and waits for its answer, across daemon restarts. Dropping the future cancels it.
    pub async fn call(&self, request: Request) -> Result<Box<RawValue>, Refusal> {
        let (answer, receiver) = oneshot::channel();
        let id = self.queue(&request, Some(answer))?;
        let call = OpenCall { id, answer: receiver, commands: &self.commands };
        call.await
    }

    /// [`Link::call`] that is queued at once, before any later one, and given up on when `stop` ends. What
    /// the daemon says then is still waited for: [`RefusalCode::Cancelled`], or the answer that was on its
    /// way, with the mail that it hands out.
    pub fn call_until<S: Future<Output = ()>>(
        &self,
        request: Request,
        stop: S,
    ) -> impl Future<Output = Result<Box<RawValue>, Refusal>> + use<S> {
        let (answer, receiver) = oneshot::channel();
        let queued = self.queue(&request, Some(answer));
        let commands = self.commands.clone();
        async move {
            let id = queued?;
            let mut call = OpenCall { id, answer: receiver, commands: &commands };
            tokio::select! {
                biased;
                outcome = &mut call => return outcome,
                () = stop => {}
            }
            let _ = commands.send(Command::Cancel(id));
            (&mut call.answer)
                .await
                .unwrap_or_else(|_| Err(Refusal::new(RefusalCode::Cancelled, "the call was cancelled")))
        }
    }

    /// [`Link::call`] with its answer decoded.
    pub async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, Refusal> {
        let method = request.method();
        let answer = self.call(request).await?;
        serde_json::from_str(answer.get()).map_err(|e| {
            Refusal::new(
                RefusalCode::UnsupportedProtocol,
                format!("the daemon's answer to `{method}` cannot be read: {e}"),
            )
            .hint("run `ipcd stop`, then try again: the next daemon is the one that is installed now")
        })
    }

    /// Queues a call at once and drops its answer; order with later calls is kept. It is sent once: lost
    /// with its connection, and given up where no daemon is. It starts none.
    pub fn post(&self, request: Request) {
        if let Err(refusal) = self.queue(&request, None) {
            tracing::warn!(method = request.method(), %refusal, "a call was dropped");
        }
    }

    /// What the daemon pushes from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.shared.events.subscribe()
    }

    /// What became of the last registration on a new connection; changes with each.
    pub fn resumed(&self) -> watch::Receiver<Resumed> {
        self.shared.resumed.clone()
    }

    /// Says that this client ends in order, after all that was queued is written.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        let started = self.shared.idle.lock().expect("no holder panics").is_none();
        if started && self.commands.send(Command::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }

    fn queue(&self, request: &Request, answer: Option<oneshot::Sender<Outcome>>) -> Result<i64, Refusal> {
        let busy = |_| {
            Refusal::new(RefusalCode::Busy, format!("{CALLS_MAX} calls wait for their answers"))
                .hint("wait for some of them")
        };
        let permit = Arc::clone(&self.shared.room).try_acquire_owned().map_err(busy)?;
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let line = Line::of(id, request);
        let bytes = line.at(Instant::now()).len();
        if bytes > LINE_BYTES_MAX {
            let message = format!("a call of {bytes} bytes, and at most {LINE_BYTES_MAX} are taken");
            return Err(
                Refusal::new(RefusalCode::TooLarge, message).hint("send it in parts, or a file's path")
            );
        }
        if let Some(driver) = self.shared.idle.lock().expect("no holder panics").take() {
            tokio::spawn(driver.run());
        }
        let caller = Caller::new(answer, permit);
        self.commands.send(Command::Call { id, line, caller }).map_err(|_| closed())?;
        Ok(id)
    }
}

/// A call that cancels itself when it is dropped without an answer.
struct OpenCall<'a> {
    id: i64,
    answer: oneshot::Receiver<Outcome>,
    commands: &'a mpsc::UnboundedSender<Command>,
}

impl Future for OpenCall<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(closed())))
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if !self.answer.is_terminated() {
            let _ = self.commands.send(Command::Cancel(self.id));
        }
    }
}

fn closed() -> Refusal {
    Refusal::new(RefusalCode::Retry, "this client has said goodbye to the daemon").hint("make the call anew")
}
