//! The store's tables and how a row is written.
//!
//! Keys are numbers, pairs of numbers, or bytes; text is stored as bytes, because redb panics over a
//! damaged `&str`. A value is a row: `[format][CRC-32 of format and JSON, LE][JSON]`. redb verifies
//! its pages when a store is opened and not when they are read, so each row vouches for itself.
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

use std::sync::Arc;

use redb::{
    Key, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, TableHandle, Value,
    WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::broker::mutation::{MailboxId, MailboxRow, MessageRow, Mutation};
use crate::protocol::message::MessageId;
use crate::protocol::name::Name;

type Bytes = &'static [u8];

/// `schema` and `counters`.
pub(super) const META: TableDefinition<Bytes, Bytes> = TableDefinition::new("meta");
const SCHEMA: &[u8] = b"schema";
const COUNTERS: &[u8] = b"counters";

/// By mailbox number.
const MAILBOXES: TableDefinition<u64, Bytes> = TableDefinition::new("mailboxes");
/// By name, in lower case.
const NAMES: TableDefinition<Bytes, Bytes> = TableDefinition::new("names");
/// By message number.
pub(super) const MESSAGES: TableDefinition<u64, Bytes> = TableDefinition::new("messages");
/// By mailbox and message number.
const DELIVERIES: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("deliveries");
/// By the sender's mailbox number (8 bytes, big-endian), then the key.
const KEYS: TableDefinition<Bytes, Bytes> = TableDefinition::new("keys");
/// By mailbox and message number.
const RECEIPTS: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("receipts");

/// Form of a row: JSON behind a checksum.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 5;

pub(super) fn encode(row: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![FORMAT, 0, 0, 0, 0];
    serde_json::to_writer(&mut bytes, row)
        .map_err(|error| StoreError::failed("a row has no JSON form", error))?;
    let checksum = checksum(&bytes[HEADER_BYTES..]);
    bytes[1..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// Reads a row back; any bytes will do, and what is wrong with them is said in words.
pub(super) fn decode<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, String> {
    let Some(([format, stored @ ..], json)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(format!("{} bytes are too few for a row", bytes.len()));
    };
    if *format != FORMAT {
        return Err(format!("unknown row format {format}"));
    }
    if checksum(json) != u32::from_le_bytes(*stored) {
        return Err("checksum mismatch".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

fn checksum(json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[FORMAT]);
    hasher.update(json);
    hasher.finalize()
}

/// All tables in one commit. Each is opened when it is first written: a table that is open costs the
/// commit, written or not.
pub(super) struct Tables<'t> {
    meta: Lazy<'t, Bytes, Bytes>,
    mailboxes: Lazy<'t, u64, Bytes>,
    names: Lazy<'t, Bytes, Bytes>,
    messages: Lazy<'t, u64, Bytes>,
    deliveries: Lazy<'t, (u64, u64), Bytes>,
    keys: Lazy<'t, Bytes, Bytes>,
    receipts: Lazy<'t, (u64, u64), Bytes>,
}

struct Lazy<'t, K: Key + 'static, V: Value + 'static> {
    write: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    table: Option<Table<'t, K, V>>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Lazy<'t, K, V> {
    fn new(write: &'t WriteTransaction, definition: TableDefinition<'static, K, V>) -> Lazy<'t, K, V> {
        Lazy { write, definition, table: None }
    }

    fn open(&mut self) -> Result<&mut Table<'t, K, V>, StoreError> {
        let table = match self.table.take() {
            Some(table) => table,
            None => self.write.open_table(self.definition)?,
        };
        Ok(self.table.insert(table))
    }
}

impl<'t> Tables<'t> {
    pub(super) fn new(write: &'t WriteTransaction) -> Tables<'t> {
        Tables {
            meta: Lazy::new(write, META),
            mailboxes: Lazy::new(write, MAILBOXES),
            names: Lazy::new(write, NAMES),
            messages: Lazy::new(write, MESSAGES),
            deliveries: Lazy::new(write, DELIVERIES),
            keys: Lazy::new(write, KEYS),
            receipts: Lazy::new(write, RECEIPTS),
        }
    }

    /// Makes the tables of a fresh store, so that a reader finds all of them.
    pub(super) fn create(&mut self) -> Result<(), StoreError> {
        self.meta.open()?;
        self.mailboxes.open()?;
        self.names.open()?;
        self.messages.open()?;
        self.deliveries.open()?;
        self.keys.open()?;
        self.receipts.open()?;
        Ok(())
    }

    pub(super) fn put_schema(&mut self, schema: u64) -> Result<(), StoreError> {
        self.meta.open()?.insert(SCHEMA, encode(&schema)?.as_slice())?;
        Ok(())
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
        if let Some(counters) = last {
            self.meta.open()?.insert(COUNTERS, encode(counters)?.as_slice())?;
        }
        Ok(())
    }

    /// Puts or drops one row. Dropping what is not there is no error.
    fn apply(&mut self, mutation: &Mutation) -> Result<(), StoreError> {
        use Mutation::*;
        match mutation {
            PutCounters(_) => {}
            PutMailbox(id, row) => {
                drop(self.mailboxes.open()?.insert(id.0, encode(row.as_ref())?.as_slice())?)
            }
            DropMailbox(id) => drop(self.mailboxes.open()?.remove(id.0)?),
            PutName(name, row) => {
                drop(self.names.open()?.insert(name.as_str().as_bytes(), encode(row)?.as_slice())?);
            }
            DropName(name) => drop(self.names.open()?.remove(name.as_str().as_bytes())?),
            PutMessage(row) => {
                drop(self.messages.open()?.insert(row.id.0, encode(row.as_ref())?.as_slice())?)
            }
            DropMessage(id) => drop(self.messages.open()?.remove(id.0)?),
            PutDelivery(mailbox, id, row) => {
                drop(self.deliveries.open()?.insert((mailbox.0, id.0), encode(row)?.as_slice())?);
            }
            DropDelivery(mailbox, id) => drop(self.deliveries.open()?.remove((mailbox.0, id.0))?),
            PutKey(mailbox, key, row) => {
                drop(self.keys.open()?.insert(key_bytes(*mailbox, key).as_slice(), encode(row)?.as_slice())?);
            }
            DropKey(mailbox, key) => drop(self.keys.open()?.remove(key_bytes(*mailbox, key).as_slice())?),
            PutReceipt(mailbox, id, row) => {
                drop(self.receipts.open()?.insert((mailbox.0, id.0), encode(row)?.as_slice())?);
            }
            DropReceipt(mailbox, id) => drop(self.receipts.open()?.remove((mailbox.0, id.0))?),
        }
        Ok(())
    }
}

fn key_bytes(mailbox: MailboxId, key: &str) -> Vec<u8> {
    [&mailbox.0.to_be_bytes(), key.as_bytes()].concat()
}

fn key_parts(bytes: &[u8]) -> Option<(MailboxId, String)> {
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
    decode(row.value()).map(Some).map_err(|what| damaged(&META, "schema", &what))
}

/// All that is stored.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) mutations: Vec<Mutation>,
    /// Of the values alone.
    pub(super) bytes: u64,
}

impl Rows {
    pub(super) fn read(read: &ReadTransaction) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        if let Some(row) = read.open_table(META)?.get(COUNTERS)? {
            let counters = decode(row.value()).map_err(|what| damaged(&META, "counters", &what))?;
            rows.mutations.push(Mutation::PutCounters(counters));
        }
        rows.table(read, MAILBOXES, |id, row: MailboxRow| {
            Some(Mutation::PutMailbox(MailboxId(id), Arc::new(row)))
        })?;
        rows.table(read, NAMES, |name, row| {
            let name = Name::parse(str::from_utf8(name).ok()?).ok()?;
            Some(Mutation::PutName(name.key(), row))
        })?;
        rows.table(read, MESSAGES, |id, row: MessageRow| {
            (row.id.0 == id).then(|| Mutation::PutMessage(Arc::new(row)))
        })?;
        rows.table(read, DELIVERIES, |(mailbox, id), row| {
            Some(Mutation::PutDelivery(MailboxId(mailbox), MessageId(id), row))
        })?;
        rows.table(read, KEYS, |bytes, row| {
            let (mailbox, key) = key_parts(bytes)?;
            Some(Mutation::PutKey(mailbox, key, row))
        })?;
        rows.table(read, RECEIPTS, |(mailbox, id), row| {
            Some(Mutation::PutReceipt(MailboxId(mailbox), MessageId(id), row))
        })?;
        Ok(rows)
    }

    /// Adds the rows of one table; `take` answers `None` for a key that its row cannot have.
    fn table<K: ShownKey, R: DeserializeOwned>(
        &mut self,
        read: &ReadTransaction,
        table: TableDefinition<K, Bytes>,
        take: impl for<'k> Fn(K::SelfType<'k>, R) -> Option<Mutation>,
    ) -> Result<(), StoreError> {
        for entry in read.open_table(table)?.iter()? {
            let (key, value) = entry?;
            let row = decode(value.value()).map_err(|what| damaged(&table, &K::show(&key.value()), &what))?;
            let mutation = take(key.value(), row).ok_or_else(|| {
                damaged(&table, &K::show(&key.value()), "the row does not belong to its key")
            })?;
            self.mutations.push(mutation);
            self.bytes += value.value().len() as u64;
        }
        Ok(())
    }
}

