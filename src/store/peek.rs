//! A look into a store that leaves every byte of it alone. Opening a redb file writes to it, and
//! after a crash it repairs it; so what it says of itself is read through an [`Overlay`], which keeps what is
//! written to itself and forgets it. A store that turns out to be too new stays as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, Builder, ReadableDatabase, StorageBackend};

use super::journal::Mark;
use super::{StoreError, reading};

/// One row is read: a small cache will do.
const CACHE_BYTES: usize = 1 << 20;
/// What is kept of a write, in bytes: redb's own page.
const BLOCK_BYTES: usize = 4096;

/// What a store says of itself.
pub(super) struct Seen {
    /// `None`: nothing was ever committed to it.
    pub(super) schema: Option<u64>,
    /// Where in the journal begins what the tables lack.
    pub(super) mark: Option<Mark>,
}

pub(super) fn look(file: FileBackend) -> Result<Seen, StoreError> {
    let db = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(Overlay::new(file)?)?;
    let read = db.begin_read()?;
    Ok(Seen { schema: reading::schema(&read)?, mark: reading::mark(&read)? })
}

/// A file under a layer of memory: reads see both, writes reach only the layer.
pub(super) struct Overlay<B> {
    file: B,
    layer: Mutex<Layer>,
}

struct Layer {
    /// What the length seems to be.
    len: u64,
    /// How much of the file still shows through: less once it was seemingly cut.
    base: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK_BYTES]>>,
}

impl<B: StorageBackend> Overlay<B> {
    pub(super) fn new(file: B) -> io::Result<Overlay<B>> {
        let len = file.len()?;
        Ok(Overlay { file, layer: Mutex::new(Layer { len, base: len, blocks: BTreeMap::new() }) })
    }

    /// Nothing here panics while it holds the lock, and a layer is forgotten anyway.
    fn layer(&self) -> MutexGuard<'_, Layer> {
        self.layer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block as the file has it, with zeros where it shows nothing.
    fn base_block(&self, base: u64, block: u64) -> io::Result<Box<[u8; BLOCK_BYTES]>> {
        let mut bytes = Box::new([0; BLOCK_BYTES]);
        let start = block * BLOCK_BYTES as u64;
        let shown = base.saturating_sub(start).min(BLOCK_BYTES as u64) as usize;
        self.file.read(start, &mut bytes[..shown])?;
        Ok(bytes)
    }
}

/// The parts of `offset..offset + len`, block by block: block, where in it, and how much.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let inside = (at % BLOCK_BYTES as u64) as usize;
        let part = (BLOCK_BYTES - inside).min(len - done);
        done += part;
        (part > 0).then_some((at / BLOCK_BYTES as u64, inside, part))
    })
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.layer().len)
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let layer = self.layer();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > layer.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (block, inside, part) in parts(offset, out.len()) {
            let (now, later) = out.split_at_mut(part);
            match layer.blocks.get(&block) {
                Some(bytes) => now.copy_from_slice(&bytes[inside..][..part]),
                None => now.copy_from_slice(&self.base_block(layer.base, block)?[inside..][..part]),
            }
            out = later;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut layer = self.layer();
        layer.len = len;
        layer.base = layer.base.min(len);
        let edge = len / BLOCK_BYTES as u64;
        layer.blocks.split_off(&(edge + 1));
        if let Some(bytes) = layer.blocks.get_mut(&edge) {
            bytes[(len % BLOCK_BYTES as u64) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut layer = self.layer();
        layer.len = layer.len.max(offset + data.len() as u64);
        for (block, inside, part) in parts(offset, data.len()) {
            let (now, later) = data.split_at(part);
            if !layer.blocks.contains_key(&block) {
                let bytes = self.base_block(layer.base, block)?;
                layer.blocks.insert(block, bytes);
            }
            if let Some(bytes) = layer.blocks.get_mut(&block) {
                bytes[inside..][..part].copy_from_slice(now);
            }
            data = later;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // A wrapper that did not pass these on would look at a file that another process writes to.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

impl<B> fmt::Debug for Overlay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overlay")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a plain vector: 12,000 bytes of file, writes and cuts at any place.
        #[test]
        fn reads_see_what_was_written_and_the_file_does_not(
            steps in prop::collection::vec((0_u64..16_000, prop::option::of(1_usize..6_000)), 1..12),
        ) {
            let original: Vec<u8> = (0..12_000_u32).map(|at| (at % 251) as u8).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&original).unwrap();
            let overlay = Overlay::new(FileBackend::new(file.try_clone().unwrap()).unwrap()).unwrap();
            let mut model = original.clone();
            for (number, (at, write)) in steps.into_iter().enumerate() {
                match write {
                    Some(len) => {
                        let data = vec![number as u8 + 1; len];
                        let end = at as usize + len;
                        model.resize(model.len().max(end), 0);
                        model[at as usize..end].copy_from_slice(&data);
                        overlay.write(at, &data).unwrap();
                    }
                    None => {
                        model.resize(at as usize, 0);
                        overlay.set_len(at).unwrap();
                    }
                }
                let mut seen = vec![9; overlay.len().unwrap() as usize];
                overlay.read(0, &mut seen).unwrap();
                prop_assert_eq!(&seen, &model);
            }
            let mut untouched = vec![0; original.len()];
            FileBackend::new(file).unwrap().read(0, &mut untouched).unwrap();
            prop_assert_eq!(untouched, original);
            prop_assert!(overlay.read(model.len() as u64, &mut [0]).is_err());
        }
    }
}
