//! One client's session: its name, its mail, its connection to the daemon.
//!
//! What always holds:
//! - Nothing here holds up the handshake: the daemon is dialled and the name is taken in the background.
//! - The ledger is asked and the daemon is told in one breath, so an `ack` for mail that a call settles
//!   is queued before that call's own request.
//! - After a daemon restart the session claims its name and the mail that is with it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use rmcp::model::RequestId;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::{Answer, Backend, Dial};
use super::book::{Book, lock};
use super::ledger::Stamp;
use super::program::Program;
use super::pushed::heed;
use super::ring::Ringers;
use super::stdio::Watch;
use super::waking::Waking;
use crate::protocol::message::MessageId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Leases, Register, Request};
use crate::protocol::response::{Registered, Renamed};

/// How long a tool call waits for the session's name. A daemon that starts takes less than a second.
const NAME_WAIT: Duration = Duration::from_secs(10);

/// How this session comes to its name.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The name that the user asked for; else one from the folder.
    pub wanted: Option<String>,
    /// Take no name before a `register`.
    pub manual: bool,
}

pub struct Session {
    naming: Naming,
    dial: Dial,
    backend: OnceLock<Arc<dyn Backend>>,
    program: OnceLock<Program>,
    book: Arc<Mutex<Book>>,
    /// One registration at a time; waiting for it is waiting for the name.
    registering: tokio::sync::Mutex<()>,
    waking: Arc<Waking>,
    /// Tells this session's keys from all others'.
    nonce: u64,
    sends: AtomicU64,
    ended: CancellationToken,
}

impl Session {
    /// A session that ends with `ended`.
    pub fn new(naming: Naming, dial: Dial, ringers: Ringers, ended: CancellationToken) -> Arc<Session> {
        Arc::new(Session {
            naming,
            dial,
            backend: OnceLock::new(),
            program: OnceLock::new(),
            book: Arc::new(Mutex::new(Book::new())),
            registering: tokio::sync::Mutex::new(()),
            waking: Arc::new(Waking::new(ringers)),
            nonce: RandomState::new().hash_one(std::process::id()),
            sends: AtomicU64::new(0),
            ended,
        })
    }

    /// Fires when no more calls come.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// The client's own name for itself, if it said one.
    pub fn client(&self) -> &str {
        self.program.get().and_then(|p| p.name.as_deref()).unwrap_or_default()
    }

