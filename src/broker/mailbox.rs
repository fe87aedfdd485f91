//! One delivery's life in a mailbox: put, lease, give back, settle, die. Everything that counts
//! mail asks here.

use std::sync::Arc;

use super::mutation::{
    Counters, Dead, DeliveryRow, Holder, KeyRow, MERGED_MAX, MailboxId, MailboxRow, MessageRow, Mutation,
    NameRow, ReceiptRow,
};
use super::presence::Told;
use super::state::Share;
use super::{Broker, Effect, Ended, EndedHow, SessionId};
use crate::planted::{Bug, planted};
use crate::protocol::message::MessageId;
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response::DeadReason;

impl Broker {
    /// Messages that wait to be read: neither leased nor dead.
    pub(super) fn unread(&self, mailbox: MailboxId) -> u64 {
        let unsettled = self.state.mailboxes.get(&mailbox).map_or(0, |m| m.unsettled.len());
        (unsettled - self.presence.leased_in(mailbox).count().min(unsettled)) as u64
    }

    /// Waiting messages that ring a bell: the daemon's own notices do not.
    pub(super) fn bell_count(&self, mailbox: MailboxId) -> u64 {
        self.rings_for(mailbox).unread
    }

    /// What a bell would ring for.
    pub(super) fn rings_for(&self, mailbox: MailboxId) -> Told {
        let rings =
            |id: &MessageId| self.state.messages.get(id).is_some_and(|m| m.row.from_mailbox.is_some());
        let Some(m) = self.state.mailboxes.get(&mailbox) else { return Told::default() };
        // Notices are in nobody's share. Leases are few; what waits may be much.
        let leased = self.presence.leased_in(mailbox).filter(rings).count();
        let is_ready = |id: &MessageId| self.presence.leased_to(mailbox, *id).is_none();
        let last = m.unsettled.keys().rev().find(|id| is_ready(id) && rings(id)).copied();
        Told { unread: m.taken().messages.saturating_sub(leased) as u64, last }
    }

