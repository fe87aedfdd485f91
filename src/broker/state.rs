//! All durable facts, in memory. [`State::apply`] is the only door: the broker goes through it with
//! each change it decides, recovery goes through it with each stored row. What can be computed from
//! rows (counts, bytes, shares) is kept beside them here and never stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::mutation::{
    Counters, DeliveryRow, KeyRow, MailboxId, MailboxRow, MessageRow, Mutation, NameRow, ReceiptRow,
};
use crate::protocol::message::MessageId;
use crate::protocol::name::NameKey;
use crate::protocol::time::Timestamp;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    pub counters: Counters,
    pub names: BTreeMap<NameKey, NameRow>,
    pub mailboxes: BTreeMap<MailboxId, Mailbox>,
    pub messages: BTreeMap<MessageId, StoredMessage>,
    /// Bytes of all messages.
    pub bytes: usize,
    /// Dead letters, oldest death first.
    pub dead: BTreeSet<(Timestamp, MailboxId, MessageId)>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct StoredMessage {
    pub row: Arc<MessageRow>,
    /// Deliveries of it, dead ones included.
    pub deliveries: usize,
}

/// A mailbox. A delivery in it is ready, leased or dead; never two of them, and when it is none of
/// them it is settled and gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub row: Arc<MailboxRow>,
    /// Ready and leased deliveries in the order of their acceptance.
    pub unsettled: BTreeMap<MessageId, DeliveryRow>,
    pub dead: BTreeMap<MessageId, DeliveryRow>,
    pub keys: BTreeMap<String, KeyRow>,
    /// The keys again, oldest first.
    pub keys_by_age: BTreeSet<(Timestamp, String)>,
    pub receipts: BTreeMap<MessageId, ReceiptRow>,
    /// What each sender has unsettled here; the daemon's own notices count for nobody.
    pub shares: BTreeMap<MailboxId, Share>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub messages: usize,
    pub bytes: usize,
}

/// One message in one mailbox, as it is about to change.
struct Place<'s> {
    id: MailboxId,
    mailbox: &'s mut Mailbox,
    message: &'s mut StoredMessage,
    dead: &'s mut BTreeSet<(Timestamp, MailboxId, MessageId)>,
}

/// A row that speaks of something that is not there: the store is damaged.
#[derive(Debug, thiserror::Error)]
#[error("the store speaks of {what} that it does not hold")]
pub struct Inconsistent {
    pub what: String,
}

fn missing(what: impl Into<String>) -> Inconsistent {
    Inconsistent { what: what.into() }
}

impl State {
    /// Builds the state that `rows` describe.
    pub fn recover(rows: &[Mutation]) -> Result<State, Inconsistent> {
        let mut state = State::default();
        for row in rows {
            state.apply(row)?;
        }
        match state.messages.iter().find(|(_, m)| m.deliveries == 0) {
            Some((id, _)) => Err(missing(format!("a mailbox for message {id}"))),
            None => Ok(state),
        }
    }

