//! The line decoder cuts a stream as a split at each newline would, however the bytes arrive.
//! The first byte says how large the pieces are, the second how long a line may be.
#![no_main]

use ipcd::transport::codec::{Line, LineDecoder};
use libfuzzer_sys::fuzz_target;
use tokio_util::bytes::BytesMut;
use tokio_util::codec::Decoder;

fuzz_target!(|data: &[u8]| {
    let [piece, max, stream @ ..] = data else { return };
    let max = usize::from(*max);
    let mut decoder = LineDecoder::new(max);
    let mut buffer = BytesMut::new();
    let mut found = Vec::new();
    for piece in stream.chunks(usize::from(*piece) + 1) {
        buffer.extend_from_slice(piece);
        while let Some(line) = decoder.decode(&mut buffer).expect("no stream below") {
            found.push(line);
        }
        assert!(buffer.len() <= max, "more is kept than a line may have");
    }
    while let Some(line) = decoder.decode_eof(&mut buffer).expect("no stream below") {
        found.push(line);
    }
    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    assert_eq!(found.len(), lines.len());
    for (found, line) in found.iter().zip(lines) {
        match found {
            Line::Whole(bytes) => assert_eq!(bytes, line),
            Line::Oversized { bytes } => {
                assert!(line.len() > max);
                assert_eq!(*bytes, line.len() as u64);
            }
        }
    }
});
