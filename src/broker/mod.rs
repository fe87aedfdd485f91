//! The core: who has which name, what waits in which mailbox, who was handed what.
//!
//! [`Broker`] is a state machine. [`Input`]s and the time go in; a [`Step`] of durable [`Mutation`]s
//! and of [`Effect`]s comes out, and whoever drives it makes the mutations durable before it lets an
//! effect out.
//!
//! What always holds:
//! - No I/O, no lock, no clock, no randomness, no async: same inputs, same steps.
//! - [`State`] changes only through [`State::apply`]; what no mutation says is volatile and may be lost.
//! - Each call gets exactly one answer, unless its session is gone.
//! - An accepted message is ready, leased or dead until it is settled; never two of them, never none.

mod alarm;
mod auto;
mod bells;
mod claim;
mod dead;
mod directory;
mod doubt;
mod expiry;
mod keys;
mod leaving;
pub mod limits;
mod mailbox;
pub mod mutation;
mod outcome;
mod presence;
mod quota;
mod reading;
mod reply;
mod rollback;
mod sending;
mod speaking;
pub mod state;
mod status;
mod step;
#[cfg(test)]
mod tests;
pub mod view;
mod waiters;

pub use step::{Copy, Effect, Ended, EndedHow, Held, Input, SessionId, Step};

use std::collections::BTreeSet;

use bells::Bells;
use limits::Limits;
use mutation::{Counters, MailboxId, Mutation};
use presence::{Presence, Session};
use quota::Quota;
use rollback::Confirmed;
use state::{Inconsistent, State};
use waiters::Waiters;

use crate::protocol::event::{Event, MailWaiting};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::protocol::response::{Done, Response};
use crate::protocol::time::{Now, Tick, Timestamp};
use crate::protocol::wire::CallId;

#[derive(Debug)]
pub struct Broker {
    limits: Limits,
    state: State,
    presence: Presence,
    waiters: Waiters,
    bells: Bells,
    quota: Quota,
    /// Mailboxes whose readers may have something to hear.
    touched: BTreeSet<MailboxId>,
    /// Nothing expires before this.
    next_expiry: Option<Timestamp>,
    /// The clock leapt ahead: no mail expires before this.
    spared_until: Option<Tick>,
    stopping: bool,
    /// The store takes no commits: what only time asks for waits.
    resting: bool,
    now: Now,
    /// What everyone must hear, and who was told by this daemon.
    alarm: Option<String>,
    alarmed: BTreeSet<MailboxId>,
    /// Messages up to this number may have been shown before a commit failed.
    repeat_until: u64,
    /// What a failed commit leads back to.
    confirmed: Confirmed,
    step: Step,
}

impl Broker {
    /// Takes up what `rows` describe. The first step marks the store as in use, and after an unclean
    /// end every unsettled delivery as a possible repeat.
    pub fn recover(limits: Limits, rows: &[Mutation], now: Now) -> Result<Broker, Inconsistent> {
        let state = State::recover(rows)?;
        let now = Now { wall: now.wall.max(state.counters.wall), ..now };
        let mut broker = Broker {
            limits,
            state,
            presence: Presence::default(),
            waiters: Waiters::default(),
            bells: Bells::default(),
            quota: Quota::default(),
            touched: BTreeSet::new(),
            next_expiry: Some(Timestamp(0)),
            spared_until: None,
            stopping: false,
            resting: false,
            now,
            alarm: None,
            alarmed: BTreeSet::new(),
            repeat_until: 0,
            confirmed: Confirmed::default(),
            step: Step::default(),
        };
        let before = broker.state.counters;
        // While no daemon ran no second clock did, by which a leap could be told from time that passed.
        if before != Counters::default() {
            broker.note_leap(now, before.wall);
        }
        let unclean = !before.clean && before != Counters::default();
        let repeat_until = if unclean { before.last_message } else { before.repeat_until };
        broker.begin(now);
        let wall = broker.wall();
        broker.change(Mutation::PutCounters(Counters { clean: false, repeat_until, wall, ..before }));
        broker.forget_abandoned();
        Ok(broker)
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.begin(now);
        match input {
            Input::Opened { session, hello, peer } => {
                self.presence.open(session, Session::new(hello, peer));
            }
            Input::Call { session, call, request } => self.call(session, call, request),
            Input::Cancelled { session, call } => {
                if let Some(waiter) = self.waiters.take_call(session, &call) {
                    let refusal = Refusal::new(RefusalCode::Cancelled, "the call was cancelled");
                    self.reply(waiter.session, waiter.call, Err(refusal));
                }
            }
            Input::Closed { session, polite } => self.close(session, polite),
            // Another process may hold the name by now.
            Input::Departed(mailbox, process) => {
                if self.holder_of(mailbox).is_some_and(|h| h.process.as_ref() == Some(&process)) {
                    self.hang_up(mailbox, &process);
                    self.departed(mailbox);
                }
                self.agent_departed(mailbox, &process);
            }
            Input::Stopping => self.stop(),
        }
        self.settle();
    }

    /// Lets time pass: waits end, mail and forwards expire.
    pub fn tick(&mut self, now: Now) {
        self.begin(now);
        for waiter in self.waiters.take_due(now.tick) {
            self.answer_waiter(waiter);
        }
        self.settle();
    }

