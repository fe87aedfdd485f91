//! Tokens that begin with known letters: who gives them out, and what the rest of a real one is made of.
//!
//! A rule asks for enough of the real form (length, alphabet) that sources which only speak of such
//! tokens pass. Nothing here guesses by how random a text looks.

/// Bytes that are looked at before something counts as a token: more than most have, and few enough for a
/// file that is made of nothing but beginnings.
const PROBED_BYTES_MAX: usize = 256;

/// A token that begins with known letters.
pub(super) struct Rule {
    pub name: &'static str,
    pub prefix: &'static [u8],
    /// What the rest of the token is made of.
    pub tail: fn(u8) -> bool,
    /// Bytes of the rest, at least.
    pub tail_min: usize,
    /// What a whole token has that words of prose do not.
    real: fn(&[u8]) -> bool,
}

pub(super) const RULES: &[Rule] = &[
    // Clouds and what runs there.
    rule("AWS access key", b"AKIA", upper_or_digit, 16),
    rule("AWS access key", b"ASIA", upper_or_digit, 16),
    rule("AWS Bedrock key", b"ABSK", base64, 100),
    rule("Google API key", b"AIza", url_safe, 35),
    rule("Google OAuth token", b"ya29.", url_safe, 30),
    rule("Google OAuth secret", b"GOCSPX-", url_safe, 28),
    rule("Google OAuth refresh token", b"1//0", url_safe, 40),
    rule("Azure storage key", b"AccountKey=", base64, 80),
    rule("Azure shared access key", b"SharedAccessKey=", base64, 40),
    rule("Alibaba Cloud key", b"LTAI", alnum, 16).real(has_digit),
    rule("DigitalOcean token", b"dop_v1_", alnum, 64),
    rule("DigitalOcean token", b"doo_v1_", alnum, 64),
    rule("DigitalOcean token", b"dor_v1_", alnum, 64),
    rule("Heroku key", b"HRKU-", url_safe, 30),
    rule("Fly.io token", b"fm2_", base64, 60),
    rule("Vault token", b"hvs.", url_safe, 24),
    rule("Vault token", b"hvb.", url_safe, 24),
    rule("Databricks token", b"dapi", hex, 32),
    rule("Supabase token", b"sbp_", alnum, 40),
    rule("PlanetScale token", b"pscale_tkn_", url_safe, 32),
    rule("PlanetScale token", b"pscale_pw_", url_safe, 32),
    rule("Pulumi token", b"pul-", hex, 40),
    rule("Doppler token", b"dp.pt.", alnum, 40),
    rule("Doppler token", b"dp.st.", dotted, 40),
    // Forges and registries.
    rule("GitHub token", b"ghp_", alnum, 30),
    rule("GitHub token", b"gho_", alnum, 30),
    rule("GitHub token", b"ghu_", alnum, 30),
    rule("GitHub token", b"ghs_", alnum, 30),
    rule("GitHub token", b"ghr_", alnum, 30),
    rule("GitHub token", b"github_pat_", word, 22),
    rule("GitLab token", b"glpat-", dotted, 20),
    rule("GitLab token", b"gldt-", url_safe, 20),
    rule("GitLab token", b"glrt-", dotted, 20),
    rule("GitLab token", b"glptt-", alnum, 40),
    rule("GitLab token", b"glcbt-", url_safe, 20),
    rule("GitLab token", b"glsoat-", url_safe, 20),
    rule("GitLab token", b"glft-", url_safe, 20),
    rule("GitLab runner token", b"GR1348941", url_safe, 20),
    rule("Bitbucket token", b"ATBB", alnum, 28),
    rule("Atlassian token", b"ATATT3xFf", base64_url, 60),
    rule("Atlassian token", b"ATCTT3xFf", base64_url, 60),
    rule("npm token", b"npm_", alnum, 36),
    rule("PyPI token", b"pypi-AgE", url_safe, 50),
    rule("crates.io token", b"cio", alnum, 32).real(has_digit_and_upper),
    rule("RubyGems token", b"rubygems_", hex, 48),
    rule("Docker Hub token", b"dckr_pat_", url_safe, 27),
    rule("Docker Hub token", b"dckr_oat_", url_safe, 27),
    rule("NuGet key", b"oy2", alnum, 43).real(has_digit),
    // Chat and mail.
    rule("Slack token", b"xoxa-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxb-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxc-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxd-", percent, 30).real(has_digit),
    rule("Slack token", b"xoxe-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxe.xoxb-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxe.xoxp-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxp-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxr-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xoxs-", url_safe, 10).real(has_digit),
    rule("Slack token", b"xapp-", url_safe, 20).real(has_digit),
    rule("Slack webhook", b"hooks.slack.com/services/T", path, 30).real(has_digit_and_lower),
    rule("Discord webhook", b"discord.com/api/webhooks/", path, 60).real(has_digit),
    rule("Discord webhook", b"discordapp.com/api/webhooks/", path, 60).real(has_digit),
    rule("Teams webhook", b"webhook.office.com/webhookb2/", path_at, 60).real(has_digit),
    rule("SendGrid key", b"SG.", dotted, 60).real(has_digit),
    rule("Mailgun key", b"key-", hex, 32),
    rule("Twilio key", b"SK", lower_hex, 32).real(has_digit),
    // Models.
    rule("Anthropic key", b"sk-ant-", url_safe, 20),
    rule("OpenAI key", b"sk-proj-", url_safe, 20).real(random),
    rule("OpenAI key", b"sk-svcacct-", url_safe, 20).real(random),
    rule("API key (sk-)", b"sk-", url_safe, 20).real(random),
    rule("Hugging Face token", b"hf_", alnum, 34),
    rule("Groq key", b"gsk_", alnum, 40),
    rule("Replicate token", b"r8_", alnum, 37),
    rule("xAI key", b"xai-", alnum, 60),
    rule("Perplexity key", b"pplx-", alnum, 40),
    // Money and watching.
    rule("Stripe key", b"sk_live_", alnum, 16),
    rule("Stripe key", b"rk_live_", alnum, 16),
    rule("Stripe webhook secret", b"whsec_", base64, 32),
    rule("Shopify token", b"shpat_", hex, 32),
    rule("Shopify token", b"shpss_", hex, 32),
    rule("Square token", b"sq0atp-", url_safe, 22),
    rule("Square token", b"sq0csp-", url_safe, 43),
    rule("Grafana token", b"glsa_", word, 32),
    rule("Grafana token", b"glc_", base64, 32),
    rule("Sentry token", b"sntrys_", base64_url, 60),
    rule("New Relic key", b"NRAK-", upper_or_digit, 27),
    rule("Linear key", b"lin_api_", alnum, 40),
    rule("Notion token", b"ntn_", alnum, 40),
    // Keys in files of their own.
    rule("age key", b"AGE-SECRET-KEY-1", upper_or_digit, 20),
    rule("PuTTY key", b"PuTTY-User-Key-File-", alnum, 1),
];

