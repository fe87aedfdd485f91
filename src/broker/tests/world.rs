//! A broker with all that it needs around it: clocks that the test moves, processes that the test
//! ends, and a store that is a map of rows.
//!
//! After every step the rows alone give the live state again, and the broker's invariants hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::invariants;
use crate::broker::limits::Limits;
use crate::broker::mutation::{MailboxId, Mutation};
use crate::broker::state::State;
use crate::broker::{Broker, Effect, Input, SessionId, Step};
use crate::protocol::hello::{Hello, Role, VersionRange};
use crate::protocol::message::MessageId;
use crate::protocol::name::NameKey;
use crate::protocol::peer::{Ancestor, Peer, ProcessId};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::protocol::response::Wakes;
use crate::protocol::time::{Now, Tick, Timestamp};
use crate::protocol::wire::CallId;

/// 2026-01-01T00:00:00Z, where every world begins.
pub const BEGINNING: u64 = 1_767_225_600_000;

pub struct World {
    pub broker: Broker,
    pub now: Now,
    pub actors: BTreeMap<String, Actor>,
    limits: Limits,
    rows: Rows,
    /// Processes by what the test calls them, and their pids while they live.
    processes: BTreeMap<String, u32>,
    last_pid: u32,
    last_session: u64,
    last_call: i64,
    /// The store fails the next call that changes anything.
    pub fail_next: bool,
    /// Calls that have no answer yet.
    pending: BTreeMap<CallId, SessionId>,
}

/// A client as the test describes it; its session comes and goes.
#[derive(Clone, Debug)]
pub struct Actor {
    pub role: Role,
    pub session: Option<SessionId>,
    pub client: String,
    pub client_session: Option<String>,
    pub cwd: String,
    pub speak_as: Option<String>,
    pub wakes: Option<Wakes>,
    /// Processes above it, nearest first; `~` before one says that it is a wrapper.
    pub above: Vec<String>,
    /// The terminal that it and those above it run in.
    pub terminal: Option<u32>,
    /// The daemon cannot see its process.
    pub invisible: bool,
}

/// What a store would hold, by row. The order of the keys is the order of recovery.
#[derive(Default)]
struct Rows(BTreeMap<RowKey, Mutation>);

/// The row that a mutation puts or drops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RowKey {
    Counters,
    Mailbox(MailboxId),
    Name(NameKey),
    Message(MessageId),
    Delivery(MailboxId, MessageId),
    Key(MailboxId, String),
    Receipt(MailboxId, MessageId),
}

impl Rows {
    fn apply(&mut self, mutation: &Mutation) {
        use Mutation as M;
        let key = match mutation {
            M::PutCounters(_) => RowKey::Counters,
            M::PutMailbox(id, _) | M::DropMailbox(id) => RowKey::Mailbox(*id),
            M::PutName(key, _) | M::DropName(key) => RowKey::Name(key.clone()),
            M::PutMessage(row) => RowKey::Message(row.id),
            M::DropMessage(id) => RowKey::Message(*id),
            M::PutDelivery(mailbox, id, _) | M::DropDelivery(mailbox, id) => RowKey::Delivery(*mailbox, *id),
            M::PutKey(mailbox, key, _) | M::DropKey(mailbox, key) => RowKey::Key(*mailbox, key.clone()),
            M::PutReceipt(mailbox, id, _) | M::DropReceipt(mailbox, id) => RowKey::Receipt(*mailbox, *id),
        };
        match mutation {
            M::DropMailbox(_)
            | M::DropName(_)
            | M::DropMessage(_)
            | M::DropDelivery(..)
            | M::DropKey(..)
            | M::DropReceipt(..) => {
                self.0.remove(&key);
            }
            _ => {
                self.0.insert(key, mutation.clone());
            }
        }
    }

    fn in_order(&self) -> Vec<Mutation> {
        self.0.values().cloned().collect()
    }
}

impl Actor {
    pub fn new(role: Role, label: &str) -> Actor {
        Actor {
            role,
            session: None,
            client: "claude-code".to_owned(),
            client_session: None,
            cwd: format!("/w/{label}"),
            speak_as: None,
            wakes: None,
            above: vec![format!("{label}'s host")],
            terminal: None,
            invisible: false,
        }
    }
}

