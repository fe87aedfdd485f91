//! Calls that wait for their answers, in the order in which they were made.
//!
//! What always holds: a call is in exactly one of two places, not yet sent or sent; all of a lower
//! number were made earlier, and are sent earlier, on each new connection again. No clock, no I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::bytes::Bytes;

use super::line::Line;

/// Calls that are sent and not answered at one time. Below the 64 that a daemon allows to one session:
/// the registration of a new connection fits beside them.
pub const IN_FLIGHT_MAX: usize = 60;

/// Daemons that one call may lose. A call that ends its daemon each time must not go on so.
pub const LOSSES_MAX: u32 = 5;

/// One call. `C` is whoever waits for it.
#[derive(Debug)]
struct Call<C> {
    line: Line,
    caller: C,
    /// To be repeated on a new connection.
    repeat: bool,
    losses: u32,
    /// The daemon ends in order and said so: its loss is none of this call's doing.
    excused: bool,
    /// Without a daemon until then, it is given up. `None`: there is a daemon.
    deadline: Option<Instant>,
}

#[derive(Debug)]
pub struct Pending<C> {
    unsent: BTreeMap<i64, Call<C>>,
    sent: BTreeMap<i64, Call<C>>,
    /// How long a call survives without a daemon.
    patience: Duration,
    reached: bool,
}

impl<C> Pending<C> {
    pub fn new(patience: Duration) -> Pending<C> {
        Pending { unsent: BTreeMap::new(), sent: BTreeMap::new(), patience, reached: false }
    }

    /// A new call: `id` is higher than all before. One that is not to be repeated is lost with its
    /// connection.
    pub fn add(&mut self, id: i64, line: Line, caller: C, repeat: bool, now: Instant) {
        let deadline = (!self.reached).then(|| now + self.patience);
        self.unsent.insert(id, Call { line, caller, repeat, losses: 0, excused: false, deadline });
    }

    /// The line to send next, if one may be sent now. It counts as sent.
    pub fn next_line(&mut self, now: Instant) -> Option<Bytes> {
        if self.sent.len() >= IN_FLIGHT_MAX {
            return None;
        }
        let (id, call) = self.unsent.pop_first()?;
        let line = call.line.at(now);
        self.sent.insert(id, call);
        Some(line)
    }

    /// Whoever waits for the call that was answered.
    pub fn answered(&mut self, id: i64) -> Option<C> {
        self.sent.remove(&id).map(|call| call.caller)
    }

    /// The daemon asks for this call to be repeated, for it ends. True if it will be: on the next
    /// connection, as if there had been no answer.
    pub fn put_off(&mut self, id: i64) -> bool {
        let call = self.sent.get_mut(&id).filter(|call| call.repeat);
        call.is_some_and(|call| {
            call.excused = true;
            true
        })
    }

    /// Nobody waits for this call any more. True if the daemon has to be told: it goes on counting as
    /// sent until its answer comes.
    pub fn cancelled(&mut self, id: i64) -> bool {
        self.unsent.remove(&id);
        match self.sent.get_mut(&id) {
            Some(call) => std::mem::replace(&mut call.repeat, false),
            None => false,
        }
    }

    /// A daemon answers: calls have time.
    pub fn reached(&mut self) {
        self.reached = true;
        for call in self.unsent.values_mut().chain(self.sent.values_mut()) {
            call.deadline = None;
        }
    }

    /// The connection is gone: calls are to be sent again. Those that were lost too often come back.
    pub fn lost(&mut self, now: Instant) -> Vec<C> {
        let reached = std::mem::take(&mut self.reached);
        let mut hopeless = Vec::new();
        for (id, mut call) in std::mem::take(&mut self.sent) {
            // A daemon that never answered at all says nothing about the call.
            call.losses += u32::from(reached && !std::mem::take(&mut call.excused));
            if call.repeat && call.losses < LOSSES_MAX {
                self.unsent.insert(id, call);
            } else if call.repeat {
                hopeless.push(call.caller);
            }
        }
        for call in self.unsent.values_mut() {
            call.deadline.get_or_insert(now + self.patience);
        }
        hopeless
    }

    /// Gives up what has waited long enough for a daemon.
    pub fn expired(&mut self, now: Instant) -> Vec<C> {
        let is_due = |call: &Call<C>| call.deadline.is_some_and(|deadline| deadline <= now);
        let due: Vec<i64> = self.unsent.iter().filter(|(_, call)| is_due(call)).map(|(id, _)| *id).collect();
        due.iter().filter_map(|id| self.unsent.remove(id)).map(|call| call.caller).collect()
    }

