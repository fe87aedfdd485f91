//! Cells: changes as bytes, one row put or dropped each. In this form a commit goes into the journal, and from
//! there into the tables; a row is encoded once.
//!
//! `[table][bytes of the key, u16 LE][bytes of the row, u32 LE][key][row]`, and for a row that is dropped
//! `u32::MAX` as its length.
//!
//! What always holds: cells say what a row is, not how it changes. To apply a stretch of them again, from its
//! beginning to its end, changes nothing.

use std::collections::HashMap;

use super::StoreError;
use super::layout::{
    COUNTERS, DELIVERY, INLINE_BYTES_MAX, MESSAGE, RECEIPT, TableId, key_bytes, key_parts, mail_key,
    mail_key_bytes, message_key,
};
use super::rows::{self, Elsewhere, Place, Row, is_elsewhere};
use crate::broker::mutation::{MailboxId, Mutation};
use crate::protocol::message::MessageId;
use crate::protocol::name::Name;

const HEADER_BYTES: usize = 1 + 2 + 4;
/// The length of a row that is dropped.
const DROPPED: u32 = u32::MAX;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell<'c> {
    pub(super) table: TableId,
    /// As redb has it.
    pub(super) key: &'c [u8],
    /// `None`: the row is dropped.
    pub(super) row: Option<&'c [u8]>,
}

/// Makes cells of mutations, in one buffer behind each other.
#[derive(Default)]
pub(super) struct CellWriter {
    cells: Vec<u8>,
    largest_row: usize,
}

/// Bytes of the buffer that are kept from one batch to the next: a large batch of usual size.
const KEPT_BYTES: usize = 256 << 10;

impl CellWriter {
    /// Makes the cells of a batch, in order; of the counters only what the batch leaves them at.
    ///
    /// # Errors
    /// A row or a key that has no form on disk: the broker lets none in.
    pub(super) fn write(&mut self, mutations: &[Mutation]) -> Result<(), StoreError> {
        self.cells.clear();
        self.cells.shrink_to(KEPT_BYTES);
        self.largest_row = 0;
        let mut last = None;
        for mutation in mutations {
            match mutation {
                Mutation::PutCounters(counters) => last = Some(counters),
                row => self.add(row)?,
            }
        }
        if let Some(counters) = last {
            self.put(TableId::Mail, &mail_key_bytes(COUNTERS), counters)?;
        }
        Ok(())
    }

    /// The cells of the last batch.
    pub(super) fn written(&self) -> &[u8] {
        &self.cells
    }

    /// Bytes of the largest row among them.
    pub(super) fn largest_row(&self) -> usize {
        self.largest_row
    }

    fn add(&mut self, mutation: &Mutation) -> Result<(), StoreError> {
        use Mutation::*;
        use TableId::*;
        match mutation {
            PutCounters(_) => Ok(()),
            PutMailbox(id, row) => self.put(Mailboxes, &id.0.to_le_bytes(), row.as_ref()),
            DropMailbox(id) => self.drop(Mailboxes, &id.0.to_le_bytes()),
            PutName(name, row) => self.put(Names, name.as_str().as_bytes(), row),
            DropName(name) => self.drop(Names, name.as_str().as_bytes()),
            PutMessage(row) if row.size() > INLINE_BYTES_MAX => {
                self.put(Large, &row.id.0.to_le_bytes(), row.as_ref())?;
                self.put(Mail, &mail_key_bytes(message_key(row.id)), &Elsewhere)
            }
            PutMessage(row) => self.put(Mail, &mail_key_bytes(message_key(row.id)), row.as_ref()),
            // With it goes what is elsewhere: `Tables::apply` sees to that.
            DropMessage(id) => self.drop(Mail, &mail_key_bytes(message_key(*id))),
            PutDelivery(mailbox, id, row) => {
                self.put(Mail, &mail_key_bytes((id.0, DELIVERY, mailbox.0)), row)
            }
            DropDelivery(mailbox, id) => self.drop(Mail, &mail_key_bytes((id.0, DELIVERY, mailbox.0))),
            PutKey(mailbox, key, row) => self.put(Keys, &key_bytes(*mailbox, key), row),
            DropKey(mailbox, key) => self.drop(Keys, &key_bytes(*mailbox, key)),
            PutReceipt(mailbox, id, row) => self.put(Mail, &mail_key_bytes((id.0, RECEIPT, mailbox.0)), row),
            DropReceipt(mailbox, id) => self.drop(Mail, &mail_key_bytes((id.0, RECEIPT, mailbox.0))),
        }
    }

    fn put(&mut self, table: TableId, key: &[u8], row: &impl Row) -> Result<(), StoreError> {
        let length = begin(&mut self.cells, table, key)?;
        let start = self.cells.len();
        rows::append(&mut self.cells, Place { table: table.name(), key }, row)?;
        self.largest_row = self.largest_row.max(self.cells.len() - start);
        let bytes = u32::try_from(self.cells.len() - start).ok().filter(|bytes| *bytes != DROPPED);
        let bytes = bytes.ok_or_else(|| StoreError::failed("a row has no form on disk", "4 GiB and more"))?;
        self.cells[length..length + 4].copy_from_slice(&bytes.to_le_bytes());
        Ok(())
    }

