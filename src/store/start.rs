//! The start of a store: what is done once, before and after its files are opened.
//!
//! What always holds: a file comes into place complete, and one that is too new, or that its journal does not belong
//! to, is refused before a byte of it changes.

use std::fs;
use std::path::Path;

use redb::backends::FileBackend;

use super::database::{self, OPEN_TRIES, patiently};
use super::faults::guarded;
use super::file::{self, Found, Places};
use super::head::Head;
use super::journal::{self, Mark};
use super::migrate::{self, STEPS, Step, Verdict};
use super::opening::{self, Opened, lacking, last_counters, opener, warn};
use super::reserve::Reserve;
use super::{Recovered, RedbStore, StoreError, StoreOptions, evidence, peek};
use crate::broker::mutation::Mutation;
use crate::files;

/// A file larger than this, in bytes, and more than so many times its rows, is compacted at a start after an
/// orderly end: it keeps the size of its fullest day otherwise.
const COMPACT_BYTES: u64 = 16 << 20;
const COMPACT_RATIO: u64 = 4;

impl RedbStore {
    /// Opens the store, or creates it, and reads all of it. Takes up to 5 s while another process
    /// holds the file.
    ///
    /// # Errors
    /// Any [`StoreError`] but `FailedBefore` and `Gone`. After `TooNew` and after most of `Damaged`
    /// the file is as it was before.
    pub fn open(options: StoreOptions) -> Result<Recovered<RedbStore>, StoreError> {
        RedbStore::open_with(&options, STEPS, OPEN_TRIES)
    }

    pub(super) fn open_with(
        options: &StoreOptions,
        steps: &[Step],
        tries: u32,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        let path = options.path.as_path();
        file::check_folder(path)?;
        let mut warnings = Vec::new();
        let head = Head::open(&options.head)
            .inspect_err(|error| {
                warn(&mut warnings, format!("cannot use {}: {error}", options.head.display()));
            })
            .ok();
        let created = match file::look(path)? {
            Found::Empty if head.as_ref().is_some_and(|head| head.last().is_some()) => {
                return Err(StoreError::Damaged(format!("{} is empty and was not before", path.display())));
            }
            Found::Empty | Found::Nothing => {
                keep_journal_of_another(options, &mut warnings)?;
                database::create(path, options.two_phase, |db| migrate::bring_up(db, steps).map(drop))?;
                true
            }
            Found::Something => {
                look_into(options, steps, tries, &mut warnings)?;
                false
            }
        };
        let mut reserve = Reserve::hold(path);
        let mut read = || match opening::read(options, steps, tries) {
            Err(StoreError::Full(_)) if reserve.give_up() => opening::read(options, steps, tries),
            done => done,
        };
        let mut opened = read()?;
        if opened.is_to_be_compacted()
            && let Err(error) = opened.compact()
        {
            // A full disk, most likely: it is no reason not to start.
            tracing::warn!(%error, "cannot compact the store; going on without it");
            drop(opened);
            opened = read()?;
        }
        let mut recovered = opened.recovered(opener(options), head, Some(reserve));
        recovered.fresh |= created;
        recovered.warnings.extend(warnings);
        recovered.compare_with_head();
        Ok(recovered)
    }
}

/// Refuses what cannot be opened, before a byte of it changes, and keeps a copy of what is about to change.
fn look_into(
    options: &StoreOptions,
    steps: &[Step],
    tries: u32,
    warnings: &mut Vec<String>,
) -> Result<(), StoreError> {
    let path = options.path.as_path();
    let seen = patiently(tries, || guarded(|| peek::look(database::backend(path)?.0)))?;
    let verdict = migrate::judge(seen.schema, steps)?;
    if evidence::is_under_way(path)? {
        return Err(StoreError::Damaged("what could be saved of it was not, yet".to_owned()));
    }
    check_journal(&options.journal(), seen.mark)?;
    if let Verdict::Old(found) = verdict {
        file::copy_aside(path, &options.journal(), found)?;
    }
    if seen.mark.is_none() {
        // It was put back beside the journal of a later one.
        keep_journal_of_another(options, warnings)?;
    }
    Ok(())
}

/// Looks whether a journal has all that the tables lack, before a byte changes.
fn check_journal(path: &Path, mark: Option<Mark>) -> Result<(), StoreError> {
    match (mark, file::look(path)?) {
        (Some(mark), Found::Something) => {
            lacking(&journal::read(&FileBackend::new(file::open(path)?)?)?, mark).map(drop)
        }
        _ => Ok(()),
    }
}

/// Moves a journal out of the way of a store that knows of none, and says so: what it holds is that of another
/// store, which was removed or replaced.
fn keep_journal_of_another(options: &StoreOptions, warnings: &mut Vec<String>) -> Result<(), StoreError> {
    let path = options.journal();
    let Found::Something = file::look(&path)? else { return Ok(()) };
    if !journal::holds_records(&journal::read(&FileBackend::new(file::open(&path)?)?)?) {
        return Ok(());
    }
    let mut names = (1..u32::MAX).map(|number| file::beside(&path, &format!("left-{number}")));
    let Some(kept) = names.find(|name| fs::symlink_metadata(name).is_err()) else { return Ok(()) };
    fs::rename(&path, &kept)
        .and_then(|()| files::sync_dir(files::parent(&path)))
        .map_err(|error| StoreError::from_io(format!("cannot move {} aside", path.display()), error))?;
    warn(warnings, format!("a journal without its store was found, and is kept as `{}`", kept.display()));
    Ok(())
}

impl Recovered<RedbStore> {
    /// Says so when the store ends before the head does, and never gives the numbers between them
    /// again: readers may have seen the messages that bore them.
    fn compare_with_head(&mut self) {
        let stored = last_counters(&self.mutations).map_or(0, |counters| counters.last_message);
        let head = self.store.head().and_then(Head::last).unwrap_or(0);
        if stored < head {
            let what = if self.fresh { "is new" } else { "was rolled back" };
            warn(
                &mut self.warnings,
                format!(
                    "the store {what}: it ends at message {stored}, and message {head} was stored once; unread mail may be lost"
                ),
            );
            let mut counters = last_counters(&self.mutations).copied().unwrap_or_default();
            counters.last_message = head;
            self.mutations.retain(|mutation| !matches!(mutation, Mutation::PutCounters(_)));
            self.mutations.insert(0, Mutation::PutCounters(counters));
        }
        self.store.write_head(stored.max(head));
    }
}

impl Opened {
    /// After an unclean end the start is to be a quick one: somebody waits for it.
    fn is_to_be_compacted(&self) -> bool {
        let size = self.size_bytes();
        let clean = last_counters(&self.rows.mutations).is_some_and(|counters| counters.clean);
        clean && size > COMPACT_BYTES && size > COMPACT_RATIO * self.rows.bytes
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        let before = self.size_bytes();
        guarded(|| self.db.compact())?;
        tracing::info!(before, after = self.size_bytes(), "the store was compacted");
        Ok(())
    }

    fn size_bytes(&self) -> u64 {
        self.places.as_ref().map_or(0, Places::size_bytes)
    }
}
