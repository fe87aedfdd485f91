//! Memory that mail has left. The allocator of glibc keeps most of what was freed, for it may be wanted again: a
//! daemon that once held a large backlog would be that large for the rest of its days.
//!
//! What always holds: it is given back when most of what was held is gone, and so not twice for the same mail. It takes
//! a millisecond or two for ten thousand messages.

use crate::broker::Held;

/// What the broker keeps of a message beside its own bytes, about.
const BESIDE_BYTES: usize = 1 << 10;

/// Less is not worth the time.
const WORTHWHILE_BYTES: usize = 2 << 20;

/// It is given back when no more than one part in so many of what was held is left.
const LEFT: usize = 4;

#[derive(Debug, Default)]
pub struct Spare {
    /// The most that was held since memory was given back, in bytes.
    most: usize,
}

impl Spare {
    /// Told what is held now, says whether it is time to [`give_back`].
    pub fn is_worthwhile(&mut self, held: Held) -> bool {
        let now = held.bytes + held.messages * BESIDE_BYTES;
        self.most = self.most.max(now);
        let is_time = self.most - now >= WORTHWHILE_BYTES && now <= self.most / LEFT;
        if is_time {
            self.most = now;
        }
        is_time
    }
}

/// Has the allocator give back what nothing is in. Others do that of themselves.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe name for it")]
    // SAFETY: it takes a number and touches nothing that is in use; it may be called at any time by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_backlog_that_was_read_is_worth_it_once() {
        let mut spare = Spare::default();
        let held = |messages| Held { messages, bytes: messages * 300 };
        let times = [0, 10_000, 9_000, 2_501, 2_500, 2_400, 900, 600, 0, 1_500, 0, 5_000, 1_000];
        let worthwhile: Vec<usize> =
            times.into_iter().filter(|messages| spare.is_worthwhile(held(*messages))).collect();
        assert_eq!(worthwhile, [2_500, 600, 1_000]);
        let mut spare = Spare::default();
        assert!(!spare.is_worthwhile(Held { messages: 1, bytes: WORTHWHILE_BYTES }));
        assert!(spare.is_worthwhile(Held { messages: 0, bytes: 0 }), "one large message");
        give_back();
    }
}
