//! The shell around the broker: everything that touches a clock, a socket, a disk or a signal.
//!
//! One thread (tokio) does it all: sessions, and the engine, which owns broker and store. The start is a
//! list, and the stop is the same list backwards:
//!
//! 1. `ipcd.lock`, for life: whoever holds it owns the store and the socket's path.
//! 2. The store; what it holds becomes the broker's state.
//! 3. The socket: inherited, or bound after a stale one was removed.
//! 4. Readiness, told to whoever started us.
//! 5. Connections.

mod alarm;
mod archive;
mod batch;
mod clerk;
mod clock;
mod command;
mod engine;
mod lobby;
mod owed;
mod ownership;
mod program;
mod recovery;
mod session;
mod spare;
#[cfg(all(test, unix))]
mod tests;
mod trouble;

use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use clock::Clock;
use command::{Command, End, EngineHandle, Notice};
use lobby::Lobby;
use ownership::{Claim, Ownership};
use program::Program;
use recovery::{check_place, recover, start_engine};

use crate::audit::AuditLog;
use crate::broker::SessionId;
use crate::config::Config;
use crate::paths::Paths;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::startup::Startup;
use crate::protocol::wire;
use crate::release;
use crate::store::StoreError;
use crate::transport::activation::{IDLE_EXIT_MIN, Inherited, Notifier};
use crate::transport::signals::Signals;
use crate::transport::{self, Authority, Listener, Stream, User, armour, directory};

/// After the last session ended, a daemon that was told to stop waits so long for its answers to be
/// written.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// Between two tries to accept when the system has no descriptor left: no spinning.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Descriptors that are kept for what is no session: the store, its copies, its history and the audit
/// log, the lock, the socket, what is read of `/proc`, and connections that are refused.
const DESCRIPTORS_KEPT: usize = 40;

/// Connections that are being told that there is no room. Beyond so many they are closed untold: it is a
/// flood, and each costs a descriptor.
const REFUSALS_MAX: usize = 8;

/// A daemon whose program was replaced leaves so long after its last session, and the next one is the
/// new program. Not at once: whoever starts it anew must see the new file, and commands come in rows.
const REPLACED_EXIT: Duration = Duration::from_secs(1);

/// How this daemon came to be.
pub struct Options {
    pub paths: Paths,
    /// A client started it: it leaves that client's session, logs to a file and reports on stdout.
    pub detached: bool,
    pub inherited: Inherited,
}

/// Runs a daemon until it is stopped or idle. Returns at once, and well, when another one serves
/// already.
///
/// # Errors
/// What kept it from starting, and a store that failed under it.
pub fn run(options: Options) -> anyhow::Result<()> {
    armour::close_inherited(options.inherited.socket.as_ref());
    if options.detached {
        transport::detach();
    }
    let debuggable =
        std::env::var_os(armour::DEBUGGABLE).is_some_and(|value| !value.is_empty() && value != "0");
    let gaps = armour::put_on(debuggable);
    let detached = options.detached;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(start_and_serve(options, &gaps));
    if let (true, Err(error)) = (detached, &outcome) {
        // Whoever started us waits for this line; it says nothing if we were ready already.
        let refusal = error.downcast_ref::<Refusal>().cloned();
        let refusal = refusal.unwrap_or_else(|| Refusal::new(RefusalCode::StoreFailed, format!("{error:#}")));
        report(&Startup::Error(refusal));
    }
    outcome
}

