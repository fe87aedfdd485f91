//! Refusals: the closed set of expected failures, the same on every surface.
//!
//! A refusal is an answer, not a fault: the caller can read it and act on it. Codes never change
//! their meaning and none is removed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A call that was understood and not done: why, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// Lower case, names the thing, no full stop.
    pub message: String,
    /// What the caller can do now.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

macro_rules! refusal_codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $recoverable:literal;)*) => {
        /// Why a call was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum RefusalCode { $($(#[$doc])* $variant,)* }

        impl RefusalCode {
            pub const ALL: &'static [RefusalCode] = &[$(RefusalCode::$variant,)*];

            /// The word that stands on the wire, in JSON output and in the documentation.
            pub fn word(self) -> &'static str {
                match self { $(RefusalCode::$variant => $word,)* }
            }

            /// Whether the caller itself can get the same thing done: later, or by following the hint.
            pub fn recoverable(self) -> bool {
                match self { $(RefusalCode::$variant => $recoverable,)* }
            }
        }
    };
}

refusal_codes! {
    /// A name outside the rule.
    InvalidName = "invalid_name", true;
    /// The caller has no name yet.
    NotRegistered = "not_registered", true;
    /// Somebody alive holds the name, or it is registered and cannot be renamed onto.
    NameTaken = "name_taken", true;
    /// A name that nobody can hold, or an old name that still forwards.
    NameReserved = "name_reserved", true;
    /// A parameter names somebody other than the caller.
    NotOwner = "not_owner", true;
    /// No such message for this caller.
    UnknownMessage = "unknown_message", false;
    /// The recipient has too much unread mail.
    MailboxFull = "mailbox_full", true;
    /// The caller alone has too much unread mail in that mailbox.
    ShareFull = "share_full", true;
    /// Too many sends in the last minute.
    RateLimited = "rate_limited", true;
    /// Renamed too recently.
    RenameCooldown = "rename_cooldown", true;
    /// Content, summary, data or line over its limit.
    TooLarge = "too_large", true;
    /// A parameter is missing, of the wrong type or out of range.
    InvalidArgument = "invalid_argument", true;
    /// The key was used for another message.
    KeyReused = "key_reused", true;
    /// A conversation of agents that runs away by itself.
    Loop = "loop", true;
    /// Only a person may do this.
    NeedsHuman = "needs_human", false;
    /// Policy or a person said no.
    Denied = "denied", false;
    /// It took too long.
    Timeout = "timeout", true;
    /// Not a regular file.
    NotAFile = "not_a_file", true;
    /// The file cannot be read.
    Unreadable = "unreadable", true;
    /// The file is, or holds, a secret.
    Secret = "secret", false;
    /// The command needs a shell, and there is none.
    ShellSyntax = "shell_syntax", true;
    /// No room for more unread mail, in the store or on its disk.
    StoreFull = "store_full", true;
    /// The store cannot be trusted.
    StoreDamaged = "store_damaged", false;
    /// The store was written by a newer ipcd.
    StoreTooNew = "store_too_new", false;
    /// The store could not commit: nothing of the call was done, as far as is known.
    StoreFailed = "store_failed", true;
    /// A directory that others could write to.
    UnsafeDirectory = "unsafe_directory", false;
    /// The caller is another user.
    ForeignUser = "foreign_user", false;
    /// Too many sessions or calls at once.
    Busy = "busy", true;
    /// The daemon could not be reached or went away: safe to repeat.
    Retry = "retry", true;
    /// No common version of the wire.
    UnsupportedProtocol = "unsupported_protocol", false;
    /// The caller cancelled the call. On the wire only.
    Cancelled = "cancelled", true;
}

impl Refusal {
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), hint: String::new() }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Refusal {
        self.hint = hint.into();
        self
    }

    pub fn invalid_argument(message: impl Into<String>) -> Refusal {
        Refusal::new(RefusalCode::InvalidArgument, message)
    }

    pub fn unknown_message(id: u64) -> Refusal {
        Refusal::new(RefusalCode::UnknownMessage, format!("no message {id} waits for you"))
            .hint("mail that was read is in `ipcd log`")
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_what_stands_on_the_wire() {
        for code in RefusalCode::ALL {
            assert_eq!(serde_json::to_string(code).unwrap(), format!("\"{}\"", code.word()));
        }
    }
}
