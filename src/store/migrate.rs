//! Schemas, forward only: an older store is brought up to the newest schema in one transaction, a
//! newer one is refused. The procedure for a new schema is in [`super::layout`].

use redb::WriteTransaction;

use super::StoreError;
use super::database::Database;
use super::journal::Mark;
use super::reading;
use super::tables::Tables;

/// Makes the rows of one schema into those of the next.
pub(super) type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// The first step leads from schema 1 to 2, the second from 2 to 3, and so on.
pub(super) const STEPS: &[Step] = &[
    // 2: large messages have a table of their own, which is made with the others. Those that stand among the
    // small ones may stay there.
    |_| Ok(()),
    // 3: a journal stands beside the store, which an older ipcd would not look into.
    |_| Ok(()),
];

/// What to do with a store of a given schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing was ever stored.
    Fresh,
    Newest,
    /// It has so old a schema.
    Old(u64),
}

/// # Errors
/// [`StoreError::TooNew`] for a schema that only a later ipcd knows.
pub(super) fn judge(found: Option<u64>, steps: &[Step]) -> Result<Verdict, StoreError> {
    let known = newest(steps);
    match found {
        None => Ok(Verdict::Fresh),
        Some(0) => Err(StoreError::Damaged("it says that its schema is 0".to_owned())),
        Some(found) if found > known => Err(StoreError::TooNew { found, known }),
        Some(found) if found < known => Ok(Verdict::Old(found)),
        Some(_) => Ok(Verdict::Newest),
    }
}

/// Gives a new store its tables and takes an old one through the steps that it lacks, in one
/// transaction.
pub(super) fn bring_up(db: &Database, steps: &[Step]) -> Result<Verdict, StoreError> {
    let verdict = judge(reading::schema(&db.begin_read()?)?, steps)?;
    let lacking = match verdict {
        Verdict::Newest => return Ok(verdict),
        Verdict::Fresh => &[],
        // Within bounds: an old schema is at least 1 and below the newest.
        Verdict::Old(found) => &steps[found as usize - 1..],
    };
    let write = db.begin_write()?;
    for step in lacking {
        step(&write)?;
    }
    let mut tables = Tables::new(&write);
    tables.create()?;
    tables.put_schema(newest(steps))?;
    if reading::mark(&db.begin_read()?)?.is_none() {
        tables.put_mark(Mark::first())?;
    }
    drop(tables);
    write.commit()?;
    if let Verdict::Old(found) = verdict {
        tracing::info!(from = found, to = newest(steps), "the store was brought to a new schema");
    }
    Ok(verdict)
}

fn newest(steps: &[Step]) -> u64 {
    steps.len() as u64 + 1
}
