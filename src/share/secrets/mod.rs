//! Keys and tokens by their look. A find is told by the name of its rule, never by its text.
//!
//! Files are refused for one (`find`), and output has each left out (`mask`). What is found: private keys
//! in text form, tokens of clouds, forges and chats by their letters (`rules.rs`), web tokens. A password
//! that somebody chose looks like nothing in particular and is not found.

mod rules;

use std::borrow::Cow;
use std::ops::Range;

use rules::{BEGINNINGS, RULES, alnum, base64, begins_word, run, url_safe};

/// How far a footer of a key is looked for: an RSA key of 16,384 bits has 13 KB.
const BLOCK_BYTES_MAX: usize = 16 << 10;

/// Longest header of a web token: it names an algorithm and a key.
const TOKEN_HEADER_BYTES_MAX: usize = 1 << 10;

/// The name of the rule that the first secret in `bytes` matches.
pub(super) fn find(bytes: &[u8]) -> Option<&'static str> {
    let found = |bytes: &[u8]| Some(beginnings(bytes).find_map(|at| secret_at(bytes, at))?.0);
    found(bytes).or_else(|| {
        // Text in UTF-16 is the same text with zeros between.
        let narrow: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
        (narrow.len() < bytes.len()).then(|| found(&narrow)).flatten()
    })
}

/// `bytes` with words in the place of each secret, and how many there were. `values` are secrets that
/// have no look: what variables hold that a command must not see.
pub(super) fn mask<'a>(bytes: &'a [u8], values: &[Vec<u8>]) -> (Cow<'a, [u8]>, usize) {
    let known = |at: usize| {
        let value = values.iter().find(|value| bytes[at..].starts_with(value))?;
        Some(("a variable's value", at..at + value.len()))
    };
    let mut ranges: Vec<(&str, Range<usize>)> = Vec::new();
    if !values.is_empty() {
        ranges.extend((0..bytes.len()).filter_map(known));
    }
    let mut passed = 0;
    for at in beginnings(bytes) {
        let found = if at < passed { None } else { secret_at(bytes, at).or_else(|| end_of_key(bytes, at)) };
        if let Some(found) = found {
            passed = found.1.end;
            ranges.push(found);
        }
    }
    // One in another is one with it: a value in a key, a token in an address.
    ranges.sort_by_key(|(_, range)| range.start);
    ranges.dedup_by(|(_, next), (_, last)| {
        let within = next.start < last.end;
        if within {
            last.end = last.end.max(next.end);
        }
        within
    });
    if ranges.is_empty() {
        return (Cow::Borrowed(bytes), 0);
    }
    let mut shown = Vec::new();
    let mut copied = 0;
    for (name, range) in &ranges {
        shown.extend_from_slice(&bytes[copied..range.start]);
        shown.extend_from_slice(format!("[{name} left out]").as_bytes());
        copied = range.end;
    }
    shown.extend_from_slice(&bytes[copied..]);
    (Cow::Owned(shown), ranges.len())
}

/// Where a secret can begin: few places, so that most of a file is passed quickly.
fn beginnings(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    bytes.iter().enumerate().filter_map(move |(at, byte)| match byte {
        // Dashes begin once; a number before a colon, and a web token can follow anything.
        b'-' => (at == 0 || bytes[at - 1] != b'-').then_some(at),
        b':' | b'e' => Some(at),
        byte => (BEGINNINGS[usize::from(*byte)] && begins_word(&bytes[..at])).then_some(at),
    })
}

/// The secret that begins at `at`, one of the [`beginnings`].
fn secret_at(bytes: &[u8], at: usize) -> Option<(&'static str, Range<usize>)> {
    let rest = &bytes[at..];
    let (name, length) = match rest[0] {
        b'-' => ("private key", private_key(rest)?),
        b'e' => ("JSON web token", web_token(rest)?),
        b':' => return bot_token(bytes, at),
        b'a' | b'A' | b'S' | b's' if labelled(bytes, at).is_some() => {
            ("AWS secret key", labelled(bytes, at)?)
        }
        first if BEGINNINGS[usize::from(first)] => {
            RULES.iter().find_map(|rule| Some((rule.name, rule.length(bytes, at)?)))?
        }
        _ => return None,
    };
    Some((name, at..at + length))
}

