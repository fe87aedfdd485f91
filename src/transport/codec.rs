//! Lines out of a stream of bytes, with a limit.
//!
//! What always holds: an oversized line is an item and not an error, and the line behind it is read as
//! if nothing had happened; memory never exceeds the limit and one read; what stands in a line is not
//! looked at.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Without its newline.
    Whole(Bytes),
    /// Longer than the limit, and thrown away. `bytes` counts it whole, without its newline.
    Oversized { bytes: u64 },
}

/// Cuts lines of at most `max` bytes, newline not counted.
///
/// At the end of the stream a last line without a newline is delivered: a JSON object is complete
/// with its brace, and one that was cut off is no JSON.
#[derive(Debug)]
pub struct LineDecoder {
    max: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Inside a line; so many bytes of the buffer were searched already.
    Within { searched: usize },
    /// Inside an oversized line; so many bytes of it are gone.
    Skipping { dropped: u64 },
}

/// Bytes to make room for before each read: a few usual lines.
const READ_BYTES: usize = 8 << 10;

/// A buffer that had to grow beyond this is not kept for the next line: one long line would otherwise
/// cost its size for as long as its connection lives.
const KEPT_BYTES: usize = 64 << 10;

impl LineDecoder {
    pub fn new(max: usize) -> LineDecoder {
        LineDecoder { max, state: State::Within { searched: 0 } }
    }

    fn next_line(&mut self, buffer: &mut BytesMut) -> Option<Line> {
        match self.state {
            State::Within { searched } => match newline(buffer, searched) {
                Some(end) => {
                    self.state = State::Within { searched: 0 };
                    let line = take(buffer, end);
                    Some(if end > self.max {
                        Line::Oversized { bytes: end as u64 }
                    } else {
                        Line::Whole(line)
                    })
                }
                None if buffer.len() > self.max => {
                    self.state = State::Skipping { dropped: buffer.len() as u64 };
                    *buffer = BytesMut::new();
                    None
                }
                None => {
                    self.state = State::Within { searched: buffer.len() };
                    None
                }
            },
            State::Skipping { dropped } => match newline(buffer, 0) {
                Some(end) => {
                    self.state = State::Within { searched: 0 };
                    take(buffer, end);
                    Some(Line::Oversized { bytes: dropped + end as u64 })
                }
                None => {
                    self.state = State::Skipping { dropped: dropped + buffer.len() as u64 };
                    buffer.clear();
                    None
                }
            },
        }
    }

    fn last_line(&mut self, buffer: &mut BytesMut) -> Option<Line> {
        match std::mem::replace(&mut self.state, State::Within { searched: 0 }) {
            State::Skipping { dropped } => Some(Line::Oversized { bytes: dropped }),
            State::Within { .. } if buffer.is_empty() => None,
            State::Within { .. } => Some(Line::Whole(buffer.split().freeze())),
        }
    }
}

fn newline(buffer: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(b'\n', &buffer[from..]).map(|at| from + at)
}

fn take(buffer: &mut BytesMut, end: usize) -> Bytes {
    let mut line = buffer.split_to(end + 1);
    line.truncate(end);
    if end > KEPT_BYTES {
        // What is left shares the long line's memory, and would take it over.
        *buffer = BytesMut::from(&buffer[..]);
    }
    line.freeze()
}

impl Decoder for LineDecoder {
    type Item = Line;
    /// Errors of the stream below; there are no others.
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Line>> {
        Ok(self.next_line(buffer))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Line>> {
        Ok(self.next_line(buffer).or_else(|| self.last_line(buffer)))
    }
}

/// Reads lines.
#[derive(Debug)]
pub struct LineReader<R> {
    stream: R,
    decoder: LineDecoder,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Lines of at most `max` bytes.
    pub fn new(stream: R, max: usize) -> LineReader<R> {
        LineReader { stream, decoder: LineDecoder::new(max), buffer: BytesMut::new() }
    }

