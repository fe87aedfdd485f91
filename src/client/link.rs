//! Keeps one connection for all callers of a [`Link`](super::Link): makes it, makes it again, repeats on
//! it what was not answered.
//!
//! One task owns everything here. It knows three situations: nothing to do, no connection and a reason
//! to have one, a connection.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Ended, FINISH_TIMEOUT, HELLO_TIMEOUT, Said};
use super::handover::Handover;
use super::launch::{Starter, autostart_allowed, reach};
use super::line::Line;
use super::pending::Pending;
use super::{LinkConfig, Resumed};
use crate::protocol::event::Event;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Nothing;
use crate::protocol::wire::{CallId, Cancel, call_line, notification_line};
use crate::transport::watch::PathWatch;
use crate::transport::{Stream, socket_identity};

/// Between two tries to reach a daemon: at first, and at most.
const DELAY_MIN: Duration = Duration::from_millis(10);
const DELAY_MAX: Duration = Duration::from_secs(1);

/// At most, after a daemon that ended soon after it was reached: the next one may be there by now, started
/// by somebody else. A daemon that ends each time is started by a call no more often than the call is
/// repeated.
const DELAY_LOST_MAX: Duration = Duration::from_millis(80);

/// How long a lost connection is tried to be made again without a call that needs it, so that a daemon
/// that comes back sees its instances: after the loss, and after a new socket was seen. Nobody polls
/// for ever, and nobody starts a daemon without a call.
const REJOIN: Duration = Duration::from_secs(30);

/// A daemon that is there and has no room, or takes connections and says nothing, is asked again for so
/// long at most: to go on would not help whoever waits for the answer. Two silent connections fit.
const CROWDED_PATIENCE: Duration = Duration::from_secs(5);
const SILENT_PATIENCE: Duration = Duration::from_secs(9);

/// The id of the registration that goes first on a new connection.
const RESUME_ID: &str = "resume";

pub type Outcome = Result<Box<RawValue>, Refusal>;

/// Whoever waits for a call.
#[derive(Debug)]
pub struct Caller {
    /// `None`: nobody wants the answer.
    answer: Option<oneshot::Sender<Outcome>>,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub enum Command {
    Call { id: i64, line: Line, caller: Caller },
    Cancel(i64),
    Close(oneshot::Sender<()>),
}

pub struct Driver {
    config: Arc<LinkConfig>,
    starter: Option<Arc<Starter>>,
    commands: mpsc::UnboundedReceiver<Command>,
    events: broadcast::Sender<Event>,
    resumed: watch::Sender<Resumed>,
    pending: Pending<Caller>,
    /// Until then a connection is wanted even without a call.
    rejoin_until: Option<Instant>,
    /// From the loss of a connection that is to be made again until it is.
    socket_watch: Option<PathWatch>,
    /// Before the next try to reach a daemon.
    delay: Duration,
    handover: Handover,
    /// Nobody can make calls any more. Holds who waits for the end.
    closing: Option<Closing>,
}

struct Closing {
    /// Dropped when all is done, which is what its receiver waits for. `None`: nobody said goodbye, the
    /// handles just went away.
    done: Option<oneshot::Sender<()>>,
    /// It is still to be said to the daemon.
    goodbye: bool,
    deadline: Instant,
}

impl Caller {
    pub fn new(answer: Option<oneshot::Sender<Outcome>>, room: OwnedSemaphorePermit) -> Caller {
        Caller { answer, _room: room }
    }

    fn tell(self, outcome: Outcome) {
        if let Some(answer) = self.answer {
            // The caller may be gone just now.
            let _ = answer.send(outcome);
        }
    }
}

impl Driver {
    pub fn new(
        config: LinkConfig,
        starter: Option<Starter>,
        commands: mpsc::UnboundedReceiver<Command>,
        events: broadcast::Sender<Event>,
        resumed: watch::Sender<Resumed>,
    ) -> Driver {
        Driver {
            pending: Pending::new(config.patience),
            config: Arc::new(config),
            starter: starter.map(Arc::new),
            commands,
            events,
            resumed,
            rejoin_until: None,
            socket_watch: None,
            delay: Duration::ZERO,
            handover: Handover::default(),
            closing: None,
        }
    }

    /// Runs until the last handle is gone or says goodbye.
    pub async fn run(mut self) {
        while self.closing.is_none() {
            if !self.wants_connection() {
                self.delay = Duration::ZERO;
                self.idle().await;
            } else if let Some(stream) = self.connect().await {
                let opened = Instant::now();
                let mut connection = Connection::open(stream, &self.config.hello, HELLO_TIMEOUT);
                let ended = self.converse(&mut connection).await;
                match ended {
                    Some(Ended::Refused(refusal)) if refusal.code == RefusalCode::UnsupportedProtocol => {
                        self.misfit(&refusal, opened).await;
                    }
                    Some(ended) => self.lost(ended, opened),
                    None => connection.finish().await,
                }
            }
        }
    }

