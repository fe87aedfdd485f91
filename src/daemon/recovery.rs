//! From what is on the disk to an engine that runs.
//!
//! What always holds: nothing is served before the store was read whole and marked as in use; a damaged
//! store is kept aside before a new one takes its place, and a note says so until a person removes it.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::alarm::Alarm;
use super::archive::Archive;
use super::clerk::Clerk;
use super::clock::Clock;
use super::command::{EngineHandle, Notice};
use super::engine::Engine;
use super::program::Program;
use crate::audit::AuditLog;
use crate::broker::Broker;
use crate::broker::mutation::Mutation;
use crate::config::{Commit, Config};
use crate::paths::Paths;
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response::DaemonStatus;
use crate::protocol::time::Now;
use crate::release;
use crate::store::{self, Recovered, RedbStore, Store, StoreError, StoreOptions};
use crate::transport::{self, process};

/// Set to allow a store on a network file system.
const ALLOW_NETWORK: &str = "IPCD_ALLOW_NETWORK_FS";

/// The store must be on a disk of this machine, unless the user says that it is well as it is.
pub fn check_place(paths: &Paths) -> Result<(), Refusal> {
    let Some(kind) = transport::network_file_system(&paths.state_dir) else { return Ok(()) };
    let place = format!("`{}` is on a network file system ({kind})", paths.state_dir.display());
    if std::env::var_os(ALLOW_NETWORK).is_some_and(|value| !value.is_empty() && value != "0") {
        tracing::warn!("{place}; what is durable there is the word of another machine");
        return Ok(());
    }
    Err(Refusal::new(RefusalCode::UnsafeDirectory, place).hint(format!(
        "set IPCD_HOME or XDG_STATE_HOME to a directory of a local disk, or {ALLOW_NETWORK}=1 if only this machine uses it"
    )))
}

/// What the engine is made of, before it runs.
pub struct Parts {
    broker: Broker,
    store: Box<dyn Store>,
    archive: Archive,
    clerk: Clerk,
    alarm: Alarm,
    pub clock: Clock,
    pub program: Program,
    facts: DaemonStatus,
}

/// # Errors
/// The refusal that says why the store cannot be used.
pub fn recover(paths: &Paths, config: &Config, activated: bool, log: &AuditLog) -> anyhow::Result<Parts> {
    let clock = Clock::start();
    let options = StoreOptions {
        path: paths.store.clone(),
        head: paths.head.clone(),
        two_phase: config.commit == Commit::TwoPhase,
    };
    let (recovered, mut broker) = open_store(&options, config, clock.now()).map_err(|e| e.refusal())?;
    // What the broker says on recovery: that the store is in use from here on.
    let mut store: Box<dyn Store> = Box::new(recovered.store);
    mark(&mut *store, &broker.drain().mutations).map_err(|e| e.refusal())?;
    let alarm = Alarm { store: paths.store.clone() };
    if let Some(text) = alarm.text() {
        tracing::error!("{text}");
        // Its notices are mail, and go with the engine's first commit: a full disk may refuse them.
        broker.set_alarm(Some(text));
    }
    let archive = Archive::new(paths, config.history, recovered.warnings);
    let program = Program::of_this_process();
    let facts = DaemonStatus {
        version: release::version().to_owned(),
        protocol: Some(release::protocol()),
        program: program.path(),
        pid: std::process::id(),
        activated,
        socket: paths.socket.display().to_string(),
        store: paths.store.display().to_string(),
        history: paths.history_dir.display().to_string(),
        ..DaemonStatus::default()
    };
    let clerk = Clerk::new(Some(log.clone()), config.audit.bodies);
    Ok(Parts { broker, store, archive, clerk, alarm, clock, program, facts })
}

/// Commits what a start has to say. On a full disk the first try makes room: the store gives up what it
/// holds in reserve, and is to be opened again.
fn mark(store: &mut dyn Store, mutations: &[Mutation]) -> Result<(), StoreError> {
    match store.commit(mutations) {
        Err(StoreError::Full(_)) => {
            store.reopen()?;
            store.commit(mutations)
        }
        done => done,
    }
}

/// The store and what it says. A damaged one is kept aside, and what can be saved of it is in a new one;
/// a note says so, until a person removes it.
pub(super) fn open_store(
    options: &StoreOptions,
    config: &Config,
    now: Now,
) -> Result<(Recovered<RedbStore>, Broker), StoreError> {
    let open = || {
        let recovered = RedbStore::open(options.clone())?;
        let broker = Broker::recover(config.limits(), &recovered.mutations, now);
        Ok((recovered, broker.map_err(|inconsistent| StoreError::Damaged(inconsistent.to_string()))?))
    };
    let note = |text: &str| {
        if let Err(error) = store::leave_note(&options.path, now.wall, text) {
            tracing::error!(%error, "a note beside the store cannot be written: {text}");
        }
    };
    let mut said = Vec::new();
    let opened = match open() {
        Err(StoreError::Damaged(what)) => {
            let damaged = format!("the store is damaged: {what}");
            // First of all, should this process not come to an end of it.
            note(&format!("{damaged}; unread mail may be lost"));
            let saved = store::replace(options, now.wall).map_err(|error| {
                let Refusal { message, .. } = error.refusal();
                StoreError::Damaged(format!("{what}; no new one can take its place: {message}"))
            })?;
            said.push(format!(
                "{damaged}; unread mail may be lost: {} rows were saved, {} could not be used; the damaged file is kept as `{}`",
                saved.rows,
                saved.orphans,
                saved.evidence.display(),
            ));
            open()
        }
        opened => opened,
    };
    let (recovered, broker) = opened?;
    said.extend(recovered.warnings.iter().cloned());
    if !said.is_empty() {
        note(&said.join("; "));
    }
    Ok((recovered, broker))
}

pub fn start_engine(parts: Parts) -> (UnboundedReceiver<Notice>, EngineHandle, JoinHandle<()>) {
    let (commands, received) = unbounded_channel();
    let (notify, notices) = unbounded_channel();
    let Parts { broker, store, archive, clerk, alarm, clock, program, facts } = parts;
    let is_alive = |p: &ProcessId| process::is_alive(p.pid, p.start, &p.boot);
    let engine = Engine {
        broker,
        store,
        archive,
        clerk,
        alarm,
        clock,
        is_alive,
        program,
        facts,
        commands: received,
        notices: notify,
    };
    (notices, EngineHandle::new(commands), tokio::spawn(engine.run()))
}
