//! Records: how a commit stands in the journal's file, and how it is found there.
//!
//! `[number of the part][number of the record][bytes of the payload, u32][CRC-32 of all but this]` and the payload,
//! numbers LE, filled up with zeros to whole sectors.
//!
//! What always holds: what is found is what was written, as a whole. A record that was torn, or that rotted, is none;
//! those behind it are found all the same.

const HEADER_BYTES: usize = 8 + 8 + 4 + 4;
/// What a disk writes as a whole.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'r> {
    /// Number of the part that it stands in.
    pub(super) part: u64,
    pub(super) number: u64,
    /// Less than 4 GiB.
    pub(super) payload: &'r [u8],
}

/// Bytes of a record with so long a payload.
pub(super) fn bytes_with(payload: usize) -> usize {
    (HEADER_BYTES + payload).next_multiple_of(SECTOR_BYTES)
}

/// The records among these bytes that are wanted, by their numbers: `is_wanted` is asked with the place of what may be
/// one, and the part that this says it stands in.
pub(super) fn find(bytes: &[u8], is_wanted: impl Fn(usize, u64) -> bool) -> Vec<Record<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    // Each sector may be the beginning of one, also behind one that does not check out.
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let record = Record::read(rest, |part| is_wanted(at, part));
        at += record.map_or(SECTOR_BYTES, |record| bytes_with(record.payload.len()));
        found.extend(record);
    }
    found.sort_by_key(|record| record.number);
    found
}

impl<'r> Record<'r> {
    /// Adds it to `bytes`, which end with a sector.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + bytes_with(self.payload.len());
        bytes.extend_from_slice(&self.part.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.length().to_le_bytes());
        bytes.extend_from_slice(&self.checksum().to_le_bytes());
        bytes.extend_from_slice(self.payload);
        bytes.resize(end, 0);
    }

    /// The one at the beginning of `bytes`, if its part is wanted.
    fn read(bytes: &'r [u8], is_wanted: impl FnOnce(u64) -> bool) -> Option<Record<'r>> {
        let (part, rest) = bytes.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (checksum, rest) = rest.split_first_chunk()?;
        let part = u64::from_le_bytes(*part);
        // Before the sum over what may be long.
        if !is_wanted(part) {
            return None;
        }
        let payload = rest.get(..u32::from_le_bytes(*length) as usize)?;
        let record = Record { part, number: u64::from_le_bytes(*number), payload };
        (record.checksum() == u32::from_le_bytes(*checksum)).then_some(record)
    }

    fn length(&self) -> u32 {
        self.payload.len() as u32
    }

    fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for number in [self.part, self.number, u64::from(self.length())] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(self.payload);
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(records: &[Record<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.write(&mut bytes));
        bytes
    }

    /// What is on disk already is read by every later ipcd.
    #[test]
    fn the_bytes_of_a_record_are_these() {
        let bytes = written(&[Record { part: 0x0102, number: 3, payload: b"mail" }]);
        assert_eq!(bytes.len(), 512);
        let header = [&[2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0][..], &[0; 4]].concat();
        assert_eq!(bytes[..20], header[..20]);
        assert_eq!(bytes[24..28], *b"mail");
        assert!(bytes[28..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn records_are_found_by_their_numbers_where_they_are_wanted() {
        let [a, b, c] = [(7, 2, &b"two"[..]), (7, 1, b""), (8, 3, &[b'c'; 600])]
            .map(|(part, number, payload)| Record { part, number, payload });
        let bytes = written(&[a, b, c]);
        assert_eq!(bytes.len(), 512 + 512 + 1024);
        assert_eq!(find(&bytes, |_, _| true), [b, a, c]);
        assert_eq!(find(&bytes, |_, part| part == 7), [b, a]);
        assert_eq!(find(&bytes, |at, _| at > 0), [b, c]);
        // Also behind one that is not whole.
        assert_eq!(find(&[&bytes[..512], &bytes[1024..1536], &bytes[1024..]].concat(), |_, _| true), [a, c]);
        assert_eq!(find(&bytes[..bytes.len() - 512], |_, _| true), [b, a]);
    }

    #[test]
    fn whatever_bit_rots_in_a_record_it_is_none() {
        let record = Record { part: 9, number: 1, payload: &[b'a'; 40] };
        let bytes = written(&[record]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let in_filling = bit / 8 >= HEADER_BYTES + 40;
            assert_eq!(find(&flipped, |_, _| true).contains(&record), in_filling, "bit {bit}");
            assert_eq!(find(&flipped, |_, _| true).len(), usize::from(in_filling), "bit {bit}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..5000),
            part: u64,
            number: u64,
        ) {
            prop_assert_eq!(find(&bytes, |_, _| true), []);
            let record = Record { part, number, payload: &bytes };
            let written = written(&[record]);
            prop_assert_eq!(find(&written, |_, _| true), [record]);
            for length in [0, 23, 24, 511] {
                let _ = find(&written[..length], |_, _| true);
            }
        }
    }
}