    /// Waits for a command, or for a daemon that this client is to come back to.
    async fn idle(&mut self) {
        let Some(watch) = &mut self.socket_watch else { return self.take_command().await };
        tokio::select! {
            command = self.commands.recv() => { self.obey(command); }
            changed = watch.changed() => match changed {
                Ok(()) => {
                    let there = socket_identity(&self.config.socket).is_some();
                    self.rejoin_until = there.then(|| Instant::now() + REJOIN);
                }
                Err(_) => self.socket_watch = None,
            },
        }
    }

    fn wants_connection(&self) -> bool {
        !self.pending.is_empty() || self.rejoin_until.is_some_and(|until| Instant::now() < until)
    }

    /// A connection; `None` if none is wanted any more.
    async fn connect(&mut self) -> Option<Stream> {
        while self.closing.is_none() && self.wants_connection() {
            self.wait().await;
            let launch = self.pending.somebody_waits() && self.config.launch && autostart_allowed();
            let (config, starter) = (Arc::clone(&self.config), self.starter.clone().filter(|_| launch));
            let attempt = reach(&config.socket, &config.spawn_lock, starter.as_deref());
            tokio::pin!(attempt);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut attempt => break outcome,
                    () = self.take_command() => if self.closing.is_some() { return None },
                }
            };
            match outcome {
                Ok(stream) => return Some(stream),
                Err(refusal) => {
                    // A daemon that fails to start is not started at the pace of a connection.
                    self.delay = if launch { DELAY_MAX } else { longer(self.delay) };
                    self.failed(&refusal, self.config.patience);
                }
            }
        }
        None
    }

    /// Waits for the time of the next try, or for a call that may start a daemon.
    async fn wait(&mut self) {
        let until = Instant::now() + self.delay;
        let until = self.pending.next_deadline().map_or(until, |deadline| until.min(deadline));
        while Instant::now() < until && self.closing.is_none() {
            let waited_before = self.pending.somebody_waits();
            tokio::select! {
                () = sleep_until(until) => {}
                () = self.take_command() => if !waited_before && self.pending.somebody_waits() { return },
            }
        }
    }

    /// No connection could be made, or it was refused. Calls are given up that were made `patience` ago.
    fn failed(&mut self, refusal: &Refusal, patience: Duration) {
        let patience = if refusal.code == RefusalCode::Busy { CROWDED_PATIENCE } else { patience };
        let may_pass = matches!(refusal.code, RefusalCode::Retry | RefusalCode::Busy);
        let without = if may_pass {
            // Their own time is that of the configuration.
            self.pending.expired(Instant::now() + self.config.patience.saturating_sub(patience))
        } else {
            self.rejoin_until = None;
            self.socket_watch = None;
            self.pending.give_up()
        };
        without.into_iter().for_each(|caller| caller.tell(Err(refusal.clone())));
    }

    /// The daemon speaks no protocol of ours, as it says itself.
    async fn misfit(&mut self, refusal: &Refusal, opened: Instant) {
        // Whoever may not start a daemon, or has no call for one, ends none either.
        let may = self.config.launch && autostart_allowed() && self.pending.somebody_waits();
        let config = Arc::clone(&self.config);
        let way = if may { self.handover.make_way(&config).await } else { Err(refusal.clone()) };
        match way {
            Ok(()) => self.lost(Ended::Closed, opened),
            Err(refusal) => self.failed(&refusal, Duration::ZERO),
        }
    }

    /// The connection is over: what was not answered is asked again.
    fn lost(&mut self, ended: Ended, opened: Instant) {
        tracing::debug!(?ended, socket = %self.config.socket.display(), "the connection to the daemon ended");
        let patience = if ended == Ended::Silent { SILENT_PATIENCE } else { self.config.patience };
        let refusal = self.refusal_for(ended);
        let lived = opened.elapsed() >= DELAY_MAX;
        self.delay = if lived { DELAY_MIN } else { longer(self.delay).min(DELAY_LOST_MAX) };
        let now = Instant::now();
        self.pending.lost(now).into_iter().for_each(|caller| caller.tell(Err(refusal.clone())));
        if (self.config.resume)().is_some() {
            self.rejoin_until.get_or_insert(now + REJOIN);
            self.wait_for_socket();
        }
        self.failed(&refusal, patience);
    }

    /// From now on a new socket is noticed, where the system can tell.
    pub(super) fn wait_for_socket(&mut self) {
        if self.socket_watch.is_none() {
            self.socket_watch = PathWatch::new(&self.config.socket).ok();
        }
    }

    /// Uses a connection until it ends (why) or is not needed any more (`None`).
    async fn converse(&mut self, connection: &mut Connection) -> Option<Ended> {
        if let Some(register) = (self.config.resume)() {
            connection.send(call_line(&CallId::Text(RESUME_ID.to_owned()), "register", &register).into());
        }
        loop {
            while let Some(line) = self.pending.next_line(Instant::now()) {
                connection.send(line);
            }
            let closing = self.closing.as_ref().map(|closing| closing.deadline);
            if let Some(deadline) = closing {
                let late = deadline <= Instant::now();
                if late || self.pending.all_sent() {
                    self.say_goodbye(connection);
                }
                // Answers are waited for: a daemon that cannot write might not read on.
                let waits = self.closing.as_ref().is_some_and(|closing| closing.done.is_some());
                if late || self.pending.is_empty() || (self.pending.all_sent() && !waits) {
                    return None;
                }
            }
            tokio::select! {
                said = connection.next() => match said {
                    Ok(said) => self.hear(said),
                    Err(ended) => return Some(ended),
                },
                command = self.commands.recv(), if closing.is_none() => {
                    if let Some(id) = self.obey(command) {
                        let id = CallId::Number(id);
                        connection.send(notification_line("cancel", &Cancel { id: &id }).into());
                    }
                }
                () = sleep_until(closing.unwrap_or_else(Instant::now)), if closing.is_some() => {}
            }
        }
    }

    /// Says once that this end is in order.
    fn say_goodbye(&mut self, connection: &Connection) {
        if let Some(closing) = &mut self.closing
            && std::mem::take(&mut closing.goodbye)
        {
            connection.send(notification_line("bye", &Nothing {}).into());
        }
    }

    fn hear(&mut self, said: Said) {
        match said {
            Said::Welcome(_) => {
                self.handover.welcomed();
                self.pending.reached();
                self.rejoin_until = None;
                self.socket_watch = None;
            }
            // It ends, and hangs up in a moment; the next one gets the call.
            Said::Answer(CallId::Number(id), Err(refusal))
                if refusal.code == RefusalCode::Retry && self.pending.put_off(id) => {}
            Said::Answer(CallId::Number(id), outcome) => {
                self.delay = Duration::ZERO;
                if let Some(caller) = self.pending.answered(id) {
                    caller.tell(outcome);
                }
            }
            Said::Answer(CallId::Text(id), outcome) if id == RESUME_ID => {
                let registered = outcome.and_then(|answer| {
                    serde_json::from_str(answer.get())
                        .map_err(|e| Refusal::new(RefusalCode::UnsupportedProtocol, e.to_string()))
                });
                self.resumed.send_replace(Some(registered));
            }
            Said::Answer(CallId::Text(_), _) => {}
            Said::Push(event) => {
                // Without a listener nobody misses it.
                let _ = self.events.send(event);
            }
        }
    }

    async fn take_command(&mut self) {
        let command = self.commands.recv().await;
        self.obey(command);
    }

    /// A sent call that the daemon has to be told of, for nobody waits for it any more.
    fn obey(&mut self, command: Option<Command>) -> Option<i64> {
        let done = match command {
            Some(Command::Call { id, line, caller }) => {
                let repeat = caller.answer.is_some();
                self.pending.add(id, line, caller, repeat, Instant::now());
                return None;
            }
            Some(Command::Cancel(id)) => return self.pending.cancelled(id).then_some(id),
            Some(Command::Close(done)) => Some(done),
            None => None,
        };
        self.closing =
            Some(Closing { goodbye: done.is_some(), done, deadline: Instant::now() + FINISH_TIMEOUT });
        None
    }

    fn refusal_for(&self, ended: Ended) -> Refusal {
        let socket = self.config.socket.display();
        let (message, hint) = match ended {
            Ended::Refused(refusal) => return refusal,
            Ended::Closed => {
                (format!("the daemon at `{socket}` hung up"), "try again; `ipcd status` shows its last error")
            }
            Ended::Silent => (
                format!(
                    "the daemon at `{socket}` takes connections and did not answer within {} s",
                    HELLO_TIMEOUT.as_secs()
                ),
                "try again; if it stays so, end that process (its pid is the first line of `ipcd.lock` beside the store), and the next call starts another",
            ),
            Ended::Garbage => (
                format!("what answers at `{socket}` does not speak the protocol of ipcd"),
                "end the process that listens there, and the next call starts a daemon",
            ),
        };
        Refusal::new(RefusalCode::Retry, message).hint(hint)
    }
}

fn longer(delay: Duration) -> Duration {
    (delay * 2).clamp(DELAY_MIN, DELAY_MAX)
}
