//! The rows as a fuzzer sees them: any bytes, in place of any row. Only in builds for fuzzing.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tables::{FORMAT, checksum, decode, encode, key_parts};
use crate::broker::mutation::{Counters, DeliveryRow, KeyRow, MailboxRow, MessageRow, NameRow, ReceiptRow};

/// Reads `bytes` as a row of a table, with a right header of their own if `table` is even, and stores
/// and reads again what was read.
pub fn fuzz_row(table: u8, bytes: &[u8]) {
    fn read<R: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        if let Ok(row) = decode::<R>(bytes) {
            let again = encode(&row).expect("a row that was read has a JSON form");
            assert_eq!(decode::<R>(&again), Ok(row), "stored and read again");
        }
    }

    let mut whole = vec![FORMAT];
    whole.extend_from_slice(&checksum(bytes).to_le_bytes());
    whole.extend_from_slice(bytes);
    let bytes = if table % 2 == 0 { &whole } else { bytes };
    match table / 2 % 8 {
        0 => read::<Counters>(bytes),
        1 => read::<MailboxRow>(bytes),
        2 => read::<NameRow>(bytes),
        3 => read::<MessageRow>(bytes),
        4 => read::<DeliveryRow>(bytes),
        5 => read::<KeyRow>(bytes),
        6 => read::<ReceiptRow>(bytes),
        _ => drop(key_parts(bytes)),
    }
}
