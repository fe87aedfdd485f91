//! The head: a second, tiny record of the last message's number, written after each commit and not
//! synced. A store that opens with less was rolled back by damage; the head cannot tell what is
//! missing, only that something is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::files;

/// `[1][number, 8 bytes LE][CRC-32 of these nine, LE]`.
const RECORD_BYTES: usize = 13;
const FORMAT: u8 = 1;

pub(super) struct Head {
    file: File,
    last: Option<u64>,
}

impl Head {
    /// Opens or creates the head. A record that does not check out counts as none: it was not
    /// synced, and a power cut may have left anything.
    pub(super) fn open(path: &Path) -> io::Result<Head> {
        let mut file = files::open(files::options().read(true).write(true).create(true), path)?;
        let mut bytes = Vec::with_capacity(RECORD_BYTES + 1);
        (&mut file).take(RECORD_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Head { file, last: decode(&bytes) })
    }

    /// The number in the record that was found, or was written last.
    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Remembers `last`, in one small write.
    pub(super) fn write(&mut self, last: u64) -> io::Result<()> {
        if self.last == Some(last) {
            return Ok(());
        }
        put(&mut self.file, &encode(last))?;
        self.last = Some(last);
        Ok(())
    }
}

#[cfg(unix)]
fn put(file: &mut File, record: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, record, 0)
}

#[cfg(not(unix))]
fn put(file: &mut File, record: &[u8]) -> io::Result<()> {
    use std::io::{Seek, Write};
    file.rewind()?;
    file.write_all(record)
}

fn encode(last: u64) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[0] = FORMAT;
    record[1..9].copy_from_slice(&last.to_le_bytes());
    let checksum = crc32fast::hash(&record[..9]);
    record[9..].copy_from_slice(&checksum.to_le_bytes());
    record
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let record: &[u8; RECORD_BYTES] = bytes.try_into().ok()?;
    let last = u64::from_le_bytes(record[1..9].try_into().ok()?);
    (*record == encode(last)).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_back_and_anything_else_is_no_head() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        assert_eq!(Head::open(&path).unwrap().last(), None);
        for last in [0, 7, u64::MAX] {
            Head::open(&path).unwrap().write(last).unwrap();
            assert_eq!(Head::open(&path).unwrap().last(), Some(last));
        }
        let record = encode(7);
        for length in 0..RECORD_BYTES {
            assert_eq!(decode(&record[..length]), None);
        }
        for bit in 0..RECORD_BYTES * 8 {
            let mut flipped = record;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit}");
        }
    }
}
