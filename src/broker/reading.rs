//! `check`, `ack` and `nack`: handing mail out and taking it off.

use super::mutation::MailboxId;
use super::quota::Chain;
use super::waiters::{Purpose, Waiter};
use super::{Broker, Copy, Effect, SessionId};
use crate::planted::{Bug, planted};
use crate::protocol::message::{Mail, MessageId};
use crate::protocol::refusal::Refusal;
use crate::protocol::request::Check;
use crate::protocol::response::{Checked, Response, Settled};
use crate::protocol::wire::CallId;

impl Broker {
    pub(super) fn check(&mut self, session: SessionId, call: &CallId, check: &Check) -> Result<(), Refusal> {
        let mailbox = self.speaking_mailbox(session, check.from.as_deref())?;
        if let Some(id) = check.id {
            return self.read_piece(session, call, mailbox, id, check.offset);
        }
        let limit = check.limit.unwrap_or(self.limits.check_messages).clamp(1, self.limits.check_messages);
        if check.peek {
            self.answer_mail(session, call.clone(), mailbox, limit, None, 0.0);
            return Ok(());
        }
        if self.ready(mailbox).next().is_none() && check.wait_ms > 0 {
            let wait = std::time::Duration::from_millis(check.wait_ms).min(self.limits.wait);
            let since = self.now.tick;
            self.waiters.park(Waiter {
                session,
                call: call.clone(),
                mailbox,
                purpose: Purpose::Mail { limit },
                since,
                deadline: since.plus(wait),
            });
            return Ok(());
        }
        self.answer_mail(session, call.clone(), mailbox, limit, Some(session), 0.0);
        Ok(())
    }

    pub(super) fn ack(&mut self, session: SessionId, ids: Option<&[MessageId]>) -> Result<Response, Refusal> {
        let leases = self.leases_named(session, ids);
        for (mailbox, id) in &leases {
            self.settle_delivery(*mailbox, *id);
        }
        self.settled(session, leases.len())
    }

    pub(super) fn nack(
        &mut self,
        session: SessionId,
        ids: Option<&[MessageId]>,
    ) -> Result<Response, Refusal> {
        let leases = self.leases_named(session, ids);
        for (mailbox, id) in &leases {
            self.return_lease(*mailbox, *id, true);
        }
        self.settled(session, leases.len())
    }

    /// Mail came, or a waiter's time is over: it gets what is there (a notice does not end a wait).
    pub(super) fn answer_waiter(&mut self, waiter: Waiter) {
        let waited = self.now.tick.since(waiter.since).as_secs_f64();
        let session = waiter.session;
        match waiter.purpose {
            Purpose::Mail { limit } => {
                self.answer_mail(session, waiter.call, waiter.mailbox, limit, Some(session), waited);
            }
            Purpose::Bell(_) => self.answer_bell(waiter),
        }
    }

    /// Whoever waits for this mailbox's mail may not have it any more.
    pub(super) fn end_waits(&mut self, mailbox: MailboxId) {
        for waiter in self.waiters.take_mailbox(mailbox) {
            if let Purpose::Bell(_) = waiter.purpose {
                self.dismiss(waiter);
                continue;
            }
            let waited_seconds = self.now.tick.since(waiter.since).as_secs_f64();
            let unread = self.unread(mailbox);
            let answer = Checked { messages: Vec::new(), remaining: unread, waited_seconds, unread };
            self.reply(waiter.session, waiter.call, Ok(Response::Checked(answer)));
        }
    }

    /// Answers with what is ready: leased to `lease_to`, or only looked at.
    fn answer_mail(
        &mut self,
        session: SessionId,
        call: CallId,
        mailbox: MailboxId,
        limit: usize,
        lease_to: Option<SessionId>,
        waited_seconds: f64,
    ) {
        let mut messages: Vec<Mail> = Vec::new();
        let mut copies: Vec<Copy> = Vec::new();
        let mut bytes = 0;
        let waiting: Vec<MessageId> = self.ready(mailbox).collect();
        for id in waiting.iter().take(limit) {
            let Some((mail, copy)) = self.view(mailbox, *id, lease_to.is_none()) else { continue };
            bytes += inline_bytes(&mail);
            if bytes > self.limits.check_bytes && !messages.is_empty() {
                break;
            }
            messages.push(mail);
            copies.extend(copy);
        }
        if let Some(reader) = lease_to {
            for mail in &messages {
                self.lease(mailbox, mail.id, reader);
                if planted(Bug::DeleteAtRead) {
                    self.settle_delivery(mailbox, mail.id);
                }
            }
            self.hear(mailbox, &messages);
        }
        let answer = Checked {
            remaining: (waiting.len() - messages.len()) as u64,
            messages,
            waited_seconds,
            unread: self.unread(mailbox),
        };
        self.reply_with_copies(session, call, Ok(Response::Checked(answer)), copies);
    }

    /// Remembers the longest conversation among what was handed out.
    fn hear(&mut self, mailbox: MailboxId, messages: &[Mail]) {
        let chains = messages.iter().filter_map(|mail| {
            let row = &self.state.messages.get(&mail.id)?.row;
            row.from_mailbox.map(|_| Chain { hops: row.hops, began: row.chain_at })
        });
        if let Some(chain) = chains.max_by_key(|chain| chain.hops) {
            self.quota.heard(self.now.tick, mailbox, chain);
        }
    }

    /// One message alone, in pieces when it is large: from memory while it is unsettled, else from its
    /// copy.
    fn read_piece(
        &mut self,
        session: SessionId,
        call: &CallId,
        mailbox: MailboxId,
        id: MessageId,
        offset: u64,
    ) -> Result<(), Refusal> {
        let unread = self.unread(mailbox);
        let unsettled = self.state.mailboxes.get(&mailbox).is_some_and(|m| m.unsettled.contains_key(&id));
        if !unsettled {
            let call = call.clone();
            self.step.effects.push(Effect::ReadCopy { session, call, mailbox, id, offset, unread });
            return Ok(());
        }
        let mail = self.piece(mailbox, id, offset)?;
        let answer = Checked { messages: vec![mail], remaining: unread, waited_seconds: 0.0, unread };
        self.reply(session, call.clone(), Ok(Response::Checked(answer)));
        Ok(())
    }

    /// Those of this session's leases that are among `ids`.
    fn leases_named(&self, session: SessionId, ids: Option<&[MessageId]>) -> Vec<(MailboxId, MessageId)> {
        let mut leases = self.presence.leases_of(session);
        if let Some(ids) = ids {
            leases.retain(|(_, id)| ids.contains(id));
        }
        leases
    }

    fn settled(&self, session: SessionId, count: usize) -> Result<Response, Refusal> {
        let unread = self.own(session).map_or(0, |mailbox| self.unread(mailbox));
        Ok(Response::Settled(Settled { settled: count as u64, unread }))
    }
}

/// What a message takes of an answer, roughly: its texts and the facts around them.
fn inline_bytes(mail: &Mail) -> usize {
    const FACTS: usize = 400;
    let content = mail.content.as_ref().map_or(0, |c| c.0.len());
    let data = mail.data.as_ref().map_or(0, |d| d.get().len());
    FACTS + content + data + mail.summary.as_ref().map_or(0, String::len)
}
