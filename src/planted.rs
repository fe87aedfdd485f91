//! Bugs on purpose: each is a promise broken at the place that keeps it, and turns a test red
//! (`tests/planted.sh`). So the tests are known to see.
//!
//! What always holds: without the feature `planted-bugs`, which no build for users can have,
//! [`planted`] is the constant `false`, and nothing of this is in the program.

/// Names the bug that is there. `tests/planted.sh` sets it.
#[cfg(feature = "planted-bugs")]
const VARIABLE: &str = "IPCD_PLANTED_BUG";

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("the feature `planted-bugs` is for tests, and never for a release");

macro_rules! bugs {
    ($($(#[$doc:meta])* $bug:ident = $word:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[$doc])* $bug,)* }

        #[cfg(feature = "planted-bugs")]
        impl Bug {
            fn named(word: &str) -> Option<Bug> {
                match word {
                    $($word => Some(Bug::$bug),)*
                    _ => None,
                }
            }
        }
    };
}

bugs! {
    /// Answers leave before the commit.
    EarlyAck = "early-ack",
    /// Commits do not wait for the disk.
    NoSync = "no-sync",
    /// Mail that is handed out is gone.
    DeleteAtRead = "delete-at-read",
    /// A key says nothing.
    NoDeduplication = "no-deduplication",
    /// Messages are numbered by the time.
    NumbersFromTheClock = "numbers-from-the-clock",
    /// Every user may talk to the daemon.
    NoUidCheck = "no-uid-check",
    /// A file is judged by where its name leads, not by what was opened.
    JudgedByName = "judged-by-name",
    /// `/home/ann-old` counts as below `/home/ann`.
    PathsAsText = "paths-as-text",
    /// A wait outlives its session.
    WaiterLeak = "waiter-leak",
}

/// Whether the program is to have this bug.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Whether the program is to have this bug.
#[cfg(feature = "planted-bugs")]
pub fn planted(bug: Bug) -> bool {
    static THERE: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    let read = || {
        let word = std::env::var(VARIABLE).ok()?;
        Some(Bug::named(&word).unwrap_or_else(|| panic!("{VARIABLE}={word}: no such bug")))
    };
    *THERE.get_or_init(read) == Some(bug)
}
