//! One machine: a disk, two clocks, processes, and the daemon that runs on it or does not.
//!
//! What always holds: a store that was opened again holds what the last commit that answered left, or
//! that and the one commit that was under way, as a whole.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::broker::limits::Limits;
use crate::broker::mutation::Mutation;
use crate::broker::{Broker, Input, SessionId};
use crate::daemon::alarm::Alarm;
use crate::daemon::archive::Archive;
use crate::daemon::clerk::Clerk;
use crate::daemon::clock::Clock;
use crate::daemon::command::Command;
use crate::daemon::engine::{Engine, Running};
use crate::daemon::program::Program;
use crate::paths::{Account, Paths};
use crate::protocol::peer::ProcessId;
use crate::protocol::response::DaemonStatus;
use crate::protocol::time::{Now, Tick, Timestamp};
use crate::protocol::wire::CallId;
use crate::store::tests::disk::{Disk, Image, Rng};
use crate::store::{RedbStore, Rows, Store, StoreError};

/// 2026-01-01T00:00:00Z, where every machine begins.
const BEGINNING: u64 = 1_767_225_600_000;

thread_local! {
    /// Pids of this thread's machine. The engine asks by a plain function.
    static ALIVE: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
}

/// How a daemon ends unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The machine loses its power: what was not synced is there in parts or not at all.
    Power,
    /// The daemon alone is killed: what it wrote stays with the system, synced or not.
    Kill,
    /// The disk answers with an error, and the daemon ends itself.
    Error,
}

pub struct Machine {
    pub now: Arc<Mutex<Now>>,
    pub log: Arc<Mutex<Log>>,
    disk: Disk,
    two_phase: bool,
    paths: Paths,
    commands: Option<UnboundedSender<Command>>,
    running: Option<Running>,
    runtime: Runtime,
}

/// What the store answered for.
#[derive(Default)]
pub struct Log {
    pub rows: Rows,
    /// Rows as they would be with the commit that failed.
    under_way: Option<Rows>,
}

/// The store, with a witness.
struct Witnessed {
    store: RedbStore,
    log: Arc<Mutex<Log>>,
}

impl Store for Witnessed {
    fn commit(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        let mut log = self.log.lock().unwrap();
        let mut after = log.rows.clone();
        mutations.iter().for_each(|mutation| after.apply(mutation));
        let done = self.store.commit(mutations);
        match &done {
            Ok(()) => log.rows = after,
            Err(_) => log.under_way = Some(after),
        }
        done
    }

    /// A machine that lost its disk ends its daemon: what is found again is for the next one to see.
    fn reopen(&mut self) -> Result<Vec<Mutation>, StoreError> {
        Err(StoreError::FailedBefore)
    }

    fn size_bytes(&self) -> u64 {
        self.store.size_bytes()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Box::new(self.store).close()
    }
}

impl Machine {
    pub fn new(two_phase: bool) -> Machine {
        ALIVE.with_borrow_mut(BTreeSet::clear);
        let env = |name: &str| (name == "IPCD_HOME").then(|| "/nowhere".into());
        let disk = Disk::new(Vec::new());
        // A store comes into place complete (`store::file`), so no crash sees one that is half made.
        let made = RedbStore::on(&disk, two_phase).expect("a sound disk").store;
        Box::new(made).close().expect("a sound disk");
        Machine {
            now: Arc::new(Mutex::new(Now { wall: Timestamp(BEGINNING), tick: Tick(0) })),
            log: Arc::default(),
            disk,
            two_phase,
            paths: Paths::find(&env, &Account::default()).expect("an isolated home"),
            commands: None,
            running: None,
            runtime: Builder::new_current_thread().enable_time().build().expect("a runtime"),
        }
    }

    pub fn tell(&self, command: Command) {
        self.commands.as_ref().expect("a daemon runs").send(command).expect("the engine listens");
    }

    /// Something that means nothing, so that the engine need not wait for a command.
    pub fn nudge(&self) {
        let call = CallId::Number(0);
        self.tell(Command::Input(Input::Cancelled { session: SessionId(0), call }));
    }

    /// The disk fails after so many more calls, whichever they are.
    pub fn fail_after(&self, calls: u64) {
        self.disk.fail_after(calls, io::ErrorKind::Other);
    }

