//! The engine: the one task that owns the broker and the store.
//!
//! It takes what came in while the last commit ran, lets the broker decide, commits once for all of
//! it, and only then lets answers out. So a commit is shared by everyone who waits for one, without a
//! timer, and nothing leaves the daemon before it is durable.
//!
//! It runs on the thread of the sessions, and a commit blocks that thread. Whoever calls meanwhile would
//! have to wait for the commit's end anyway; and no answer waits for one thread to wake another, which
//! takes longer than all that the broker does (`docs/performance.md`).

use std::collections::BTreeMap;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::alarm::Alarm;
use super::archive::Archive;
use super::batch::{Company, Gatherer};
use super::clerk::Clerk;
use super::clock::Clock;
use super::command::{Command, End, Notice, Outbox, Outgoing};
use super::program::Program;
use super::spare::{self, Spare};
use super::trouble::Trouble;
use crate::broker::mutation::MailboxId;
use crate::broker::{Broker, Effect, Ended, Input, SessionId, Step};
use crate::planted::{Bug, planted};
use crate::protocol::LINE_BYTES_MAX;
use crate::protocol::event::Event;
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::protocol::response::{DaemonStatus, Response};
use crate::protocol::time::Timestamp;
use crate::protocol::wire::{self, CallId};
use crate::store::{Store, StoreError};

/// Whether a process still runs: the kernel's word, handed in so that tests can give another.
pub type IsAlive = fn(&ProcessId) -> bool;

pub struct Engine {
    pub broker: Broker,
    pub store: Box<dyn Store>,
    pub archive: Archive,
    pub clerk: Clerk,
    pub clock: Clock,
    pub is_alive: IsAlive,
    pub alarm: Alarm,
    /// What `status` says of the daemon, but for what changes.
    pub program: Program,
    pub facts: DaemonStatus,
    pub commands: UnboundedReceiver<Command>,
    pub notices: UnboundedSender<Notice>,
}

impl Engine {
    /// Runs until it is told to stop, nobody can tell it anything any more, or the store fails for good.
    pub async fn run(self) {
        let notices = self.notices.clone();
        let mut running = Running::new(self);
        let end = match running.serve().await {
            Ok(()) => End::Stopped,
            Err(error) => End::Failed(error),
        };
        running.end_sessions();
        if let End::Stopped = end
            && let Err(error) = running.engine.store.close()
        {
            tracing::error!(%error, "closing the store");
        }
        // Nobody listens when the daemon is being torn down anyway.
        let _ = notices.send(Notice::Ended(end));
    }
}

/// An engine at work, batch by batch: tests take the batches one at a time.
pub(super) struct Running {
    engine: Engine,
    outboxes: BTreeMap<SessionId, Outbox>,
    /// Sessions that said their last word in this batch. They still hear what they asked before.
    closed: Vec<SessionId>,
    /// How deliveries ended, for the history.
    ended: Vec<Ended>,
    gatherer: Gatherer,
    trouble: Trouble,
    spare: Spare,
}

impl Running {
    pub(super) fn new(engine: Engine) -> Running {
        Running {
            engine,
            outboxes: BTreeMap::new(),
            closed: Vec::new(),
            ended: Vec::new(),
            gatherer: Gatherer::default(),
            trouble: Trouble::default(),
            spare: Spare::default(),
        }
    }

    async fn serve(&mut self) -> Result<(), StoreError> {
        self.start()?;
        while self.turn().await? {}
        self.stop()
    }

    pub(super) fn start(&mut self) -> Result<(), StoreError> {
        let left = self.engine.broker.doubtful_all();
        self.report_departed(left);
        // With it goes what the broker said on recovery: that the store is in use from here on.
        self.commit_and_release()
    }

    /// Waits for a command or a deadline, and takes the batch that has come by then through one
    /// commit. False: it was the last.
    pub(super) async fn turn(&mut self) -> Result<bool, StoreError> {
        let Some(first) = self.wait().await else { return Ok(false) };
        let company = match self.trouble.is_full() {
            true => Company::Nobody,
            false => Company::Of { sessions: self.engine.broker.sessions() },
        };
        let batch = self.gatherer.gather(first, &mut self.engine.commands, company).await;
        let mut stop = false;
        self.engine.broker.tick(self.engine.clock.now());
        for command in batch {
            stop |= self.take(command);
        }
        self.commit_and_release()?;
        if !self.ended.is_empty() {
            // After the answers: the history is no promise, and nobody waits for it.
            yield_now().await;
            self.remember();
        }
        if self.spare.is_worthwhile(self.engine.broker.held()) {
            yield_now().await;
            spare::give_back();
        }
        Ok(!stop)
    }