    fn drop(&mut self, table: TableId, key: &[u8]) -> Result<(), StoreError> {
        begin(&mut self.cells, table, key).map(drop)
    }
}

/// Begins a cell that drops its row, and returns where the length of one that is put has its place.
fn begin(cells: &mut Vec<u8>, table: TableId, key: &[u8]) -> Result<usize, StoreError> {
    let key_length =
        u16::try_from(key.len()).map_err(|error| StoreError::failed("a key has no form on disk", error))?;
    cells.push(table as u8);
    cells.extend_from_slice(&key_length.to_le_bytes());
    let length = cells.len();
    cells.extend_from_slice(&DROPPED.to_le_bytes());
    cells.extend_from_slice(key);
    Ok(length)
}

/// Takes cells apart.
///
/// # Errors
/// `Damaged` for bytes that are none; those behind them are not looked at.
pub(super) fn cells(mut bytes: &[u8]) -> impl Iterator<Item = Result<Cell<'_>, StoreError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let cell = split(&mut bytes);
        if cell.is_none() {
            bytes = &[];
        }
        Some(cell.ok_or_else(|| StoreError::Damaged("what its journal holds are no rows".to_owned())))
    })
}

fn split<'c>(bytes: &mut &'c [u8]) -> Option<Cell<'c>> {
    let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let [table, k0, k1, r0, r1, r2, r3] = *header;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([k0, k1])))?;
    let (row, rest) = match u32::from_le_bytes([r0, r1, r2, r3]) {
        DROPPED => (None, rest),
        length => {
            let (row, rest) = rest.split_at_checked(length as usize)?;
            (Some(row), rest)
        }
    };
    *bytes = rest;
    Some(Cell { table: TableId::numbered(table)?, key, row })
}

/// What is left of many changes, which stand in so many stretches: the last one of each row, in their order, and of
/// a large message that was dropped nothing of its own.
///
/// # Errors
/// Those of [`cells`].
pub(super) fn net<'c>(stretches: &[&'c [u8]]) -> Result<Vec<Cell<'c>>, StoreError> {
    let all = stretches.iter().flat_map(|bytes| cells(bytes)).collect::<Result<Vec<_>, _>>()?;
    let mut last: HashMap<(TableId, &[u8]), usize> = HashMap::with_capacity(all.len());
    let mut outdated = vec![false; all.len()];
    for (number, cell) in all.iter().enumerate() {
        if let Some(earlier) = last.insert((cell.table, cell.key), number) {
            outdated[earlier] = true;
        }
    }
    let is_wanted = |large: &Cell<'_>| {
        let id = u64::from_le_bytes(large.key.try_into().ok()?);
        let key = mail_key_bytes(message_key(MessageId(id)));
        let number = *last.get(&(TableId::Mail, key.as_slice()))?;
        all[number].row.map(is_elsewhere)
    };
    let stays = |(number, cell): &(usize, &Cell<'_>)| {
        !outdated[*number] && (cell.table != TableId::Large || is_wanted(cell) == Some(true))
    };
    Ok(all.iter().enumerate().filter(stays).map(|(_, cell)| *cell).collect())
}

impl Cell<'_> {
    /// The mutation that drops a row; `None` for one that puts it.
    pub(super) fn dropped(&self) -> Option<Mutation> {
        if self.row.is_some() {
            return None;
        }
        let number = || Some(u64::from_le_bytes(self.key.try_into().ok()?));
        match self.table {
            TableId::Mailboxes => number().map(MailboxId).map(Mutation::DropMailbox),
            TableId::Names => {
                let name = Name::parse(str::from_utf8(self.key).ok()?).ok()?;
                Some(Mutation::DropName(name.key()))
            }
            TableId::Keys => key_parts(self.key).map(|(mailbox, key)| Mutation::DropKey(mailbox, key)),
            TableId::Large => None,
            TableId::Mail => {
                let (id, kind, mailbox) = mail_key(self.key)?;
                let (id, mailbox) = (MessageId(id), MailboxId(mailbox));
                match kind {
                    MESSAGE => Some(Mutation::DropMessage(id)),
                    DELIVERY => Some(Mutation::DropDelivery(mailbox, id)),
                    RECEIPT => Some(Mutation::DropReceipt(mailbox, id)),
                    _ => None,
                }
            }
        }
    }

    /// Which message's row it is, if it is one of [`MAIL`](super::layout::MAIL).
    pub(super) fn message(&self) -> Option<MessageId> {
        let (id, kind, _) = (self.table == TableId::Mail).then(|| mail_key(self.key))??;
        (kind == MESSAGE).then_some(MessageId(id))
    }
}
