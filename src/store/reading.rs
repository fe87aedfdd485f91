//! All that is stored, read row by row: with every doubt at a start, and with patience where a store is damaged.
//!
//! What always holds: a row is passed on only when its checksum holds in its own place.

use std::cell::Cell;
use std::sync::Arc;

use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, TableError, TableHandle, Value,
};

use super::StoreError;
use super::faults::guarded;
use super::journal::Mark;
use super::layout::{
    Bytes, COUNTERS, DELIVERY, JOURNAL, KEYS, LARGE, MAIL, MAILBOXES, MESSAGE, META, MailKey, NAMES, RECEIPT,
    SCHEMA, key_parts,
};
use super::rows::{Elsewhere, Place, Row, decode, is_elsewhere};
use crate::broker::mutation::{MailboxId, MessageRow, Mutation};
use crate::protocol::message::MessageId;
use crate::protocol::name::Name;

/// The schema of what is stored; `None` in a file in which nothing was ever committed.
pub(super) fn schema(read: &ReadTransaction) -> Result<Option<u64>, StoreError> {
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) if read.list_tables()?.next().is_none() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match fact(&meta, SCHEMA)? {
        None => Err(StoreError::Damaged("it does not say its schema".to_owned())),
        schema => Ok(schema),
    }
}

/// Where in the journal begins what the tables lack; `None` in a store of a schema that had no journal.
pub(super) fn mark(read: &ReadTransaction) -> Result<Option<Mark>, StoreError> {
    match read.open_table(META) {
        Ok(meta) => fact(&meta, JOURNAL),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn fact<R: Row>(meta: &ReadOnlyTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<R>, StoreError> {
    let Some(row) = meta.get(key)? else { return Ok(None) };
    let fact = decode(Place { table: META.name(), key }, row.value());
    fact.map(Some).map_err(|what| damaged(&META, &key.escape_ascii().to_string(), &what))
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