    /// The next command, or none when a deadline of the broker came first. `None`: nobody can send any.
    async fn wait(&mut self) -> Option<Option<Command>> {
        let next = self.engine.commands.recv();
        let Some(deadline) = self.engine.broker.next_deadline() else { return next.await.map(Some) };
        match timeout(self.engine.clock.until(deadline), next).await {
            Ok(command) => command.map(Some),
            Err(_) => Some(None),
        }
    }

    /// Takes one command; true if it was the last.
    fn take(&mut self, command: Command) -> bool {
        let now = self.engine.clock.now();
        match command {
            Command::Open { session, hello, peer, outbox } => {
                self.outboxes.insert(session, outbox);
                self.engine.clerk.opened(session, &hello, &peer);
                self.engine.broker.handle(now, Input::Opened { session, hello, peer });
            }
            Command::Input(input) => {
                if let Input::Closed { session, .. } = &input {
                    self.closed.push(*session);
                }
                if let Input::Call { session, call, request } = &input
                    && let Some(refusal) = self.trouble.refuses(request, now.tick)
                {
                    let refusal = refusal.clone();
                    self.write_down(*session, call, request, now.wall);
                    self.answer(*session, call.clone(), &Err(refusal), now.wall);
                    return false;
                }
                if self.engine.broker.has_alarm()
                    && let Input::Call { request: Request::Register(_), .. } = &input
                    && self.engine.alarm.text().is_none()
                {
                    self.engine.broker.set_alarm(None);
                }
                // To free a name takes a commit, which this call may not need.
                if !self.trouble.is_full() {
                    let doubtful = self.engine.broker.doubtful(&input);
                    self.report_departed(doubtful);
                }
                if let Input::Call { session, call, request } = &input {
                    self.write_down(*session, call, request, now.wall);
                }
                self.engine.broker.handle(now, input);
            }
            Command::Stop => return true,
        }
        false
    }

    fn write_down(&mut self, session: SessionId, call: &CallId, request: &Request, at: Timestamp) {
        let by = self.engine.broker.speaks_as(session);
        self.engine.clerk.asked(session, call, request, by, at);
    }

    /// The kernel's word: whose process is gone holds no name.
    fn report_departed(&mut self, doubtful: Vec<(MailboxId, ProcessId)>) {
        for (mailbox, process) in doubtful {
            if !(self.engine.is_alive)(&process) {
                self.engine.broker.handle(self.engine.clock.now(), Input::Departed(mailbox, process));
            }
        }
    }

    pub(super) fn stop(&mut self) -> Result<(), StoreError> {
        self.engine.broker.handle(self.engine.clock.now(), Input::Stopping);
        self.commit_and_release()?;
        self.remember();
        Ok(())
    }

    /// Writes down how deliveries ended.
    fn remember(&mut self) {
        self.engine.archive.remember(&self.ended);
        self.ended.clear();
    }

    fn commit_and_release(&mut self) -> Result<(), StoreError> {
        let mut step = self.engine.broker.drain();
        if planted(Bug::EarlyAck) {
            let effects = std::mem::take(&mut step.effects);
            self.release(effects);
        }
        if !step.mutations.is_empty() {
            match self.engine.store.commit(&step.mutations) {
                Ok(()) => self.committed(),
                Err(error) => step = self.take_back(step, error)?,
            }
        }
        self.engine.broker.confirm();
        self.release(step.effects);
        for session in self.closed.drain(..) {
            self.outboxes.remove(&session);
            self.engine.clerk.closed(session);
        }
        Ok(())
    }

    fn committed(&mut self) {
        if self.trouble.committed(self.engine.clock.now().tick) {
            tracing::info!("the store takes commits again");
            self.engine.broker.rest(false);
        }
    }

