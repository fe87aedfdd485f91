//! A disk that loses its power, for tests: a [`StorageBackend`] that knows what was synced and what
//! was only written, and can say what such a disk may hold afterwards.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

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

#[derive(Default)]
struct Platter {
    /// What reads see.
    live: Vec<u8>,
    /// What the last sync made safe.
    durable: Vec<u8>,
    /// What came after it.
    pending: Vec<Op>,
    /// Calls that still succeed.
    left: u64,
    error: Option<io::ErrorKind>,
    /// A sync that fails takes what it could not write for written, as Linux does.
    forgetful: Option<Rng>,
}

/// Clones are the same disk.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    pub(crate) fn new(image: Vec<u8>) -> Disk {
        let platter = Platter { live: image.clone(), durable: image, left: u64::MAX, ..Platter::default() };
        Disk(Arc::new(Mutex::new(platter)))
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
    pub(crate) fn put(&self, image: Vec<u8>) {
        let mut platter = self.platter();
        platter.pending.clear();
        (platter.live, platter.durable) = (image.clone(), image);
    }

    /// From now on reads see what is on the disk.
    pub(crate) fn forget_cached(&self) {
        let mut platter = self.platter();
        for op in std::mem::take(&mut platter.pending) {
            op.apply(&mut platter.durable);
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

    pub(crate) fn live(&self) -> Vec<u8> {
        self.platter().live.clone()
    }

    /// What is there after a power cut now: all that was synced, and of the rest each write as a
    /// whole, in parts or not at all.
    pub(crate) fn image(&self, rng: &mut Rng) -> Vec<u8> {
        self.platter().image(rng)
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the power away when nothing is left; what is under way may have reached the disk.
    fn step(&self, op: Option<Op>) -> io::Result<()> {
        let mut platter = self.platter();
        platter.call()?;
        match op {
            Some(op) => {
                op.apply(&mut platter.live);
                platter.pending.push(op);
                platter.alive()
            }
            None => {
                platter.alive().inspect_err(|_| platter.sync_failed())?;
                for op in std::mem::take(&mut platter.pending) {
                    op.apply(&mut platter.durable);
                }
                Ok(())
            }
        }
    }
}

impl Platter {
    fn image(&self, rng: &mut Rng) -> Vec<u8> {
        let mut image = self.durable.clone();
        for op in &self.pending {
            match (rng.below(10), op) {
                (0..=3, _) => {}
                (4..=6, op) => op.apply(&mut image),
                (_, Op::SetLen(_)) => {
                    if rng.below(2) == 0 {
                        op.apply(&mut image);
                    }
                }
                (_, Op::Write(offset, data)) => {
                    for (number, part) in data.chunks(SECTOR_BYTES).enumerate() {
                        if rng.below(2) == 0 {
                            let offset = offset + (number * SECTOR_BYTES) as u64;
                            Op::Write(offset, part.to_vec()).apply(&mut image);
                        }
                    }
                }
            }
        }
        image
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
        Ok(platter.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut platter = self.platter();
        platter.call()?;
        let bytes = platter.live.get(offset as usize..).and_then(|rest| rest.get(..out.len()));
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
