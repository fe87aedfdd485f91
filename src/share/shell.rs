//! A command line as words, without a shell.
//!
//! What always holds: what a shell would do something with, and we would not, is refused; nothing of it
//! quietly becomes an argument. Unmatched wildcards stay: many programs want them, and one that gets
//! `*.rs` as a file name says so itself.

use crate::protocol::refusal::{Refusal, RefusalCode};

/// The words of `text`, as a POSIX shell would split and unquote them.
///
/// # Errors
/// `shell_syntax`: it needs a shell; `invalid_argument`: it is empty or a quote is not closed.
pub(super) fn split(text: &str) -> Result<Vec<String>, Refusal> {
    let text = text.trim();
    if text.contains('\0') {
        return Err(Refusal::invalid_argument("the command holds a NUL character"));
    }
    if let Some(found) = foreign(text) {
        let message = format!("{found}, and the command runs without a shell");
        return Err(Refusal::new(RefusalCode::ShellSyntax, message).hint(
            "put it into single quotes if it is meant literally; else share the parts one by one, run it in \
             your own shell and send the output, or name the shell: sh -c '…'",
        ));
    }
    let words = shlex::split(text).ok_or_else(|| {
        Refusal::invalid_argument("a quote or a backslash in the command is not closed")
            .hint("a single quote in text goes into double quotes")
    })?;
    if words.first().is_none_or(String::is_empty) {
        return Err(Refusal::invalid_argument("the command is empty"));
    }
    Ok(words)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// The first thing in `text` that only a shell understands.
fn foreign(text: &str) -> Option<String> {
    if let Some(name) = assignment(text) {
        return Some(format!("`{name}=` before a command sets a variable (use `env {name}=… COMMAND`)"));
    }
    let mut quote = Quote::None;
    let mut word_begins = true;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let what = match (quote, c) {
            (Quote::Single, '\'') | (Quote::Double, '"') => {
                quote = Quote::None;
                None
            }
            (Quote::Single, _) => None,
            (_, '\\') => {
                chars.next();
                None
            }
            (_, '$')
                if next.is_some_and(expands)
                    || (quote == Quote::None && matches!(next, Some('\'' | '"'))) =>
            {
                Some("a substitution")
            }
            (_, '`') => Some("a substitution"),
            (Quote::Double, _) => None,
            (Quote::None, '\'') => {
                quote = Quote::Single;
                None
            }
            (Quote::None, '"') => {
                quote = Quote::Double;
                None
            }
            (Quote::None, c) => operator(c, next, word_begins),
        };
        if let Some(what) = what {
            let shown = if c == '\n' { "\\n".to_owned() } else { c.to_string() };
            return Some(format!("`{shown}` is shell syntax ({what})"));
        }
        word_begins = quote == Quote::None && c.is_whitespace();
    }
    None
}

fn operator(c: char, next: Option<char>, word_begins: bool) -> Option<&'static str> {
    match (c, next) {
        ('|', _) => Some("a pipe"),
        ('&', _) => Some("a background or an and"),
        (';' | '\n', _) => Some("a second command"),
        ('<' | '>', _) => Some("a redirection"),
        ('(' | ')', _) => Some("a group"),
        ('#', _) if word_begins => Some("a comment"),
        ('~', None | Some('/' | ' ' | '\t')) if word_begins => Some("the home folder"),
        _ => None,
    }
}

/// Whether `$` before this character means more than itself.
fn expands(next: char) -> bool {
    next.is_ascii_alphanumeric() || "_{(@*#?!$-".contains(next)
}

/// The variable that a command like `X=1 make` sets first.
fn assignment(text: &str) -> Option<&str> {
    let (name, _) = text.split_once('=')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unquoted() {
        for (text, words) in [
            ("echo hi", &["echo", "hi"][..]),
            ("  git  log -1\n", &["git", "log", "-1"]),
            ("echo 'a | b' \"c; d\" e\\&f", &["echo", "a | b", "c; d", "e&f"]),
            ("grep -E '^(a|b)$' x", &["grep", "-E", "^(a|b)$", "x"]),
            ("awk '{print $1}' f", &["awk", "{print $1}", "f"]),
            ("grep \"foo$\" f", &["grep", "foo$", "f"]),
            ("cargo test --features a=b", &["cargo", "test", "--features", "a=b"]),
            ("git show HEAD~1 a#b", &["git", "show", "HEAD~1", "a#b"]),
            ("ls *.rs", &["ls", "*.rs"]),
            ("env X=1 make", &["env", "X=1", "make"]),
            ("echo \"it's\" ''", &["echo", "it's", ""]),
            ("echo $", &["echo", "$"]),
        ] {
            assert_eq!(split(text).expect(text), words);
        }
    }

    #[test]
    fn what_needs_a_shell_is_refused_by_name() {
        for (text, part) in [
            ("echo a | wc -l", "`|`"),
            ("make && make install", "`&`"),
            ("sleep 9 &", "`&`"),
            ("cd x; ls", "`;`"),
            ("ls\nrm x", "`\\n`"),
            ("ls > out", "`>`"),
            ("wc < in", "`<`"),
            ("ls 2>&1", "`>`"),
            ("echo `date`", "`"),
            ("echo $(date)", "`$`"),
            ("echo $HOME", "`$`"),
            ("echo \"$HOME\"", "`$`"),
            ("echo \"`date`\"", "`"),
            ("echo ${X:-1}", "`$`"),
            ("echo $'a'", "`$`"),
            ("(ls)", "`(`"),
            ("X=1 make", "`X=`"),
            ("ls # all", "`#`"),
            ("ls ~/src", "`~`"),
            ("echo 'a' | wc", "`|`"),
        ] {
            let refusal = split(text).expect_err(text);
            assert_eq!(refusal.code, RefusalCode::ShellSyntax, "{text}");
            assert!(refusal.message.contains(part) && refusal.hint.contains("quotes"), "{refusal:?}");
        }
    }

    #[test]
    fn what_no_shell_could_run_is_refused_too() {
        for text in ["", " ", "echo 'a", "echo \"a", "''", "echo a\0b", "echo \\"] {
            assert_eq!(split(text).expect_err(text).code, RefusalCode::InvalidArgument, "{text:?}");
        }
    }
}
