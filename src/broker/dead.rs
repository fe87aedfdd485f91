//! Dead letters: mail that could not be read. It waits for a person, who puts it back or forgets it.

use super::mutation::{DeliveryRow, MailboxId, Mutation};
use super::presence::Speaker;
use super::status::keep_within;
use super::{Broker, EndedHow, SessionId};
use crate::protocol::message::MessageId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response::{DeadInfo, DeadListed, Response, Settled};

impl Broker {
    /// All dead letters that the caller may see and that fit into an answer, oldest death first, without
    /// their texts.
    pub(super) fn dead_list(&self, session: SessionId) -> Result<Response, Refusal> {
        let letters = self.dead_seen_by(session)?;
        let mut dead: Vec<DeadInfo> =
            letters.into_iter().filter_map(|(mailbox, id)| self.dead_info(mailbox, id)).collect();
        // Sorting keeps the order of equals.
        let omitted = keep_within(self.limits.list_bytes, &mut dead, |info| info.died_at);
        Ok(Response::DeadListed(DeadListed { dead, omitted }))
    }

    /// One dead letter, whole.
    pub(super) fn dead_show(&self, session: SessionId, id: MessageId) -> Result<Response, Refusal> {
        let found = dead_named(self.dead_seen_by(session)?, Some(&[id]))?;
        let dead = found.into_iter().filter_map(|(mailbox, id)| {
            let mut info = self.dead_info(mailbox, id)?;
            let row = &self.state.messages.get(&id)?.row;
            info.message.content = Some(row.content.clone());
            info.message.data = row.data.clone();
            Some(info)
        });
        Ok(Response::DeadListed(DeadListed { dead: dead.collect(), omitted: 0 }))
    }

    /// Back into the mailboxes, with all tries given back and no end.
    pub(super) fn dead_requeue(
        &mut self,
        session: SessionId,
        ids: Option<&[MessageId]>,
    ) -> Result<Response, Refusal> {
        self.person(session, "put dead letters back")?;
        let letters = dead_named(self.dead_seen_by(session)?, ids)?;
        for (mailbox, id) in &letters {
            self.revive(*mailbox, *id);
        }
        Ok(Response::Settled(Settled { settled: letters.len() as u64, unread: 0 }))
    }

    pub(super) fn dead_purge(
        &mut self,
        session: SessionId,
        ids: Option<&[MessageId]>,
    ) -> Result<Response, Refusal> {
        self.person(session, "purge dead letters")?;
        let letters = dead_named(self.dead_seen_by(session)?, ids)?;
        for (mailbox, id) in &letters {
            self.end(*mailbox, *id, EndedHow::Purged);
        }
        Ok(Response::Settled(Settled { settled: letters.len() as u64, unread: 0 }))
    }

    fn revive(&mut self, mailbox: MailboxId, id: MessageId) {
        let row = DeliveryRow { tries: 0, redelivered: true, requeued: true, dead: None };
        self.change(Mutation::PutDelivery(mailbox, id, row));
        self.touched.insert(mailbox);
    }

    fn dead_info(&self, mailbox: MailboxId, id: MessageId) -> Option<DeadInfo> {
        let dead = self.state.mailboxes.get(&mailbox)?.dead.get(&id)?.dead?;
        let size_bytes = self.state.messages.get(&id)?.row.size() as u64;
        Some(DeadInfo {
            reason: dead.reason,
            died_at: dead.at,
            size_bytes,
            message: self.header(mailbox, id)?,
        })
    }

    /// A person sees all of them, an agent those of its own mailbox: another's mail is not for it, dead or not.
    fn dead_seen_by(&self, session: SessionId) -> Result<Vec<Letter>, Refusal> {
        let speaker = self.speaker(session)?;
        let all = self.state.dead.iter().map(|(_, mailbox, id)| (*mailbox, *id));
        Ok(all
            .filter(|(of, _)| matches!(speaker, Speaker::User) || speaker == Speaker::Instance(*of))
            .collect())
    }
}

type Letter = (MailboxId, MessageId);

/// Those among `ids`, or all; an id that is none of them refuses the call.
fn dead_named(letters: Vec<Letter>, ids: Option<&[MessageId]>) -> Result<Vec<Letter>, Refusal> {
    let Some(ids) = ids else { return Ok(letters) };
    let found: Vec<_> = letters.into_iter().filter(|(_, id)| ids.contains(id)).collect();
    match ids.iter().find(|id| !found.iter().any(|(_, known)| known == *id)) {
        Some(id) => Err(Refusal::new(RefusalCode::UnknownMessage, format!("message {id} is no dead letter"))
            .hint("`ipcd dead list` shows them")),
        None => Ok(found),
    }
}
