//! Cuts what is read into lines, and stays in bounds with those that never end.

use std::collections::VecDeque;
use std::mem;

use rmcp::model::RequestId;

use super::ledger::Stamp;
use super::overlong::IdScan;

/// A piece of the input that is complete.
pub enum Piece {
    /// A line without its newline, and when its first byte was read.
    Line(Vec<u8>, Stamp),
    /// A line over the limit was skipped; the id that it had.
    TooLong(Option<RequestId>),
}

/// Collects bytes until a line is whole.
pub struct Lines {
    limit: usize,
    line: Vec<u8>,
    began: Stamp,
    /// The current line is over the limit, and only its id is looked for.
    skipping: Option<IdScan>,
    ready: VecDeque<Piece>,
}

impl Lines {
    /// Lines of more than `limit` bytes are skipped.
    pub fn new(limit: usize) -> Lines {
        Lines { limit, line: Vec::new(), began: Stamp::default(), skipping: None, ready: VecDeque::new() }
    }

    /// Takes what one read gave, read at `now`.
    pub fn push(&mut self, chunk: &[u8], now: Stamp) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            if self.line.is_empty() && self.skipping.is_none() {
                self.began = now;
            }
            self.append(&rest[..end.unwrap_or(rest.len())]);
            if end.is_some() {
                self.end_line();
            }
            rest = end.map_or(&[], |end| &rest[end + 1..]);
        }
    }

    /// The next complete piece.
    pub fn next(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// The end of input ends the last line too.
    pub fn finish(mut self) -> Option<Piece> {
        self.end_line();
        self.ready.pop_front()
    }

    fn append(&mut self, part: &[u8]) {
        if let Some(scan) = &mut self.skipping {
            return scan.feed(part);
        }
        if self.line.len() + part.len() <= self.limit {
            return self.line.extend_from_slice(part);
        }
        let mut scan = IdScan::default();
        scan.feed(&mem::take(&mut self.line));
        scan.feed(part);
        self.skipping = Some(scan);
    }

    fn end_line(&mut self) {
        self.ready.push_back(match self.skipping.take() {
            Some(scan) => Piece::TooLong(scan.finish()),
            None => Piece::Line(mem::take(&mut self.line), self.began),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(limit: usize, chunks: &[&str]) -> Vec<String> {
        let mut lines = Lines::new(limit);
        let mut seen = Vec::new();
        let mut show = |piece| {
            seen.push(match piece {
                Piece::Line(line, _) => String::from_utf8(line).unwrap(),
                Piece::TooLong(id) => format!("too long: {id:?}"),
            })
        };
        for chunk in chunks {
            lines.push(chunk.as_bytes(), Stamp::default());
            while let Some(piece) = lines.next() {
                show(piece);
            }
        }
        lines.finish().map(&mut show);
        seen
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_end() {
        assert_eq!(cut(9, &["a", "b\nc\n\n", "d"]), ["ab", "c", "", "d"]);
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_and_the_next_one_is_read() {
        let seen = cut(8, &[r#"{"x":"12"#, r#"34","id""#, ":5}\n", "12345678\n", "123456789\nok"]);
        assert_eq!(seen, ["too long: Some(Number(5))", "12345678", "too long: None", "ok"]);
    }

    #[test]
    fn a_line_has_the_stamp_of_its_first_byte() {
        let mut ledger = crate::mcp::ledger::Ledger::new();
        let early = ledger.stamp();
        let mut lines = Lines::new(99);
        lines.push(b"a\nb", early);
        ledger.call_read(1, early);
        ledger.flushed(&1);
        let late = ledger.stamp();
        lines.push(b"b\nc\n", late);
        let stamps: Vec<bool> = std::iter::from_fn(|| lines.next())
            .map(|piece| matches!(piece, Piece::Line(_, began) if began == late))
            .collect();
        assert_eq!(stamps, [false, false, true]);
    }
}
