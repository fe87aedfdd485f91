//! Names whose holder may be gone. The broker cannot ask the kernel; it says whom to ask about, and
//! only where the answer matters to what is about to be decided.

use super::mutation::MailboxId;
use super::state::Mailbox;
use super::{Broker, Input, SessionId};
use crate::protocol::hello::Role;
use crate::protocol::name::Name;
use crate::protocol::peer::ProcessId;
use crate::protocol::request::Request;

impl Broker {
    /// Processes that hold a name and may be gone, as far as `input` depends on them. Whoever
    /// drives the broker asks the kernel and reports those that are gone as [`Input::Departed`] before
    /// it hands in `input`: so a name is free as soon as its process is gone, and no timer is needed.
    pub fn doubtful(&self, input: &Input) -> Vec<(MailboxId, ProcessId)> {
        let Input::Call { session, request, .. } = input else { return Vec::new() };
        let mut doubtful = self.doubtful_above(*session);
        let more = match request {
            // A name that somebody holds by a connection is in doubt too: a process that died may not
            // have been heard to hang up yet.
            Request::Register(r) => self.doubtful_holders(*session, r.name.as_deref()),
            Request::Send(r) if !r.to.is_empty() => self.doubtful_names(&r.to),
            Request::Send(_)
            | Request::Broadcast(_)
            | Request::List(_)
            | Request::Status(_)
            | Request::Rename(_)
            | Request::Release(_) => self.doubtful_all(),
            _ => Vec::new(),
        };
        doubtful.extend(more);
        doubtful
    }

    /// Agents for which a command would speak, if their front ends still run.
    fn doubtful_above(&self, session: SessionId) -> Vec<(MailboxId, ProcessId)> {
        let Some(session) = self.presence.sessions().get(&session).filter(|s| s.hello.role == Role::Cli)
        else {
            return Vec::new();
        };
        let above = |host: &ProcessId| session.peer.ancestors.iter().any(|a| a.process == *host);
        let hosted = |m: &Mailbox| m.row.holder.as_ref().and_then(|h| h.host.as_ref()).is_some_and(above);
        let mailboxes = self.state.mailboxes.iter().filter(|(_, m)| hosted(m));
        mailboxes.filter_map(|(mailbox, _)| self.doubt(*mailbox)).collect()
    }

    /// All processes that hold a name without a connection, or for whose front end one is kept.
    pub fn doubtful_all(&self) -> Vec<(MailboxId, ProcessId)> {
        let holders = self.state.mailboxes.keys().filter_map(|mailbox| self.doubt(*mailbox));
        holders.chain(self.doubtful_agents()).collect()
    }

    /// Agents whose front end died without a word: while they run, its name waits for the next one.
    fn doubtful_agents(&self) -> impl Iterator<Item = (MailboxId, ProcessId)> + '_ {
        self.state.mailboxes.iter().filter_map(|(mailbox, m)| {
            let holder = m.row.holder.as_ref().filter(|holder| holder.process.is_none())?;
            Some((*mailbox, holder.host.clone()?))
        })
    }

    /// Processes other than the caller's that hold this name, or any.
    fn doubtful_holders(&self, session: SessionId, name: Option<&str>) -> Vec<(MailboxId, ProcessId)> {
        let wanted =
            name.and_then(|name| Name::parse(name).ok()).and_then(|n| self.state.names.get(&n.key()));
        let mailboxes = self.state.mailboxes.keys().filter(|mailbox| match name {
            Some(_) => wanted.is_some_and(|row| row.mailbox == **mailbox),
            None => true,
        });
        let others = mailboxes.filter(|mailbox| self.presence.holder(**mailbox) != Some(session));
        let holders =
            others.filter_map(|mailbox| Some((*mailbox, self.holder_of(*mailbox)?.process.clone()?)));
        // Only who asks for any name depends on them.
        let agents = name.is_none().then(|| self.doubtful_agents());
        holders.chain(agents.into_iter().flatten()).collect()
    }

    fn doubtful_names(&self, written: &[String]) -> Vec<(MailboxId, ProcessId)> {
        let names =
            written.iter().flat_map(|w| w.split(',')).filter_map(|name| Name::parse(name.trim()).ok());
        let rows = names.filter_map(|name| self.state.names.get(&name.key()));
        rows.filter_map(|row| self.doubt(row.mailbox)).collect()
    }

    fn doubt(&self, mailbox: MailboxId) -> Option<(MailboxId, ProcessId)> {
        let process = self.holder_of(mailbox)?.process.clone()?;
        self.presence.holder(mailbox).is_none().then_some((mailbox, process))
    }
}
