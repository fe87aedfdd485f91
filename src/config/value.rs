//! The numbers of the config file: in hand, they are in range.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Longest time that the file can name, in seconds: ten years. More is a typing error.
const SECONDS_MAX: f64 = 10.0 * 365.0 * 86_400.0;

/// A time in seconds, with or without a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const MIN: usize, const MAX: usize>(pub usize);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seconds, D::Error> {
        struct SecondsVisitor;

        impl Visitor<'_> for SecondsVisitor {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "seconds from 0 to {SECONDS_MAX}")
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
                if (0.0..=SECONDS_MAX).contains(&seconds) {
                    return Ok(Seconds(Duration::from_secs_f64(seconds)));
                }
                Err(E::invalid_value(de::Unexpected::Float(seconds), &self))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Seconds, E> {
                // No number that is in range loses anything.
                self.visit_f64(seconds as f64)
            }
        }

        deserializer.deserialize_f64(SecondsVisitor)
    }
}

impl<'de, const MIN: usize, const MAX: usize> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match usize::try_from(number) {
            Ok(fits) if (MIN..=MAX).contains(&fits) => Ok(Within(fits)),
            _ => Err(de::Error::invalid_value(
                de::Unexpected::Signed(number),
                &format!("a number from {MIN} to {MAX}").as_str(),
            )),
        }
    }
}
