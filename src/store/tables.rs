//! The tables in one commit: cells go in, and the rows are there.

use redb::{AccessGuard, Key, Table, TableDefinition, TableHandle, Value, WriteTransaction};

use super::StoreError;
use super::cells::Cell;
use super::journal::Mark;
use super::layout::{Bytes, JOURNAL, KEYS, LARGE, MAIL, MAILBOXES, META, MailKey, NAMES, SCHEMA, TableId};
use super::rows::{Place, Row, encode, is_elsewhere};

/// Each table is opened when it is first written: one that is open costs the commit, written or not.
pub(super) struct Tables<'t> {
    meta: Lazy<'t, Bytes>,
    mailboxes: Lazy<'t, u64>,
    names: Lazy<'t, Bytes>,
    mail: Lazy<'t, MailKey>,
    large: Lazy<'t, u64>,
    keys: Lazy<'t, Bytes>,
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

    /// Puts or drops the row under a key as redb has it, and returns the one that was there. Dropping what is
    /// not there is no error.
    fn set(&mut self, key: &[u8], row: Option<&[u8]>) -> Result<Option<AccessGuard<'_, Bytes>>, StoreError> {
        if K::fixed_width().is_some_and(|width| width != key.len()) {
            let table = self.definition.name();
            return Err(StoreError::Damaged(format!("{} is no key of table {table}", key.escape_ascii())));
        }
        let key = K::from_bytes(key);
        let table = self.open()?;
        Ok(match row {
            Some(row) => table.insert(key, row)?,
            None => table.remove(key)?,
        })
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
        self.put_fact(SCHEMA, &schema)
    }

    /// From here on the tables lack what the journal holds from there on, and nothing else.
    pub(super) fn put_mark(&mut self, mark: Mark) -> Result<(), StoreError> {
        self.put_fact(JOURNAL, &mark)
    }

    fn put_fact(&mut self, key: &[u8], fact: &impl Row) -> Result<(), StoreError> {
        let row = encode(Place { table: META.name(), key }, fact)?;
        self.meta.set(key, Some(&row)).map(drop)
    }

    /// Puts or drops one row.
    pub(super) fn apply(&mut self, cell: &Cell<'_>) -> Result<(), StoreError> {
        let Cell { table, key, row } = *cell;
        match table {
            TableId::Mailboxes => self.mailboxes.set(key, row).map(drop),
            TableId::Names => self.names.set(key, row).map(drop),
            TableId::Large => self.large.set(key, row).map(drop),
            TableId::Keys => self.keys.set(key, row).map(drop),
            TableId::Mail => self.apply_mail(cell),
        }
    }

    /// A message that is not elsewhere any more leaves nothing there.
    fn apply_mail(&mut self, cell: &Cell<'_>) -> Result<(), StoreError> {
        let before = self.mail.set(cell.key, cell.row)?;
        let was_elsewhere = before.is_some_and(|before| is_elsewhere(before.value()));
        if was_elsewhere
            && !cell.row.is_some_and(is_elsewhere)
            && let Some(id) = cell.message()
        {
            self.large.set(<u64 as Value>::as_bytes(&id.0).as_slice(), None)?;
        }
        Ok(())
    }
}
