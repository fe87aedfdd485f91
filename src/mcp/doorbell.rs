//! When the bell of one agent rings. A state machine: what is known of the mail and the time go in, and
//! whether to ring now, or when next, comes out. Whoever rings asks here last, in the moment before the
//! first byte leaves.
//!
//! What always holds:
//! - A ring is about mail that waits, as far as the front end knows: never about mail that was read.
//! - The first message rings at once. What comes while a ring is unanswered is told by one more ring,
//!   later and later; without news there are a few reminders, and then silence.
//! - Reading stops it: nothing is owed any more, and the next message rings at once again.

use std::time::Duration;

use crate::protocol::time::Tick;

/// Between a ring that was not answered and the next about newer mail: at first, and at most. A client
/// queues what it is told during a long turn, and one line says as much as ten.
const NEWS_GAP_MIN: Duration = Duration::from_secs(2);
const NEWS_GAP_MAX: Duration = Duration::from_secs(60);

/// From the last ring to each reminder without news. An agent that reads nothing for all this time has
/// its reasons, or nobody there.
const REMINDERS: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1200)];

/// How soon after a registration the daemon's count of what waited before is here.
const ARRIVING: Duration = Duration::from_secs(1);

/// One ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Messages that wait.
    pub unread: u64,
}

#[derive(Debug, Default)]
pub struct Doorbell {
    /// Messages that wait, as far as is known.
    unread: u64,
    /// Rings since mail was read last.
    rings: u32,
    /// Of them, those in a row without news.
    reminders: usize,
    last: Option<Tick>,
    /// When it rings next.
    due: Option<Tick>,
    /// The agent was handed a part, and the daemon's count of the rest is on its way: that is no news.
    echo: bool,
    /// The agent has just got its name, and the first count until then is of what waited under it.
    arriving: Option<Tick>,
}

impl Doorbell {
    /// The daemon says how many messages wait. It says so when that changes, or when it is other mail.
    pub fn mail(&mut self, now: Tick, unread: u64) {
        let before = std::mem::replace(&mut self.unread, unread);
        let echo = std::mem::take(&mut self.echo) && unread == before;
        let arriving = self.arriving.take().is_some_and(|until| now <= until) && before == 0;
        if unread == 0 {
            self.silence();
        } else if unread < before || arriving {
            self.answered(now);
        } else if !echo {
            self.news(now);
        }
    }

    fn news(&mut self, now: Tick) {
        self.reminders = 0;
        let gap = NEWS_GAP_MIN * 2u32.saturating_pow(self.rings.saturating_sub(1).min(10));
        let next = self.last.map_or(now, |last| last.plus(gap.min(NEWS_GAP_MAX)).max(now));
        self.due = Some(self.due.map_or(next, |due| due.min(next)));
    }

    /// The agent has its name, and was told that `unread` messages waited under it: an agent that begins is
    /// not interrupted over them, and reminded if it does not look.
    pub fn registered(&mut self, now: Tick, unread: u64) {
        self.arriving = (unread > 0).then(|| now.plus(ARRIVING));
    }

    /// The agent has its name again, on another connection: what it was rung about is no news.
    pub fn resumed(&mut self, unread: u64) {
        if unread == 0 {
            self.silence();
        } else {
            self.echo = true;
        }
    }

    /// The agent was handed mail, and `left` wait after it at most.
    pub fn read(&mut self, now: Tick, left: u64) {
        let before = self.unread;
        self.unread = before.min(left);
        if self.unread == 0 {
            self.silence();
        } else {
            self.answered(now);
            self.echo = self.unread < before;
        }
    }

    /// Rings, if it is time and there is something to ring about. The caller does ring then.
    pub fn begin(&mut self, now: Tick) -> Option<Ring> {
        if self.unread == 0 || self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.rings += 1;
        self.last = Some(now);
        self.due = REMINDERS.get(self.reminders).map(|after| now.plus(*after));
        self.reminders += 1;
        Some(Ring { unread: self.unread })
    }