const fn rule(name: &'static str, prefix: &'static [u8], tail: fn(u8) -> bool, tail_min: usize) -> Rule {
    Rule { name, prefix, tail, tail_min, real: any }
}

impl Rule {
    const fn real(self, real: fn(&[u8]) -> bool) -> Rule {
        Rule { real, ..self }
    }

    /// The length of the token that begins at `at`, which is where a word begins.
    pub(super) fn length(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let rest = bytes[at..].strip_prefix(self.prefix)?;
        let probed = run(&rest[..rest.len().min(PROBED_BYTES_MAX)], self.tail);
        let found = probed.len() >= self.tail_min && (self.real)(probed);
        found.then(|| self.prefix.len() + run(rest, self.tail).len())
    }
}

/// The bytes that a secret can begin with where a word does: those of the rules, and of a label.
pub(super) const BEGINNINGS: [bool; 256] = {
    let mut table = [false; 256];
    table[b'a' as usize] = true;
    table[b'A' as usize] = true;
    table[b's' as usize] = true;
    table[b'S' as usize] = true;
    let mut at = 0;
    while at < RULES.len() {
        table[RULES[at].prefix[0] as usize] = true;
        at += 1;
    }
    table
};

/// Whether a token can begin after `before`: not in the middle of a longer word, be it `task-` or base64.
pub(super) fn begins_word(before: &[u8]) -> bool {
    match before {
        // The letter of an escape, as in JSON, is no part of the word.
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., last] => !alnum(*last),
        [] => true,
    }
}

pub(super) fn run(bytes: &[u8], of: impl Fn(u8) -> bool) -> &[u8] {
    &bytes[..bytes.iter().position(|b| !of(*b)).unwrap_or(bytes.len())]
}

pub(super) fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

pub(super) fn url_safe(b: u8) -> bool {
    word(b) || b == b'-'
}

pub(super) fn base64(b: u8) -> bool {
    alnum(b) || b == b'+' || b == b'/' || b == b'='
}

fn upper_or_digit(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
}

fn lower_hex(b: u8) -> bool {
    hex(b) && !b.is_ascii_uppercase()
}

fn word(b: u8) -> bool {
    alnum(b) || b == b'_'
}

fn dotted(b: u8) -> bool {
    url_safe(b) || b == b'.'
}

fn base64_url(b: u8) -> bool {
    url_safe(b) || b == b'='
}

fn percent(b: u8) -> bool {
    url_safe(b) || b == b'%'
}

fn path(b: u8) -> bool {
    url_safe(b) || b == b'/'
}

fn path_at(b: u8) -> bool {
    path(b) || b == b'@'
}

fn any(_: &[u8]) -> bool {
    true
}

fn has_digit(tail: &[u8]) -> bool {
    tail.iter().any(u8::is_ascii_digit)
}

fn has_digit_and_lower(tail: &[u8]) -> bool {
    has_digit(tail) && tail.iter().any(u8::is_ascii_lowercase)
}

fn has_digit_and_upper(tail: &[u8]) -> bool {
    has_digit(tail) && tail.iter().any(u8::is_ascii_uppercase)
}

/// `sk-` also begins names of CSS classes: a key has a digit and mixed case, or one long part.
fn random(tail: &[u8]) -> bool {
    let longest = tail.split(|b| !alnum(*b)).map(<[u8]>::len).max().unwrap_or_default();
    let mixed = tail.iter().any(u8::is_ascii_uppercase) && tail.iter().any(u8::is_ascii_lowercase);
    longest >= 40 || (has_digit(tail) && (mixed || longest >= 20))
}
