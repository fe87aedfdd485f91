//! The output of a command, bounded while it comes: the beginning and the end are kept, the middle is
//! counted.

use std::collections::VecDeque;

/// One stream's output so far. Never holds more than it was made for.
pub(super) struct Capture {
    head: Vec<u8>,
    head_max: usize,
    tail: VecDeque<u8>,
    tail_max: usize,
    left_out: u64,
}

/// What is shown of one stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub text: String,
    /// Bytes in the middle that are not shown; a marker stands for them.
    pub left_out: u64,
    /// Some bytes were no UTF-8, and a replacement character stands for them.
    pub lossy: bool,
}

impl Capture {
    pub(super) fn new(bytes_max: usize) -> Capture {
        let head_max = bytes_max / 2;
        Capture {
            head: Vec::new(),
            head_max,
            tail: VecDeque::new(),
            tail_max: bytes_max - head_max,
            left_out: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_max - self.head.len()));
        self.head.extend_from_slice(head);
        let kept = &rest[rest.len().saturating_sub(self.tail_max)..];
        let over = (self.tail.len() + kept.len()).saturating_sub(self.tail_max);
        self.tail.drain(..over);
        self.tail.extend(kept);
        self.left_out += (over + rest.len() - kept.len()) as u64;
    }

    pub(super) fn finish(self) -> Output {
        let (mut head, mut tail) = (self.head, Vec::from(self.tail));
        let mut left_out = self.left_out;
        if left_out == 0 {
            head.append(&mut tail);
            let (text, lossy) = decode(head);
            return Output { text, left_out, lossy };
        }
        // The cuts may go through a character: its rest is left out too.
        let (cut_head, cut_tail) =
            (unfinished(&head), tail.iter().take(3).take_while(|b| continues(**b)).count());
        head.truncate(head.len() - cut_head);
        tail.drain(..cut_tail);
        left_out += (cut_head + cut_tail) as u64;
        let ((head, lossy_head), (tail, lossy_tail)) = (decode(head), decode(tail));
        let text = format!("{head}\n[... {left_out} bytes left out ...]\n{tail}");
        Output { text, left_out, lossy: lossy_head || lossy_tail }
    }
}

fn decode(bytes: Vec<u8>) -> (String, bool) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    }
}

fn continues(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// Bytes at the end that begin a character and do not finish it.
fn unfinished(bytes: &[u8]) -> usize {
    let after = bytes.iter().rev().take(3).take_while(|b| continues(**b)).count();
    let lead = bytes.len().checked_sub(after + 1).map_or(0, |at| bytes[at]);
    let whole = match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    if whole > after + 1 { after + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes_max: usize, pieces: &[&[u8]]) -> Output {
        let mut capture = Capture::new(bytes_max);
        for piece in pieces {
            capture.push(piece);
            assert!(capture.head.len() + capture.tail.len() <= bytes_max);
        }
        capture.finish()
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let text = "abcdefgh";
        for pieces in [&[&b"abcdefgh"[..]][..], &[b"abc", b"", b"defgh"], &[b"abcde", b"fgh"]] {
            assert_eq!(shown(8, pieces), Output { text: text.to_owned(), left_out: 0, lossy: false });
        }
        assert_eq!(shown(8, &["äöüä".as_bytes()]).text, "äöüä", "a character across the middle stays whole");
    }

    #[test]
    fn the_middle_of_more_is_counted() {
        for pieces in
            [&[&b"0123456789abcdef"[..]][..], &[b"012", b"3456789", b"abcdef"], &[b"0123456789abcde", b"f"]]
        {
            let output = shown(8, pieces);
            assert_eq!(output.text, "0123\n[... 8 bytes left out ...]\ncdef");
            assert_eq!(output.left_out, 8);
        }
    }

    #[test]
    fn a_cut_character_is_left_out_whole() {
        // 4 bytes of head end inside the second of three-byte characters, the tail begins inside one.
        let output = shown(8, &["€€€€€€".as_bytes()]);
        assert_eq!(output.text, "€\n[... 12 bytes left out ...]\n€");
        assert!(!output.lossy);
        assert_eq!(shown(8, &["a€bcdefghijk".as_bytes()]).text, "a€\n[... 6 bytes left out ...]\nhijk");
    }

    #[test]
    fn bytes_that_are_no_text_are_flagged() {
        assert_eq!(
            shown(8, &[b"a\xffb"]),
            Output { text: "a\u{fffd}b".to_owned(), left_out: 0, lossy: true }
        );
        assert!(shown(8, &[&[0xff; 40]]).lossy);
    }
}
