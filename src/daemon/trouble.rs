//! What becomes of a daemon whose store fails: when it goes on, and with what.
//!
//! A full disk passes. Until it does, whatever needs room is refused before it is tried, but for one try
//! now and then; everything else goes on, each call committed by itself, so that one that does not fit
//! takes no other with it. There is no timer: the next call finds out. Any other failure is survived
//! once: a disk that fails again at once is not to be trusted with mail.

use std::time::Duration;

use crate::protocol::refusal::Refusal;
use crate::protocol::request::Request;
use crate::protocol::time::Tick;
use crate::store::StoreError;

/// After a commit that found the disk full, nothing that needs room is tried for so long: each try costs
/// an opening of the store with all its checks. A send goes through so soon after there is space again.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// A failure so soon after the last one ends the daemon; the next one starts from the disk.
const AGAIN_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Trouble {
    full: Option<Full>,
    failed_at: Option<Tick>,
}

#[derive(Debug)]
struct Full {
    /// Nothing that needs room is tried before.
    until: Tick,
    refusal: Refusal,
}

impl Trouble {
    /// A commit failed. Whether the daemon goes on, with the store opened again.
    pub fn survives(&mut self, error: &StoreError, now: Tick) -> bool {
        match error {
            StoreError::Full(_) => {
                self.full = Some(Full { until: now.plus(FULL_PAUSE), refusal: error.refusal() });
                true
            }
            // What is there now is another store, or none.
            StoreError::Gone(_) => false,
            _ => {
                let before = self.failed_at.replace(now);
                before.is_none_or(|before| now.since(before) >= AGAIN_WITHIN)
            }
        }
    }

    /// A commit succeeded. Whether a full disk is over by that.
    pub fn committed(&mut self, now: Tick) -> bool {
        self.full.take_if(|full| full.until <= now).is_some()
    }

    /// The disk is full: each call is for itself.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Why `request` is not even tried now.
    pub fn refuses(&self, request: &Request, now: Tick) -> Option<&Refusal> {
        let full = self.full.as_ref().filter(|full| now < full.until)?;
        matches!(request, Request::Send(_) | Request::Broadcast(_)).then_some(&full.refusal)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::protocol::request::{Broadcast, Leases};

    fn full() -> StoreError {
        StoreError::Full(io::ErrorKind::StorageFull.into())
    }

    fn requests() -> (Request, Request) {
        let broadcast = serde_json::from_str::<Broadcast>(r#"{"content":"x"}"#).unwrap();
        (Request::Broadcast(broadcast), Request::Ack(Leases { ids: None }))
    }

    #[test]
    fn a_full_disk_is_tried_again_after_a_pause_and_over_with_a_commit() {
        let (send, ack) = requests();
        let mut trouble = Trouble::default();
        assert!(trouble.refuses(&send, Tick(0)).is_none());
        for at in [0, 600, 1200] {
            assert!(trouble.survives(&full(), Tick(at)), "as often as it takes");
            assert!(trouble.refuses(&send, Tick(at + 499)).is_some() && trouble.is_full());
            assert!(trouble.refuses(&ack, Tick(at)).is_none());
            assert!(trouble.refuses(&send, Tick(at + 500)).is_none());
        }
        assert!(!trouble.committed(Tick(1300)), "an ack that fits makes no room for a send");
        assert!(trouble.committed(Tick(1700)) && !trouble.is_full());
        assert!(!trouble.committed(Tick(1700)));
    }

    #[test]
    fn another_failure_is_survived_once_a_minute_and_a_lost_file_never() {
        let mut trouble = Trouble::default();
        let failed = || StoreError::FailedBefore;
        assert!(trouble.survives(&failed(), Tick(0)));
        assert!(!trouble.survives(&failed(), Tick(59_999)));
        assert!(trouble.survives(&failed(), Tick(120_000)));
        assert!(!Trouble::default().survives(&StoreError::Gone("x".into()), Tick(0)));
    }
}
