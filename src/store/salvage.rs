//! A store that cannot be trusted: it is kept as evidence (`store/evidence.rs`), and what can be read of it goes into
//! a new one.
//!
//! What always holds:
//! - At every moment the store's path holds the damaged file or a complete new one.
//! - Only rows whose checksums hold are taken over, and only where they agree with each other.
//! - Whatever ends a salvage, the next one reads the file again; one that ends its reader is given up.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, ReadTransaction, ReadableDatabase, StorageBackend};

use super::cells::{Cell, CellWriter, net};
use super::database::{self, Database};
use super::faults::guarded;
use super::journal;
use super::layout::READ_SINCE;
use super::migrate::{self, STEPS, Verdict};
use super::peek::Overlay;
use super::reading::{self, Rows};
use super::{StoreError, StoreOptions, evidence, file, memory};
use crate::broker::mutation::{Counters, MailboxId, Mutation, NameRow};
use crate::broker::state::State;
use crate::files;
use crate::protocol::message::MessageId;
use crate::protocol::time::Timestamp;

/// Bytes of pages in memory while a damaged file is read.
const CACHE_BYTES: usize = 4 << 20;

/// Readings of one damaged file that may end with their process: one may have been killed by somebody, two
/// by an impatient person, and three are the file's doing.
const READINGS_MAX: u64 = 3;

/// Mailbox numbers that may have been given after those that were found: none is given twice.
const MAILBOX_MARGIN: u64 = 1 << 16;

/// What is left of a damaged store.
pub struct Salvaged {
    /// Rows of the new store.
    pub rows: usize,
    /// Rows that could be read and not be used, for what they speak of is missing.
    pub orphans: usize,
    /// Where the damaged file is kept.
    pub evidence: PathBuf,
}

/// Puts a new store in the place of a damaged one, with the rows that can be saved.
///
/// # Errors
/// The damaged file is still in its place then.
pub fn replace(options: &StoreOptions, at: Timestamp) -> Result<Salvaged, StoreError> {
    let path = options.path.as_path();
    file::check_folder(path)?;
    let evidence = evidence::keep(options, at)?;
    let readings = Readings::of(path);
    let found = if readings.begin()? {
        let found = read(&evidence);
        readings.end();
        found
    } else {
        tracing::error!("the damaged store has ended {READINGS_MAX} readers: nothing of it is saved");
        Vec::new()
    };
    let (rows, orphans) = agreeing(found);
    let mut cells = CellWriter::default();
    cells.write(&rows)?;
    database::create(path, options.two_phase, |db| {
        migrate::bring_up(db, STEPS)?;
        db.bring_in(&[cells.written()], None)
    })?;
    evidence::take_journal_away(&options.journal())?;
    readings.end();
    Ok(Salvaged { rows: rows.len(), orphans, evidence })
}

/// A small file that says how often the reading of a damaged store was begun and not ended.
struct Readings(PathBuf);

impl Readings {
    fn of(store: &Path) -> Readings {
        Readings(file::beside(store, "readings"))
    }

    /// One more is about to begin. False: too many did not come to an end.
    fn begin(&self) -> Result<bool, StoreError> {
        let before = fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        if before >= READINGS_MAX {
            return Ok(false);
        }
        let options = files::options().write(true).create(true).truncate(true).clone();
        let written = files::open(&options, &self.0).and_then(|mut file| writeln!(file, "{}", before + 1));
        match written.map_err(|e| StoreError::from_io(format!("cannot write {}", self.0.display()), e)) {
            Err(full @ StoreError::Full(_)) => Err(full),
            Err(error) => {
                // To save nothing for that would be worse than to read once too often.
                tracing::warn!(error = &error as &dyn std::error::Error, "readings are not counted");
                Ok(true)
            }
            Ok(()) => Ok(true),
        }
    }

    fn end(&self) {
        // One that stays costs a later salvage a reading.
        let _ = fs::remove_file(&self.0);
    }
}

