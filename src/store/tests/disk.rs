//! A disk that loses its power, for tests: two files, each a [`StorageBackend`], that know what was synced and
//! what was only written, and can say what such a disk may hold afterwards; and a store on it.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::store::checkpoint::{Checkpoint, Job, Running};
use crate::store::database::Database;
use crate::store::faults::guarded;
use crate::store::migrate::STEPS;
use crate::store::opening::recover;
use crate::store::{Recovered, RedbStore, StoreError};

/// What a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

/// SplitMix64: small, and the same everywhere, so that a seed can be told.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[derive(Clone)]
enum Op {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

/// What a disk holds: the store's file, and its journal.
pub(crate) type Image = [Vec<u8>; 2];

#[derive(Default)]
struct Platter {
    /// What reads see.
    live: Image,
    /// What the last sync of each file made safe.
    durable: Image,
    /// What came after it, and in which file.
    pending: Vec<(usize, Op)>,
    /// Calls that still succeed.
    left: u64,
    error: Option<io::ErrorKind>,
    /// A sync that fails takes what it could not write for written, as Linux does.
    forgetful: Option<Rng>,
}

/// One of the files. Clones are the same.
#[derive(Clone)]
pub(crate) struct Disk {
    platter: Arc<Mutex<Platter>>,
    file: usize,
}

impl Disk {
    /// A disk with a store and no journal: as its first file.
    pub(crate) fn new(store: Vec<u8>) -> Disk {
        Disk::with([store, Vec::new()])
    }

    pub(crate) fn with(image: Image) -> Disk {
        let platter = Platter { live: image.clone(), durable: image, left: u64::MAX, ..Platter::default() };
        Disk { platter: Arc::new(Mutex::new(platter)), file: 0 }
    }

    /// The store's file and the journal.
    fn files(&self) -> [Disk; 2] {
        [0, 1].map(|file| Disk { file, ..self.clone() })
    }

    /// From now on `left` more calls succeed; every one after them fails with `error`.
    pub(crate) fn fail_after(&self, left: u64, error: io::ErrorKind) {
        let mut platter = self.platter();
        (platter.left, platter.error) = (left, Some(error));
    }

    /// From now on what a failed sync did not write is never written, and shows until
    /// [`Disk::forget_cached`].
    pub(crate) fn lose_what_is_not_synced(&self, rng: Rng) {
        self.platter().forgetful = Some(rng);
    }

    /// From now on this is on the disk.
    pub(crate) fn put(&self, image: Image) {
        let mut platter = self.platter();
        platter.pending.clear();
        (platter.live, platter.durable) = (image.clone(), image);
    }

    /// From now on reads see what is on the disk.
    pub(crate) fn forget_cached(&self) {
        let mut platter = self.platter();
        for (file, op) in std::mem::take(&mut platter.pending) {
            op.apply(&mut platter.durable[file]);
        }
        platter.live = platter.durable.clone();
    }

    /// Calls succeed again. What was written and not synced is still only written: a process that is
    /// killed leaves it to the system.
    #[cfg(unix)]
    pub(crate) fn revive(&self) {
        let mut platter = self.platter();
        (platter.left, platter.error) = (u64::MAX, None);
    }

    /// Whether calls fail now.
    #[cfg(unix)]
    pub(crate) fn is_dead(&self) -> bool {
        self.platter().alive().is_err()
    }

    /// What reads see of this file.
    pub(crate) fn live(&self) -> Vec<u8> {
        self.platter().live[self.file].clone()
    }

    /// What reads see of both.
    pub(crate) fn left(&self) -> Image {
        self.platter().live.clone()
    }