    /// Ready deliveries, oldest first.
    pub(super) fn ready(&self, mailbox: MailboxId) -> impl Iterator<Item = MessageId> + '_ {
        let unsettled = self.state.mailboxes.get(&mailbox).into_iter().flat_map(|m| m.unsettled.keys());
        unsettled.copied().filter(move |id| self.presence.leased_to(mailbox, *id).is_none())
    }

    /// Age of the oldest message that waits, in seconds.
    pub(super) fn oldest_seconds(&self, mailbox: MailboxId) -> u64 {
        let oldest = self.ready(mailbox).next().and_then(|id| self.state.messages.get(&id));
        oldest.map_or(0, |m| self.wall().since(m.row.sent_at).as_secs())
    }

    pub(super) fn holder_of(&self, mailbox: MailboxId) -> Option<&Holder> {
        self.state.mailboxes.get(&mailbox)?.row.holder.as_ref()
    }

    pub(super) fn name_of(&self, mailbox: MailboxId) -> Name {
        self.state.mailboxes.get(&mailbox).map_or_else(Name::system, |m| m.row.name.clone())
    }

    pub(super) fn new_mailbox(&mut self, name: &Name, holder: Option<Holder>) -> Result<MailboxId, Refusal> {
        if self.state.mailboxes.len() >= self.limits.mailboxes {
            return Err(Refusal::new(
                RefusalCode::StoreFull,
                format!("{} names are in use, which is the limit", self.limits.mailboxes),
            )
            .hint("send to a name that exists; `ipcd status` lists those that only wait for mail"));
        }
        let id = MailboxId(self.state.counters.last_mailbox + 1);
        self.change(Mutation::PutCounters(Counters { last_mailbox: id.0, ..self.state.counters }));
        self.change(Mutation::PutMailbox(
            id,
            Arc::new(MailboxRow { name: name.clone(), holder, merged: Vec::new() }),
        ));
        self.change(Mutation::PutName(name.key(), NameRow { mailbox: id, forward_until: None }));
        Ok(id)
    }

    /// The number of the next message, taken.
    pub(super) fn next_message(&mut self) -> MessageId {
        let id = MessageId(match planted(Bug::NumbersFromTheClock) {
            false => self.state.counters.last_message + 1,
            true => self.wall().0,
        });
        let counters = Counters { last_message: id.0, wall: self.wall(), ..self.state.counters };
        self.change(Mutation::PutCounters(counters));
        id
    }

    /// Whether `message` fits into `mailbox`: by the mailbox's limits, by its sender's share of them
    /// and by the store's.
    pub(super) fn check_room(
        &self,
        mailbox: MailboxId,
        sender: MailboxId,
        size: usize,
    ) -> Result<(), Refusal> {
        let limits = &self.limits;
        let Some(target) = self.state.mailboxes.get(&mailbox) else { return Ok(()) };
        let name = &target.row.name;
        let Share { messages: count, bytes } = target.taken();
        let later = "try again when it was read";
        if limits.mailbox_messages > 0 && count >= limits.mailbox_messages {
            return Err(Refusal::new(
                RefusalCode::MailboxFull,
                format!("`{name}` has {count} unread messages, which is the limit"),
            )
            .hint(later));
        }
        if limits.mailbox_bytes > 0 && bytes + size > limits.mailbox_bytes {
            return Err(Refusal::new(
                RefusalCode::MailboxFull,
                format!("`{name}` has {bytes} bytes of unread mail, the limit is {}", limits.mailbox_bytes),
            )
            .hint(later));
        }
        let share = target.shares.get(&sender).copied().unwrap_or_default();
        let part = |limit: usize| limit * limits.sender_share_percent / 100;
        let full = limits.mailbox_messages > 0 && share.messages >= part(limits.mailbox_messages).max(1);
        let heavy = limits.mailbox_bytes > 0 && share.bytes + size > part(limits.mailbox_bytes);
        // The user's own mailbox and mail to oneself are nobody else's room.
        if sender != mailbox && (full || heavy) {
            return Err(Refusal::new(
                RefusalCode::ShareFull,
                format!(
                    "you have {} unread messages with `{name}`: your share of its mailbox",
                    share.messages
                ),
            )
            .hint("the rest is kept for other senders; try again when some of yours were read"));
        }
        if self.state.bytes + size > limits.backlog_bytes {
            return Err(Refusal::new(RefusalCode::StoreFull, "the store holds all the unread mail it may")
                .hint("`ipcd status` shows whose it is"));
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, mailbox: MailboxId, message: MessageId) {
        self.change(Mutation::PutDelivery(mailbox, message, DeliveryRow::default()));
        self.mark_used(mailbox);
        self.touched.insert(mailbox);
    }

    pub(super) fn lease(&mut self, mailbox: MailboxId, message: MessageId, session: SessionId) {
        self.presence.lease(mailbox, message, session);
        self.touched.insert(mailbox);
    }

    /// A lease ended unsettled: the message is ready again, flagged; after too many readers that died
    /// with it, it is dead.
    pub(super) fn return_lease(&mut self, mailbox: MailboxId, id: MessageId, polite: bool) {
        self.presence.unlease(mailbox, id);
        self.touched.insert(mailbox);
        let Some(row) = self.state.mailboxes.get(&mailbox).and_then(|m| m.unsettled.get(&id)) else { return };
        let tries = row.tries + u32::from(!polite);
        let row = DeliveryRow { tries, redelivered: true, ..row.clone() };
        self.change(Mutation::PutDelivery(mailbox, id, row));
        if self.limits.deliveries > 0 && tries >= self.limits.deliveries {
            self.kill(mailbox, id, DeadReason::Poison);
        }
    }

    /// A delivery becomes a dead letter.
    pub(super) fn kill(&mut self, mailbox: MailboxId, id: MessageId, reason: DeadReason) {
        let Some(row) = self.state.mailboxes.get(&mailbox).and_then(|m| m.unsettled.get(&id)) else { return };
        let dead = Some(Dead { reason, at: self.wall() });
        self.presence.unlease(mailbox, id);
        self.change(Mutation::PutDelivery(mailbox, id, DeliveryRow { dead, ..row.clone() }));
        self.touched.insert(mailbox);
        while self.state.dead.len() > self.limits.dead_letters {
            let Some(&(_, mailbox, id)) = self.state.dead.first() else { break };
            self.end(mailbox, id, EndedHow::MadeRoom);
        }
    }

    /// The message was read: it is settled, and remembered so that it can be replied to.
    pub(super) fn settle_delivery(&mut self, mailbox: MailboxId, id: MessageId) {
        let Some(message) = self.state.messages.get(&id) else { return };
        let receipt = receipt(&message.row);
        self.change(Mutation::PutReceipt(mailbox, id, receipt));
        let old: Vec<MessageId> = self.state.mailboxes.get(&mailbox).map_or_else(Vec::new, |m| {
            let surplus = m.receipts.len().saturating_sub(self.limits.receipts_per_mailbox);
            m.receipts.keys().take(surplus).copied().collect()
        });
        for id in old {
            self.change(Mutation::DropReceipt(mailbox, id));
        }
        self.end(mailbox, id, EndedHow::Read);
    }

    /// A delivery is gone, and its message with the last of them.
    pub(super) fn end(&mut self, mailbox: MailboxId, id: MessageId, how: EndedHow) {
        let Some(message) = self.state.messages.get(&id).map(|m| m.row.clone()) else { return };
        let (at, to) = (self.wall(), self.name_of(mailbox));
        self.presence.unlease(mailbox, id);
        self.change(Mutation::DropDelivery(mailbox, id));
        self.drop_if_undelivered(id);
        self.step.effects.push(Effect::Ended(Ended { at, to, message, how }));
        self.touched.insert(mailbox);
        self.drop_if_unclaimed(mailbox);
    }

    pub(super) fn drop_if_undelivered(&mut self, id: MessageId) {
        if self.state.messages.get(&id).is_some_and(|m| m.deliveries == 0) {
            self.change(Mutation::DropMessage(id));
        }
    }

    /// Moves all mail from one mailbox into another and drops the first; names follow.
    pub(super) fn merge(&mut self, from: MailboxId, into: MailboxId) {
        let Some(mailbox) = self.state.mailboxes.get(&from) else { return };
        let rows: Vec<(MessageId, DeliveryRow)> =
            mailbox.unsettled.iter().chain(&mailbox.dead).map(|(id, row)| (*id, row.clone())).collect();
        let receipts: Vec<(MessageId, ReceiptRow)> =
            mailbox.receipts.iter().map(|(id, row)| (*id, *row)).collect();
        let keys: Vec<(String, KeyRow)> =
            mailbox.keys.iter().map(|(key, row)| (key.clone(), row.clone())).collect();
        for (id, row) in rows {
            // A broadcast that waits in both stays as it is there, even if it died here.
            let there = self.state.mailboxes.get(&into).and_then(|m| m.unsettled.get(&id)).cloned();
            let row = match there {
                Some(there) => DeliveryRow { redelivered: row.redelivered || there.redelivered, ..there },
                None => row,
            };
            self.change(Mutation::PutDelivery(into, id, row));
            self.change(Mutation::DropDelivery(from, id));
        }
        for (id, row) in receipts {
            self.change(Mutation::PutReceipt(into, id, row));
        }
        for (key, row) in keys {
            self.change(Mutation::PutKey(into, key, row));
        }
        let names: Vec<_> = self.state.names.iter().filter(|(_, row)| row.mailbox == from).collect();
        let names: Vec<_> = names.into_iter().map(|(key, row)| (key.clone(), *row)).collect();
        for (key, row) in names {
            self.change(Mutation::PutName(key, NameRow { mailbox: into, ..row }));
        }
        self.remember_merged(from, into);
        self.presence.move_leases(from, into);
        self.waiters.move_mailbox(from, into);
        self.drop_mailbox(from);
        self.touched.insert(into);
    }

    /// What was sent by, or to, the mailbox `from` is about `into` from now on.
    fn remember_merged(&mut self, from: MailboxId, into: MailboxId) {
        let row = |id| self.state.mailboxes.get(&id).map(|m| m.row.clone());
        let (Some(gone), Some(kept)) = (row(from), row(into)) else { return };
        if gone.holder.as_ref().is_some_and(|h| !h.used) {
            return;
        }
        let mut merged: Vec<MailboxId> = [&kept.merged[..], &gone.merged[..], &[from]].concat();
        merged.drain(..merged.len().saturating_sub(MERGED_MAX));
        self.change(Mutation::PutMailbox(into, Arc::new(MailboxRow { merged, ..MailboxRow::clone(&kept) })));
    }

    /// The mailbox with this number, or the one that it was merged into.
    pub(super) fn surviving(&self, mailbox: MailboxId) -> Option<MailboxId> {
        if self.state.mailboxes.contains_key(&mailbox) {
            return Some(mailbox);
        }
        self.state.mailboxes.iter().find(|(_, m)| m.row.merged.contains(&mailbox)).map(|(id, _)| *id)
    }

    /// The mailbox goes, with all its rows and every name that points at it.
    pub(super) fn drop_mailbox(&mut self, mailbox: MailboxId) {
        let Some(gone) = self.state.mailboxes.get(&mailbox) else { return };
        let keys: Vec<String> = gone.keys.keys().cloned().collect();
        let receipts: Vec<MessageId> = gone.receipts.keys().copied().collect();
        for key in keys {
            self.change(Mutation::DropKey(mailbox, key));
        }
        for id in receipts {
            self.change(Mutation::DropReceipt(mailbox, id));
        }
        let names: Vec<_> = self.state.names.iter().filter(|(_, row)| row.mailbox == mailbox).collect();
        let names: Vec<_> = names.into_iter().map(|(key, _)| key.clone()).collect();
        for key in names {
            self.change(Mutation::DropName(key));
        }
        self.presence.let_go(mailbox);
        self.quota.forget(mailbox);
        self.bells.forget(mailbox);
        self.change(Mutation::DropMailbox(mailbox));
    }

    /// A name that nobody ever held lives as long as its mail.
    pub(super) fn drop_if_unclaimed(&mut self, mailbox: MailboxId) {
        let unclaimed = |m: &super::state::Mailbox| m.row.holder.is_none() && m.is_empty();
        if self.state.mailboxes.get(&mailbox).is_some_and(unclaimed) {
            self.drop_mailbox(mailbox);
        }
    }

    /// Changes what is known of a mailbox's holder.
    pub(super) fn update_holder(&mut self, mailbox: MailboxId, change: impl FnOnce(&mut Holder)) {
        let Some(before) = self.state.mailboxes.get(&mailbox).map(|m| m.row.clone()) else { return };
        let mut row = MailboxRow::clone(&before);
        if let Some(holder) = row.holder.as_mut() {
            change(holder);
        }
        if row != *before {
            self.change(Mutation::PutMailbox(mailbox, Arc::new(row)));
        }
    }

    pub(super) fn mark_used(&mut self, mailbox: MailboxId) {
        if self.holder_of(mailbox).is_some_and(|h| !h.used) {
            self.update_holder(mailbox, |h| h.used = true);
        }
    }

    pub(super) fn seen(&mut self, mailbox: MailboxId) {
        let now = self.wall();
        self.update_holder(mailbox, |h| h.last_seen = now);
    }
}

fn receipt(message: &MessageRow) -> ReceiptRow {
    ReceiptRow {
        from_mailbox: message.from_mailbox,
        thread: message.thread.unwrap_or(message.id),
        hops: message.hops,
        chain_at: message.chain_at,
    }
}
