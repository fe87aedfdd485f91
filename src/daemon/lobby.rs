//! Connections that have not said hello. An honest client says it at once; whoever does not is kept
//! waiting here for a while and takes no room from those who do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Connections without a hello at one time. More than start at one moment on one machine; when another
/// one comes, the one that has been silent for longest goes.
pub const SILENT_MAX: usize = 64;

#[derive(Debug, Default)]
pub struct Lobby(VecDeque<Guest>);

/// One connection, from when it is accepted.
#[derive(Clone, Debug)]
pub struct Guest {
    greeted: Arc<AtomicBool>,
    /// Ends its wait for a hello.
    pub ending: CancellationToken,
}

impl Guest {
    /// It has said hello, or is gone.
    pub fn leaves(&self) {
        self.greeted.store(true, Ordering::Relaxed);
    }
}

impl Lobby {
    /// Lets one in, whose wait ends with `ending` at the latest. Returns it, and whether another had to
    /// go for it.
    pub fn enter(&mut self, ending: &CancellationToken) -> (Guest, bool) {
        self.0.retain(|guest| !guest.greeted.load(Ordering::Relaxed));
        let sent_away = self.0.len() >= SILENT_MAX;
        if sent_away && let Some(longest) = self.0.pop_front() {
            longest.ending.cancel();
        }
        let guest = Guest { greeted: Arc::default(), ending: ending.child_token() };
        self.0.push_back(guest.clone());
        (guest, sent_away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_been_silent_for_longest_makes_room() {
        let (mut lobby, ending) = (Lobby::default(), CancellationToken::new());
        let guests: Vec<Guest> = (0..SILENT_MAX).map(|_| lobby.enter(&ending).0).collect();
        guests[0].leaves();
        assert!(!lobby.enter(&ending).1, "one of them has said hello");
        assert!(lobby.enter(&ending).1);
        let gone: Vec<bool> = guests.iter().map(|guest| guest.ending.is_cancelled()).collect();
        assert_eq!(gone.iter().position(|gone| *gone), Some(1));
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 1);
        ending.cancel();
        assert!(guests[2].ending.is_cancelled(), "the daemon ends");
    }
}
