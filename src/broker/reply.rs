//! Replies: whose mailbox an answer goes to, and which conversation it continues.

use super::mutation::MailboxId;
use super::quota::Chain;
use super::{Broker, SessionId};
use crate::protocol::hello::Role;
use crate::protocol::message::MessageId;
use crate::protocol::refusal::{Refusal, RefusalCode};

/// What a message continues.
pub(super) struct Reply {
    /// Whom it goes to when no recipient is named.
    pub mailbox: Option<MailboxId>,
    pub thread: MessageId,
    pub chain: Option<Chain>,
}

impl Broker {
    /// A prompt hook's word: a person spoke to the agent above, and what the agent writes next is no
    /// more part of a conversation that only agents keep alive. A front end's own word for it is not taken.
    pub(super) fn prompted(&mut self, hook: SessionId, agent: MailboxId) {
        if self.presence.sessions().get(&hook).is_some_and(|s| s.hello.role == Role::Cli) {
            self.quota.prompted(self.wall(), agent);
        }
    }

    /// The message that is replied to: the one named, or, with no recipient at all, the last one read.
    pub(super) fn replied_to(
        &self,
        from: MailboxId,
        reply_to: Option<MessageId>,
        needed: bool,
    ) -> Result<Option<Reply>, Refusal> {
        let Some(mailbox) = self.state.mailboxes.get(&from) else { return Ok(None) };
        let id = match reply_to {
            Some(id) => id,
            None if !needed => return Ok(None),
            None => self.last_heard(from).ok_or_else(|| {
                Refusal::invalid_argument("no recipient: `to_id` is absent and you read no mail yet")
                    .hint("give `to_id`, or `reply_to` with a message id")
            })?,
        };
        let held = mailbox.unsettled.contains_key(&id).then(|| self.state.messages.get(&id)).flatten();
        let (sender, thread, chain) = match (held, mailbox.receipts.get(&id)) {
            (Some(m), _) => (
                m.row.from_mailbox,
                m.row.thread.unwrap_or(id),
                Chain { hops: m.row.hops, began: m.row.chain_at },
            ),
            (None, Some(r)) => (r.from_mailbox, r.thread, Chain { hops: r.hops, began: r.chain_at }),
            (None, None) => {
                return Err(Refusal::new(
                    RefusalCode::UnknownMessage,
                    format!("you have no message {id} to reply to"),
                )
                .hint("give `to_id` instead"));
            }
        };
        let sender = sender.and_then(|m| self.surviving(m));
        if needed && sender.is_none() {
            return Err(Refusal::invalid_argument(format!(
                "nobody can answer message {id}: its sender is the daemon, or gone"
            ))
            .hint("give `to_id` instead"));
        }
        Ok(Some(Reply { mailbox: sender, thread, chain: reply_to.is_some().then_some(chain) }))
    }

    /// The last message of another instance that this one was handed.
    fn last_heard(&self, reader: MailboxId) -> Option<MessageId> {
        let mailbox = self.state.mailboxes.get(&reader)?;
        let leased = mailbox.unsettled.keys().rev().find(|id| {
            let from_peer = self.state.messages.get(id).is_some_and(|m| m.row.from_mailbox.is_some());
            from_peer && self.presence.leased_to(reader, **id).is_some()
        });
        let read = mailbox.receipts.iter().rev().find(|(_, r)| r.from_mailbox.is_some()).map(|(id, _)| id);
        leased.max(read).copied()
    }
}