    /// Messages that wait, as far as is known.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// When there is something to ring about.
    pub fn next(&self) -> Option<Tick> {
        self.due.filter(|_| self.unread > 0)
    }

    /// There was no way to ring: the next try is with the next news, or where a reminder would be. One
    /// that had `begun` and failed is not counted as a ring; when the next is due was said as it began, or
    /// by what came since.
    pub fn unable(&mut self, now: Tick, begun: bool) {
        if begun {
            // Mail that was read meanwhile has undone it already.
            self.rings = self.rings.saturating_sub(1);
            return;
        }
        self.due = REMINDERS.get(self.reminders).map(|after| now.plus(*after));
        self.reminders += 1;
    }

    /// There may be a way to ring again: what waits is rung about at once, if nothing was yet.
    pub fn able(&mut self, now: Tick) {
        if self.unread > 0 && self.rings == 0 {
            self.due = Some(now);
            self.reminders = 0;
        }
    }

    fn silence(&mut self) {
        *self = Doorbell::default();
    }

    /// The agent is reading. What is left it was told of; it is reminded if it forgets.
    fn answered(&mut self, now: Tick) {
        let unread = self.unread;
        *self = Doorbell { unread, due: Some(now.plus(REMINDERS[0])), reminders: 1, ..Doorbell::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation: `mail 2`, `read 0`, `+3s`, `mute`, `fail`, `able`; after each, the rings that time
    /// brought. Time stops at each ring, as a clock that is asked when it is due would.
    fn heard(story: &str) -> Vec<String> {
        let (mut bell, mut now, mut heard) = (Doorbell::default(), Tick(0), Vec::new());
        let mut ring = |bell: &mut Doorbell, now: Tick| {
            while let Some(ring) = bell.begin(now) {
                heard.push(format!("{}s: {}", now.0 / 1000, ring.unread));
            }
        };
        for line in story.split(',').map(str::trim) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["mail", unread] => bell.mail(now, unread.parse().unwrap()),
                ["read", left] => bell.read(now, left.parse().unwrap()),
                ["registered", unread] => bell.registered(now, unread.parse().unwrap()),
                ["resumed", unread] => bell.resumed(unread.parse().unwrap()),
                ["mute"] => bell.unable(now, false),
                ["fail"] => bell.unable(now, true),
                ["able"] => bell.able(now),
                [span] => {
                    let seconds: u64 = span.trim_matches(['+', 's']).parse().unwrap();
                    let end = now.plus(Duration::from_secs(seconds));
                    while let Some(due) = bell.next().filter(|due| *due <= end) {
                        now = due;
                        ring(&mut bell, now);
                    }
                    now = end;
                }
                _ => panic!("{line}"),
            }
            if line != "mute" {
                ring(&mut bell, now);
            }
        }
        heard
    }

    #[test]
    fn the_first_message_rings_at_once() {
        assert_eq!(heard("mail 1"), ["0s: 1"]);
        assert_eq!(heard("mail 3"), ["0s: 3"], "it came while nobody was there");
        assert_eq!(heard("mail 0"), Vec::<String>::new());
    }

    #[test]
    fn what_was_read_is_not_rung_about() {
        assert_eq!(heard("mail 1, read 0, +3600s"), ["0s: 1"]);
        assert_eq!(heard("mail 1, mail 0, +3600s"), ["0s: 1"]);
        assert_eq!(heard("mail 1, mail 2, read 0, +3600s"), ["0s: 1"], "the second was about to ring");
    }

    #[test]
    fn after_reading_the_next_message_rings_at_once() {
        assert_eq!(heard("mail 1, read 0, mail 0, +1s, mail 1"), ["0s: 1", "1s: 1"]);
        assert_eq!(heard("mail 1, mail 0, mail 1, mail 0, mail 1"), ["0s: 1", "0s: 1", "0s: 1"]);
    }

