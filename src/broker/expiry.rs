//! What ends with time: forwards, mail with a time to live, mail for names that nobody ever held.
//! Nothing here needs a timer: what is over is cleared before the next input is looked at.
//!
//! A clock that leaps (it was set, or the machine slept) kills no mail on the spot: agents get a while
//! to read it first.

use std::time::Duration;

use super::Broker;
use super::mutation::{DeliveryRow, MailboxId, MessageRow, Mutation};
use crate::protocol::message::MessageId;
use crate::protocol::response::DeadReason;
use crate::protocol::time::{Now, Timestamp};

/// A clock that goes ahead of the steady one by more than this has leapt.
const LEAP: Duration = Duration::from_secs(3600);

/// How long mail is spared after a leap: every agent that is at work looks within that time.
const SPARED: Duration = Duration::from_secs(3600);

impl Broker {
    /// Clears what is over. Costs nothing until something is.
    pub(super) fn expire(&mut self) {
        let now = self.wall();
        if self.resting || self.next_expiry.is_none_or(|at| now < at) {
            return;
        }
        let over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let names: Vec<_> = self
            .state
            .names
            .iter()
            .filter(|(_, n)| over(n.forward_until))
            .map(|(key, _)| key.clone())
            .collect();
        for key in names {
            self.change(Mutation::DropName(key));
        }
        let expired: Vec<(MailboxId, MessageId)> =
            self.deliveries().filter(|(_, _, at)| *at <= now).map(|(mailbox, id, _)| (mailbox, id)).collect();
        for (mailbox, id) in expired {
            // What a reader has in its hands does not expire under it.
            if self.spared_until.is_none() && self.presence.leased_to(mailbox, id).is_none() {
                self.kill(mailbox, id, DeadReason::Expired);
            }
        }
        let forwards = self.state.names.values().filter_map(|n| n.forward_until);
        let mail = self.deliveries().map(|(_, _, at)| at).filter(|at| *at > now);
        self.next_expiry = forwards.chain(mail).min();
    }

    /// Looks whether the clock leapt since the last input, `steady` being what it should show.
    pub(super) fn note_leap(&mut self, now: Now, steady: Timestamp) {
        if now.wall.since(steady) > LEAP {
            self.spared_until = Some(now.tick.plus(SPARED));
        } else if self.spared_until.is_some_and(|until| until <= now.tick) {
            self.spared_until = None;
            self.next_expiry = Some(Timestamp(0));
        }
    }

    /// Keeps [`Broker::expire`]'s date right for what is put now.
    pub(super) fn note_expiry(&mut self, mutation: &Mutation) {
        let at = match mutation {
            Mutation::PutName(_, row) => row.forward_until,
            Mutation::PutDelivery(mailbox, id, row) => {
                self.state.messages.get(id).and_then(|m| self.expires(*mailbox, row, &m.row))
            }
            _ => None,
        };
        if let Some(at) = at {
            self.next_expiry = Some(self.next_expiry.map_or(at, |next| next.min(at)));
        }
    }

    /// Unsettled deliveries that expire, and when.
    fn deliveries(&self) -> impl Iterator<Item = (MailboxId, MessageId, Timestamp)> + '_ {
        self.state.mailboxes.iter().flat_map(move |(mailbox, m)| {
            m.unsettled.iter().filter_map(move |(id, row)| {
                let message = self.state.messages.get(id)?;
                Some((*mailbox, *id, self.expires(*mailbox, row, &message.row)?))
            })
        })
    }

    fn expires(&self, mailbox: MailboxId, row: &DeliveryRow, message: &MessageRow) -> Option<Timestamp> {
        if row.requeued {
            return None;
        }
        let unclaimed = self.holder_of(mailbox).is_none() && !self.limits.unclaimed.is_zero();
        let waits = unclaimed.then(|| message.sent_at.plus(self.limits.unclaimed));
        [message.expires_at, waits].into_iter().flatten().min()
    }
}
