//! Keys and tokens by their look. A find is told by the name of its rule, never by its text.
//!
//! The rules ask for enough of the real form (length, alphabet, digits) that sources which only speak of
//! such keys pass.

/// A token that begins with known letters.
struct Rule {
    name: &'static str,
    prefix: &'static [u8],
    /// What the rest of the token is made of.
    tail: fn(u8) -> bool,
    /// Bytes of the rest, at least.
    tail_min: usize,
    /// What a whole token has that words of prose do not.
    real: fn(&[u8]) -> bool,
}

const RULES: &[Rule] = &[
    rule("AWS access key", b"AKIA", upper_or_digit, 16, any),
    rule("AWS access key", b"ASIA", upper_or_digit, 16, any),
    rule("GitHub token", b"ghp_", alnum, 30, any),
    rule("GitHub token", b"gho_", alnum, 30, any),
    rule("GitHub token", b"ghu_", alnum, 30, any),
    rule("GitHub token", b"ghs_", alnum, 30, any),
    rule("GitHub token", b"ghr_", alnum, 30, any),
    rule("GitHub token", b"github_pat_", word, 22, any),
    rule("GitLab token", b"glpat-", url_safe, 20, any),
    rule("Anthropic key", b"sk-ant-", url_safe, 20, any),
    rule("API key (sk-)", b"sk-", url_safe, 20, random),
    rule("Stripe key", b"sk_live_", alnum, 16, any),
    rule("Stripe key", b"rk_live_", alnum, 16, any),
    rule("Slack token", b"xoxa-", url_safe, 10, has_digit),
    rule("Slack token", b"xoxb-", url_safe, 10, has_digit),
    rule("Slack token", b"xoxp-", url_safe, 10, has_digit),
    rule("Slack token", b"xoxr-", url_safe, 10, has_digit),
    rule("Slack token", b"xoxs-", url_safe, 10, has_digit),
    rule("Google API key", b"AIza", url_safe, 35, any),
    rule("npm token", b"npm_", alnum, 36, any),
    rule("Hugging Face token", b"hf_", alnum, 34, any),
    rule("age key", b"AGE-SECRET-KEY-1", upper_or_digit, 20, any),
    rule("PuTTY key", b"PuTTY-User-Key-File-", alnum, 1, any),
];

const fn rule(
    name: &'static str,
    prefix: &'static [u8],
    tail: fn(u8) -> bool,
    tail_min: usize,
    real: fn(&[u8]) -> bool,
) -> Rule {
    Rule { name, prefix, tail, tail_min, real }
}

/// The name of the rule that the first secret in `bytes` matches.
pub(super) fn find(bytes: &[u8]) -> Option<&'static str> {
    (0..bytes.len()).find_map(|at| {
        let rest = &bytes[at..];
        match rest[0] {
            b'-' => private_key(rest).then_some("private key"),
            b'e' => web_token(rest).then_some("JSON web token"),
            first => {
                RULES.iter().find(|rule| rule.prefix[0] == first && rule.matches(bytes, at)).map(|r| r.name)
            }
        }
    })
}

impl Rule {
    fn matches(&self, bytes: &[u8], at: usize) -> bool {
        let Some(rest) = bytes[at..].strip_prefix(self.prefix) else { return false };
        let tail = run(rest, self.tail);
        tail.len() >= self.tail_min && begins_word(&bytes[..at]) && (self.real)(tail)
    }
}

/// Whether a token can begin after `before`: not in the middle of a longer word, be it `task-` or base64.
fn begins_word(before: &[u8]) -> bool {
    match before {
        // The letter of an escape, as in JSON, is no part of the word.
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., last] => !alnum(*last),
        [] => true,
    }
}

/// A PEM block: a header and something that can be its body.
fn private_key(bytes: &[u8]) -> bool {
    /// How far a footer is looked for: an RSA key of 16,384 bits has 13 KB.
    const BLOCK_BYTES_MAX: usize = 16 << 10;
    /// How far headers such as `Proc-Type` may reach, and the shortest line of a body without a footer.
    const HEADERS_BYTES_MAX: usize = 300;
    const BODY_LINE_BYTES_MIN: usize = 40;

    let Some(rest) = bytes.strip_prefix(b"-----BEGIN ") else { return false };
    let label = run(rest, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    if !(label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK")) {
        return false;
    }
    let Some(body) = rest[label.len()..].strip_prefix(b"-----") else { return false };
    let near = &body[..body.len().min(BLOCK_BYTES_MAX)];
    let end = near.windows(5).position(|window| window == b"-----");
    let inner = &near[..end.unwrap_or(near.len())];
    let within = |b: &u8| base64(*b) || b.is_ascii_whitespace() || b"\\:,-".contains(b);
    let closed = end.is_some() && inner.iter().all(within) && inner.iter().filter(|b| alnum(**b)).count() > 2;
    let start = &inner[..inner.len().min(HEADERS_BYTES_MAX)];
    closed || start.split(|b| !base64(*b)).any(|line| line.len() >= BODY_LINE_BYTES_MIN)
}

/// Three parts in base64, the first two of which are JSON objects.
fn web_token(bytes: &[u8]) -> bool {
    const PART_BYTES_MIN: usize = 10;
    let mut rest = bytes;
    for begin in [&b"eyJ"[..], b".eyJ", b"."] {
        let Some(after) = rest.strip_prefix(begin) else { return false };
        let part = run(after, url_safe);
        if part.len() < PART_BYTES_MIN {
            return false;
        }
        rest = &after[part.len()..];
    }
    true
}

fn run(bytes: &[u8], of: impl Fn(u8) -> bool) -> &[u8] {
    &bytes[..bytes.iter().position(|b| !of(*b)).unwrap_or(bytes.len())]
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn upper_or_digit(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn word(b: u8) -> bool {
    alnum(b) || b == b'_'
}

fn url_safe(b: u8) -> bool {
    word(b) || b == b'-'
}

fn base64(b: u8) -> bool {
    alnum(b) || b == b'+' || b == b'/' || b == b'='
}

fn any(_: &[u8]) -> bool {
    true
}

fn has_digit(tail: &[u8]) -> bool {
    tail.iter().any(u8::is_ascii_digit)
}

/// `sk-` also begins names of CSS classes: a key has a digit and mixed case, or one long part.
fn random(tail: &[u8]) -> bool {
    let mixed = tail.iter().any(u8::is_ascii_uppercase) && tail.iter().any(u8::is_ascii_lowercase);
    has_digit(tail) && (mixed || tail.split(|b| !alnum(*b)).any(|part| part.len() >= 20))
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
            ("API key (sk-)", format!("{}-proj-{}", "sk", r(60))),
            ("API key (sk-)", format!("{}-{}", "sk", "0123456789abcdef0123456789abcdef")),
            ("Slack token", format!("{}-123456789012-{}", "xoxb", r(24))),
            ("Google API key", format!("{}{}", "AIza", r(35))),
            ("npm token", format!("//registry/:_authToken={}_{}", "npm", r(36))),
            ("JSON web token", format!("Bearer {}{}.{}{}.{}", "eyJ", r(20), "eyJ", r(40), r(43))),
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
        for source in [include_str!("policy.rs"), include_str!("secrets.rs"), include_str!("../paths.rs")] {
            assert_eq!(find(source.as_bytes()), None);
        }
    }
}
