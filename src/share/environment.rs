//! The environment that a shared command gets: the agent's own, without what looks like a credential.
//! Its output goes to another agent, and `env` is a command too.

use std::ffi::OsString;

use super::secrets;

/// Words in the name of a variable that holds a credential.
const TELLING: [&str; 11] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTH",
    "COOKIE",
    "CONNECTION_STRING",
    "WEBHOOK",
    // Its inbox socket and what opens it: words sent there would pass for the agent's own.
    "CLAUDE_CODE_MESSAGING_",
];

/// Words that tell at the end of a part of the name: `API_KEY` and `APIKEY`, and not `KEYBOARD`.
const TELLING_ENDS: [&str; 3] = ["KEY", "KEYS", "PWD"];

/// Words that tell alone: ordinary ones end with them, as in `COMPASS`.
const TELLING_PARTS: [&str; 5] = ["PASS", "PAT", "JWT", "BEARER", "DSN"];

/// Parts of names that only look telling: who wrote something, and where a shell is.
const HARMLESS_PARTS: [&str; 4] = ["AUTHOR", "AUTHORS", "PWD", "OLDPWD"];

/// A shorter value could stand in any output for another reason.
const VALUE_BYTES_MIN: usize = 8;

/// What a command may see of the environment, and what it may not.
pub(super) struct Environment {
    pub kept: Vec<(OsString, OsString)>,
    /// Values of the others: a command can find them elsewhere, and they are left out of its output.
    pub withheld: Vec<Vec<u8>>,
}

/// Divides the variables of the agent.
pub(super) fn divided(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Environment {
    let (withheld, kept): (Vec<_>, Vec<_>) =
        variables.into_iter().partition(|(name, value)| is_credential(&name.to_string_lossy(), value));
    let worth_hiding = |value: OsString| {
        let value = value.into_encoded_bytes();
        // A path says where a credential is, and not what it is.
        (value.len() >= VALUE_BYTES_MIN && !value.starts_with(b"/")).then_some(value)
    };
    let mut withheld: Vec<_> = withheld.into_iter().filter_map(|(_, value)| worth_hiding(value)).collect();
    // The longest first: one can be the beginning of another.
    withheld.sort_by_key(|value| std::cmp::Reverse(value.len()));
    Environment { kept, withheld }
}

fn is_credential(name: &str, value: &std::ffi::OsStr) -> bool {
    let name = name.to_ascii_uppercase();
    let alone = !name.contains('_');
    let parts = name.split(['_', '-', '.']).map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit()));
    let mut parts: Vec<&str> = parts.collect();
    // `PWD` is harmless alone, and not in `MYSQL_PWD`.
    parts.retain(|part| !HARMLESS_PARTS.contains(part) || (part.ends_with("PWD") && !alone));
    let ends =
        |part: &&str| TELLING_PARTS.contains(part) || TELLING_ENDS.iter().any(|word| part.ends_with(word));
    let rest = parts.join("_");
    TELLING.iter().any(|word| rest.contains(word))
        || parts.iter().any(ends)
        || secrets::find(value.as_encoded_bytes()).is_some()
        || url_with_password(&value.to_string_lossy())
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
        let kept = |name: &str, value: &str| divided([(name.into(), value.into())]).kept.len() == 1;
        for (name, value) in [
            ("GITHUB_TOKEN", "x"),
            ("OPENAI_API_KEY", "x"),
            ("APIKEY", "x"),
            ("SIGNING_KEY_2", "x"),
            ("aws_secret_access_key", "x"),
            ("PGPASSWORD", "x"),
            ("MYSQL_PASSWD", "x"),
            ("MYSQL_PWD", "x"),
            ("DB_PASS", "x"),
            ("GH_PAT", "x"),
            ("HTTP_AUTHORIZATION", "x"),
            ("XAUTHORITY", "/x"),
            ("SENTRY_DSN", "x"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/x"),
            ("SSH_AUTH_SOCK", "/x"),
            ("SESSION_COOKIE", "x"),
            ("SLACK_WEBHOOK_URL", "x"),
            ("AZURE_STORAGE_CONNECTION_STRING", "x"),
            ("CLAUDE_CODE_MESSAGING_SOCKET", "/x"),
            ("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "7"),
            ("DATABASE_URL", "postgres://u:p@h/db"),
            ("NOTE", concat!("ghp", "_aB3dE5gH1jK2mN4pQ6sT8vW0xY7zaB3dE5gH")),
        ] {
            assert!(!kept(name, value), "{name}");
        }
        for (name, value) in [
            ("PATH", "/usr/bin"),
            ("PWD", "/work"),
            ("OLDPWD", "/work"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/home/ada"),
            ("GIT_AUTHOR_NAME", "Ada"),
            ("CARGO_HOME", "/c"),
            ("KEYBOARD_LAYOUT", "de"),
            ("COMPASS", "north"),
            ("FOO_COMPAT", "1"),
            ("GOPRIVATE", "example.org/x"),
            ("CARGO_PKG_AUTHORS", "Ada"),
            ("CLAUDE_CODE_SESSION_ID", "x"),
            ("PROXY", "http://host:3128/"),
            ("DOCS", "https://example.org/a?b=c:d@e"),
        ] {
            assert!(kept(name, value), "{name}");
        }
    }

    #[test]
    fn what_is_withheld_is_known_by_its_value() {
        let all = [
            ("A_TOKEN", "hunter2"),
            ("B_KEY", "hunter2hunter2"),
            ("C_KEY", "/a/long/path"),
            ("D", "visible"),
        ];
        let pairs = all.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(divided(pairs).withheld, [b"hunter2hunter2".to_vec()]);
    }
}
