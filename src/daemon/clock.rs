//! The only caller of `now()` in the daemon: time reaches everything else as a parameter.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::protocol::time::{Now, Tick, Timestamp};

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// The part of a millisecond that the wall clock showed at the start. With it both clocks come to
    /// their next millisecond together, and neither runs ahead of the other by rounding.
    phase: Duration,
}

impl Clock {
    pub fn start() -> Clock {
        let phase = u64::from(wall().subsec_nanos() % 1_000_000);
        Clock { start: Instant::now(), phase: Duration::from_nanos(phase) }
    }

    pub fn now(&self) -> Now {
        Now { wall: Timestamp(millis(wall())), tick: Tick(millis(self.elapsed())) }
    }

    /// From now until `tick`.
    pub fn until(&self, tick: Tick) -> Duration {
        // Ticks are whole milliseconds: one more, so as not to wake up just before.
        Duration::from_millis(tick.0 + 1).saturating_sub(self.elapsed())
    }

    pub fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed() + self.phase
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