    /// Starts the daemon. False: it did not come up, for the disk failed again.
    pub fn start(&mut self) -> bool {
        let recovered = match RedbStore::on(&self.disk, self.two_phase) {
            Ok(recovered) => recovered,
            Err(StoreError::Damaged(what)) => panic!("a crash is taken for damage: {what}"),
            Err(error) => {
                assert!(self.disk.is_dead(), "the store cannot be opened: {error}");
                return false;
            }
        };
        assert!(recovered.warnings.is_empty(), "a crash is taken for damage: {:?}", recovered.warnings);
        let found = recovered.mutations;
        self.log.lock().unwrap().compare(&found);
        let now = *self.now.lock().unwrap();
        let broker = Broker::recover(limits(), &found, now).expect("the rows agree with each other");
        let (commands, received) = unbounded_channel();
        let engine = Engine {
            broker,
            store: Box::new(Witnessed { store: recovered.store, log: self.log.clone() }),
            // No history is kept: nothing here touches a real disk.
            archive: Archive::new(&self.paths, Duration::ZERO, Vec::new()),
            clerk: Clerk::new(None, false),
            alarm: Alarm { store: self.paths.store.clone() },
            clock: Clock::ByHand(self.now.clone()),
            is_alive: |process| ALIVE.with_borrow(|alive| alive.contains(&process.pid)),
            program: Program::default(),
            facts: DaemonStatus::default(),
            commands: received,
            notices: unbounded_channel().0,
        };
        let mut running = Running::new(engine);
        if running.start().is_err() {
            assert!(self.disk.is_dead(), "the first commit failed");
            return false;
        }
        (self.commands, self.running) = (Some(commands), Some(running));
        true
    }

    /// Lets the daemon take what it was told. False: the disk failed, and it has ended.
    pub fn turn(&mut self) -> bool {
        let running = self.running.as_mut().expect("a daemon runs");
        let done = self.runtime.block_on(running.turn());
        assert!(done.is_ok() || self.disk.is_dead(), "a commit failed on a sound disk");
        done.is_ok()
    }

    /// The disk as a daemon that is killed now leaves it.
    pub fn left(&self) -> Image {
        self.disk.left()
    }

    /// The daemon ends in order. False: the disk failed meanwhile.
    pub fn stop(&mut self) -> bool {
        self.running.as_mut().expect("a daemon runs").stop().is_ok()
    }

    /// The daemon is gone, and the disk is what `cut` leaves of it.
    pub fn end(&mut self, cut: Cut, rng: &mut Rng) {
        // What is dropped now writes no more.
        self.disk.fail_after(0, io::ErrorKind::Other);
        (self.commands, self.running) = (None, None);
        match cut {
            Cut::Power => self.disk = Disk::with(self.disk.image(rng)),
            Cut::Kill | Cut::Error => self.disk.revive(),
        }
        self.now.lock().unwrap().tick = Tick(0);
    }

    pub fn begin_process(&self, pid: u32) -> ProcessId {
        ALIVE.with_borrow_mut(|alive| alive.insert(pid));
        ProcessId { pid, start: u64::from(pid), boot: "boot".to_owned() }
    }

    pub fn end_process(&self, pid: u32) {
        ALIVE.with_borrow_mut(|alive| alive.remove(&pid));
    }
}

impl Log {
    fn compare(&mut self, found: &[Mutation]) {
        let mut rows = Rows::default();
        found.iter().for_each(|row| rows.apply(row));
        assert!(
            rows == self.rows || Some(&rows) == self.under_way.as_ref(),
            "the store holds neither what was committed nor that and the commit under way:\n{:#?}\nfound {:#?}",
            self.rows,
            rows
        );
        (self.rows, self.under_way) = (rows, None);
    }
}

/// Small mailboxes, that they get full; nothing that would only refuse.
fn limits() -> Limits {
    const LONG: Duration = Duration::from_secs(1_000 * 86_400);
    Limits {
        sends_per_minute: 0,
        mailbox_messages: 12,
        rename_cooldown: Duration::ZERO,
        forward: LONG,
        key_age: LONG,
        hops: u32::MAX,
        hops_fast: u32::MAX,
        ..Limits::default()
    }
}