    /// From the next line on, lines may have so many bytes.
    pub fn allow(&mut self, max: usize) {
        self.decoder.max = max;
    }

    /// The next line; `None` at the end of the stream. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.decoder.decode(&mut self.buffer)? {
                return Ok(Some(line));
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return self.decoder.decode_eof(&mut self.buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &[u8]) -> Line {
        Line::Whole(Bytes::copy_from_slice(text))
    }

    /// What comes out when the stream arrives in the given pieces.
    fn decode(max: usize, pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Line> {
        let mut decoder = LineDecoder::new(max);
        let (mut buffer, mut lines) = (BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(&piece);
            while let Some(line) = decoder.decode(&mut buffer).unwrap() {
                lines.push(line);
            }
            assert!(buffer.len() <= max, "{} bytes are kept", buffer.len());
        }
        while let Some(line) = decoder.decode_eof(&mut buffer).unwrap() {
            lines.push(line);
        }
        lines
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_above_does_not() {
        let lines = decode(4, [b"abcd\nabcde\nab\n\n".to_vec()]);
        assert_eq!(lines, [whole(b"abcd"), Line::Oversized { bytes: 5 }, whole(b"ab"), whole(b"")]);
    }

    #[test]
    fn the_line_behind_two_oversized_ones_is_read() {
        let lines = decode(
            16,
            [vec![b'x'; 100], vec![b'x'; 40_000], b"\n".to_vec(), vec![b'y'; 17], b"\nok\n".to_vec()],
        );
        assert_eq!(lines, [Line::Oversized { bytes: 40_100 }, Line::Oversized { bytes: 17 }, whole(b"ok")]);
    }

    #[test]
    fn the_end_of_the_stream_ends_a_line() {
        assert_eq!(decode(8, [b"a\nb".to_vec()]), [whole(b"a"), whole(b"b")]);
        assert_eq!(decode(8, [b"a\n".to_vec()]), [whole(b"a")]);
        assert_eq!(decode(8, [b"123456789".to_vec()]), [Line::Oversized { bytes: 9 }]);
        assert_eq!(decode(8, []), []);
    }

    #[test]
    fn a_long_line_does_not_stay_in_memory() {
        let mut decoder = LineDecoder::new(1 << 20);
        let mut buffer = BytesMut::from(&vec![b'x'; 1 << 20][..]);
        buffer.extend_from_slice(b"\nnext");
        assert!(decoder.decode(&mut buffer).unwrap().is_some());
        buffer.reserve(READ_BYTES);
        assert!(buffer.capacity() < KEPT_BYTES, "{}", buffer.capacity());
        assert_eq!(&buffer[..], b"next");
    }

    #[tokio::test]
    async fn a_reader_gives_each_line_once() {
        let mut lines = LineReader::new(&b"one\ntwo, which is long\nthree"[..], 6);
        assert_eq!(lines.next().await.unwrap(), Some(whole(b"one")));
        assert_eq!(lines.next().await.unwrap(), Some(Line::Oversized { bytes: 18 }));
        assert_eq!(lines.next().await.unwrap(), Some(whole(b"three")));
        assert_eq!(lines.next().await.unwrap(), None);
        assert_eq!(lines.next().await.unwrap(), None);
    }

    proptest! {
        #[test]
        fn how_the_bytes_arrive_does_not_matter(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..400),
            cuts in proptest::collection::vec(1..40_usize, 0..40),
            max in 1..20_usize,
        ) {
            let mut expected: Vec<Line> = text.split(|b| *b == b'\n').map(|line| match line.len() {
                len if len > max => Line::Oversized { bytes: len as u64 },
                _ => whole(line),
            }).collect();
            if expected.last() == Some(&whole(b"")) {
                expected.pop();
            }
            let mut rest = &text[..];
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = behind;
            }
            pieces.push(rest.to_vec());
            prop_assert_eq!(decode(max, pieces), expected);
        }
    }
}
