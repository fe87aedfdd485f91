//! What there is to see: instances, forwards, waiting mail, limits that were reached.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::mutation::{Holder, MailboxId};
use super::presence::Speaker;
use super::{Broker, SessionId};
use crate::protocol::refusal::Refusal;
use crate::protocol::response::{
    ClientProgram, Forward, Instance, LimitReached, Listed, Presence, Response, Status, Unclaimed,
};

/// Programs in a status. A client says itself what it is, and a list must have an end; more versions than
/// these are on no honest machine.
const CLIENT_PROGRAMS_MAX: usize = 16;

impl Broker {
    pub(super) fn list(&self, session: SessionId) -> Result<Response, Refusal> {
        let you = self.own(session);
        let unread = you.map_or(0, |mailbox| self.unread(mailbox));
        let (instances, omitted) = self.instances(you);
        Ok(Response::Listed(Listed { instances, omitted, unread }))
    }

    pub(super) fn status(&self, session: SessionId) -> Result<Response, Refusal> {
        let you = self.own(session);
        let unclaimed = self.state.mailboxes.iter().filter(|(_, m)| m.row.holder.is_none());
        let (instances, omitted) = self.instances(you);
        let forwards = self.state.names.iter().filter_map(|(key, row)| {
            let from = crate::protocol::name::Name::parse(key.as_str()).ok()?;
            let until = row.forward_until.filter(|until| *until > self.wall())?;
            Some(Forward { from, to: self.name_of(row.mailbox), until })
        });
        Ok(Response::Status(Box::new(Status {
            you: you.map(|mailbox| self.name_of(mailbox)),
            unread: you.map_or(0, |mailbox| self.unread(mailbox)),
            instances,
            omitted,
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
            clients: self.clients(),
            limits_reached: self.quota.reached().map(|(code, times)| LimitReached { code, times }).collect(),
            daemon: None,
        })))
    }

    /// Which versions of which programs are connected, most sessions first.
    fn clients(&self) -> Vec<ClientProgram> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for session in self.presence.sessions().values() {
            *counts.entry(&session.hello.client).or_default() += 1;
        }
        let mut programs: Vec<ClientProgram> = counts
            .into_iter()
            .map(|(client, sessions)| ClientProgram { client: client.to_owned(), sessions })
            .collect();
        programs.sort_by_key(|program| Reverse(program.sessions));
        programs.truncate(CLIENT_PROGRAMS_MAX);
        programs
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

    /// Every instance that ever registered, by name, and how many more there are than an answer holds.
    fn instances(&self, you: Option<MailboxId>) -> (Vec<Instance>, u64) {
        let all = self.state.mailboxes.iter().filter(|(id, _)| !self.is_user(**id));
        let mut instances: Vec<Instance> =
            all.filter_map(|(id, m)| Some(self.instance(*id, m.row.holder.as_ref()?, you))).collect();
        // The caller, the living and those seen last are worth most.
        let rank = |i: &Instance| (!i.you, i.state != Presence::Live, Reverse(i.last_seen));
        let omitted = keep_within(self.limits.list_bytes, &mut instances, rank);
        instances.sort_by_key(|instance| instance.name.key());
        (instances, omitted)
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

/// Keeps those of `items` that come first in the order of `rank` and fit into `bytes` as JSON, all of them
/// as a rule; returns how many do not.
pub(super) fn keep_within<T: Serialize, R: Ord>(
    bytes: usize,
    items: &mut Vec<T>,
    rank: impl Fn(&T) -> R,
) -> u64 {
    let size = |item: &T| serde_json::to_vec(item).map_or(0, |json| json.len() + 1);
    let mut left = bytes;
    let all = items.len();
    items.sort_by_key(rank);
    let kept = items.iter().take_while(|item| {
        let fits = left.checked_sub(size(item));
        left = fits.unwrap_or_default();
        fits.is_some()
    });
    let kept = kept.count();
    items.truncate(kept);
    (all - kept) as u64
}