impl World {
    pub fn new(limits: Limits) -> World {
        let now = Now { wall: Timestamp(BEGINNING), tick: Tick(0) };
        let mut world = World {
            broker: Broker::recover(limits.clone(), &[], now).expect("no rows, no contradiction"),
            now,
            actors: BTreeMap::new(),
            limits,
            rows: Rows::default(),
            processes: BTreeMap::new(),
            last_pid: 0,
            last_session: 0,
            last_call: 0,
            fail_next: false,
            pending: BTreeMap::new(),
        };
        world.finish_step();
        world
    }

    pub fn open(&mut self, label: &str) -> Vec<Effect> {
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let actor = self.actors.get(label).expect("described before it opens").clone();
        let above: Vec<Ancestor> = actor
            .above
            .iter()
            .map(|name| Ancestor {
                process: self.process(name.trim_start_matches('~')),
                wrapper: name.starts_with('~'),
                session: actor.terminal,
            })
            .collect();
        let process = (!actor.invisible).then(|| self.process(label));
        let hello = Hello {
            protocol: VersionRange { min: 1, max: 1 },
            role: actor.role,
            client: "ipcd/0.1.0".to_owned(),
            program: Some(actor.client.clone()),
            program_session: actor.client_session.clone(),
            speak_as: actor.speak_as.clone(),
            wakes: actor.wakes,
        };
        let peer = Peer {
            process,
            cwd: Some(actor.cwd.clone()),
            interactive: actor.role == Role::Cli,
            session: actor.terminal,
            ancestors: above,
            ..Peer::default()
        };
        self.actors.get_mut(label).expect("seen above").session = Some(session);
        self.input(Input::Opened { session, hello, peer })
    }

    /// Makes a call; its answer, if it comes at once, is among the effects.
    pub fn call(&mut self, label: &str, request: Request) -> (CallId, Vec<Effect>) {
        self.last_call += 1;
        let (session, call) = (self.session(label), CallId::Number(self.last_call));
        self.pending.insert(call.clone(), session);
        self.broker.handle(self.now, Input::Call { session, call: call.clone(), request });
        let step = if std::mem::take(&mut self.fail_next) { self.fail_step() } else { self.broker.drain() };
        (call, self.store(step))
    }

    /// Cancels the oldest call of `label` that has no answer.
    pub fn cancel(&mut self, label: &str) -> Vec<Effect> {
        let session = self.session(label);
        let call = self.pending.iter().find(|(_, s)| **s == session).map(|(call, _)| call.clone());
        let call = call.unwrap_or(CallId::Number(-1));
        self.input(Input::Cancelled { session, call })
    }

    /// Whether this call has no answer yet.
    pub fn waits(&self, call: &CallId) -> bool {
        self.pending.contains_key(call)
    }

    /// The connection ends. Calls that were waiting need no answer any more.
    pub fn close(&mut self, label: &str, polite: bool) -> Vec<Effect> {
        let session = self.session(label);
        self.actors.get_mut(label).expect("it has a session").session = None;
        self.pending.retain(|_, s| *s != session);
        let effects = self.input(Input::Closed { session, polite });
        assert!(effects.iter().all(|e| !concerns(e, session)), "something for a session that is gone");
        effects
    }

    /// The process ends, and with it its connection if it had one.
    pub fn die(&mut self, label: &str) -> Vec<Effect> {
        self.processes.remove(label);
        let mut effects = Vec::new();
        if self.actors.get(label).is_some_and(|a| a.session.is_some()) {
            effects = self.close(label, false);
        }
        effects.extend(self.report_departed());
        effects
    }

    /// Moves both clocks.
    pub fn pass(&mut self, span: Duration) -> Vec<Effect> {
        self.now = Now { wall: self.now.wall.plus(span), tick: self.now.tick.plus(span) };
        self.broker.tick(self.now);
        self.finish_step()
    }

