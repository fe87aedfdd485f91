//! Which mail this front end was handed, and when it counts as read.
//!
//! A model has evidently seen an answer when its client goes on after it. So a lease is settled by a
//! tool call whose line began to be read after the answer with the mail was written to its last byte;
//! a ping, or a call that was already on its way, proves nothing.
//!
//! What always holds:
//! - A message is in one place: with the open call whose answer holds it, among the shown ones, or among
//!   those whose settling the daemon has not confirmed. All of them are held.
//! - A call that was cancelled, or whose answer could not be written, gives its mail back.
//! - What a call is told after it was answered or cancelled changes nothing.
//! - Settling is tried until the daemon has taken it down, once with each call.

use std::collections::HashMap;
use std::hash::Hash;

use crate::protocol::message::MessageId;

/// A point in the order of the answers: how many were flushed before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

/// The book of one connection. `C` names a call.
pub struct Ledger<C> {
    /// Calls that were read and are not answered yet.
    open: HashMap<C, Open>,
    /// Mail whose answer was flushed, with the flush it went out with; oldest first.
    shown: Vec<(Stamp, MessageId)>,
    /// Mail that counts as read, until the daemon says that it knows: a daemon that restarts in between
    /// must take it as leased here, or it would hand it out again.
    settling: Vec<MessageId>,
    flushes: Stamp,
}

#[derive(Default)]
struct Open {
    leased: Vec<MessageId>,
    /// The caller is a one-shot client: being written is being read.
    settles_on_flush: bool,
}

impl<C: Eq + Hash> Ledger<C> {
    pub fn new() -> Ledger<C> {
        Ledger { open: HashMap::new(), shown: Vec::new(), settling: Vec::new(), flushes: Stamp(0) }
    }

    /// The stamp of what is read now.
    pub fn stamp(&self) -> Stamp {
        self.flushes
    }

    /// The line of a tool call was read, its first byte at `began`. Returns what is settled by it.
    pub fn call_read(&mut self, call: C, began: Stamp) -> Vec<MessageId> {
        self.open.insert(call, Open::default());
        let settled = self.shown.iter().take_while(|(flush, _)| *flush <= began).count();
        let settled = self.shown.drain(..settled).map(|(_, id)| id).collect();
        self.settle(settled)
    }

    /// The call counts as read once its answer is flushed.
    pub fn settle_on_flush(&mut self, call: &C) {
        if let Some(open) = self.open.get_mut(call) {
            open.settles_on_flush = true;
        }
    }

    /// The daemon leased `ids` to this call. Returns those to give back: all, when nobody waits for
    /// the answer any more.
    pub fn leased(&mut self, call: &C, ids: Vec<MessageId>) -> Vec<MessageId> {
        match self.open.get_mut(call) {
            Some(open) => {
                open.leased.extend(ids);
                Vec::new()
            }
            None => ids,
        }
    }

    /// The last byte of the call's answer was written. Returns what is settled at once.
    pub fn flushed(&mut self, call: &C) -> Vec<MessageId> {
        let Some(open) = self.open.remove(call) else { return Vec::new() };
        self.flushes.0 += 1;
        if open.settles_on_flush {
            return self.settle(open.leased);
        }
        self.shown.extend(open.leased.into_iter().map(|id| (self.flushes, id)));
        Vec::new()
    }

    /// The call was cancelled before its answer was flushed, or the answer could not be written.
    /// Returns what to give back; nothing, when the answer was flushed before.
    pub fn dropped(&mut self, call: &C) -> Vec<MessageId> {
        self.open.remove(call).map(|open| open.leased).unwrap_or_default()
    }

    /// The caller said itself that it read `ids`.
    pub fn acked(&mut self, ids: &[MessageId]) {
        let held = self.held();
        self.shown.retain(|(_, id)| !ids.contains(id));
        for open in self.open.values_mut() {
            open.leased.retain(|id| !ids.contains(id));
        }
        self.settling.extend(ids.iter().filter(|id| held.contains(id)));
    }

    /// The caller said that it read all it was shown. Returns what that is.
    pub fn acked_all(&mut self) -> Vec<MessageId> {
        let shown = self.shown.drain(..).map(|(_, id)| id).collect();
        self.settle(shown)
    }

    /// The daemon knows that these were read.
    pub fn confirmed(&mut self, ids: &[MessageId]) {
        self.settling.retain(|id| !ids.contains(id));
    }

    /// The daemon could not take down that these were read, as on a full disk: they are settled once more
    /// with the next call.
    pub fn unconfirmed(&mut self, ids: &[MessageId]) {
        let back: Vec<MessageId> = self.settling.extract_if(.., |id| ids.contains(id)).collect();
        self.shown.splice(..0, back.into_iter().map(|id| (Stamp(0), id)));
    }

    /// All mail that is with this front end: what it claims from a daemon that restarted.
    pub fn held(&self) -> Vec<MessageId> {
        let open = self.open.values().flat_map(|open| &open.leased);
        let shown = self.shown.iter().map(|(_, id)| id);
        let mut held: Vec<MessageId> = shown.chain(open).chain(&self.settling).copied().collect();
        held.sort_unstable();
        held.dedup();
        held
    }

