//! One client's session: its name, its mail, its connection to the daemon.
//!
//! What always holds:
//! - Nothing here holds up the handshake: the daemon is dialled and the name is taken in the background.
//! - The ledger is asked and the daemon is told in one breath, so an `ack` for mail that a call settles
//!   is queued before that call's own request.
//! - After a daemon restart the session claims its name and the mail that is with it.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rmcp::model::RequestId;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::backend::{Answer, Backend, Dial};
use super::ledger::{Ledger, Stamp};
use super::stdio::Watch;
use crate::protocol::event::Event;
use crate::protocol::hello::{Hello, Role, claim};
use crate::protocol::message::MessageId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Leases, Register, Request};
use crate::protocol::response::{Registered, Renamed};
use crate::release;

/// How long a tool call waits for the session's name. A daemon that starts takes less than a second.
const NAME_WAIT: Duration = Duration::from_secs(10);

/// Environment variables in which clients tell their own session, with the clients' names.
const SESSION_VARIABLES: [&str; 4] =
    ["CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID", "GEMINI_SESSION_ID", "OPENCODE_PID"];

/// How this session comes to its name.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// The name that the user asked for; else one from the folder.
    pub wanted: Option<String>,
    /// Take no name before a `register`.
    pub manual: bool,
}

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// `claude-code`. Without its version: an update is still the same client, and resumes its name.
    pub name: Option<String>,
    /// Its own session or thread, when it says so in the protocol.
    pub session: Option<String>,
}

pub struct Session {
    naming: Naming,
    dial: Dial,
    backend: OnceLock<Arc<dyn Backend>>,
    program: OnceLock<Program>,
    book: Arc<Mutex<Book>>,
    /// One registration at a time; waiting for it is waiting for the name.
    registering: tokio::sync::Mutex<()>,
    /// Tells this session's keys from all others'.
    nonce: u64,
    sends: AtomicU64,
    ended: CancellationToken,
}

/// What a reconnect has to know.
struct Book {
    ledger: Ledger<RequestId>,
    name: Option<Named>,
    /// A person took the name away: it is not taken again unasked.
    released: bool,
}

struct Named {
    name: String,
    auto: bool,
}

impl Session {
    /// A session that ends with `ended`.
    pub fn new(naming: Naming, dial: Dial, ended: CancellationToken) -> Arc<Session> {
        Arc::new(Session {
            naming,
            dial,
            backend: OnceLock::new(),
            program: OnceLock::new(),
            book: Arc::new(Mutex::new(Book { ledger: Ledger::new(), name: None, released: false })),
            registering: tokio::sync::Mutex::new(()),
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
        if first && !self.naming.manual {
            let session = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(refusal) = session.take_name().await {
                    tracing::debug!(code = %refusal.code, "no name yet: {refusal}");
                }
            });
        }
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
        {
            let book = self.book();
            if book.name.is_some() || book.released {
                return Ok(());
            }
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
                let mut book = self.book();
                book.name = Some(Named { name: registered.name.to_string(), auto });
                book.released = false;
            }
            Err(error) => tracing::warn!(%error, "the daemon's answer to `register` makes no sense"),
        }
        Ok(answer)
    }

    /// The daemon does not know this session by any name. True if it should be told one again.
    pub fn unnamed(&self) -> bool {
        let mut book = self.book();
        book.name.take().is_some() && !self.naming.manual
    }

    /// Keeps the name that a rename gave.
    pub fn renamed(&self, answer: &Value) {
        if let Ok(renamed) = serde_json::from_value::<Renamed>(answer.clone()) {
            self.book().name = Some(Named { name: renamed.name.to_string(), auto: false });
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

    /// The daemon leased these to the call `id`.
    pub fn leased(&self, id: &RequestId, ids: Vec<MessageId>) {
        let mut book = self.book();
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
            let book = Arc::clone(&self.book);
            let backend = (self.dial)(self.hello(), Arc::new(move || resume(&book)));
            tokio::spawn(heed(backend.events(), Arc::clone(&self.book), self.ended.clone()));
            backend
        })
    }

    fn hello(&self) -> Hello {
        let program = self.program.get().cloned().unwrap_or_default();
        let session = program.session.or_else(|| {
            SESSION_VARIABLES.iter().find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
        });
        Hello {
            protocol: release::protocol(),
            role: Role::Mcp,
            client: release::program(),
            program: program.name.as_deref().map(claim),
            program_session: session.as_deref().map(claim),
            speak_as: None,
        }
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

/// What a new connection is told first: nothing, as long as there is no name to resume.
fn resume(book: &Mutex<Book>) -> Option<Register> {
    let book = lock(book);
    let named = book.name.as_ref()?;
    Some(Register { name: Some(named.name.clone()), auto: named.auto, held: book.ledger.held() })
}

/// Listens for a person who takes the name away, and for whoever changes it.
async fn heed(
    mut events: tokio::sync::broadcast::Receiver<Event>,
    book: Arc<Mutex<Book>>,
    ended: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = ended.cancelled() => return,
        };
        match event {
            Ok(Event::Renamed(new)) => {
                lock(&book).name = Some(Named { name: new.name.to_string(), auto: false });
            }
            Ok(Event::Released) => {
                let mut book = lock(&book);
                book.name = None;
                book.released = true;
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    // No invariant of the book spans a panic: each change to it is one call.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}