    /// Moves the wall clock alone, forwards or backwards.
    pub fn jump_to(&mut self, wall: Timestamp) -> Vec<Effect> {
        self.now.wall = wall;
        self.broker.tick(self.now);
        self.finish_step()
    }

    pub fn stop(&mut self) -> Vec<Effect> {
        let effects = self.input(Input::Stopping);
        assert!(self.pending.is_empty(), "a stop answers what waits: {:?}", self.pending);
        effects
    }

    /// The next daemon takes up the rows that the last one left; clients are not connected yet, and
    /// the steady clock begins again.
    pub fn start_again(&mut self) -> Vec<Effect> {
        self.pending.clear();
        self.actors.values_mut().for_each(|actor| actor.session = None);
        self.now.tick = Tick(0);
        let rows = self.rows.in_order();
        self.broker = Broker::recover(self.limits.clone(), &rows, self.now).expect("what it wrote itself");
        let mut effects = self.finish_step();
        effects.extend(self.report_departed());
        effects
    }

    /// The wall clock as the broker lets it be seen.
    pub fn wall(&self) -> Timestamp {
        self.broker.wall()
    }

    /// A process by what the test calls it; it starts when it is first named.
    fn process(&mut self, label: &str) -> ProcessId {
        let pid = *self.processes.entry(label.to_owned()).or_insert_with(|| {
            self.last_pid += 1;
            self.last_pid
        });
        process_id(pid)
    }

    fn session(&self, label: &str) -> SessionId {
        let session = self.actors.get(label).and_then(|actor| actor.session);
        session.unwrap_or_else(|| panic!("{label} is not connected"))
    }

    /// What the daemon does when it is in doubt: asks the kernel, reports what is gone.
    fn report_departed(&mut self) -> Vec<Effect> {
        let alive: BTreeSet<ProcessId> = self.processes.values().map(|pid| process_id(*pid)).collect();
        let gone = self.broker.doubtful_all().into_iter().filter(|(_, process)| !alive.contains(process));
        let gone: Vec<(MailboxId, ProcessId)> = gone.collect();
        gone.into_iter()
            .flat_map(|(mailbox, process)| self.input(Input::Departed(mailbox, process)))
            .collect()
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        self.broker.handle(self.now, input);
        self.finish_step()
    }

    /// Stores the step, and looks whether all that always holds still does.
    fn finish_step(&mut self) -> Vec<Effect> {
        let step = self.broker.drain();
        self.store(step)
    }

    /// The store refuses the step; what the broker makes of it.
    pub fn fail_step(&mut self) -> Step {
        let failed = self.broker.drain();
        if failed.mutations.is_empty() {
            return failed;
        }
        let refusal = Refusal::new(RefusalCode::StoreFailed, "a scripted failure");
        self.broker.roll_back(&self.rows.in_order(), failed, &refusal, self.now).expect("its own rows");
        let step = self.broker.drain();
        assert!(step.mutations.is_empty(), "{:?}", step.mutations);
        step
    }

    fn store(&mut self, step: Step) -> Vec<Effect> {
        step.mutations.iter().for_each(|mutation| self.rows.apply(mutation));
        for effect in &step.effects {
            let (Effect::Reply { session, call, .. } | Effect::ReadCopy { session, call, .. }) = effect
            else {
                continue;
            };
            assert_eq!(self.pending.remove(call), Some(*session), "a second answer, or one to nobody");
        }
        let recovered = State::recover(&self.rows.in_order()).expect("the rows agree with each other");
        assert_eq!(recovered, self.broker.state, "what is stored is not what is live");
        invariants::check(&self.broker);
        self.broker.confirm();
        step.effects
    }
}

fn process_id(pid: u32) -> ProcessId {
    ProcessId { pid, start: u64::from(pid) * 10, boot: "boot".to_owned() }
}

fn concerns(effect: &Effect, session: SessionId) -> bool {
    match effect {
        Effect::Reply { session: s, .. }
        | Effect::ReadCopy { session: s, .. }
        | Effect::Push { session: s, .. } => *s == session,
        Effect::Ended(_) | Effect::Stop => false,
    }
}
