//! The only caller of `now()` in the daemon: time reaches everything else as a parameter.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::protocol::time::{Now, Tick, Timestamp};

#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    #[cfg(test)]
    by_hand: Option<std::sync::Arc<std::sync::Mutex<Now>>>,
}

impl Clock {
    pub fn start() -> Clock {
        Clock {
            start: Instant::now(),
            #[cfg(test)]
            by_hand: None,
        }
    }

    /// A clock that shows what the test set last.
    #[cfg(test)]
    pub fn by_hand(now: std::sync::Arc<std::sync::Mutex<Now>>) -> Clock {
        Clock { by_hand: Some(now), ..Clock::start() }
    }

    pub fn now(&self) -> Now {
        #[cfg(test)]
        if let Some(by_hand) = &self.by_hand {
            return *by_hand.lock().unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        // A clock before 1970 is taken for 1970: stored time never goes back, so it is harmless.
        Now { wall: Timestamp(millis(wall.unwrap_or_default())), tick: Tick(millis(self.start.elapsed())) }
    }

    /// From now until `tick`.
    pub fn until(&self, tick: Tick) -> Duration {
        #[cfg(test)]
        if self.by_hand.is_some() {
            return tick.since(self.now().tick);
        }
        // Ticks are whole milliseconds: one more, so as not to wake up just before.
        Duration::from_millis(tick.0 + 1).saturating_sub(self.start.elapsed())
    }

    pub fn uptime(&self) -> Duration {
        self.start.elapsed()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
