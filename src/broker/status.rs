//! What there is to see: instances, forwards, waiting mail, limits that were reached.

use super::mutation::{Holder, MailboxId};
use super::presence::Speaker;
use super::{Broker, SessionId};
use crate::protocol::refusal::Refusal;
use crate::protocol::response::{
    Forward, Instance, LimitReached, Listed, Presence, Response, Status, Unclaimed,
};

impl Broker {
    pub(super) fn list(&self, session: SessionId) -> Result<Response, Refusal> {
        let you = self.own(session);
        let unread = you.map_or(0, |mailbox| self.unread(mailbox));
        Ok(Response::Listed(Listed { instances: self.instances(you), unread }))
    }

    pub(super) fn status(&self, session: SessionId) -> Result<Response, Refusal> {
        let you = self.own(session);
        let unclaimed = self.state.mailboxes.iter().filter(|(_, m)| m.row.holder.is_none());
        let forwards = self.state.names.iter().filter_map(|(key, row)| {
            let from = crate::protocol::name::Name::parse(key.as_str()).ok()?;
            let until = row.forward_until.filter(|until| *until > self.wall())?;
            Some(Forward { from, to: self.name_of(row.mailbox), until })
        });
        Ok(Response::Status(Box::new(Status {
            you: you.map(|mailbox| self.name_of(mailbox)),
            unread: you.map_or(0, |mailbox| self.unread(mailbox)),
            instances: self.instances(you),
            unclaimed: unclaimed
                .map(|(id, m)| Unclaimed {
                    name: m.row.name.clone(),
                    unread: self.unread(*id),
                    oldest_seconds: self.oldest_seconds(*id),
                })
                .collect(),
            forwards: forwards.collect(),
            dead_letters: self.state.dead.len() as u64,
            backlog_messages: self.state.messages.len() as u64,
            backlog_bytes: self.state.bytes as u64,
            sessions: self.sessions() as u64,
            limits_reached: self.quota.reached().map(|(code, times)| LimitReached { code, times }).collect(),
            daemon: None,
        })))
    }

    /// The mailbox of whoever asks, if there is one.
    pub(super) fn own(&self, session: SessionId) -> Option<MailboxId> {
        match self.speaker(session) {
            Ok(Speaker::Instance(mailbox)) => Some(mailbox),
            Ok(Speaker::User) => {
                self.state.names.get(&crate::protocol::name::Name::user().key()).map(|row| row.mailbox)
            }
            Err(_) => None,
        }
    }

    /// Every instance that ever registered, by name.
    fn instances(&self, you: Option<MailboxId>) -> Vec<Instance> {
        let mut instances: Vec<Instance> = self
            .state
            .mailboxes
            .iter()
            .filter(|(id, _)| !self.is_user(**id))
            .filter_map(|(id, m)| Some(self.instance(*id, m.row.holder.as_ref()?, you)))
            .collect();
        instances.sort_by_key(|instance| instance.name.key());
        instances
    }

    fn instance(&self, mailbox: MailboxId, holder: &Holder, you: Option<MailboxId>) -> Instance {
        let live = self.is_live(mailbox);
        Instance {
            name: self.name_of(mailbox),
            state: if live { Presence::Live } else { Presence::Offline },
            client: holder.client.clone(),
            cwd: holder.folder.clone(),
            pid: holder.process.as_ref().map(|p| p.pid),
            since: holder.since,
            last_seen: if live { self.wall() } else { holder.last_seen },
            unread: self.unread(mailbox),
            oldest_seconds: self.oldest_seconds(mailbox),
            wakes: self.wakes(mailbox),
            you: you == Some(mailbox),
        }
    }
}