    /// Makes one change. Fails without changing anything when the mutation speaks of what is not there.
    pub fn apply(&mut self, mutation: &Mutation) -> Result<(), Inconsistent> {
        match mutation {
            Mutation::PutCounters(counters) => self.counters = *counters,
            Mutation::PutMailbox(id, row) => match self.mailboxes.get_mut(id) {
                Some(mailbox) => mailbox.row = row.clone(),
                None => {
                    self.mailboxes.insert(*id, Mailbox::new(row.clone()));
                }
            },
            Mutation::DropMailbox(id) => {
                self.mailboxes.remove(id);
            }
            Mutation::PutName(key, row) => {
                self.mailbox(row.mailbox)?;
                self.names.insert(key.clone(), *row);
            }
            Mutation::DropName(key) => {
                self.names.remove(key);
            }
            Mutation::PutMessage(row) => {
                self.bytes += row.size();
                self.messages.insert(row.id, StoredMessage { row: row.clone(), deliveries: 0 });
            }
            Mutation::DropMessage(id) => {
                if let Some(message) = self.messages.remove(id) {
                    self.bytes -= message.row.size();
                }
            }
            Mutation::PutDelivery(mailbox, id, row) => {
                let mut place = self.place(*mailbox, *id)?;
                place.take();
                place.put(row);
            }
            Mutation::DropDelivery(mailbox, id) => {
                // Of what is gone already there is nothing to take.
                if let Ok(mut place) = self.place(*mailbox, *id) {
                    place.take();
                }
            }
            Mutation::PutKey(mailbox, key, row) => {
                let mailbox = self.mailbox(*mailbox)?;
                if let Some(old) = mailbox.keys.insert(key.clone(), row.clone()) {
                    mailbox.keys_by_age.remove(&(old.at, key.clone()));
                }
                mailbox.keys_by_age.insert((row.at, key.clone()));
            }
            Mutation::DropKey(mailbox, key) => {
                let mailbox = self.mailbox(*mailbox)?;
                if let Some(old) = mailbox.keys.remove(key) {
                    mailbox.keys_by_age.remove(&(old.at, key.clone()));
                }
            }
            Mutation::PutReceipt(mailbox, id, row) => {
                self.mailbox(*mailbox)?.receipts.insert(*id, *row);
            }
            Mutation::DropReceipt(mailbox, id) => {
                self.mailbox(*mailbox)?.receipts.remove(id);
            }
        }
        Ok(())
    }

    fn mailbox(&mut self, id: MailboxId) -> Result<&mut Mailbox, Inconsistent> {
        self.mailboxes.get_mut(&id).ok_or_else(|| missing(format!("mailbox {}", id.0)))
    }

    /// Where the delivery of a message in a mailbox is kept, found once.
    fn place(&mut self, id: MailboxId, message: MessageId) -> Result<Place<'_>, Inconsistent> {
        let mailbox = self.mailboxes.get_mut(&id).ok_or_else(|| missing(format!("mailbox {}", id.0)))?;
        let message = self.messages.get_mut(&message).ok_or_else(|| missing(format!("message {message}")))?;
        Ok(Place { id, mailbox, message, dead: &mut self.dead })
    }
}

impl Place<'_> {
    fn put(&mut self, row: &DeliveryRow) {
        let message = &self.message.row;
        self.message.deliveries += 1;
        if let Some(dead) = row.dead {
            self.mailbox.dead.insert(message.id, row.clone());
            self.dead.insert((dead.at, self.id, message.id));
            return;
        }
        self.mailbox.unsettled.insert(message.id, row.clone());
        if let Some(sender) = message.from_mailbox {
            let share = self.mailbox.shares.entry(sender).or_default();
            share.messages += 1;
            share.bytes += message.size();
        }
    }

    fn take(&mut self) {
        let message = &self.message.row;
        if let Some(row) = self.mailbox.dead.remove(&message.id) {
            self.message.deliveries -= 1;
            if let Some(dead) = row.dead {
                self.dead.remove(&(dead.at, self.id, message.id));
            }
        }
        if self.mailbox.unsettled.remove(&message.id).is_none() {
            return;
        }
        self.message.deliveries -= 1;
        if let Some(sender) = message.from_mailbox
            && let Some(share) = self.mailbox.shares.get_mut(&sender)
        {
            share.messages -= 1;
            share.bytes -= message.size();
            if share.messages == 0 {
                self.mailbox.shares.remove(&sender);
            }
        }
    }
}

impl Mailbox {
    fn new(row: Arc<MailboxRow>) -> Mailbox {
        Mailbox {
            row,
            unsettled: BTreeMap::new(),
            dead: BTreeMap::new(),
            keys: BTreeMap::new(),
            keys_by_age: BTreeSet::new(),
            receipts: BTreeMap::new(),
            shares: BTreeMap::new(),
        }
    }

    /// What all senders together have unsettled here.
    pub fn taken(&self) -> Share {
        self.shares.values().fold(Share::default(), |sum, share| Share {
            messages: sum.messages + share.messages,
            bytes: sum.bytes + share.bytes,
        })
    }

    /// Nothing in it would be missed.
    pub fn is_empty(&self) -> bool {
        self.unsettled.is_empty() && self.dead.is_empty()
    }
}
