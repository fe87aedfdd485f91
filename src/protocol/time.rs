//! Points in time as the broker and the wire know them. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Wall-clock time in milliseconds since 1970 (UTC). RFC 3339 on the wire. Shown and stored, never
/// used for ordering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// Milliseconds on a clock that never steps; its zero is the daemon's start. For waits and rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(pub u64);

/// The two clocks, read together at the edge and handed to the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    pub tick: Tick,
}

impl Timestamp {
    #[must_use]
    pub fn plus(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis(span)))
    }

    /// Time from `earlier` to `self`; zero when the clock went backwards.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Tick {
    #[must_use]
    pub fn plus(self, span: Duration) -> Tick {
        Tick(self.0.saturating_add(millis(span)))
    }

    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 knows no later time: what is later is written as this, so that it can be read back.
const LAST_MILLIS: u64 = 253_402_300_799_999;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = chrono::DateTime::from_timestamp_millis(self.0.min(LAST_MILLIS) as i64);
        let time = time.expect("chrono's years go beyond 9999");
        write!(f, "{}", time.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = chrono::DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
        u64::try_from(time.timestamp_millis()).map(Timestamp).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_there_and_back() {
        let time = Timestamp(1_795_296_428_007);
        let text = serde_json::to_string(&time).unwrap();
        assert_eq!(text, "\"2026-11-21T21:27:08.007Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
    }

    #[test]
    fn what_is_written_can_be_read_back_however_late() {
        for late in [LAST_MILLIS, LAST_MILLIS + 1, i64::MAX as u64, u64::MAX] {
            let text = serde_json::to_string(&Timestamp(late)).unwrap();
            assert_eq!(text, "\"9999-12-31T23:59:59.999Z\"");
            assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), Timestamp(LAST_MILLIS));
        }
    }

    #[test]
    fn a_clock_that_goes_backwards_gives_zero_and_not_a_panic() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
        assert_eq!(Timestamp(u64::MAX).plus(Duration::MAX), Timestamp(u64::MAX));
    }
}