fn read(evidence: &Path) -> Vec<Mutation> {
    let regular = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    let open = |path: &Path| Ok::<_, StoreError>(FileBackend::new(file::open(path)?)?);
    let journal = evidence::journal_of(evidence);
    let journal = regular(&journal).then(|| Ok::<_, StoreError>(journal::read(&open(&journal)?)?));
    let journal = journal.transpose().unwrap_or_else(|error| {
        tracing::warn!(%error, "the journal of the damaged store cannot be read");
        None
    });
    match regular(evidence).then(|| open(evidence)) {
        Some(Ok(backend)) => read_backend(backend, &journal.unwrap_or_default()),
        Some(Err(error)) => {
            tracing::warn!(%error, "the damaged store cannot be read");
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// Whatever rows of a damaged store can be read. Nothing is written to it.
pub(super) fn read_backend(backend: impl StorageBackend, journal: &[u8]) -> Vec<Mutation> {
    let mut rows = Rows::default();
    // Of a store that cannot say it: all.
    let mut mark = None;
    let read = guarded(|| {
        let db = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(Overlay::new(backend)?)?;
        let read = db.begin_read()?;
        if is_foreign(&read) {
            return Ok(true);
        }
        mark = reading::mark(&read).ok().flatten();
        rows.read_leniently(&read);
        Ok(false)
    });
    let foreign = read.unwrap_or_else(|error| {
        tracing::warn!(%error, "reading the damaged store");
        false
    });
    if foreign {
        return rows.mutations;
    }
    guarded(|| with_journal(&rows.mutations, &journal::salvage(journal, mark), mark.is_some()))
        .unwrap_or_else(|error| {
            tracing::warn!(%error, "reading the journal of the damaged store");
            rows.mutations
        })
}

/// Rows of another schema are not for the types of this one, but for those that it reads as they are.
fn is_foreign(read: &ReadTransaction) -> bool {
    reading::schema(read).is_ok_and(|schema| match migrate::judge(schema, STEPS) {
        Ok(Verdict::Newest) => false,
        Ok(Verdict::Old(found)) => found < READ_SINCE,
        Ok(Verdict::Fresh) | Err(_) => true,
    })
}

/// The rows with those of a journal: with what it made of them, or, where nothing says that it is the newer, with
/// what it has besides. The tables that are damaged are not written to, not even in memory: what it puts is read
/// from tables of its own.
fn with_journal(rows: &[Mutation], journal: &[u8], is_newer: bool) -> Result<Vec<Mutation>, StoreError> {
    let db = Database::over(InMemoryBackend::new(), false)?;
    migrate::bring_up(&db, STEPS)?;
    db.bring_in(&[journal], None)?;
    let mut put = Rows::default();
    put.read_leniently(&db.begin_read()?);
    let mut all = memory::Rows::default();
    if is_newer {
        rows.iter().for_each(|row| all.apply(row));
        net(&[journal])?.iter().filter_map(Cell::dropped).for_each(|dropped| all.apply(&dropped));
        put.mutations.iter().for_each(|row| all.apply(row));
    } else {
        put.mutations.iter().chain(rows).for_each(|row| all.apply(row));
    }
    Ok(all.mutations())
}

/// The rows that agree with each other, in the order of recovery, and how many do not. Numbers go on
/// behind all that were found.
pub(super) fn agreeing(rows: Vec<Mutation>) -> (Vec<Mutation>, usize) {
    let found = rows.len();
    let counters = counters_behind(&rows);
    let mut state = State::default();
    let mut kept: Vec<Mutation> = rows
        .into_iter()
        .filter(|row| !matches!(row, Mutation::PutCounters(_)) && state.apply(row).is_ok())
        .collect();
    // A mailbox says what its name is, should that row be lost.
    for (id, mailbox) in &state.mailboxes {
        let key = mailbox.row.name.key();
        if !state.names.contains_key(&key) {
            kept.push(Mutation::PutName(key, NameRow { mailbox: *id, forward_until: None }));
        }
    }
    for row in &kept {
        // It was applied before, or is a name that nobody has.
        let _ = matches!(row, Mutation::PutName(..)).then(|| state.apply(row));
    }
    let named: BTreeSet<MailboxId> = state
        .names
        .iter()
        .filter(|(key, row)| {
            state.mailboxes.get(&row.mailbox).is_some_and(|m| m.row.name.key() == **key)
                && row.forward_until.is_none()
        })
        .map(|(_, row)| row.mailbox)
        .collect();
    let in_named = |mailbox: &MailboxId| named.contains(mailbox);
    let delivered: BTreeSet<MessageId> = kept
        .iter()
        .filter_map(|row| match row {
            Mutation::PutDelivery(mailbox, id, _) if in_named(mailbox) => Some(*id),
            _ => None,
        })
        .collect();
    kept.retain(|row| match row {
        Mutation::PutMailbox(mailbox, _)
        | Mutation::PutDelivery(mailbox, ..)
        | Mutation::PutKey(mailbox, ..)
        | Mutation::PutReceipt(mailbox, ..) => in_named(mailbox),
        Mutation::PutName(_, row) => in_named(&row.mailbox),
        Mutation::PutMessage(row) => delivered.contains(&row.id),
        _ => true,
    });
    // An empty store with no past has no counters either.
    if counters != Counters::default() {
        kept.insert(0, Mutation::PutCounters(counters));
    }
    let orphans = found.saturating_sub(kept.len());
    (kept, orphans)
}

fn counters_behind(rows: &[Mutation]) -> Counters {
    let mut counters = Counters::default();
    let (mut message, mut mailbox) = (0, 0);
    for row in rows {
        match row {
            Mutation::PutCounters(found) => counters = *found,
            Mutation::PutMailbox(id, row) => {
                mailbox = row.merged.iter().fold(mailbox.max(id.0), |max, id| max.max(id.0));
            }
            Mutation::PutMessage(row) => {
                message = message.max(row.id.0);
                mailbox = mailbox.max(row.from_mailbox.map_or(0, |id| id.0));
            }
            Mutation::PutDelivery(at, id, _) | Mutation::PutReceipt(at, id, _) => {
                (mailbox, message) = (mailbox.max(at.0), message.max(id.0));
            }
            Mutation::PutName(_, row) => mailbox = mailbox.max(row.mailbox.0),
            Mutation::PutKey(at, ..) => mailbox = mailbox.max(at.0),
            _ => {}
        }
    }
    if message.max(mailbox) > 0 || counters != Counters::default() {
        let last_mailbox = counters.last_mailbox.max(mailbox) + MAILBOX_MARGIN;
        let last_message = counters.last_message.max(message);
        return Counters { last_mailbox, last_message, clean: false, ..counters };
    }
    counters
}
