//! The environment that a shared command gets: the agent's own, without what looks like a credential.
//! Its output goes to another agent, and `env` is a command too.

use std::ffi::OsString;

use super::secrets;

/// Words in the name of a variable that holds a credential.
const TELLING: [&str; 10] = [
    "TOKEN",
    "KEY",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    // Its inbox socket and what opens it: words sent there would pass for the agent's own.
    "CLAUDE_CODE_MESSAGING_",
];

/// The variables that a command may see.
pub(super) fn scrubbed(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (OsString, OsString)> {
    variables.into_iter().filter(|(name, value)| {
        let name = name.to_string_lossy().to_ascii_uppercase();
        let telling = TELLING.iter().any(|word| name.contains(word)) && !name.starts_with("GIT_AUTHOR_");
        !telling
            && secrets::find(value.as_encoded_bytes()).is_none()
            && !url_with_password(&value.to_string_lossy())
    })
}

/// `scheme://user:password@host`, as in `DATABASE_URL`.
fn url_with_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_and_the_rest_stays() {
        let kept = |name: &str, value: &str| scrubbed([(name.into(), value.into())]).count() == 1;
        for (name, value) in [
            ("GITHUB_TOKEN", "x"),
            ("OPENAI_API_KEY", "x"),
            ("aws_secret_access_key", "x"),
            ("PGPASSWORD", "x"),
            ("MYSQL_PASSWD", "x"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/x"),
            ("SSH_AUTH_SOCK", "/x"),
            ("SESSION_COOKIE", "x"),
            ("CLAUDE_CODE_MESSAGING_SOCKET", "/x"),
            ("DATABASE_URL", "postgres://u:p@h/db"),
            ("NOTE", concat!("ghp", "_aB3dE5gH1jK2mN4pQ6sT8vW0xY7zaB3dE5gH")),
        ] {
            assert!(!kept(name, value), "{name}");
        }
        for (name, value) in [
            ("PATH", "/usr/bin"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/home/ada"),
            ("GIT_AUTHOR_NAME", "Ada"),
            ("CARGO_HOME", "/c"),
            ("PROXY", "http://host:3128/"),
            ("DOCS", "https://example.org/a?b=c:d@e"),
        ] {
            assert!(kept(name, value), "{name}");
        }
    }
}
