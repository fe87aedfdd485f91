//! The output of a command, bounded while it comes: the beginning and the end are kept, the middle is
//! counted. What looks like a credential is left out of both, and said to be.

use std::collections::VecDeque;

use super::secrets::mask;

/// Words of this length that a cut goes through are left out whole: half of a token looks like none. A
/// longer one is no token.
const CUT_WORD_BYTES: std::ops::RangeInclusive<usize> = 8..=512;

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
    /// Credentials that words stand for.
    pub masked: usize,
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

    /// What is shown. `withheld` are values that must not be, whatever they look like.
    pub(super) fn finish(self, withheld: &[Vec<u8>]) -> Output {
        let (mut head, mut tail) = (self.head, Vec::from(self.tail));
        let mut left_out = self.left_out;
        if left_out == 0 {
            head.append(&mut tail);
            let (text, lossy, masked) = shown(&head, withheld);
            return Output { text, left_out, lossy, masked };
        }
        // The cuts may go through a character or a word: its rest is left out too.
        let cut_head = unfinished(&head).max(cut_word(head.iter().rev()));
        let cut_tail = tail.iter().take(3).take_while(|b| continues(**b)).count().max(cut_word(tail.iter()));
        head.truncate(head.len() - cut_head);
        tail.drain(..cut_tail);
        left_out += (cut_head + cut_tail) as u64;
        let ((head, lossy_head, masked_head), (tail, lossy_tail, masked_tail)) =
            (shown(&head, withheld), shown(&tail, withheld));
        let text = format!("{head}\n[... {left_out} bytes left out ...]\n{tail}");
        Output { text, left_out, lossy: lossy_head || lossy_tail, masked: masked_head + masked_tail }
    }
}

/// Bytes as text, without credentials: whether some bytes were none, and how many credentials there were.
fn shown(bytes: &[u8], withheld: &[Vec<u8>]) -> (String, bool, usize) {
    let (bytes, masked) = mask(bytes, withheld);
    let text = String::from_utf8_lossy(&bytes);
    let lossy = std::str::from_utf8(&bytes).is_err();
    (text.into_owned(), lossy, masked)
}

/// The length of the word that a cut went through, counted from the cut.
fn cut_word<'a>(from_cut: impl Iterator<Item = &'a u8>) -> usize {
    let length = from_cut.take(CUT_WORD_BYTES.end() + 1).take_while(|b| !b.is_ascii_whitespace()).count();
    if CUT_WORD_BYTES.contains(&length) { length } else { 0 }
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
        capture.finish(&[])
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let text = "abcdefgh";
        for pieces in [&[&b"abcdefgh"[..]][..], &[b"abc", b"", b"defgh"], &[b"abcde", b"fgh"]] {
            assert_eq!(
                shown(8, pieces),
                Output { text: text.to_owned(), left_out: 0, lossy: false, masked: 0 }
            );
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
    fn a_cut_word_is_left_out_whole() {
        let output = shown(
            40,
            &[b"at first secretword1234567890 and more until its end", b" verysecretword1234 ends"],
        );
        assert_eq!(output.text, "at first \n[... 62 bytes left out ...]\n ends");
        let output = shown(2_000, &[&[b'x'; 9_000]]);
        assert!(output.text.starts_with(&"x".repeat(1_000)) && output.left_out == 7_000);
    }

    #[test]
    fn credentials_are_left_out_and_counted() {
        let mut capture = Capture::new(1_000);
        capture.push(
            format!("using ghp{} with hunter2hunter2\n", "_aB3dE5gH1jK2mN4pQ6sT8vW0xY7zaB3dE5gH").as_bytes(),
        );
        let output = capture.finish(&[b"hunter2hunter2".to_vec()]);
        assert_eq!(output.text, "using [GitHub token left out] with [a variable's value left out]\n");
        assert_eq!((output.masked, output.left_out, output.lossy), (2, 0, false));
    }

    #[test]
    fn bytes_that_are_no_text_are_flagged() {
        assert_eq!(
            shown(8, &[b"a\xffb"]),
            Output { text: "a\u{fffd}b".to_owned(), left_out: 0, lossy: true, masked: 0 }
        );
        assert!(shown(8, &[&[0xff; 40]]).lossy);
    }
}
