//! Peers' text made harmless for a terminal.
//!
//! What always holds: what [`block`] and [`line`] return has no code point that moves the cursor,
//! reorders what stands beside it, or cannot be seen; both change nothing else, and nothing twice.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text of several lines: newline and tab stay, every risky code point is written as `\u{…}`.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, is_risky)
}

/// Text for one field of one line: newline and tab are written out too, so that it cannot begin
/// a line of its own.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |c| c == '\n' || c == '\t' || is_risky(c))
}

/// [`line`] with at most `chars` characters, the beginning of the text.
pub fn head(text: &str, chars: usize) -> String {
    let text = line(text);
    match text.char_indices().nth(chars) {
        None => text.into_owned(),
        Some(_) => {
            let kept: String = text.chars().take(chars.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}

/// [`line`] with at most `chars` characters, the end of the text: of a path, that is what tells it
/// from others.
pub fn tail(text: &str, chars: usize) -> String {
    let text = line(text);
    let count = text.chars().count();
    if count <= chars {
        return text.into_owned();
    }
    let kept: String = text.chars().skip(count + 1 - chars).collect();
    format!("…{kept}")
}

fn escape(text: &str, risky: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&risky) else { return Cow::Borrowed(text) };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for c in text[first..].chars() {
        if risky(c) {
            write!(safe, "\\u{{{:x}}}", u32::from(c)).expect("a string takes all that is written to it");
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Control characters, and what Unicode calls default ignorable: what a reader would not see.
/// U+FE0E and U+FE0F stay, since emoji are written with them and they do nothing else.
fn is_risky(c: char) -> bool {
    match c {
        '\n' | '\t' | '\u{fe0e}' | '\u{fe0f}' => false,
        // C0, DEL, C1: the terminal obeys these.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Line and paragraph separators: a line break that is no newline.
        '\u{2028}' | '\u{2029}' => true,
        // Directional marks, embeddings, overrides and isolates: they reorder the line.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        // Zero width and other invisible ones, where words can hide.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Tag characters and variation selectors: a whole alphabet that shows as nothing.
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written a second time, from the promise and not from the code.
    const FORBIDDEN: &[(u32, u32)] = &[
        (0x00, 0x08),
        (0x0b, 0x1f),
        (0x7f, 0x9f),
        (0x61c, 0x61c),
        (0x200b, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x2060),
        (0x2066, 0x2069),
        (0xfeff, 0xfeff),
        (0xe0000, 0xe007f),
    ];

    fn is_forbidden(c: char) -> bool {
        FORBIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
    }

    fn risky_char() -> impl Strategy<Value = char> {
        let ranges: Vec<_> = FORBIDDEN
            .iter()
            .map(|&(first, last)| (first..=last).prop_map(|n| char::from_u32(n).unwrap()))
            .collect();
        proptest::strategy::Union::new(ranges)
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![any::<char>(), risky_char(), Just('\n'), Just('a')], 0..16)
            .prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn nothing_forbidden_is_left(text in text()) {
            let safe = block(&text);
            prop_assert!(!safe.contains(is_forbidden));
            prop_assert_eq!(safe.matches('\n').count(), text.matches('\n').count());
            prop_assert!(!line(&text).contains(|c| is_forbidden(c) || c == '\n' || c == '\t'));
            prop_assert_eq!(block(&safe), safe.as_ref());
            prop_assert!(head(&text, 7).chars().count() <= 7 && tail(&text, 7).chars().count() <= 7);
        }

    }

    proptest! {
        #[test]
        fn visible_text_is_left_as_it_is(text in "[ -~äöß€日本語🦀❤️\n\t]*") {
            prop_assert!(matches!(block(&text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn escapes_can_be_read() {
        assert_eq!(block("a\u{1b}]52;c;x\u{7}b\n"), "a\\u{1b}]52;c;x\\u{7}b\n");
        assert_eq!(block("\u{202e}evil\u{200d}\u{e0041}\r"), "\\u{202e}evil\\u{200d}\\u{e0041}\\u{d}");
        assert_eq!(line("two\nlines\tof"), "two\\u{a}lines\\u{9}of");
    }

    #[test]
    fn long_fields_are_cut_where_it_hurts_least() {
        assert_eq!(head("0123456789", 5), "0123…");
        assert_eq!(head("01234", 5), "01234");
        assert_eq!(tail("/home/u/webapp", 7), "…webapp");
        assert_eq!(tail("webapp", 6), "webapp");
    }
}