    /// The commit of `step` failed: opens the store again, sets the broker back to what it holds, and
    /// returns what is to be said instead. The failed write is not tried again.
    fn take_back(&mut self, step: Step, error: StoreError) -> Result<Step, StoreError> {
        let refusal = error.refusal();
        let (now, was_full) = (self.engine.clock.now(), self.trouble.is_full());
        if !self.trouble.survives(&error, now.tick) {
            tracing::error!(error = &error as &dyn std::error::Error, "a commit failed; the daemon ends");
            self.refuse(step.effects, &refusal);
            return Err(error);
        }
        let rows = match self.engine.store.reopen() {
            Ok(rows) => rows,
            Err(error) => {
                let said = &error as &dyn std::error::Error;
                tracing::error!(error = said, "a store that failed cannot be opened again; the daemon ends");
                self.refuse(step.effects, &refusal);
                return Err(error);
            }
        };
        let rolled_back = self.engine.broker.roll_back(&rows, step, &refusal, now);
        rolled_back.map_err(|inconsistent| StoreError::Damaged(inconsistent.to_string()))?;
        self.engine.broker.rest(self.trouble.is_full());
        if !was_full {
            let what = format!("{refusal}; the store was opened again, {} rows", rows.len());
            self.engine.archive.note(&format!("a commit failed at {}", now.wall), &what);
        }
        Ok(self.engine.broker.drain())
    }

    /// Lets effects out: their mutations are durable.
    fn release(&mut self, effects: Vec<Effect>) {
        let at = self.engine.clock.now().wall;
        for effect in effects {
            match effect {
                Effect::Reply { session, call, mut outcome, copies } => {
                    if let Ok(response) = &mut outcome {
                        self.complete(response);
                        self.engine.archive.make_copies(response, &copies);
                    }
                    self.answer(session, call, &outcome, at);
                }
                Effect::ReadCopy { session, call, mailbox, id, offset, unread } => {
                    let outcome = self.engine.archive.read_copy(mailbox, id, offset, unread);
                    self.answer(session, call, &outcome, at);
                }
                Effect::Push { session, event } => {
                    self.send(session, Outgoing::Line(wire::push_line(&event)))
                }
                Effect::Ended(delivery) => self.ended.push(delivery),
                Effect::Stop => {
                    let _ = self.engine.notices.send(Notice::StopWanted);
                }
            }
        }
    }

    /// The batch is not durable: each of its calls is refused, and nothing else of it leaves.
    fn refuse(&mut self, effects: Vec<Effect>, refusal: &Refusal) {
        let at = self.engine.clock.now().wall;
        for effect in effects {
            if let Effect::Reply { session, call, .. } = effect {
                self.answer(session, call, &Err(refusal.clone()), at);
            }
        }
    }

    fn answer(
        &mut self,
        session: SessionId,
        call: CallId,
        outcome: &Result<Response, Refusal>,
        at: Timestamp,
    ) {
        let mut line = wire::answer_line(&call, outcome);
        if line.len() > LINE_BYTES_MAX {
            // No answer has a reason to be so long; its reader could not even say whose it was.
            let message = format!("an answer of {} bytes, the limit is {LINE_BYTES_MAX}", line.len());
            let refusal = Refusal::new(RefusalCode::TooLarge, message).hint("ask for less at one time");
            line = wire::answer_line::<Response>(&call, &Err(refusal));
        }
        self.send(session, Outgoing::Answer(call.clone(), line));
        self.engine.clerk.answered(session, &call, outcome, at);
    }

    fn send(&self, session: SessionId, outgoing: Outgoing) {
        if let Some(outbox) = self.outboxes.get(&session) {
            // A session that ended a moment ago reads nothing any more; its `Closed` is on its way.
            let _ = outbox.send(outgoing);
        }
    }

    /// Adds what only the daemon knows.
    fn complete(&self, response: &mut Response) {
        if let Response::Status(status) = response {
            status.daemon = Some(DaemonStatus {
                uptime_seconds: self.engine.clock.uptime().as_secs(),
                store_bytes: self.engine.store.size_bytes(),
                program_replaced: self.engine.program.is_replaced(),
                last_error: self.engine.alarm.text().or_else(|| self.engine.archive.last_error()),
                ..self.engine.facts.clone()
            });
        }
    }

    fn end_sessions(&self) {
        for outbox in self.outboxes.values() {
            let _ = outbox.send(Outgoing::Line(wire::push_line(&Event::Closing)));
            let _ = outbox.send(Outgoing::End);
        }
    }
}