/// Reads `bytes` as a row of a table, with a right header of their own if `table` is even, and stores
/// and reads again what was read.
#[cfg(feature = "fuzzing")]
pub fn fuzz_row(table: u8, bytes: &[u8]) {
    use crate::broker::mutation::{Counters, DeliveryRow, KeyRow, NameRow, ReceiptRow};

    fn read<R: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        if let Ok(row) = decode::<R>(bytes) {
            let again = encode(&row).expect("a row that was read has a JSON form");
            assert_eq!(decode::<R>(&again), Ok(row), "stored and read again");
        }
    }

    let mut whole = vec![FORMAT];
    whole.extend_from_slice(&checksum(bytes).to_le_bytes());
    whole.extend_from_slice(bytes);
    let bytes = if table.is_multiple_of(2) { &whole } else { bytes };
    match table / 2 % 8 {
        0 => read::<Counters>(bytes),
        1 => read::<MailboxRow>(bytes),
        2 => read::<NameRow>(bytes),
        3 => read::<MessageRow>(bytes),
        4 => read::<DeliveryRow>(bytes),
        5 => read::<KeyRow>(bytes),
        6 => read::<ReceiptRow>(bytes),
        _ => drop(key_parts(bytes)),
    }
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

impl ShownKey for (u64, u64) {
    fn show(key: &(u64, u64)) -> String {
        format!("{}/{}", key.0, key.1)
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
    use crate::broker::mutation::Counters;

    #[test]
    fn a_row_is_read_back_and_every_flipped_bit_is_noticed() {
        let counters = Counters { last_message: 7, clean: true, ..Counters::default() };
        let bytes = encode(&counters).unwrap();
        assert_eq!(decode::<Counters>(&bytes), Ok(counters));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Counters>(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode::<Counters>(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_row_of_another_shape_is_an_error() {
        assert!(decode::<Counters>(&encode(&"text").unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<MessageRow>(&bytes).is_err());
            let _ = key_parts(&bytes);
        }

        #[test]
        fn a_key_is_taken_apart_as_it_was_put_together(mailbox: u64, key in ".*") {
            prop_assert_eq!(key_parts(&key_bytes(MailboxId(mailbox), &key)), Some((MailboxId(mailbox), key)));
        }
    }
}
