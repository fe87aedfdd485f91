//! What a sender is told: where its message is, and who is there to read it.

use super::Broker;
use super::mutation::{KeyOutcome, MailboxId};
use crate::protocol::name::Name;
use crate::protocol::refusal::Refusal;
use crate::protocol::response::{
    Broadcasted, Failure, Presence as Standing, Recipient, Refused, Response, SendOutcome, Sent, SentMany,
};

impl Broker {
    /// The answer of a send, with each recipient's state as it is now.
    pub(super) fn report(
        &self,
        from: MailboxId,
        outcomes: &[KeyOutcome],
        many: bool,
        repeated: bool,
    ) -> Result<Response, Refusal> {
        let unread = self.unread(from);
        if !many && let [KeyOutcome::Refused { refusal, .. }] = outcomes {
            return Err(refusal.clone());
        }
        let mut results: Vec<SendOutcome> = outcomes
            .iter()
            .map(|outcome| match outcome {
                KeyOutcome::Refused { to, refusal } => {
                    SendOutcome::Refused { to: to.clone(), error: Failure::from(refusal) }
                }
                KeyOutcome::Sent { id, mailbox, to, forwarded_from } => SendOutcome::Sent(Sent {
                    id: *id,
                    to: to.clone(),
                    forwarded_from: forwarded_from.clone(),
                    stored: true,
                    repeated,
                    recipient: self.recipient(self.surviving(*mailbox).unwrap_or(*mailbox)),
                    unread,
                }),
            })
            .collect();
        match results.pop() {
            Some(SendOutcome::Sent(sent)) if !many => Ok(Response::Sent(sent)),
            last => {
                results.extend(last);
                Ok(Response::SentMany(SentMany { results, unread }))
            }
        }
    }

    fn recipient(&self, mailbox: MailboxId) -> Recipient {
        let state = match self.holder_of(mailbox) {
            None => Standing::Unregistered,
            Some(_) if self.is_live(mailbox) => Standing::Live,
            Some(_) => Standing::Offline,
        };
        Recipient {
            state,
            unread: self.unread(mailbox),
            oldest_seconds: self.oldest_seconds(mailbox),
            wakes: self.wakes(mailbox),
        }
    }

    pub(super) fn broadcasted(&self, from: MailboxId, outcomes: &[KeyOutcome]) -> Response {
        let mut answer =
            Broadcasted { id: None, delivered: Vec::new(), refused: Vec::new(), unread: self.unread(from) };
        for outcome in outcomes {
            match outcome {
                KeyOutcome::Sent { id, to, .. } => {
                    answer.id = Some(*id);
                    answer.delivered.push(to.clone());
                }
                KeyOutcome::Refused { to, refusal } => {
                    if let Ok(name) = Name::parse(to) {
                        answer.refused.push(Refused { name, code: refusal.code });
                    }
                }
            }
        }
        Response::Broadcasted(answer)
    }
}