async fn start_and_serve(options: Options, gaps: &[armour::Gap]) -> anyhow::Result<()> {
    let Options { paths, detached, inherited } = options;
    directory::private_dir(&paths.state_dir).map_err(refusal_of)?;
    directory::private_dir(&paths.runtime_dir).map_err(refusal_of)?;
    if detached {
        let opened = crate::telemetry::to_file(crate::telemetry::Role::Daemon, &paths.log);
        opened.with_context(|| format!("cannot open the log `{}`", paths.log.display()))?;
    } else {
        crate::telemetry::to_stderr(crate::telemetry::Role::Daemon);
    }
    for armour::Gap { piece, error } in gaps {
        tracing::warn!(%error, "armour: {piece}: not on this system");
    }
    check_place(&paths)?;
    let config = Config::load(&paths.config_file)?;
    let activated = inherited.socket.is_some();
    let mut ownership = match Ownership::claim(&paths, activated).await? {
        Claim::Ours(ownership) => ownership,
        Claim::Others { socket } => {
            tracing::info!(socket = %socket.display(), "another daemon serves already");
            if detached {
                report(&Startup::Other { socket: socket.display().to_string() });
            }
            return Ok(());
        }
    };
    let audit = AuditLog::start(paths.audit_dir.clone()).context("starting the audit log")?;
    let parts = recover(&paths, &config, activated, &audit)?;
    let clock = parts.clock.clone();
    let listener = match inherited.socket {
        Some(socket) => transport::adopt(socket).map_err(refusal_of)?,
        None => ownership.bind().map_err(refusal_of)?,
    };
    let program = parts.program.clone();
    let (notices, engine, engine_task) = start_engine(parts);
    inherited.notifier.ready();
    if detached {
        report(&Startup::Ready { socket: paths.socket.display().to_string() });
    }
    tracing::info!(version = release::version(), socket = %paths.socket.display(), "ready");
    let service = Service {
        listener,
        engine,
        notices,
        notifier: inherited.notifier,
        sessions: JoinSet::new(),
        lobby: Lobby::default(),
        ending: CancellationToken::new(),
        sessions_max: sessions_max(config.sessions),
        idle_exit: idle_exit(&config, detached, activated),
        ownership,
        program,
        next_session: 0,
        strangers: 0,
        sent_away: 0,
        audit: audit.clone(),
        clock,
    };
    let end = service.serve().await;
    let ended = engine_task.await;
    audit.finish();
    ended.context("the engine panicked")?;
    end
}

/// When to end for want of anything to do: never, if a person started it.
fn idle_exit(config: &Config, detached: bool, activated: bool) -> Option<Duration> {
    let after = config.daemon.idle_exit.filter(|_| detached || activated)?;
    Some(if activated { after.max(IDLE_EXIT_MIN) } else { after })
}

/// Takes connections until something ends it.
struct Service {
    listener: Listener,
    engine: EngineHandle,
    notices: UnboundedReceiver<Notice>,
    notifier: Notifier,
    sessions: JoinSet<()>,
    lobby: Lobby,
    /// Ends the waiting for those who have not said hello.
    ending: CancellationToken,
    sessions_max: usize,
    /// `None`: it stays until it is stopped.
    idle_exit: Option<Duration>,
    ownership: Box<Ownership>,
    program: Program,
    next_session: u64,
    /// Connections of other users, for the log.
    strangers: u64,
    /// Connections that said nothing and had to go.
    sent_away: u64,
    audit: AuditLog,
    clock: Clock,
}

