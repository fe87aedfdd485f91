//! A commit that failed: the broker takes up what the store holds, and everybody stays connected.
//!
//! Rows say what is durable, and all of it comes from them again. What no row says (who holds a name by
//! a connection, who was handed what, who waits) is set back to the last batch that was confirmed, less
//! what ended since. So nobody is handed mail whose answer never left, and nobody loses a lease, a name
//! or a wait over somebody else's call.

use super::bells::Bells;
use super::mutation::Mutation;
use super::presence::Holdings;
use super::state::{Inconsistent, State};
use super::waiters::{Waiter, Waiters};
use super::{Broker, Effect, SessionId, Step};
use crate::protocol::refusal::Refusal;
use crate::protocol::time::{Now, Timestamp};
use crate::protocol::wire::CallId;

/// The volatile part of the broker when the last batch was confirmed.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    holdings: Holdings,
    waiters: Waiters,
}

impl Broker {
    /// What was drained last is durable, or had nothing to make durable.
    pub fn confirm(&mut self) {
        // A send alone changes neither: with hundreds of sessions their copy would cost more than it.
        if self.presence.take_changed() {
            self.confirmed.holdings = self.presence.holdings();
        }
        if self.waiters.take_changed() {
            self.confirmed.waiters = self.waiters.clone();
        }
    }

    /// What was drained last, `failed`, is not durable as far as is known, and `rows` are what the store
    /// holds now. The next drain has the answers to its calls: `refusal`, but for calls that had waited
    /// before and go on waiting. It has no mutations.
    ///
    /// Whatever is handed out from now on is flagged as a possible repeat, as after an unclean end.
    ///
    /// # Errors
    /// The rows contradict each other: this broker is not to be used any more.
    pub fn roll_back(
        &mut self,
        rows: &[Mutation],
        failed: Step,
        refusal: &Refusal,
        now: Now,
    ) -> Result<(), Inconsistent> {
        self.state = State::recover(rows)?;
        self.repeat_until = self.state.counters.last_message;
        self.next_expiry = Some(Timestamp(0));
        self.step = Step::default();
        self.alarmed.clear();
        // What hooks were told may not have left.
        self.bells = Bells::default();
        self.now = Now { wall: now.wall.max(self.now.wall), ..now };
        self.presence.take_back(&self.confirmed.holdings, &self.state);
        let answered = self.refuse_all(failed.effects, refusal);
        self.take_back_waits(&answered, refusal);
        self.touched = self.state.mailboxes.keys().copied().collect();
        self.settle();
        Ok(())
    }

    /// Mail and names of processes that are gone stay as they are until this is called with `false`: for
    /// a store that takes no commits, so that calls that need none are not refused over one.
    pub fn rest(&mut self, resting: bool) {
        self.resting = resting;
    }

    /// Answers the calls of a failed batch, but for those that waited before it and were to get mail.
    /// Returns all that are answered.
    fn refuse_all(&mut self, effects: Vec<Effect>, refusal: &Refusal) -> Vec<(SessionId, CallId)> {
        let mut answered = Vec::new();
        for effect in effects {
            match effect {
                Effect::Reply { session, call, outcome: Ok(_), .. } => {
                    if !self.confirmed.waiters.holds(session, &call) {
                        answered.push((session, call.clone()));
                        self.reply(session, call, Err(refusal.clone()));
                    }
                }
                // It did nothing, and says so. A cancelled call must hear of it.
                Effect::Reply { session, ref call, outcome: Err(_), .. } => {
                    answered.push((session, call.clone()));
                    self.step.effects.push(effect);
                }
                // Of a message that was read before.
                Effect::ReadCopy { .. } => self.step.effects.push(effect),
                Effect::Push { .. } | Effect::Ended(_) | Effect::Stop => {}
            }
        }
        answered
    }

    /// Whoever waited waits on; a wait that began in the failed batch, too, if its mailbox is there.
    fn take_back_waits(&mut self, answered: &[(SessionId, CallId)], refusal: &Refusal) {
        // In place: that somebody went since the last confirmed batch must not be forgotten with them.
        let now: Vec<Waiter> = self.waiters.take_all();
        let before = self.confirmed.waiters.clone().take_all();
        let newly = now.into_iter().filter(|w| !self.confirmed.waiters.holds(w.session, &w.call));
        for waiter in before.into_iter().chain(newly.collect::<Vec<_>>()) {
            let is_answered =
                answered.iter().any(|(session, call)| *session == waiter.session && *call == waiter.call);
            if is_answered || !self.presence.sessions().contains_key(&waiter.session) {
                continue;
            }
            if self.state.mailboxes.contains_key(&waiter.mailbox) {
                self.waiters.park(waiter);
            } else {
                self.reply(waiter.session, waiter.call, Err(refusal.clone()));
            }
        }
    }
}