    /// When [`Broker::tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Tick> {
        self.waiters.next_deadline()
    }

    /// Everything since the last drain.
    pub fn drain(&mut self) -> Step {
        self.push_counts();
        std::mem::take(&mut self.step)
    }

    pub fn sessions(&self) -> usize {
        self.presence.sessions().len()
    }

    /// All mail that is here: it is all in memory.
    pub fn held(&self) -> Held {
        Held { messages: self.state.messages.len(), bytes: self.state.bytes }
    }

    fn begin(&mut self, now: Now) {
        let steady = self.now.wall.plus(now.tick.since(self.now.tick));
        self.note_leap(now, steady);
        self.now = Now { wall: now.wall.max(steady), tick: now.tick };
        self.expire();
    }

    /// Wall-clock time that never goes back, not even over a restart. Where the machine's clock is set
    /// back, it goes on from the latest time that was seen, as fast as the steady clock does.
    fn wall(&self) -> Timestamp {
        self.now.wall
    }

    fn call(&mut self, session: SessionId, call: CallId, request: Request) {
        if self.stopping {
            return self.reply(session, call, Err(the_daemon_ends()));
        }
        let outcome = match request {
            Request::Register(r) => self.register(session, &r),
            Request::Send(r) => self.send(session, r),
            Request::Broadcast(r) => self.broadcast(session, r),
            // A check may be answered later, or from a file.
            Request::Check(r) => match self.check(session, &call, &r) {
                Ok(()) => return,
                Err(refusal) => Err(refusal),
            },
            Request::Ack(r) => self.ack(session, r.ids.as_deref()),
            Request::Nack(r) => self.nack(session, r.ids.as_deref()),
            Request::List(_) => self.list(session),
            Request::Rename(r) => self.rename(session, &r),
            Request::Release(r) => self.release(session, &r),
            Request::Auto(r) => self.auto(session, &r),
            // Whoever drives the broker writes it down; it is enough here that somebody said it.
            Request::Report(_) => self.speaker(session).map(|_| Response::Done(Done {})),
            Request::Bell(r) => self.bell(session, r),
            // A hook may wait.
            Request::Hook(r) => match self.hook(session, &call, r) {
                Ok(None) => return,
                Ok(Some(response)) => Ok(response),
                Err(refusal) => Err(refusal),
            },
            Request::Status(_) => self.status(session),
            Request::DeadList(_) => self.dead_list(session),
            Request::DeadShow(r) => self.dead_show(session, r.id),
            Request::DeadRequeue(r) => self.dead_requeue(session, r.ids.as_deref()),
            Request::DeadPurge(r) => self.dead_purge(session, r.ids.as_deref()),
            Request::Stop(_) => self.stop_by(session),
            Request::Retire(_) => Ok(self.ask_for_the_end()),
        };
        self.reply(session, call, outcome);
    }

    fn stop_by(&mut self, session: SessionId) -> Result<Response, Refusal> {
        self.person(session, "stop the daemon")?;
        Ok(self.ask_for_the_end())
    }

    /// The daemon is to end, after it has answered everybody.
    fn ask_for_the_end(&mut self) -> Response {
        self.step.effects.push(Effect::Stop);
        Response::Done(Done {})
    }

    /// The one place where a durable fact changes.
    fn change(&mut self, mutation: Mutation) {
        self.note_expiry(&mutation);
        match self.state.apply(&mutation) {
            Ok(()) => self.step.mutations.push(mutation),
            Err(inconsistent) => {
                debug_assert!(false, "{inconsistent}");
                tracing::error!(%inconsistent, "a change was not made");
            }
        }
    }

    fn reply(&mut self, session: SessionId, call: CallId, outcome: Result<Response, Refusal>) {
        self.reply_with_copies(session, call, outcome, Vec::new());
    }

    fn reply_with_copies(
        &mut self,
        session: SessionId,
        call: CallId,
        outcome: Result<Response, Refusal>,
        copies: Vec<Copy>,
    ) {
        if let Err(refusal) = &outcome {
            self.quota.count(refusal.code);
        }
        self.step.effects.push(Effect::Reply { session, call, outcome, copies });
    }

    /// Pairs waiting mail with parked calls. The only place that does.
    fn settle(&mut self) {
        // Without anybody who waits there is nobody to pair mail with.
        if self.stopping || self.waiters.next_deadline().is_none() {
            return;
        }
        for mailbox in self.touched.clone() {
            while let Some(number) = self.waiters.first(mailbox) {
                if self.bell_count(mailbox) == 0 {
                    break;
                }
                let Some(waiter) = self.waiters.take(number) else { break };
                self.answer_waiter(waiter);
            }
            if let Some((number, _)) = self.waiters.bell(mailbox)
                && self.news(mailbox).is_some()
                && let Some(waiter) = self.waiters.take(number)
            {
                self.answer_bell(waiter);
            }
        }
    }

    /// Tells front ends how much waits, if that changed or is other mail.
    fn push_counts(&mut self) {
        for mailbox in std::mem::take(&mut self.touched) {
            let Some(session) = self.presence.holder(mailbox) else { continue };
            let waits = self.rings_for(mailbox);
            if self.presence.tell(session, waits) {
                let unread = waits.unread;
                let event = Event::Mail(MailWaiting { unread });
                self.step.effects.push(Effect::Push { session, event });
            }
        }
    }
}

fn the_daemon_ends() -> Refusal {
    Refusal::new(RefusalCode::Retry, "the daemon ends").hint("repeat the call")
}
