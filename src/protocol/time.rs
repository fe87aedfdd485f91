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

/// `2026-11-21T21:27:08.007Z`
const TEXT_BYTES: usize = 24;

impl Timestamp {
    /// RFC 3339, written by hand: every message has several, and a formatter that reads a pattern takes
    /// longer over one than the broker over the message.
    fn text(self) -> [u8; TEXT_BYTES] {
        let millis = self.0.min(LAST_MILLIS);
        let (year, month, day) = civil(millis / MILLIS_PER_DAY);
        let of_day = millis % MILLIS_PER_DAY;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |places: std::ops::Range<usize>, mut number: u64| {
            for place in places.rev() {
                text[place] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(0..4, year);
        put(5..7, month);
        put(8..10, day);
        put(11..13, of_day / 3_600_000);
        put(14..16, of_day / 60_000 % 60);
        put(17..19, of_day / 1000 % 60);
        put(20..23, of_day % 1000);
        text
    }
}

const MILLIS_PER_DAY: u64 = 86_400_000;

/// Year, month and day of the given day since 1970. Counted in years that begin in March, so that the day
/// that a leap year has more is its last, and in 400 of them, after which the calendar repeats itself.
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.text()).expect("digits and signs"))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.text()).expect("digits and signs"))
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
    fn the_calendar_is_the_one_that_everybody_has() {
        // Every day until 2400, each at another time of day, and some of the later ones.
        let days = (0..157_000).chain((157_000..2_932_896).step_by(997));
        for day in days {
            let millis = day * MILLIS_PER_DAY + day * 7_919 % MILLIS_PER_DAY;
            let theirs = chrono::DateTime::from_timestamp_millis(millis as i64).unwrap();
            let theirs = theirs.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            assert_eq!(Timestamp(millis).to_string(), theirs);
        }
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
