//! Parked calls. A waiter belongs to one call of one session and ends with an answer, a cancel, its
//! deadline or its session; nothing else keeps it.

use std::collections::{BTreeMap, BTreeSet};

use super::SessionId;
use super::mutation::MailboxId;
use crate::protocol::response::Wakes;
use crate::protocol::time::Tick;
use crate::protocol::wire::CallId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    pub session: SessionId,
    pub call: CallId,
    pub mailbox: MailboxId,
    pub purpose: Purpose,
    pub since: Tick,
    pub deadline: Tick,
}

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A `check`: it is handed so many messages at most.
    Mail { limit: usize },
    /// A hook: it is told that mail waits, and takes none.
    Bell(Wakes),
}

/// All waiters, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Waiters {
    next: u64,
    waiting: BTreeMap<u64, Waiter>,
    by_mailbox: BTreeSet<(MailboxId, u64)>,
    by_deadline: BTreeSet<(Tick, u64)>,
    /// Somebody came or went since the last [`Waiters::take_changed`].
    changed: bool,
}

impl Waiters {
    pub fn park(&mut self, waiter: Waiter) {
        self.next += 1;
        self.changed = true;
        self.by_mailbox.insert((waiter.mailbox, self.next));
        self.by_deadline.insert((waiter.deadline, self.next));
        self.waiting.insert(self.next, waiter);
    }

    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The first one that waits for this mailbox's mail.
    pub fn first(&self, mailbox: MailboxId) -> Option<u64> {
        self.of(mailbox).find(|(_, waiter)| matches!(waiter.purpose, Purpose::Mail { .. })).map(|(n, _)| n)
    }

    /// The one that waits for this mailbox's bell, and how it wakes its agent.
    pub fn bell(&self, mailbox: MailboxId) -> Option<(u64, Wakes)> {
        self.of(mailbox).find_map(|(number, waiter)| match waiter.purpose {
            Purpose::Bell(wakes) => Some((number, wakes)),
            Purpose::Mail { .. } => None,
        })
    }

    fn of(&self, mailbox: MailboxId) -> impl Iterator<Item = (u64, &Waiter)> {
        let numbers = self.by_mailbox.range((mailbox, 0)..=(mailbox, u64::MAX));
        numbers.filter_map(|(_, number)| self.waiting.get(number).map(|waiter| (*number, waiter)))
    }

    pub fn take(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiting.remove(&number)?;
        self.changed = true;
        self.by_mailbox.remove(&(waiter.mailbox, number));
        self.by_deadline.remove(&(waiter.deadline, number));
        Some(waiter)
    }

    pub fn take_call(&mut self, session: SessionId, call: &CallId) -> Option<Waiter> {
        let number = self.waiting.iter().find(|(_, w)| w.session == session && w.call == *call)?.0;
        self.take(*number)
    }

    /// Whether this call waits.
    pub fn holds(&self, session: SessionId, call: &CallId) -> bool {
        self.waiting.values().any(|w| w.session == session && w.call == *call)
    }

    pub fn take_session(&mut self, session: SessionId) -> Vec<Waiter> {
        self.take_where(|w| w.session == session)
    }

    pub fn take_mailbox(&mut self, mailbox: MailboxId) -> Vec<Waiter> {
        self.take_where(|w| w.mailbox == mailbox)
    }

    /// Those whose time is over.
    pub fn take_due(&mut self, now: Tick) -> Vec<Waiter> {
        let due: Vec<u64> = self.by_deadline.range(..=(now, u64::MAX)).map(|(_, number)| *number).collect();
        due.into_iter().filter_map(|number| self.take(number)).collect()
    }

    pub fn take_all(&mut self) -> Vec<Waiter> {
        self.take_where(|_| true)
    }

    /// The mailbox `from` was merged into `into`.
    pub fn move_mailbox(&mut self, from: MailboxId, into: MailboxId) {
        for waiter in self.take_mailbox(from) {
            self.park(Waiter { mailbox: into, ..waiter });
        }
    }

    #[cfg(test)]
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.waiting.values().map(|waiter| waiter.session)
    }

    pub fn next_deadline(&self) -> Option<Tick> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    fn take_where(&mut self, wanted: impl Fn(&Waiter) -> bool) -> Vec<Waiter> {
        let numbers: Vec<u64> = self.waiting.iter().filter(|(_, w)| wanted(w)).map(|(n, _)| *n).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }
}