/// The length of a PEM block, or of one of PGP or SSH2: a header and something that can be its body.
fn private_key(bytes: &[u8]) -> Option<usize> {
    /// How far headers such as `Proc-Type` may reach, and the shortest line of a body without a footer.
    const HEADERS_BYTES_MAX: usize = 300;
    const BODY_LINE_BYTES_MIN: usize = 40;

    let dashes = run(bytes, |b| b == b'-').len();
    let rest =
        bytes[dashes..].strip_prefix(b"BEGIN ").or_else(|| bytes[dashes..].strip_prefix(b" BEGIN "))?;
    let label = run(rest, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    let label_end = label.strip_suffix(b" ").unwrap_or(label);
    if !(4..=5).contains(&dashes)
        || !(label_end.ends_with(b"PRIVATE KEY") || label_end.ends_with(b"PRIVATE KEY BLOCK"))
    {
        return None;
    }
    let body = rest[label.len()..].strip_prefix(b"----")?;
    let body = body.strip_prefix(b"-").unwrap_or(body);
    let near = &body[..body.len().min(BLOCK_BYTES_MAX)];
    let end = near.windows(4).position(|window| window == b"----");
    let inner = &near[..end.unwrap_or(near.len())];
    let within = |b: &u8| base64(*b) || b.is_ascii_whitespace() || b"\\:,-\"'".contains(b);
    let closed = end.is_some() && inner.iter().all(within) && inner.iter().filter(|b| alnum(**b)).count() > 3;
    let start = &inner[..inner.len().min(HEADERS_BYTES_MAX)];
    if !closed && !start.split(|b| !base64(*b)).any(|line| line.len() >= BODY_LINE_BYTES_MIN) {
        return None;
    }
    let begun = bytes.len() - body.len();
    let footer = end.map(|end| (end, run(&near[end..], |b| b == b'-' || b == b' ').len()));
    match footer.filter(|(end, dashes)| near[end + dashes..].starts_with(b"END")) {
        Some((end, _)) => {
            let label = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b" -".contains(&b);
            Some(begun + end + run(&near[end..], label).trim_ascii_end().len())
        }
        None => Some(begun + body_without_end(inner)),
    }
}

/// How far the lines of a key go that has no footer: past its headers, to the last that is long enough.
fn body_without_end(inner: &[u8]) -> usize {
    const LINE_BYTES_MIN: usize = 16;
    let (mut at, mut end) = (0, 0);
    while at < inner.len() {
        let line = run(&inner[at..], base64).len();
        if line >= LINE_BYTES_MIN {
            end = at + line;
        } else if line > 0 && end > 0 {
            break;
        }
        at += line.max(1);
    }
    end
}

/// The rest of a key whose beginning was left out: it reaches from the start to its footer.
fn end_of_key(bytes: &[u8], at: usize) -> Option<(&'static str, Range<usize>)> {
    let rest = bytes[at..].strip_prefix(b"-----END ")?;
    let label = run(rest, |b| b.is_ascii_uppercase() || b == b' ');
    let body = bytes[..at].iter().rev().take(BLOCK_BYTES_MAX);
    let body = body.take_while(|b| base64(**b) || b.is_ascii_whitespace()).count();
    let found = label.ends_with(b"PRIVATE KEY") && body > 0;
    found.then(|| ("private key", at - body..at + b"-----END ".len() + label.len()))
}

/// The length of three parts in base64, the first two of which are JSON objects, or of the five parts of
/// an encrypted token.
fn web_token(bytes: &[u8]) -> Option<usize> {
    const PART_BYTES_MIN: usize = 10;
    let rest = bytes.strip_prefix(b"eyJ")?;
    let header = run(&rest[..rest.len().min(TOKEN_HEADER_BYTES_MAX)], url_safe).len();
    if rest.get(header) != Some(&b'.') {
        return None;
    }
    let token = run(rest, |b| url_safe(b) || b == b'.');
    let mut parts = token.split(|b| *b == b'.');
    let header = parts.next()?;
    let (second, third) = (parts.next()?, parts.next()?);
    let signed = second.starts_with(b"eyJ") && second.len() >= PART_BYTES_MIN;
    let encrypted = parts.next().is_some_and(|text| text.len() >= PART_BYTES_MIN) && parts.next().is_some();
    let real = header.len() >= PART_BYTES_MIN && third.len() >= PART_BYTES_MIN && (signed || encrypted);
    real.then_some(3 + token.len())
}

/// Telegram's token: a number, a colon and 35 letters that begin with `AA`.
fn bot_token(bytes: &[u8], colon: usize) -> Option<(&'static str, Range<usize>)> {
    let digits = bytes[..colon].iter().rev().take(11).take_while(|b| b.is_ascii_digit()).count();
    let tail = run(&bytes[colon + 1..], url_safe);
    let real = (8..=10).contains(&digits) && tail.starts_with(b"AA") && tail.len() == 35;
    let start = colon - digits;
    (real && begins_word(&bytes[..start])).then(|| ("Telegram token", start..colon + 1 + tail.len()))
}

/// The length of an AWS secret key with its label: it has no look of its own.
fn labelled(bytes: &[u8], at: usize) -> Option<usize> {
    const LABELS: [&[u8]; 4] =
        [b"aws_secret_access_key", b"awssecretaccesskey", b"secretaccesskey", b"secret_access_key"];
    const VALUE_BYTES: usize = 40;
    let rest = &bytes[at..];
    let label =
        LABELS.iter().find(|label| rest.get(..label.len()).is_some_and(|r| r.eq_ignore_ascii_case(label)))?;
    let between = run(&rest[label.len()..], |b| b" \t\"':=>\\".contains(&b));
    let after = &rest[label.len() + between.len()..];
    let value = run(&after[..after.len().min(VALUE_BYTES + 1)], base64);
    let real = between.iter().any(|b| b":=>".contains(b)) && between.len() <= 8 && value.len() == VALUE_BYTES;
    real.then(|| label.len() + between.len() + value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together here, so that no scanner takes this file for what it looks for.
    fn fakes() -> Vec<(&'static str, String)> {
        let r = |n: usize| "aB3dE5gH1jK2mN4pQ6sT8vW0xY7z".chars().cycle().take(n).collect::<String>();
        let pem =
            |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        vec![
            ("private key", pem("RSA PRIVATE KEY", "MIIE")),
            ("private key", pem("OPENSSH PRIVATE KEY", &r(70))),
            ("private key", pem("ENCRYPTED PRIVATE KEY", &r(64)).replace('\n', "\\n")),
            (
                "private key",
                pem("PGP PRIVATE KEY BLOCK", &format!("Version: GnuPG v2.0.22 (x)\n\n{}", r(64))),
            ),
            ("private key", format!("key: |\n  -----BEGIN {} KEY-----\n  {}\n", "EC PRIVATE", r(64))),
            ("AWS access key", format!("id={}{}", "AKIA", "IOSFODNN7EXAMPLE")),
            ("GitHub token", format!("{}_{}", "ghp", r(36))),
            ("GitHub token", format!("{{\"log\":\"x\\n{}_{}\"}}", "gho", r(36))),
            ("GitHub token", format!("{}_{}_{}", "github_pat", r(22), r(59))),
            ("GitLab token", format!("{}-{}", "glpat", r(20))),
            ("Anthropic key", format!("\"{}-{}-api03-{}\"", "sk", "ant", r(90))),
            ("OpenAI key", format!("{}-proj-{}", "sk", r(60))),
            ("API key (sk-)", format!("{}-{}", "sk", "0123456789abcdef0123456789abcdef")),
            ("Slack token", format!("{}-123456789012-{}", "xoxb", r(24))),
            ("Google API key", format!("{}{}", "AIza", r(35))),
            ("npm token", format!("//registry/:_authToken={}_{}", "npm", r(36))),
            ("JSON web token", format!("Bearer {}{}.{}{}.{}", "eyJ", r(20), "eyJ", r(40), r(43))),
            ("JSON web token", format!("{}{}..{}.{}.{}", "eyJ", r(20), r(16), r(40), r(22))),
            ("private key", format!("---- BEGIN {} KEY ----\n{}\n---- END", "SSH2 ENCRYPTED PRIVATE", r(64))),
            ("AWS secret key", format!("aws_secret_access_key = {}", r(40))),
            ("AWS secret key", format!("\"SecretAccessKey\": \"{}\"", r(40))),
            ("Telegram token", format!("bot{}:AA{}", "123456789", r(33)).replace("bot", "bot: ")),
            (
                "Slack webhook",
                format!("https://hooks.slack.com/services/T{}/B{}/{}", "01ABC2DEF", "01GHI3JKL", r(24)),
            ),
            ("Azure storage key", format!("AccountName=a;AccountKey={}==", r(86))),
        ]
    }

    #[test]
    fn each_kind_is_found_and_named() {
        for (name, text) in fakes() {
            assert_eq!(find(text.as_bytes()), Some(name), "{text}");
            let inside = format!("fn main() {{}}\n// {text}\nlet x = 1;\n");
            assert_eq!(find(inside.as_bytes()), Some(name), "{inside}");
            let mut binary = vec![0, 0xff, 0xfe];
            binary.extend(text.as_bytes());
            assert_eq!(find(&binary), Some(name));
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(find(&wide), Some(name), "in UTF-16: {text}");
        }
    }

    #[test]
    fn speaking_of_secrets_is_no_secret() {
        for text in [
            "if line == \"-----BEGIN PRIVATE KEY-----\" { end = \"-----END PRIVATE KEY-----\"; }",
            "-----BEGIN CERTIFICATE-----\nMIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt\n",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "keys begin with ghp_, gho_, github_pat_, sk-ant-… or AKIA",
            ".sk-fading-circle-with-many-dots .sk-circle12-delay-of-animation-1 {}",
            "the-task-1aB2cD3eF4gH5iJ6kL7mN8 and risk-averse-approaches-to-2024-planning",
            "npm_config_cache npm_lifecycle_event_of_this_long_script_1",
            "eyJhbGciOiJIUzI1NiJ9 is only a header",
            "xoxb-your-token-goes-here",
            "",
        ] {
            assert_eq!(find(text.as_bytes()), None, "{text}");
        }
        for source in [include_str!("../policy.rs"), include_str!("mod.rs"), include_str!("rules.rs")] {
            assert_eq!(find(source.as_bytes()), None);
        }
    }

    fn masked(text: &str, values: &[&str]) -> (String, usize) {
        let values: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        let (bytes, count) = mask(text.as_bytes(), &values);
        (String::from_utf8(bytes.into_owned()).unwrap(), count)
    }

    #[test]
    fn each_kind_is_left_out_and_what_stands_around_it_stays() {
        for (name, text) in fakes() {
            let (shown, count) = masked(&format!("before {text} after\n{text}"), &[]);
            assert!(shown.starts_with("before ") && shown.contains(" after\n"), "{shown}");
            assert_eq!((count, find(shown.as_bytes())), (2, None), "{name}: {shown}");
            assert!(shown.contains(&format!("[{name} left out]")), "{shown}");
        }
        assert_eq!(masked("nothing here", &[]), ("nothing here".to_owned(), 0));
    }

    #[test]
    fn a_known_value_is_left_out_wherever_it_stands() {
        let (shown, count) = masked("A=hunter2hunter2\0B=hunter2hunter2hunter2\n", &["hunter2hunter2"]);
        assert_eq!(count, 2);
        assert_eq!(shown, "A=[a variable's value left out]\0B=[a variable's value left out]\n");
    }

    #[test]
    fn the_rest_of_a_key_is_left_out_too() {
        let body = "aB3dE5gH1jK2mN4pQ6sT8vW0xY7z\n".repeat(4);
        let text = format!("ok: {body}-----END {} KEY-----\nafter", "RSA PRIVATE");
        let (shown, count) = masked(&text, &[]);
        assert_eq!((shown.as_str(), count), ("ok:[private key left out]-----\nafter", 1));
        assert_eq!(masked(&text, &["sT8vW0xY7z"]), (shown, 1), "what is in it goes with it");
    }

    /// Each of these made the time grow with the square of the size, or could have. Measured in time on
    /// the processor: the machine may be busy.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_made_of_beginnings_takes_no_long_look() {
        use nix::sys::resource::{UsageWho, getrusage};
        let micros = || {
            let used = getrusage(UsageWho::RUSAGE_THREAD).unwrap().user_time();
            used.tv_sec() * 1_000_000 + used.tv_usec()
        };
        for text in [
            "-",
            "eyJ",
            "eyJaaaaaaaaaa.",
            "eyJaaaaaaaaaa.eyJ",
            "sk-",
            "SG.",
            "ghp_",
            "xoxb-",
            "1:",
            "secretaccesskey=",
            "-----BEGIN PRIVATE KEY-----",
            "-----END PRIVATE KEY",
            "-----BEGIN ",
            "hooks.slack.com/services/T",
        ] {
            let look = |bytes_max: usize| {
                let bytes = text.repeat(bytes_max / text.len());
                let began = micros();
                let _ = find(bytes.as_bytes());
                let _ = mask(bytes.as_bytes(), &[]);
                micros() - began
            };
            // Four times is what it should be, sixteen times is the square. A machine in a hurry disturbs one
            // look, not three.
            let tries = [(); 3].map(|()| (look(12 << 10), look(48 << 10)));
            let linear = |(quarter, whole): &(i64, i64)| *whole < 9 * quarter + 50_000;
            assert!(tries.iter().any(linear), "{text}: µs for a quarter, and for all: {tries:?}");
        }
    }
}
