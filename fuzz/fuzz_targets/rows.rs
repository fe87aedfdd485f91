//! Any bytes in the place of a stored row are refused in words or are a row, which is then stored and
//! found again as it is. The first byte chooses the table, and whether the bytes get a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [table, bytes @ ..] = data {
        ipcd::store::fuzz_row(*table, bytes);
    }
});