    /// What is there after a power cut now: all that was synced, and of the rest each write as a
    /// whole, in parts or not at all.
    pub(crate) fn image(&self, rng: &mut Rng) -> Image {
        self.platter().image(rng)
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the power away when nothing is left; what is under way may have reached the disk.
    fn step(&self, op: Option<Op>) -> io::Result<()> {
        let mut platter = self.platter();
        platter.call()?;
        match op {
            Some(op) => {
                op.apply(&mut platter.live[self.file]);
                platter.pending.push((self.file, op));
                platter.alive()
            }
            None => {
                platter.alive().inspect_err(|_| platter.sync_failed())?;
                let (synced, others) = std::mem::take(&mut platter.pending)
                    .into_iter()
                    .partition(|(file, _)| *file == self.file);
                platter.pending = others;
                for (file, op) in synced {
                    op.apply(&mut platter.durable[file]);
                }
                Ok(())
            }
        }
    }
}

impl Platter {
    fn image(&self, rng: &mut Rng) -> Image {
        let mut both = self.durable.clone();
        for (file, op) in &self.pending {
            let image = &mut both[*file];
            match (rng.below(10), op) {
                (0..=3, _) => {}
                (4..=6, op) => op.apply(image),
                (_, Op::SetLen(_)) => {
                    if rng.below(2) == 0 {
                        op.apply(image);
                    }
                }
                (_, Op::Write(offset, data)) => {
                    for (number, part) in data.chunks(SECTOR_BYTES).enumerate() {
                        if rng.below(2) == 0 {
                            let offset = offset + (number * SECTOR_BYTES) as u64;
                            Op::Write(offset, part.to_vec()).apply(image);
                        }
                    }
                }
            }
        }
        both
    }

    fn sync_failed(&mut self) {
        if let Some(mut rng) = self.forgetful.take() {
            self.durable = self.image(&mut rng);
            self.pending.clear();
            self.forgetful = Some(rng);
        }
    }

    /// One call, if it may still be made.
    fn call(&mut self) -> io::Result<()> {
        self.alive()?;
        self.left -= 1;
        Ok(())
    }

    fn alive(&self) -> io::Result<()> {
        match self.error {
            Some(error) if self.left == 0 => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Op {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Op::SetLen(len) => bytes.resize(*len as usize, 0),
            Op::Write(offset, data) => {
                let (start, end) = (*offset as usize, *offset as usize + data.len());
                bytes.resize(bytes.len().max(end), 0);
                bytes[start..end].copy_from_slice(data);
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let mut platter = self.platter();
        platter.call()?;
        Ok(platter.live[self.file].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platter = self.platter();
        platter.call()?;
        let bytes = platter.live[self.file].get(offset as usize..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(Some(Op::SetLen(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step(None)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Some(Op::Write(offset, data.to_vec())))
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl RedbStore {
    /// A store on a disk, without a head. Its checkpoints come [`Later`].
    pub(crate) fn on(disk: &Disk, two_phase: bool) -> Result<Recovered<RedbStore>, StoreError> {
        RedbStore::on_one_that(disk, two_phase, |_| {})
    }

    /// One whose disk is to `forget` before it is opened again.
    pub(super) fn on_one_that(
        disk: &Disk,
        two_phase: bool,
        forget: impl Fn(&Disk) + Send + 'static,
    ) -> Result<Recovered<RedbStore>, StoreError> {
        let open = move |disk: &Disk| {
            let [store, journal] = disk.files();
            guarded(|| recover(Database::over(store, two_phase)?, Some(Box::new(journal)), STEPS, usize::MAX))
        };
        let (first, disk) = (open(disk)?, disk.clone());
        let again = move || {
            forget(&disk);
            open(&disk)
        };
        let mut recovered = first.recovered(Box::new(again), None, None);
        recovered.store.begin = Later::begin;
        Ok(recovered)
    }
}

/// A checkpoint without a thread, so that each call of the disk has its turn: it is done when the store has asked
/// three times whether it is, or waits.
struct Later {
    job: Option<Job>,
    asked: u32,
}

impl Later {
    fn begin(job: Job) -> Result<Checkpoint, StoreError> {
        Ok(Checkpoint(Box::new(Later { job: Some(job), asked: 0 })))
    }
}

impl Running for Later {
    fn is_done(&mut self) -> bool {
        self.asked += 1;
        self.asked > 3
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.job.take().map_or(Ok(()), Job::run)
    }
}
