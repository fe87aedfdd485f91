//! The line of a call. A wait that is made again on another daemon asks for what is left of it.

use tokio::time::Instant;
use tokio_util::bytes::Bytes;

use crate::protocol::request::{Check, Request};
use crate::protocol::wire::{CallId, call_line};

#[derive(Clone, Debug)]
pub enum Line {
    /// The same at all times.
    Fixed(Bytes),
    Wait {
        id: i64,
        check: Check,
        made: Instant,
    },
}

impl Line {
    /// The line of a call that is made now.
    pub fn of(id: i64, request: &Request) -> Line {
        if let Request::Check(check) = request
            && check.wait_ms > 0
        {
            return Line::Wait { id, check: check.clone(), made: Instant::now() };
        }
        Line::Fixed(call_line(&CallId::Number(id), request.method(), request).into())
    }

    /// The line as it is to be sent at `now`.
    pub fn at(&self, now: Instant) -> Bytes {
        match self {
            Line::Fixed(bytes) => bytes.clone(),
            Line::Wait { id, check, made } => {
                let waited = u64::try_from(now.duration_since(*made).as_millis()).unwrap_or(u64::MAX);
                // At least one: a wait that becomes a look would be answered before a parked one.
                let wait_ms = check.wait_ms.saturating_sub(waited).max(1);
                let check = Check { wait_ms, ..check.clone() };
                call_line(&CallId::Number(*id), "check", &check).into()
            }
        }
    }
}

impl<T: Into<Bytes>> From<T> for Line {
    fn from(bytes: T) -> Line {
        Line::Fixed(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_asks_for_what_is_left_of_it() {
        let check = Check { wait_ms: 5000, ..Check::default() };
        let line = Line::of(7, &Request::Check(check));
        let Line::Wait { made, .. } = line else { panic!("{line:?}") };
        let wait_at = |seconds| {
            let text = line.at(made + Duration::from_secs(seconds));
            let text = String::from_utf8(text.to_vec()).unwrap();
            text.split_once("\"wait_ms\":").unwrap().1.split(',').next().unwrap().to_owned()
        };
        assert_eq!([0, 4, 9].map(wait_at), ["5000", "1000", "1"]);
    }
}
