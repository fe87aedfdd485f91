//! The rows as a fuzzer sees them: any bytes, in place of any row. Only in builds for fuzzing.

use std::fmt::Debug;

use super::layout::key_parts;
use super::rows::{Place, Row, decode, encode, with_checksum};
use crate::broker::mutation::{Counters, DeliveryRow, KeyRow, MailboxRow, MessageRow, NameRow, ReceiptRow};

/// Reads `bytes` as a row of a table, with a right header of their own if `table` is even, and stores
/// and reads again what was read.
pub fn fuzz_row(table: u8, bytes: &[u8]) {
    const PLACE: Place<'_> = Place { table: "fuzz", key: b"key" };

    fn read<R: Row + PartialEq + Debug>(bytes: &[u8]) {
        if let Ok(row) = decode::<R>(PLACE, bytes) {
            let again = encode(PLACE, &row).expect("a row that was read has a JSON form");
            assert_eq!(decode::<R>(PLACE, &again), Ok(row), "stored and read again");
        }
    }

    let whole = with_checksum(PLACE, bytes);
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
