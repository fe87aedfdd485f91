//! What the tests of the store share: a home for it, rows of every kind, and random changes.

mod damage;
pub(crate) mod disk;
#[cfg(unix)]
mod files;
mod journal;
mod powercut;
mod reopening;
mod rows;
mod salvage;
mod schemas;

use std::fs;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle,
    WriteTransaction,
};

use self::disk::{Disk, Rng};
use super::file;
use super::layout::{INLINE_BYTES_MAX, LARGE, MAIL, META, MailKey, message_key};
use super::memory::Rows;
use super::migrate::{self, Step};
use super::rows::{Place, decode, encode};

use super::{MemoryStore, Recovered, RedbStore, Store, StoreError, StoreOptions};
use crate::broker::mutation::*;
use crate::broker::state::State;
use crate::protocol::message::{Body, Data, MessageId, Sender};
use crate::protocol::name::Name;
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response::DeadReason;
use crate::protocol::time::Timestamp;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        let dir = tempfile::tempdir().unwrap();
        // Whatever the umask of this run is.
        #[cfg(unix)]
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Home(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ipcd.redb")
    }

    fn head(&self) -> PathBuf {
        self.0.path().join("head")
    }

    fn options(&self) -> StoreOptions {
        StoreOptions { path: self.path(), head: self.head(), two_phase: false }
    }

    fn open(&self) -> Recovered<RedbStore> {
        RedbStore::open(self.options()).unwrap()
    }

    fn refused(&self) -> StoreError {
        RedbStore::open_with(&self.options(), migrate::STEPS, 1).map(|_| ()).unwrap_err()
    }

    /// Leaves a store that holds `mutations`, closed in order.
    fn store(&self, mutations: &[Mutation]) {
        let mut store = self.open().store;
        store.commit(mutations).unwrap();
        close(store);
    }

    /// Leaves a row of mail that is none.
    fn spoil(&self, id: u64) {
        self.tamper(|write| {
            let mut table = write.open_table(MAIL).unwrap();
            table.insert(message_key(MessageId(id)), b"no row".as_slice()).unwrap();
        });
    }

    /// Does something to the file behind the store's back.
    fn tamper(&self, change: impl FnOnce(&WriteTransaction)) {
        let db = Database::open(self.path()).unwrap();
        let write = db.begin_write().unwrap();
        change(&write);
        write.commit().unwrap();
        db.close().unwrap();
    }
}

