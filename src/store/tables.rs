//! The store's tables: which there are, what is in them under which key, and how they are read.
//!
//! Keys are numbers, tuples of numbers, or bytes; text is stored as bytes, because redb panics over a
//! damaged `&str`. How a row is written is in [`super::rows`].
//!
//! What one send or one settling changes stands together, in one leaf of one table: all of it is in
//! [`MAIL`], by message number first. A commit costs by the pages that it touches. For the same reason a
//! message of more than [`INLINE_BYTES_MAX`] is in [`LARGE`]: redb joins a leaf that became small with its
//! neighbour, and would write a neighbour of a megabyte anew with each message that is settled beside it.
//!
//! # Changing what is stored
//!
//! 1. An optional field with `#[serde(default)]` needs nothing: older rows read as before. An older
//!    ipcd drops the field when it writes the row anew; where that would hurt, it is a new schema.
//! 2. Anything else (a table, a key, a field's meaning or name) is a new schema: add one [`Step`]
//!    at the end of [`STEPS`](super::migrate::STEPS), which makes the rows of the last schema into
//!    those of the new one with types of its own: the types here are always the newest.
//! 3. Never change: the table `meta`, its key `schema` and the form of that one row. By them every
//!    ipcd, older or newer, knows what it has in hand.
//!
//! [`Step`]: super::migrate::Step

use std::cell::Cell;
use std::sync::Arc;

use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, TableHandle,
    Value, WriteTransaction,
};

use super::StoreError;
use super::faults::guarded;
use super::rows::{Elsewhere, Place, Row, RowWriter, decode, is_elsewhere};
use crate::broker::mutation::{MailboxId, MessageRow, Mutation};
use crate::protocol::message::MessageId;
use crate::protocol::name::Name;

type Bytes = &'static [u8];

/// The oldest schema whose rows the types here read as they are, be it that a step leads from there: of a
/// store that was damaged before it was brought up, they are saved.
pub(super) const READ_SINCE: u64 = 1;

/// `schema`.
pub(super) const META: TableDefinition<Bytes, Bytes> = TableDefinition::new("meta");
const SCHEMA: &[u8] = b"schema";

/// By mailbox number.
const MAILBOXES: TableDefinition<u64, Bytes> = TableDefinition::new("mailboxes");
/// By name, in lower case.
const NAMES: TableDefinition<Bytes, Bytes> = TableDefinition::new("names");
/// Messages, their deliveries and receipts, and last the counters: see [`MailKey`].
pub(super) const MAIL: TableDefinition<MailKey, Bytes> = TableDefinition::new("mail");
/// By message number: the messages that [`MAIL`] has as [`Elsewhere`].
pub(super) const LARGE: TableDefinition<u64, Bytes> = TableDefinition::new("large");
/// By the sender's mailbox number (8 bytes, big-endian), then the key.
const KEYS: TableDefinition<Bytes, Bytes> = TableDefinition::new("keys");

/// A message's number, what the row is, and the mailbox that it is about, or 0.
pub(super) type MailKey = (u64, u8, u64);
const MESSAGE: u8 = 0;
const DELIVERY: u8 = 1;
const RECEIPT: u8 = 2;
/// Behind all mail, and so beside the newest, which is written together with it.
const COUNTERS: MailKey = (u64::MAX, u8::MAX, 0);

/// Bytes of a message, as limits count them, up to which it stands in [`MAIL`] itself: half of a page of redb,
/// the rest of which is for what is known of it and for its neighbours.
pub(super) const INLINE_BYTES_MAX: usize = 2048;

pub(super) const fn message_key(id: MessageId) -> MailKey {
    (id.0, MESSAGE, 0)
}

/// All tables in one commit. Each is opened when it is first written: a table that is open costs the
/// commit, written or not.
pub(super) struct Tables<'t> {
    meta: Lazy<'t, Bytes>,
    mailboxes: Lazy<'t, u64>,
    names: Lazy<'t, Bytes>,
    mail: Lazy<'t, MailKey>,
    large: Lazy<'t, u64>,
    keys: Lazy<'t, Bytes>,
    writer: RowWriter,
}

struct Lazy<'t, K: Key + 'static> {
    write: &'t WriteTransaction,
    definition: TableDefinition<'static, K, Bytes>,
    table: Option<Table<'t, K, Bytes>>,
}