    /// When the next call is given up.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.unsent.values().filter_map(|call| call.deadline).min()
    }

    /// Gives up everything.
    pub fn give_up(&mut self) -> Vec<C> {
        self.reached = false;
        let all = std::mem::take(&mut self.sent)
            .into_values()
            .chain(std::mem::take(&mut self.unsent).into_values());
        all.map(|call| call.caller).collect()
    }

    /// Whether each call was sent, answered or not.
    pub fn all_sent(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Whether a call is here whose answer somebody wants.
    pub fn somebody_waits(&self) -> bool {
        self.unsent.values().chain(self.sent.values()).any(|call| call.repeat)
    }

    pub fn is_empty(&self) -> bool {
        self.unsent.is_empty() && self.sent.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Calls 1 to `count`, call n with the line "n", made by n.
    fn pending(count: i64, now: Instant) -> Pending<i64> {
        let mut pending = Pending::new(PATIENCE);
        for id in 1..=count {
            pending.add(id, id.to_string().into(), id, true, now);
        }
        pending
    }

    fn send_all(pending: &mut Pending<i64>) -> Vec<String> {
        std::iter::from_fn(|| pending.next_line(Instant::now()))
            .map(|line| String::from_utf8(line.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn answers_find_their_callers_in_any_order_and_once() {
        let mut pending = pending(3, Instant::now());
        assert_eq!(pending.answered(1), None, "not sent yet");
        assert_eq!(send_all(&mut pending), ["1", "2", "3"]);
        assert_eq!([3, 1, 3, 9].map(|id| pending.answered(id)), [Some(3), Some(1), None, None]);
        assert!(!pending.is_empty());
        assert_eq!(pending.answered(2), Some(2));
        assert!(pending.is_empty());
    }

    #[test]
    fn no_more_are_sent_than_the_daemon_takes() {
        let mut pending = pending(IN_FLIGHT_MAX as i64 + 2, Instant::now());
        assert_eq!(send_all(&mut pending).len(), IN_FLIGHT_MAX);
        assert!(pending.cancelled(1));
        assert_eq!(
            pending.next_line(Instant::now()),
            None,
            "a cancelled call is in flight until it is answered"
        );
        pending.answered(1);
        assert_eq!(send_all(&mut pending).len(), 1);
    }

    #[test]
    fn what_is_lost_goes_first_on_the_next_connection() {
        let now = Instant::now();
        let mut pending = pending(2, now);
        pending.next_line(Instant::now());
        pending.add(3, "post".into(), 3, false, now);
        assert!(pending.lost(now).is_empty());
        assert_eq!(send_all(&mut pending), ["1", "2", "post"]);
        assert!(pending.lost(now).is_empty());
        assert_eq!(send_all(&mut pending), ["1", "2"], "a post is lost with its connection");
    }

    #[test]
    fn a_cancelled_call_is_not_repeated_and_the_daemon_is_told_once() {
        let now = Instant::now();
        let mut pending = pending(2, now);
        assert!(!pending.cancelled(2), "it was not sent");
        pending.next_line(Instant::now());
        assert_eq!([pending.cancelled(1), pending.cancelled(1)], [true, false]);
        assert!(pending.lost(now).is_empty());
        assert!(pending.is_empty());
    }

    #[test]
    fn a_call_that_is_lost_each_time_comes_back() {
        let now = Instant::now();
        let mut pending = pending(1, now);
        for _ in 1..LOSSES_MAX {
            assert_eq!(send_all(&mut pending), ["1"]);
            pending.reached();
            assert!(pending.lost(now).is_empty());
        }
        send_all(&mut pending);
        assert!(pending.lost(now).is_empty(), "this daemon never answered anything");
        send_all(&mut pending);
        pending.reached();
        assert_eq!(pending.lost(now), [1]);
        assert!(pending.is_empty());
    }

    #[test]
    fn a_call_that_is_put_off_is_repeated_however_often() {
        let now = Instant::now();
        let mut pending = pending(1, now);
        assert!(!pending.put_off(1), "not sent yet");
        for _ in 0..2 * LOSSES_MAX {
            assert_eq!(send_all(&mut pending), ["1"]);
            pending.reached();
            assert!(pending.put_off(1));
            assert_eq!(pending.next_line(Instant::now()), None, "not to the daemon that ends");
            assert!(pending.lost(now).is_empty());
        }
        send_all(&mut pending);
        pending.cancelled(1);
        assert!(!pending.put_off(1), "nobody wants it any more");
    }

    #[test]
    fn patience_runs_only_without_a_daemon() {
        let start = Instant::now();
        let mut pending = pending(1, start);
        assert_eq!(pending.next_deadline(), Some(start + PATIENCE));
        assert!(pending.expired(start + PATIENCE - Duration::from_millis(1)).is_empty());
        send_all(&mut pending);
        pending.reached();
        pending.add(2, "2".into(), 2, true, start);
        let later = start + 100 * PATIENCE;
        assert!(pending.expired(later).is_empty());
        assert!(pending.lost(later).is_empty());
        assert_eq!(pending.next_deadline(), Some(later + PATIENCE));
        assert_eq!(pending.expired(later + PATIENCE), [1, 2]);
        assert_eq!(pending.next_deadline(), None);
    }
}