fn close(store: RedbStore) {
    Box::new(store).close().unwrap();
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn message(id: u64, content: &str) -> Mutation {
    Mutation::PutMessage(Arc::new(MessageRow {
        id: MessageId(id),
        from: name("Alice"),
        from_mailbox: Some(MailboxId(1)),
        sent_at: Timestamp(1_795_296_428_007),
        summary: Some("in short".to_owned()),
        content: Body(content.into()),
        data: Some(Data(
            serde_json::value::RawValue::from_string("{\"n\": 1e400}".to_owned()).unwrap().into(),
        )),
        reply_to: Some(MessageId(1)),
        thread: Some(MessageId(1)),
        expires_at: Some(Timestamp(6)),
        hops: 3,
        chain_at: Timestamp(5),
        sender: Sender { client: Some("claude-code".to_owned()), pid: Some(7), ..Sender::default() }.into(),
    }))
}

fn counters(last_message: u64) -> Mutation {
    Mutation::PutCounters(Counters { last_message, last_mailbox: 2, ..Counters::default() })
}

/// One put of every kind, in the order of recovery.
fn every_row() -> Vec<Mutation> {
    let holder = Holder {
        host: None,
        process: Some(ProcessId { pid: 7, start: 9, boot: "boot".to_owned() }),
        auto: true,
        used: true,
        client: Some("codex".to_owned()),
        client_session: None,
        folder: Some("/home/u/webapp".to_owned()),
        since: Timestamp(1),
        last_seen: Timestamp(2),
        renamed_at: Some(Timestamp(3)),
        auto_check: Some(AutoCheck { minutes: 5, last: None }),
    };
    let sent = KeyOutcome::Sent {
        id: MessageId(9),
        mailbox: MailboxId(2),
        to: name("bob"),
        forwarded_from: Some(name("Bobby")),
    };
    let refused = KeyOutcome::Refused {
        to: "no name".to_owned(),
        refusal: Refusal::new(RefusalCode::InvalidName, "\"no name\" is not a name"),
    };
    let dead = Dead { reason: DeadReason::Poison, at: Timestamp(8) };
    vec![
        counters(10),
        Mutation::PutMailbox(
            MailboxId(1),
            Arc::new(MailboxRow { name: name("Alice"), holder: Some(holder), merged: vec![MailboxId(7)] }),
        ),
        Mutation::PutMailbox(
            MailboxId(300),
            Arc::new(MailboxRow { name: name("bob"), holder: None, merged: Vec::new() }),
        ),
        Mutation::PutName(name("alice").key(), NameRow { mailbox: MailboxId(1), forward_until: None }),
        Mutation::PutName(
            name("bobby").key(),
            NameRow { mailbox: MailboxId(300), forward_until: Some(Timestamp(6)) },
        ),
        Mutation::PutReceipt(
            MailboxId(300),
            MessageId(2),
            ReceiptRow { from_mailbox: None, thread: MessageId(1), hops: 2, chain_at: Timestamp(7) },
        ),
        message(9, "hello \u{0}\u{202e}\n"),
        Mutation::PutDelivery(MailboxId(2), MessageId(9), DeliveryRow::default()),
        Mutation::PutDelivery(
            MailboxId(300),
            MessageId(9),
            DeliveryRow { tries: 5, redelivered: true, requeued: true, dead: Some(dead) },
        ),
        message(10, ""),
        Mutation::PutKey(
            MailboxId(1),
            "a key \u{0} ä".to_owned(),
            KeyRow { at: Timestamp(4), digest: u64::MAX, outcomes: vec![sent, refused] },
        ),
    ]
}

fn drop_of(put: &Mutation) -> Option<Mutation> {
    use Mutation::*;
    match put.clone() {
        PutMailbox(id, _) => Some(DropMailbox(id)),
        PutName(name, _) => Some(DropName(name)),
        PutMessage(row) => Some(DropMessage(row.id)),
        PutDelivery(mailbox, id, _) => Some(DropDelivery(mailbox, id)),
        PutKey(mailbox, key, _) => Some(DropKey(mailbox, key)),
        PutReceipt(mailbox, id, _) => Some(DropReceipt(mailbox, id)),
        _ => None,
    }
}

/// A row as it is stored there.
fn row_at<K: redb::Key>(
    table: TableDefinition<K, &[u8]>,
    key: K::SelfType<'_>,
    row: &impl super::rows::Row,
) -> Vec<u8> {
    let key = K::as_bytes(&key);
    let place = Place { table: table.name(), key: key.as_ref() };
    encode(place, row).unwrap()
}

/// A change out of a small world, so that puts meet puts and drops of the same row.
fn some_mutation(rng: &mut Rng) -> Mutation {
    let (mailbox, id) = (MailboxId(rng.below(4)), MessageId(rng.below(12)));
    match rng.below(8) {
        0 => counters(rng.below(1000)),
        1 => message(id.0, &"x".repeat(rng.below(6000) as usize)),
        2 => message(id.0, &"x".repeat(rng.below(300) as usize)),
        3 => Mutation::DropMessage(id),
        4 => Mutation::PutDelivery(
            mailbox,
            id,
            DeliveryRow { tries: rng.below(5) as u32, ..DeliveryRow::default() },
        ),
        5 => Mutation::DropDelivery(mailbox, id),
        _ => {
            let rows = every_row();
            let row = rows[rng.below(rows.len() as u64) as usize].clone();
            if rng.below(2) == 0 { drop_of(&row).unwrap_or(row) } else { row }
        }
    }
}

fn rows_of(mutations: &[Mutation]) -> Vec<Mutation> {
    let mut rows = Rows::default();
    mutations.iter().for_each(|mutation| rows.apply(mutation));
    rows.mutations()
}

/// The messages among rows.
fn messages(rows: &[Mutation]) -> Vec<u64> {
    let id = |row: &Mutation| match row {
        Mutation::PutMessage(row) => Some(row.id.0),
        _ => None,
    };
    rows.iter().filter_map(id).collect()
}

/// Where the first record of a journal begins.
fn first_record(journal: &[u8]) -> usize {
    journal.iter().position(|byte| *byte != 0).unwrap() / 512 * 512
}

/// The rights of a file; where there are no modes its folder's stand for them.
fn mode(path: &Path) -> u32 {
    #[cfg(unix)]
    return fs::metadata(path).unwrap().permissions().mode() & 0o777;
    #[cfg(not(unix))]
    if path.exists() { 0o600 } else { 0 }
}