impl Service {
    async fn serve(mut self) -> anyhow::Result<()> {
        let mut signals = Signals::listen()?;
        let mut path = self.ownership.watch();
        let mut idle_since = Instant::now();
        loop {
            let idle = self.idle_exit.filter(|_| self.sessions.is_empty());
            let idle_end = idle_since + idle.unwrap_or_default();
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, credentials)) => {
                        self.admit(stream, &credentials.user);
                        // In a flood of connections those that are to go must come to it.
                        tokio::task::yield_now().await;
                        while self.sessions.try_join_next().is_some() {
                            idle_since = Instant::now();
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "accepting a connection");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                },
                Some(_) = self.sessions.join_next() => {
                    idle_since = Instant::now();
                    if self.sessions.is_empty() && self.program.is_replaced() {
                        self.idle_exit = self.idle_exit.map(|idle| idle.min(REPLACED_EXIT));
                    }
                }
                notice = self.notices.recv() => return match notice {
                    Some(Notice::StopWanted) => self.stop("asked to").await,
                    Some(Notice::Ended(End::Failed(error))) => self.failed(error).await,
                    Some(Notice::Ended(End::Stopped)) | None => Ok(()),
                },
                () = signals.next() => return self.stop("signal").await,
                () = self.ownership.lost(&mut path) => return self.stop("the socket's path is not its own any more").await,
                () = tokio::time::sleep_until(idle_end), if idle.is_some() => {
                    match self.ownership.leave_if_nobody_waits(&self.listener).await {
                        None => return self.stop("idle").await,
                        // Somebody came at the last moment.
                        Some((stream, credentials)) => self.admit(stream, &credentials.user),
                    }
                    idle_since = Instant::now();
                }
            }
        }
    }

    fn admit(&mut self, stream: Stream, peer: &User) {
        if let Err(reason) = Authority::of(transport::own_user()).admit(peer) {
            // Not a byte is read or written. Logged ever more rarely: it may be a flood.
            self.strangers += 1;
            if self.strangers.is_power_of_two() {
                tracing::warn!(%peer, times = self.strangers, "{reason}");
                let at = self.clock.now().wall;
                self.audit.add(clerk::turned_away(peer.number(), self.strangers, at));
            }
            return;
        }
        if self.sessions.len() >= self.sessions_max + REFUSALS_MAX {
            return;
        }
        if self.sessions.len() >= self.sessions_max {
            let limit = self.sessions_max;
            let refusal =
                Refusal::new(RefusalCode::Busy, format!("{limit} sessions are open, which is the limit"))
                    .hint("close some agents, or raise `sessions` in config.toml");
            self.sessions.spawn(refuse(stream, refusal));
            return;
        }
        let (guest, sent_away) = self.lobby.enter(&self.ending);
        self.sent_away += u64::from(sent_away);
        // Logged ever more rarely: it is a flood.
        if sent_away && self.sent_away.is_power_of_two() {
            tracing::warn!(times = self.sent_away, "too many connections that say nothing; the oldest go");
        }
        self.next_session += 1;
        let session = SessionId(self.next_session);
        self.sessions.spawn(session::serve(stream, session, self.engine.clone(), guest));
    }

    /// Ends in order: no more connections, answers to what was read, a last commit.
    async fn stop(mut self, why: &str) -> anyhow::Result<()> {
        tracing::info!(why, "stopping");
        self.notifier.stopping();
        self.ownership.unbind();
        drop(self.listener);
        self.engine.tell(Command::Stop);
        let mut end = Ok(());
        while let Some(notice) = self.notices.recv().await {
            if let Notice::Ended(why) = notice {
                if let End::Failed(error) = why {
                    end = Err(error.into());
                }
                break;
            }
        }
        self.ending.cancel();
        drain(&mut self.sessions).await;
        end
    }

    async fn failed(mut self, error: StoreError) -> anyhow::Result<()> {
        self.notifier.stopping();
        self.ownership.unbind();
        drop(self.listener);
        self.ending.cancel();
        drain(&mut self.sessions).await;
        Err(error.into())
    }
}

/// The sessions that were configured, or as many as this process has descriptors for.
fn sessions_max(configured: usize) -> usize {
    let most = transport::descriptors_max().saturating_sub(DESCRIPTORS_KEPT).max(1);
    if most < configured {
        tracing::warn!(
            sessions = most,
            "few descriptors are allowed (`ulimit -n`), so there is room for fewer sessions"
        );
    }
    configured.min(most)
}

/// Lets sessions write what they have, but not for ever.
async fn drain(sessions: &mut JoinSet<()>) {
    let all = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_WITHIN, all).await.is_err() {
        tracing::warn!(sessions = sessions.len(), "some sessions did not take their last answers");
    }
}

/// Says why and closes.
async fn refuse(mut stream: Stream, refusal: Refusal) {
    use tokio::io::AsyncWriteExt;
    let line = wire::complaint_line(&wire::Unreadable { id: None, error: (&refusal).into() });
    let _ = tokio::time::timeout(session::HELLO_WITHIN, stream.write_all(&line)).await;
}

/// One line on stdout for the client that started this daemon, and nothing after it.
fn report(startup: &Startup) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    // The starter may be gone: the daemon serves whoever comes next.
    let _ = out.write_all(&startup.line()).and_then(|()| out.flush());
}

fn refusal_of(error: transport::TransportError) -> Refusal {
    let hint = error.hint();
    Refusal::new(RefusalCode::UnsafeDirectory, error.in_full()).hint(hint)
}
