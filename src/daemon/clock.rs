//! The only caller of `now()` in the daemon: time reaches everything else as a parameter.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::protocol::time::{Now, Tick, Timestamp};

#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's two clocks.
    System {
        start: Instant,
        /// The part of a millisecond that the wall clock showed at the start. With it both clocks come
        /// to their next millisecond together, and neither runs ahead of the other by rounding.
        phase: Duration,
    },
    /// Shows what the test set last.
    #[cfg(all(test, unix))]
    ByHand(std::sync::Arc<std::sync::Mutex<Now>>),
}

impl Clock {
    pub fn start() -> Clock {
        let phase = u64::from(wall().subsec_nanos() % 1_000_000);
        Clock::System { start: Instant::now(), phase: Duration::from_nanos(phase) }
    }

    pub fn now(&self) -> Now {
        match self {
            Clock::System { start, phase } => {
                Now { wall: Timestamp(millis(wall())), tick: Tick(millis(start.elapsed() + *phase)) }
            }
            #[cfg(all(test, unix))]
            Clock::ByHand(now) => *now.lock().unwrap(),
        }
    }

    /// From now until `tick`.
    pub fn until(&self, tick: Tick) -> Duration {
        match self {
            // Ticks are whole milliseconds: one more, so as not to wake up just before.
            Clock::System { start, phase } => {
                Duration::from_millis(tick.0 + 1).saturating_sub(start.elapsed() + *phase)
            }
            #[cfg(all(test, unix))]
            Clock::ByHand(_) => tick.since(self.now().tick),
        }
    }

    pub fn uptime(&self) -> Duration {
        match self {
            Clock::System { start, .. } => start.elapsed(),
            #[cfg(all(test, unix))]
            Clock::ByHand(_) => Duration::ZERO,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn wall() -> Duration {
    // A clock before 1970 is taken for 1970: stored time never goes back, so it is harmless.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