    #[test]
    fn a_burst_is_one_ring_more() {
        assert_eq!(heard("mail 1, mail 2, mail 3, +1s, mail 9, +2s"), ["0s: 1", "2s: 9"]);
    }

    #[test]
    fn steady_mail_that_nobody_reads_rings_later_and_later() {
        let mail: Vec<String> = (1..=200).map(|n| format!("mail {n}, +1s")).collect();
        let heard = heard(&mail.join(", "));
        let times: Vec<&str> = heard.iter().filter_map(|ring| ring.split('s').next()).collect();
        assert_eq!(times, ["0", "2", "6", "14", "30", "62", "122", "182"]);
    }

    #[test]
    fn without_news_there_are_few_reminders_and_then_silence() {
        assert_eq!(heard("mail 1, +86400s"), ["0s: 1", "60s: 1", "360s: 1", "1560s: 1"]);
    }

    #[test]
    fn news_begins_the_reminders_anew() {
        let heard = heard("mail 1, +86400s, mail 2, +50s, +50s");
        assert_eq!(heard[4..], ["86400s: 2", "86460s: 2"]);
    }

    #[test]
    fn one_that_reads_a_part_is_reminded_of_the_rest() {
        assert_eq!(heard("mail 5, read 3, mail 3, +59s"), ["0s: 5"]);
        assert_eq!(heard("mail 5, mail 3, read 3, +60s"), ["0s: 5", "60s: 3"]);
        assert_eq!(heard("mail 5, mail 3, read 3, mail 4, +60s"), ["0s: 5", "0s: 4", "60s: 4"]);
    }

    #[test]
    fn what_waited_before_the_agent_began_does_not_interrupt_it() {
        assert_eq!(heard("registered 2, mail 2, +59s"), Vec::<String>::new());
        assert_eq!(heard("registered 2, mail 2, +60s"), ["60s: 2"]);
        assert_eq!(heard("registered 2, mail 2, mail 3"), ["0s: 3"]);
        assert_eq!(heard("registered 0, mail 1"), ["0s: 1"]);
        assert_eq!(heard("registered 1, +2s, mail 1"), ["2s: 1"], "what waited was a notice");
    }

    #[test]
    fn another_connection_is_no_news() {
        assert_eq!(heard("mail 1, +10s, resumed 1, mail 1, +10s"), ["0s: 1"]);
        assert_eq!(heard("mail 1, +10s, resumed 2, mail 2, +10s"), ["0s: 1", "10s: 2"]);
        assert_eq!(heard("resumed 1, mail 1"), ["0s: 1"], "it came meanwhile");
        assert_eq!(heard("mail 1, resumed 0, +3600s"), ["0s: 1"]);
    }

    #[test]
    fn a_ring_that_failed_on_its_way_was_none() {
        assert_eq!(heard("mail 1, able"), ["0s: 1"]);
        assert_eq!(heard("mail 1, fail, able"), ["0s: 1", "0s: 1"], "it can be rung again");
        assert_eq!(heard("mail 1, fail, +86400s"), ["0s: 1", "60s: 1", "360s: 1", "1560s: 1"]);
        assert_eq!(heard("mail 1, mail 2, fail, +2s"), ["0s: 1", "2s: 2"], "news came meanwhile");
        assert_eq!(heard("mail 1, read 0, fail, +3600s"), ["0s: 1"], "it was read meanwhile");
        assert_eq!(heard("mail 5, read 3, fail, +60s"), ["0s: 5", "60s: 3"]);
    }

    #[test]
    fn where_nothing_can_ring_it_does_not_spin_and_tries_when_it_can() {
        let mut bell = Doorbell::default();
        bell.mail(Tick(0), 1);
        bell.unable(Tick(0), false);
        assert_eq!(bell.next(), Some(Tick(60_000)));
        bell.able(Tick(5));
        assert_eq!(bell.begin(Tick(5)), Some(Ring { unread: 1 }));
        bell.able(Tick(6));
        assert_eq!(bell.begin(Tick(6)), None, "it rang already");
    }
}