impl<'t, K: Key + 'static> Lazy<'t, K> {
    fn new(write: &'t WriteTransaction, definition: TableDefinition<'static, K, Bytes>) -> Lazy<'t, K> {
        Lazy { write, definition, table: None }
    }

    fn open(&mut self) -> Result<&mut Table<'t, K, Bytes>, StoreError> {
        let table = match self.table.take() {
            Some(table) => table,
            None => self.write.open_table(self.definition)?,
        };
        Ok(self.table.insert(table))
    }

    /// True if it replaced [`Elsewhere`].
    fn put(
        &mut self,
        writer: &mut RowWriter,
        key: &K::SelfType<'_>,
        row: &impl Row,
    ) -> Result<bool, StoreError> {
        let key_bytes = K::as_bytes(key);
        let place = Place { table: self.definition.name(), key: key_bytes.as_ref() };
        let bytes = writer.write(place, row)?;
        let before = self.open()?.insert(key, bytes)?;
        Ok(before.is_some_and(|before| is_elsewhere(before.value())))
    }

    /// True if it was [`Elsewhere`]. Dropping what is not there is no error.
    fn remove(&mut self, key: &K::SelfType<'_>) -> Result<bool, StoreError> {
        let before = self.open()?.remove(key)?;
        Ok(before.is_some_and(|before| is_elsewhere(before.value())))
    }
}

impl<'t> Tables<'t> {
    pub(super) fn new(write: &'t WriteTransaction) -> Tables<'t> {
        Tables {
            meta: Lazy::new(write, META),
            mailboxes: Lazy::new(write, MAILBOXES),
            names: Lazy::new(write, NAMES),
            mail: Lazy::new(write, MAIL),
            large: Lazy::new(write, LARGE),
            keys: Lazy::new(write, KEYS),
            writer: RowWriter::default(),
        }
    }

    /// Makes the tables of a fresh store, so that a reader finds all of them.
    pub(super) fn create(&mut self) -> Result<(), StoreError> {
        self.meta.open()?;
        self.mailboxes.open()?;
        self.names.open()?;
        self.mail.open()?;
        self.large.open()?;
        self.keys.open()?;
        Ok(())
    }

    pub(super) fn put_schema(&mut self, schema: u64) -> Result<(), StoreError> {
        self.meta.put(&mut self.writer, &SCHEMA, &schema).map(drop)
    }

    /// Puts and drops rows in order; the counters once, as the batch leaves them.
    pub(super) fn apply_all(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        let mut last = None;
        for mutation in mutations {
            match mutation {
                Mutation::PutCounters(counters) => last = Some(counters),
                row => self.apply(row)?,
            }
        }
        match last {
            Some(counters) => self.mail.put(&mut self.writer, &COUNTERS, counters).map(drop),
            None => Ok(()),
        }
    }

    /// Puts or drops one row.
    fn apply(&mut self, mutation: &Mutation) -> Result<(), StoreError> {
        use Mutation::*;
        let Tables { mailboxes, names, mail, keys, writer, .. } = self;
        let done = match mutation {
            PutCounters(_) => return Ok(()),
            PutMailbox(id, row) => mailboxes.put(writer, &id.0, row.as_ref()),
            DropMailbox(id) => mailboxes.remove(&id.0),
            PutName(name, row) => names.put(writer, &name.as_str().as_bytes(), row),
            DropName(name) => names.remove(&name.as_str().as_bytes()),
            PutMessage(row) => return self.put_message(row),
            DropMessage(id) => return self.drop_message(*id),
            PutDelivery(mailbox, id, row) => mail.put(writer, &(id.0, DELIVERY, mailbox.0), row),
            DropDelivery(mailbox, id) => mail.remove(&(id.0, DELIVERY, mailbox.0)),
            PutKey(mailbox, key, row) => keys.put(writer, &key_bytes(*mailbox, key).as_slice(), row),
            DropKey(mailbox, key) => keys.remove(&key_bytes(*mailbox, key).as_slice()),
            PutReceipt(mailbox, id, row) => mail.put(writer, &(id.0, RECEIPT, mailbox.0), row),
            DropReceipt(mailbox, id) => mail.remove(&(id.0, RECEIPT, mailbox.0)),
        };
        done.map(drop)
    }

    fn put_message(&mut self, row: &MessageRow) -> Result<(), StoreError> {
        let (key, writer) = (message_key(row.id), &mut self.writer);
        if row.size() > INLINE_BYTES_MAX {
            self.large.put(writer, &row.id.0, row)?;
            self.mail.put(writer, &key, &Elsewhere)?;
        } else if self.mail.put(writer, &key, row)? {
            self.large.remove(&row.id.0)?;
        }
        Ok(())
    }

    fn drop_message(&mut self, id: MessageId) -> Result<(), StoreError> {
        if self.mail.remove(&message_key(id))? {
            self.large.remove(&id.0)?;
        }
        Ok(())
    }
}

fn key_bytes(mailbox: MailboxId, key: &str) -> Vec<u8> {
    [&mailbox.0.to_be_bytes(), key.as_bytes()].concat()
}

pub(super) fn key_parts(bytes: &[u8]) -> Option<(MailboxId, String)> {
    let (mailbox, key) = bytes.split_first_chunk::<8>()?;
    Some((MailboxId(u64::from_be_bytes(*mailbox)), str::from_utf8(key).ok()?.to_owned()))
}

/// The schema of what is stored; `None` in a file in which nothing was ever committed.
pub(super) fn schema(read: &ReadTransaction) -> Result<Option<u64>, StoreError> {
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) if read.list_tables()?.next().is_none() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let row =
        meta.get(SCHEMA)?.ok_or_else(|| StoreError::Damaged("it does not say its schema".to_owned()))?;
    let place = Place { table: META.name(), key: SCHEMA };
    decode(place, row.value()).map(Some).map_err(|what| damaged(&META, "schema", &what))
}

