//! From the files to a database that can be believed, and what it holds.
//!
//! What always holds: what the journal holds is in the tables before a row is read.

use std::path::Path;

use redb::StorageBackend;

use super::database::{self, Database, OPEN_TRIES, patiently};
use super::faults::guarded;
use super::file::{self, Found, Place, Places};
use super::journal::{self, Journal, Mark, Outstanding};
use super::migrate::{self, STEPS, Step, Verdict};
use super::reading::{self, Rows};
use super::uncached::Uncached;
use super::{StoreError, StoreOptions};
use crate::broker::mutation::{Counters, Mutation};

/// Rows of a journal that a start on a full disk brings into the tables in one commit: each writes a page or more
/// anew, and the old ones are free only after the next.
const PIECE_ROWS: usize = 16;

/// Opens one store again.
pub(super) type Opener = Box<dyn Fn() -> Result<Opened, StoreError> + Send>;

/// A database that was opened, and what it holds.
pub(super) struct Opened {
    pub(super) db: Database,
    /// None where there is no room for one, and for commits of two phases.
    pub(super) journal: Option<Journal>,
    /// What the tables say of the journal.
    pub(super) mark: Mark,
    pub(super) places: Option<Places>,
    pub(super) rows: Rows,
    pub(super) fresh: bool,
    pub(super) warnings: Vec<String>,
}

pub(super) fn opener(options: &StoreOptions) -> Opener {
    let options = options.clone();
    Box::new(move || read(&options, STEPS, OPEN_TRIES))
}

/// Opens existing files and reads them.
pub(super) fn read(options: &StoreOptions, steps: &[Step], tries: u32) -> Result<Opened, StoreError> {
    match read_with(options, steps, tries, usize::MAX) {
        Err(StoreError::Full(_)) => read_with(options, steps, tries, PIECE_ROWS),
        done => done,
    }
}

fn read_with(
    options: &StoreOptions,
    steps: &[Step],
    tries: u32,
    piece_rows: usize,
) -> Result<Opened, StoreError> {
    let (db, place) = patiently(tries, || {
        let (backend, place) = database::backend(&options.path)?;
        Ok((guarded(|| Database::over(backend, options.two_phase))?, place))
    })?;
    let path = options.journal();
    // Commits of two phases use none, but what others left in one is brought in.
    let is_wanted = !options.two_phase || !matches!(file::look(&path)?, Found::Nothing);
    let (journal, journal_place) = match is_wanted.then(|| journal(&path)) {
        Some(Ok((file, place))) => (Some(file), Some(place)),
        // Not even the room for its name.
        None | Some(Err(StoreError::Full(_))) => (None, None),
        Some(Err(error)) => return Err(error),
    };
    let opened = guarded(|| recover(db, journal, steps, piece_rows))?;
    let journal_place = journal_place.filter(|_| opened.journal.is_some());
    Ok(Opened { places: Some(Places { store: place, journal: journal_place }), ..opened })
}

fn journal(path: &Path) -> Result<(Box<dyn StorageBackend>, Place), StoreError> {
    let file = file::open_or_create(path)?;
    let place = Place::of(path, &file)?;
    Ok((Box::new(Uncached::new(path, file)?), place))
}

pub(super) fn lacking(journal: &[u8], mark: Mark) -> Result<Outstanding, StoreError> {
    let found = journal::outstanding(journal, mark);
    match found.damaged {
        true => Err(StoreError::Damaged("a record is missing between it and its journal".to_owned())),
        false => Ok(found),
    }
}

const LOST: &str = "the journal of the store is gone, or a part of it: mail that was sent last may be lost, and mail that was read may come again";

pub(super) fn recover(
    db: Database,
    file: Option<Box<dyn StorageBackend>>,
    steps: &[Step],
    piece_rows: usize,
) -> Result<Opened, StoreError> {
    migrate::judge(reading::schema(&db.begin_read()?)?, steps)?;
    let (mut warnings, mut is_cut) = (Vec::new(), false);
    if let Some(mark) = reading::mark(&db.begin_read()?)? {
        let held = file.as_ref().map_or_else(|| Ok(Vec::new()), |file| journal::read(&**file))?;
        is_cut = (held.len() as u64) < mark.bytes;
        if is_cut {
            warn(&mut warnings, LOST.to_owned());
        }
        let found = lacking(&held, mark)?;
        if let Some(file) = &file
            && found.after != mark
        {
            // What a daemon that was killed wrote and did not sync is read, and may not be on the disk yet.
            file.sync_data()?;
            db.bring_in_by(piece_rows, &[&found.payloads], Some(found.after))?;
        }
    }
    let fresh = migrate::bring_up(&db, steps)? == Verdict::Fresh;
    let read = db.begin_read()?;
    let mark = reading::mark(&read)?
        .ok_or_else(|| StoreError::Damaged("it does not say where its journal begins".to_owned()))?;
    let rows = Rows::read(&read)?;
    drop(read);
    // One that was cut stays as it is until the first commit, which comes when a note says so: whoever starts
    // after a kill in between is to see it, too.
    let journal = match db.two_phase || is_cut {
        true => None,
        false => file.and_then(|file| begin(file, mark)),
    };
    Ok(Opened { db, journal, mark, places: None, rows, fresh, warnings })
}

/// Without a journal each commit goes into the tables, as it does where there is no room for one.
fn begin(file: Box<dyn StorageBackend>, mark: Mark) -> Option<Journal> {
    let journal = Journal::new(file, mark);
    journal.inspect_err(|error| tracing::warn!(%error, "going on without a journal")).ok()
}

pub(super) fn last_counters(mutations: &[Mutation]) -> Option<&Counters> {
    mutations.iter().rev().find_map(|mutation| match mutation {
        Mutation::PutCounters(counters) => Some(counters),
        _ => None,
    })
}

/// For a person to know, and logged.
pub(super) fn warn(warnings: &mut Vec<String>, warning: String) {
    tracing::error!("{warning}");
    warnings.push(warning);
}