    /// The handshake is done, or a call came without one: takes the name in the background. Only the
    /// first caller's `program` counts.
    pub fn start(self: &Arc<Session>, program: impl FnOnce() -> Program) {
        let mut first = false;
        self.program.get_or_init(|| {
            first = true;
            program()
        });
        if first {
            self.hang_bell();
        }
        if first && !self.naming.manual {
            let session = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(refusal) = session.take_name().await {
                    tracing::debug!(code = %refusal.code, "no name yet: {refusal}");
                }
            });
        }
    }

    /// From now on the agent is rung when mail comes.
    fn hang_bell(self: &Arc<Session>) {
        let session = Arc::clone(self);
        let tell = move |wakes| session.waking.say(session.dialled(), wakes);
        let ringing = self.waking.ring(self.client(), tell);
        let ended = self.ended.clone();
        tokio::spawn(async move { ended.run_until_cancelled(ringing).await });
    }

    /// The client named its own conversation in a call: that may be a way to ring it.
    pub fn thread(&self, thread: &str) {
        self.waking.thread(self.dialled(), thread);
    }

    /// The daemon's count of waiting messages, whenever it says one.
    pub fn counts(&self) -> watch::Receiver<u64> {
        self.waking.bell.counts()
    }

    /// The message of this number, if the agent was handed it of late.
    pub fn recent(&self, id: MessageId) -> Option<Value> {
        self.book().recent.find(id.0).cloned()
    }

    /// Messages that wait, by the daemon's last word.
    pub fn unread(&self) -> u64 {
        self.waking.bell.unread()
    }

    /// Waits until this session has a name, or says why it has none. With manual naming, or after a
    /// person took the name away, the daemon decides what a nameless session may do.
    pub async fn named(&self) -> Result<(), Refusal> {
        if self.naming.manual {
            return Ok(());
        }
        match tokio::time::timeout(NAME_WAIT, self.take_name()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(Refusal::new(RefusalCode::Retry, "the daemon has not given this session a name yet")
                    .hint("try again; `ipcd status` in a terminal tells what is wrong"))
            }
        }
    }

    /// Registers unless that is done. Tried again with each call, since a daemon may come and a name
    /// may become free.
    async fn take_name(&self) -> Result<(), Refusal> {
        let _turn = self.registering.lock().await;
        if !self.book().lacks_name() {
            return Ok(());
        }
        let name = self.naming.wanted.clone();
        self.register_in_turn(Register { name, ..Register::default() }).await.map(drop)
    }

    /// Registers under a name of the user's choice.
    pub async fn register(&self, name: String) -> Answer {
        let _turn = self.registering.lock().await;
        self.register_in_turn(Register { name: Some(name), ..Register::default() }).await
    }

    async fn register_in_turn(&self, request: Register) -> Answer {
        let auto = request.name.is_none();
        let answer = self.call(Request::Register(request), CancellationToken::new()).await?;
        match serde_json::from_str::<Registered>(answer.get()) {
            Ok(registered) => {
                self.waking.bell.registered(registered.unread);
                self.book().named(&registered.name, auto);
            }
            Err(error) => tracing::warn!(%error, "the daemon's answer to `register` makes no sense"),
        }
        Ok(answer)
    }

    /// The daemon does not know this session by any name. True if it should be told one again.
    pub fn unnamed(&self) -> bool {
        self.book().unnamed() && !self.naming.manual
    }

    /// Keeps the name that a rename gave.
    pub fn renamed(&self, answer: &RawValue) {
        if let Ok(renamed) = serde_json::from_str::<Renamed>(answer.get()) {
            self.book().named(&renamed.name, false);
        }
    }

    /// A key for a message whose sender gave none: a call that is repeated after a daemon restart is
    /// then stored once.
    pub fn next_key(&self) -> String {
        format!("mcp-{:016x}-{}", self.nonce, self.sends.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a call; see [`Backend::call`].
    pub fn call(&self, request: Request, stop: CancellationToken) -> super::backend::Later<Answer> {
        self.backend().call(request, stop)
    }

    /// Queues a call; see [`Backend::post`].
    pub fn post(&self, request: Request) {
        self.backend().post(request);
    }

    /// The daemon leased these to the call `id`; `left` wait still.
    pub fn leased(&self, id: &RequestId, messages: &[Value], left: u64) {
        if !messages.is_empty() {
            self.waking.bell.read(left);
        }
        let mut book = self.book();
        messages.iter().for_each(|message| book.recent.keep(message));
        let ids = messages.iter().filter_map(|message| message["id"].as_u64()).map(MessageId).collect();
        let back = book.ledger.leased(id, ids);
        self.give_back(back);
    }

    /// The caller read these, by its own word.
    pub fn ack(&self, ids: Vec<MessageId>) {
        let mut book = self.book();
        book.ledger.acked(&ids);
        self.settle(ids);
    }

    /// The caller read all it was shown.
    pub fn ack_all(&self) {
        let mut book = self.book();
        let ids = book.ledger.acked_all();
        self.settle(ids);
    }

    /// The answer to the call `id` settles itself when it is flushed.
    pub fn settle_on_flush(&self, id: &RequestId) {
        self.book().ledger.settle_on_flush(id);
    }

    /// Says goodbye to the daemon, if it was ever dialled.
    pub async fn close(&self) {
        if let Some(backend) = self.backend.get() {
            backend.close().await;
        }
    }

    /// Tells the daemon, and goes on claiming the mail until it knows.
    fn settle(&self, ids: Vec<MessageId>) {
        if ids.is_empty() {
            return;
        }
        let answer = self.call(Request::Ack(Leases { ids: Some(ids.clone()) }), CancellationToken::new());
        let book = Arc::clone(&self.book);
        tokio::spawn(async move {
            match answer.await {
                Ok(_) => lock(&book).ledger.confirmed(&ids),
                Err(refusal) => {
                    tracing::debug!(code = %refusal.code, "mail that was read is not settled yet: {refusal}");
                    lock(&book).ledger.unconfirmed(&ids);
                }
            }
        });
    }

    fn give_back(&self, ids: Vec<MessageId>) {
        if !ids.is_empty() {
            self.post(Request::Nack(Leases { ids: Some(ids) }));
        }
    }

    fn backend(&self) -> &Arc<dyn Backend> {
        self.backend.get_or_init(|| {
            let program = self.program.get().cloned().unwrap_or_default();
            let book = Arc::clone(&self.book);
            let resume = Arc::new(move || lock(&book).resume());
            let backend = (self.dial)(program.hello(self.waking.in_hello()), resume);
            let heeding = heed(Arc::clone(&backend), Arc::clone(&self.book), Arc::clone(&self.waking));
            let ended = self.ended.clone();
            tokio::spawn(async move { ended.run_until_cancelled(heeding).await });
            backend
        })
    }

    /// The daemon, unless nothing was to be said to it yet.
    fn dialled(&self) -> Option<&dyn Backend> {
        self.backend.get().map(|backend| &**backend)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }
}

impl Watch for Session {
    fn stamp(&self) -> Stamp {
        self.book().ledger.stamp()
    }

    fn call_read(&self, id: &RequestId, began: Stamp) {
        let mut book = self.book();
        let settled = book.ledger.call_read(id.clone(), began);
        self.settle(settled);
    }

    fn cancelled(&self, id: &RequestId) {
        let mut book = self.book();
        let back = book.ledger.dropped(id);
        self.give_back(back);
    }

    fn flushed(&self, id: &RequestId) {
        let mut book = self.book();
        let settled = book.ledger.flushed(id);
        self.settle(settled);
    }

    fn lost(&self, id: &RequestId) {
        self.cancelled(id);
    }

    fn broken(&self) {
        self.ended.cancel();
    }
}