/// All that is stored.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) mutations: Vec<Mutation>,
    /// Of the values alone; of a large message, what limits count of it.
    pub(super) bytes: u64,
}

impl Rows {
    /// # Errors
    /// Any row that cannot be trusted.
    pub(super) fn read(read: &ReadTransaction) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for table in TABLES {
            table(&mut rows, read, &mut |error| Err(error))?;
        }
        Ok(rows)
    }

    /// Adds what can be read of a damaged store: a row that does not check out is left out, and of a
    /// table that cannot be walked, what comes after.
    pub(super) fn read_leniently(&mut self, read: &ReadTransaction) {
        for table in TABLES {
            let _ = guarded(|| {
                table(self, read, &mut |error| {
                    tracing::warn!(%error, "left out of what is saved");
                    Ok(())
                })
            })
            .inspect_err(|error| tracing::warn!(%error, "the rest of a table is lost"));
        }
    }

    /// Adds the rows of one table; `take` reads one, or leaves it to others. `bad` says whether a bad row
    /// ends it.
    fn table<K: ShownKey>(
        &mut self,
        read: &ReadTransaction,
        table: TableDefinition<K, Bytes>,
        bad: Bad<'_>,
        take: impl for<'k> Fn(K::SelfType<'k>, Stored<'_>) -> Result<Option<Mutation>, String>,
    ) -> Result<(), StoreError> {
        let mut last: Option<Vec<u8>> = None;
        for entry in read.open_table(table)?.iter()? {
            let (key, value) = entry?;
            let bytes = K::as_bytes(&key.value()).as_ref().to_vec();
            // Damaged branches can lead in a circle.
            if last.as_ref().is_some_and(|last| K::compare(last, &bytes).is_ge()) {
                return Err(damaged(&table, &K::show(&key.value()), "it comes after a higher key"));
            }
            let stored = Stored { place: Place { table: table.name(), key: &bytes }, bytes: value.value() };
            match take(key.value(), stored) {
                Ok(mutation) => {
                    self.mutations.extend(mutation);
                    self.bytes += value.value().len() as u64;
                }
                Err(what) => bad(damaged(&table, &K::show(&key.value()), &what))?,
            }
            last = Some(bytes);
        }
        Ok(())
    }
}

/// A row as it was found.
struct Stored<'s> {
    place: Place<'s>,
    bytes: &'s [u8],
}

impl Stored<'_> {
    fn row<R: Row>(&self) -> Result<R, String> {
        decode(self.place, self.bytes)
    }
}

