//! A store without a disk, for tests: it keeps rows as the real one does and fails when it is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Store, StoreError};
use crate::broker::mutation::{MailboxId, Mutation};
use crate::protocol::message::MessageId;
use crate::protocol::name::NameKey;

/// Rows in memory. Clones share them: a test keeps one and gives the other away.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    rows: Rows,
    commits: u64,
    fail_at: Option<u64>,
    failed: bool,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Makes the `nth` commit from now fail, 1 being the next; like a real store it then refuses
    /// all others, until [`MemoryStore::reopen`].
    pub fn fail_at(&self, nth: u64) {
        let mut shared = self.shared();
        shared.fail_at = Some(shared.commits + nth);
    }

    /// Makes the store work again, with the rows of the commits that succeeded.
    pub fn reopen(&self) {
        let mut shared = self.shared();
        (shared.failed, shared.fail_at) = (false, None);
    }

    /// How many commits succeeded.
    pub fn commits(&self) -> u64 {
        self.shared().commits
    }

    /// Every row, in the order of [`super::Recovered::mutations`].
    pub fn recover(&self) -> Vec<Mutation> {
        self.shared().rows.mutations()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // A test that panicked elsewhere should say why, and not that a lock is poisoned.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        let mut shared = self.shared();
        if shared.failed {
            return Err(StoreError::FailedBefore);
        }
        if shared.fail_at == Some(shared.commits + 1) {
            shared.failed = true;
            return Err(StoreError::failed("cannot write the store", io::Error::other("a scripted failure")));
        }
        shared.commits += 1;
        for mutation in mutations {
            shared.rows.apply(mutation);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<Vec<Mutation>, StoreError> {
        MemoryStore::reopen(self);
        Ok(self.recover())
    }

    fn size_bytes(&self) -> u64 {
        0
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What is stored, as the mutations that would put it there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows(BTreeMap<RowKey, Mutation>);

/// Which row a mutation is about. Ordered as rows are recovered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RowKey {
    Counters,
    Mailbox(MailboxId),
    Name(NameKey),
    Mail(MessageId, MailKind),
    Key(MailboxId, String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MailKind {
    Message,
    Delivery(MailboxId),
    Receipt(MailboxId),
}

impl Rows {
    pub(crate) fn apply(&mut self, mutation: &Mutation) {
        use Mutation::*;
        let (key, put) = match mutation.clone() {
            PutCounters(_) => (RowKey::Counters, true),
            PutMailbox(id, _) => (RowKey::Mailbox(id), true),
            DropMailbox(id) => (RowKey::Mailbox(id), false),
            PutName(name, _) => (RowKey::Name(name), true),
            DropName(name) => (RowKey::Name(name), false),
            PutMessage(row) => (RowKey::Mail(row.id, MailKind::Message), true),
            DropMessage(id) => (RowKey::Mail(id, MailKind::Message), false),
            PutDelivery(mailbox, id, _) => (RowKey::Mail(id, MailKind::Delivery(mailbox)), true),
            DropDelivery(mailbox, id) => (RowKey::Mail(id, MailKind::Delivery(mailbox)), false),
            PutKey(mailbox, key, _) => (RowKey::Key(mailbox, key), true),
            DropKey(mailbox, key) => (RowKey::Key(mailbox, key), false),
            PutReceipt(mailbox, id, _) => (RowKey::Mail(id, MailKind::Receipt(mailbox)), true),
            DropReceipt(mailbox, id) => (RowKey::Mail(id, MailKind::Receipt(mailbox)), false),
        };
        if put {
            self.0.insert(key, mutation.clone());
        } else {
            self.0.remove(&key);
        }
    }

    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        self.0.values().cloned().collect()
    }
}
