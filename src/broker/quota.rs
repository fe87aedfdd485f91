//! What one instance may do in a while: its rate of sending and the length of a conversation that
//! only agents keep alive. Volatile: a restart forgives. Nothing here ever drops a message; it
//! refuses, and says until when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::limits::Limits;
use super::mutation::MailboxId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::time::{Now, Tick, Timestamp};

/// The window of [`Limits::sends_per_minute`].
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Quota {
    /// When each instance sent in the last minute. At most `sends_per_minute` entries each.
    sends: BTreeMap<MailboxId, VecDeque<Tick>>,
    heard: BTreeMap<MailboxId, Heard>,
    /// When a person last said something to an instance.
    prompted: BTreeMap<MailboxId, Timestamp>,
    reached: BTreeMap<&'static str, (RefusalCode, u64)>,
}

/// The place of a message in a conversation of agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Agents that it went through since a person, or quiet, began it.
    pub hops: u32,
    pub began: Timestamp,
}

/// The longest conversation in what an instance read last.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Tick,
    chain: Chain,
}

/// A wait for people, never shorter than it is.
pub fn wait_words(wait: Duration) -> String {
    match wait.as_millis().div_ceil(1000) {
        seconds if seconds > 60 => format!("{} minutes", seconds.div_ceil(60)),
        seconds => format!("{seconds} s"),
    }
}

impl Quota {
    /// Charges `count` sends, all or none.
    pub fn charge_sends(
        &mut self,
        limits: &Limits,
        now: Tick,
        sender: MailboxId,
        count: usize,
    ) -> Result<(), Refusal> {
        let limit = limits.sends_per_minute;
        if limit == 0 {
            return Ok(());
        }
        let sends = self.sends.entry(sender).or_default();
        while sends.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            sends.pop_front();
        }
        if sends.len() + count > limit {
            let missing = (sends.len() + count).saturating_sub(limit);
            let wait = sends.get(missing - 1).map_or(MINUTE, |at| MINUTE.saturating_sub(now.since(*at)));
            return Err(Refusal::new(
                RefusalCode::RateLimited,
                format!("{limit} sends a minute are the limit, {} were made", sends.len()),
            )
            .hint(format!("try again in {}; reading mail is not limited", wait_words(wait))));
        }
        sends.extend(std::iter::repeat_n(now, count));
        Ok(())
    }

    /// `reader` was handed mail, `chain` being the longest conversation in it.
    pub fn heard(&mut self, now: Tick, reader: MailboxId, chain: Chain) {
        self.heard.insert(reader, Heard { at: now, chain });
    }

    /// A person said something to `reader`: what it writes from here on begins there.
    pub fn prompted(&mut self, wall: Timestamp, reader: MailboxId) {
        self.heard.remove(&reader);
        self.prompted.insert(reader, wall);
    }

    /// The conversation that a message of `sender` continues, or that it starts.
    pub fn continues(
        &self,
        limits: &Limits,
        now: Now,
        sender: MailboxId,
        reply_to: Option<Chain>,
    ) -> Result<Chain, Refusal> {
        let prompted = self.prompted.get(&sender);
        let reply_to = reply_to.filter(|chain| prompted.is_none_or(|at| chain.began > *at));
        let heard = self.heard.get(&sender).filter(|h| now.tick.since(h.at) < limits.hops_memory);
        let Some(before) = reply_to.or(heard.map(|h| h.chain)) else {
            return Ok(Chain { hops: 0, began: now.wall });
        };
        let chain = Chain { hops: before.hops + 1, began: before.began };
        let fast = chain.hops >= limits.hops_fast && now.wall.since(chain.began) < limits.hops_fast_window;
        if chain.hops < limits.hops && !fast {
            return Ok(chain);
        }
        Err(Refusal::new(
            RefusalCode::Loop,
            format!("this conversation went through {} agents without a person", chain.hops),
        )
        .hint(
            "stop and tell your user; a prompt or a command of a person, or ten quiet minutes, starts over",
        ))
    }

    /// A mailbox is gone, and its number with it.
    pub fn forget(&mut self, mailbox: MailboxId) {
        self.sends.remove(&mailbox);
        self.heard.remove(&mailbox);
        self.prompted.remove(&mailbox);
    }

    /// Counts a refusal for `status`.
    pub fn count(&mut self, code: RefusalCode) {
        use RefusalCode as C;
        if matches!(
            code,
            C::MailboxFull
                | C::ShareFull
                | C::RateLimited
                | C::RenameCooldown
                | C::Loop
                | C::StoreFull
                | C::Busy
                | C::TooLarge
        ) {
            self.reached.entry(code.word()).or_insert((code, 0)).1 += 1;
        }
    }

    pub fn reached(&self) -> impl Iterator<Item = (RefusalCode, u64)> + '_ {
        self.reached.values().copied()
    }
}