/// What to do about a row that does not check out: end with it, or leave it out.
type Bad<'b> = &'b mut dyn FnMut(StoreError) -> Result<(), StoreError>;
type ReadTable = fn(&mut Rows, &ReadTransaction, Bad<'_>) -> Result<(), StoreError>;

/// How each table is read, in the order of recovery.
const TABLES: [ReadTable; 5] = [
    |rows, read, bad| {
        let Some(row) = read.open_table(MAIL)?.get(COUNTERS)? else { return Ok(()) };
        let key = <MailKey as Value>::as_bytes(&COUNTERS);
        match decode(Place { table: MAIL.name(), key: &key }, row.value()) {
            Ok(counters) => rows.mutations.push(Mutation::PutCounters(counters)),
            Err(what) => bad(damaged(&MAIL, "counters", &what))?,
        }
        Ok(())
    },
    |rows, read, bad| {
        rows.table(read, MAILBOXES, bad, |id, stored| {
            Ok(Some(Mutation::PutMailbox(MailboxId(id), Arc::new(stored.row()?))))
        })
    },
    |rows, read, bad| {
        rows.table(read, NAMES, bad, |name, stored| {
            let name = str::from_utf8(name).map_err(|error| error.to_string())?;
            let name = Name::parse(name).map_err(|refusal| refusal.message)?;
            Ok(Some(Mutation::PutName(name.key(), stored.row()?)))
        })
    },
    |rows, read, bad| {
        // Where this table cannot be used, the mail in the other can.
        let large = guarded(|| Ok(read.open_table(LARGE)?));
        let bytes = Cell::new(0);
        rows.table(read, MAIL, bad, |key, stored| {
            mail_row(key, stored, |id| {
                let row = large_row(large.as_ref().map_err(ToString::to_string)?, id)?;
                bytes.set(bytes.get() + row.size() as u64);
                Ok(row)
            })
        })?;
        rows.bytes += bytes.get();
        Ok(())
    },
    |rows, read, bad| {
        rows.table(read, KEYS, bad, |bytes, stored| {
            let (mailbox, key) = key_parts(bytes).ok_or("the key is none")?;
            Ok(Some(Mutation::PutKey(mailbox, key, stored.row()?)))
        })
    },
];

fn mail_row(
    key: MailKey,
    stored: Stored<'_>,
    large: impl FnOnce(MessageId) -> Result<MessageRow, String>,
) -> Result<Option<Mutation>, String> {
    let (id, kind, mailbox) = (MessageId(key.0), key.1, MailboxId(key.2));
    Ok(Some(match kind {
        // They were read before all else.
        _ if key == COUNTERS => return Ok(None),
        MESSAGE => {
            let row: MessageRow = match is_elsewhere(stored.bytes) {
                true => stored.row::<Elsewhere>().and_then(|_| large(id))?,
                false => stored.row()?,
            };
            if row.id != id || mailbox.0 != 0 {
                return Err("the row does not belong to its key".to_owned());
            }
            Mutation::PutMessage(Arc::new(row))
        }
        DELIVERY => Mutation::PutDelivery(mailbox, id, stored.row()?),
        RECEIPT => Mutation::PutReceipt(mailbox, id, stored.row()?),
        kind => return Err(format!("nothing has the kind {kind}")),
    }))
}

fn large_row(table: &ReadOnlyTable<u64, Bytes>, id: MessageId) -> Result<MessageRow, String> {
    let key = <u64 as Value>::as_bytes(&id.0);
    let place = Place { table: LARGE.name(), key: &key };
    let row = guarded(|| Ok(table.get(id.0)?.map(|found| decode(place, found.value()))));
    row.map_err(|error| error.to_string())?.ok_or("it is missing in table large")?
}

fn damaged(table: &impl TableHandle, key: &str, what: &str) -> StoreError {
    StoreError::Damaged(format!("row {key} of table {}: {what}", table.name()))
}

/// A key that can be named in an error.
trait ShownKey: Key + 'static {
    fn show(key: &Self::SelfType<'_>) -> String;
}

impl ShownKey for u64 {
    fn show(key: &u64) -> String {
        key.to_string()
    }
}

impl ShownKey for MailKey {
    fn show(key: &MailKey) -> String {
        match *key {
            (id, MESSAGE, 0) => id.to_string(),
            (id, kind, mailbox) => format!("{id}/{kind}/{mailbox}"),
        }
    }
}

impl ShownKey for Bytes {
    fn show(key: &&[u8]) -> String {
        key.escape_ascii().to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_taken_apart_as_it_was_put_together(mailbox: u64, key in ".*") {
            prop_assert_eq!(key_parts(&key_bytes(MailboxId(mailbox), &key)), Some((MailboxId(mailbox), key)));
        }

        #[test]
        fn any_bytes_are_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some((mailbox, key)) = key_parts(&bytes) {
                prop_assert_eq!(key_bytes(mailbox, &key), bytes);
            }
        }
    }
}