    fn settle(&mut self, ids: Vec<MessageId>) -> Vec<MessageId> {
        self.settling.extend(&ids);
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: &[u64]) -> Vec<MessageId> {
        numbers.iter().copied().map(MessageId).collect()
    }

    /// A ledger whose call "check" was handed 1 and 2, not flushed yet.
    fn handed() -> Ledger<&'static str> {
        let mut ledger = Ledger::new();
        assert_eq!(ledger.call_read("check", ledger.stamp()), []);
        assert_eq!(ledger.leased(&"check", ids(&[1, 2])), []);
        ledger
    }

    #[test]
    fn a_call_read_after_the_flush_settles_what_was_flushed() {
        let mut ledger = handed();
        ledger.flushed(&"check");
        let after = ledger.stamp();
        assert_eq!(ledger.call_read("send", after), ids(&[1, 2]));
        assert_eq!(ledger.call_read("again", after), [], "settled once");
        assert_eq!(ledger.held(), ids(&[1, 2]), "the daemon may not know yet");
        ledger.confirmed(&ids(&[1, 2]));
        assert_eq!(ledger.held(), []);
    }

    #[test]
    fn a_call_that_was_on_its_way_before_the_flush_settles_nothing() {
        let mut ledger = handed();
        let before = ledger.stamp();
        ledger.flushed(&"check");
        assert_eq!(ledger.call_read("pipelined", before), []);
        assert_eq!(ledger.held(), ids(&[1, 2]));
        assert_eq!(ledger.call_read("next", ledger.stamp()), ids(&[1, 2]));
    }

    #[test]
    fn only_what_was_flushed_by_then_is_settled() {
        let mut ledger = handed();
        ledger.flushed(&"check");
        let between = ledger.stamp();
        ledger.call_read("second", Stamp(0));
        ledger.leased(&"second", ids(&[3]));
        ledger.flushed(&"second");
        assert_eq!(ledger.call_read("next", between), ids(&[1, 2]));
        assert_eq!(ledger.call_read("last", ledger.stamp()), ids(&[3]));
    }

    #[test]
    fn a_cancel_before_the_flush_gives_back_and_one_after_it_does_nothing() {
        let mut ledger = handed();
        assert_eq!(ledger.dropped(&"check"), ids(&[1, 2]));
        assert_eq!(ledger.flushed(&"check"), [], "its answer was on the way out");
        assert_eq!(ledger.held(), []);

        let mut ledger = handed();
        ledger.flushed(&"check");
        assert_eq!(ledger.dropped(&"check"), []);
        assert_eq!(ledger.held(), ids(&[1, 2]));
    }

    #[test]
    fn mail_for_a_call_that_was_cancelled_meanwhile_goes_back() {
        let mut ledger: Ledger<u32> = Ledger::new();
        ledger.call_read(7, ledger.stamp());
        ledger.dropped(&7);
        assert_eq!(ledger.leased(&7, ids(&[5])), ids(&[5]));
        assert_eq!(ledger.held(), []);
    }

    #[test]
    fn a_one_shot_call_settles_with_its_own_flush() {
        let mut ledger = handed();
        ledger.settle_on_flush(&"check");
        assert_eq!(ledger.flushed(&"check"), ids(&[1, 2]));
        ledger.confirmed(&ids(&[1, 2]));
        assert_eq!(ledger.held(), []);
    }

    #[test]
    fn an_explicit_ack_is_not_settled_again() {
        let mut ledger = handed();
        ledger.flushed(&"check");
        ledger.acked(&ids(&[1, 99]));
        assert_eq!(ledger.held(), ids(&[1, 2]));
        ledger.confirmed(&ids(&[1, 99]));
        assert_eq!(ledger.held(), ids(&[2]));
        ledger.call_read("other", Stamp(0));
        ledger.leased(&"other", ids(&[3]));
        assert_eq!(ledger.acked_all(), ids(&[2]), "not what nobody saw yet");
        ledger.confirmed(&ids(&[2]));
        assert_eq!(ledger.held(), ids(&[3]));
    }

    #[test]
    fn a_settling_that_was_refused_is_made_again_with_the_next_call() {
        let mut ledger = handed();
        ledger.flushed(&"check");
        assert_eq!(ledger.call_read("list", ledger.stamp()), ids(&[1, 2]));
        ledger.unconfirmed(&ids(&[1, 2]));
        assert_eq!(ledger.held(), ids(&[1, 2]));
        assert_eq!(ledger.call_read("list again", ledger.stamp()), ids(&[1, 2]));
        ledger.confirmed(&ids(&[1, 2]));
        ledger.unconfirmed(&ids(&[1, 2]));
        assert_eq!(ledger.held(), [], "it is known already");
    }

    #[test]
    fn what_is_held_is_claimed_once_whether_flushed_or_not() {
        let mut ledger = handed();
        ledger.flushed(&"check");
        ledger.call_read("piece", Stamp(0));
        ledger.leased(&"piece", ids(&[2, 4]));
        assert_eq!(ledger.held(), ids(&[1, 2, 4]));
    }
}
