//! `register`: who may have which name, and what becomes of the name and the mail it had before.

use std::sync::Arc;

use super::directory::holder_words;
use super::mutation::{Holder, MailboxId, MailboxRow, Mutation, NameRow};
use super::presence::Speaker;
use super::{Broker, SessionId};
use crate::protocol::hello::Role;
use crate::protocol::message::MessageId;
use crate::protocol::name::Name;
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Register;
use crate::protocol::response::{Registered, Response};

/// Live peers named in the answer of `register`: enough to begin with, `list` has them all.
const PEERS_SHOWN: usize = 50;

/// Who wants a name.
struct Claimant {
    session: SessionId,
    /// The process that the name will belong to.
    process: Option<ProcessId>,
    /// The agent above a front end.
    host: Option<ProcessId>,
    /// The mailbox it has now.
    current: Option<MailboxId>,
    /// A front end holds its name by its connection too; a shell does not.
    by_connection: bool,
    client: Option<String>,
    client_session: Option<String>,
    folder: Option<String>,
}

impl Broker {
    pub(super) fn register(&mut self, session: SessionId, r: &Register) -> Result<Response, Refusal> {
        let claimant = self.claimant(session)?;
        let (name, auto) = match &r.name {
            Some(text) => (Name::parse(text)?, r.auto),
            None => (self.auto_name(&claimant), true),
        };
        if name.is_reserved() {
            return Err(Refusal::new(RefusalCode::NameReserved, format!("nobody can be called `{name}`"))
                .hint("choose another name"));
        }
        let (name, found) = match self.resolve(&name.key()) {
            Some(row) if self.renamed_meanwhile(row, &claimant) => {
                (self.name_of(row.mailbox), Some(NameRow { forward_until: None, ..row }))
            }
            found => (name, found),
        };
        let current_auto = claimant.current.and_then(|m| self.holder_of(m)).is_some_and(|h| h.auto);
        let (mailbox, last) = match found {
            // Its own name again; an old one of its that forwards is as good as free.
            Some(row) if Some(row.mailbox) == claimant.current => {
                (row.forward_until.is_none().then_some(row.mailbox), None)
            }
            Some(row) => (Some(row.mailbox), self.check_free(row, &name, &claimant)?),
            None => (None, None),
        };
        let resumed = mailbox.is_some_and(|m| self.holder_of(m).is_some());
        let mailbox = self.settle_claim(&claimant, &name, mailbox, current_auto)?;
        let auto = auto && self.holder_of(mailbox).is_none_or(|h| h.auto);
        self.take(&claimant, &name, mailbox, auto);
        if r.name.as_ref().is_some_and(|asked| *asked != name.as_str()) {
            self.tell_name(mailbox);
        }
        let held = self.take_held(session, mailbox, &r.held);
        self.sound_alarm(mailbox);
        Ok(Response::Registered(Registered {
            name: self.name_of(mailbox),
            resumed,
            last_holder: last,
            unread: self.unread(mailbox),
            peers: self.live_peers(mailbox),
            held,
        }))
    }

    fn claimant(&self, session: SessionId) -> Result<Claimant, Refusal> {
        let Some(s) = self.presence.sessions().get(&session) else {
            return Err(Refusal::new(RefusalCode::NotRegistered, "no such session"));
        };
        let (process, host, current) = match s.hello.role {
            Role::Mcp => (s.peer.process.clone(), s.peer.host().cloned(), s.mailbox),
            Role::Cli => {
                let (process, current) = self.shell(session)?;
                (Some(process), None, current)
            }
        };
        Ok(Claimant {
            session,
            process,
            host,
            current,
            by_connection: s.hello.role == Role::Mcp,
            client: s.hello.program.clone().or_else(|| Some(s.hello.client.clone())),
            client_session: s.hello.program_session.clone(),
            folder: s.peer.cwd.clone(),
        })
    }

    /// The shell above a command, and the mailbox that this very shell registered before.
    fn shell(&self, session: SessionId) -> Result<(ProcessId, Option<MailboxId>), Refusal> {
        let speaks_for = match self.speaker(session)? {
            Speaker::User => None,
            Speaker::Instance(mailbox) if self.is_agent(mailbox) => {
                let name = self.name_of(mailbox);
                return Err(Refusal::invalid_argument(format!(
                    "this shell already speaks as the agent `{name}`"
                ))
                .hint("use `ipcd rename` to change the agent's name"));
            }
            Speaker::Instance(mailbox) => Some(mailbox),
        };
        let host = self.presence.sessions().get(&session).and_then(|s| s.peer.host()).cloned();
        let Some(host) = host else {
            return Err(Refusal::invalid_argument("the shell above this command cannot be seen")
                .hint("run it from a shell of this machine and user"));
        };
        // A shell further up that registered keeps its name.
        let own = |m: &MailboxId| self.holder_of(*m).is_some_and(|h| h.process.as_ref() == Some(&host));
        let current = speaks_for.filter(own);
        Ok((host, current))
    }

    /// A front end holds the name, or will when it is back.
    fn is_agent(&self, mailbox: MailboxId) -> bool {
        self.presence.holder(mailbox).is_some() || self.holder_of(mailbox).is_some_and(|h| h.host.is_some())
    }

    /// A name for who gave none: the one it, or its like, held before in this folder; else a new one. Which
    /// agents are gone was reported before ([`Broker::doubtful`]).
    fn auto_name(&self, claimant: &Claimant) -> Name {
        if let Some(current) = claimant.current {
            return self.name_of(current);
        }
        let offline =
            self.state.mailboxes.iter().filter(|(id, _)| !self.is_live(**id) && !self.is_user(**id));
        let held: Vec<(&Name, &Holder)> =
            offline.filter_map(|(_, m)| Some((&m.row.name, m.row.holder.as_ref()?))).collect();
        let lowest = |wanted: &dyn Fn(&Holder) -> bool| {
            let fits = held.iter().filter(|(_, h)| wanted(h)).map(|(name, _)| *name);
            fits.min_by_key(|name| (name.as_str().len(), name.key())).cloned()
        };
        let same_session =
            lowest(&|h| claimant.client_session.is_some() && h.client_session == claimant.client_session);
        let like = |h: &Holder| {
            claimant.folder.is_some() && h.folder == claimant.folder && h.client == claimant.client
        };
        // Front ends of one folder that died together: each has its own agent above it still.
        let same_host = || lowest(&|h| like(h) && h.host.is_some() && h.host == claimant.host);
        // While its agent runs, a name waits for that agent's front end.
        let left = || lowest(&|h| like(h) && h.host.is_none());
        same_session.or_else(same_host).or_else(left).unwrap_or_else(|| {
            let folder = claimant.folder.as_deref().unwrap_or_default();
            let free = |name: &Name| {
                self.resolve(&name.key())
                    .is_none_or(|row| row.forward_until.is_none() && self.holder_of(row.mailbox).is_none())
            };
            let mut names = (1..).map(|number| Name::from_folder(folder, number));
            names.find(free).expect("some number is free: the names in use are finite")
        })
    }

    /// A process that is back on a new connection asks for the old name of its own mailbox: the rename
    /// was stored, and the connection ended before its front end heard of it.
    fn renamed_meanwhile(&self, row: NameRow, claimant: &Claimant) -> bool {
        let held = self.holder_of(row.mailbox).and_then(|h| h.process.as_ref());
        claimant.current.is_none()
            && row.forward_until.is_some()
            && held.is_some()
            && held == claimant.process.as_ref()
    }

    /// Whether a name that points at another's mailbox can be taken; says who held it last.
    fn check_free(&self, row: NameRow, name: &Name, claimant: &Claimant) -> Result<Option<String>, Refusal> {
        if let Some(until) = row.forward_until {
            let to = self.name_of(row.mailbox);
            return Err(Refusal::new(
                RefusalCode::NameReserved,
                format!("`{name}` is the old name of `{to}` and forwards to it until {until}"),
            )
            .hint("choose another name"));
        }
        let Some(holder) = self.holder_of(row.mailbox) else { return Ok(None) };
        let words = holder_words(holder);
        let same_process = claimant.process.is_some() && holder.process == claimant.process;
        if self.is_live(row.mailbox) && !same_process {
            return Err(Refusal::new(RefusalCode::NameTaken, format!("`{name}` is held by {words}"))
                .hint("choose another name; a person can free it with `ipcd release`"));
        }
        Ok((!same_process).then_some(words))
    }

    /// The mailbox that the claimant gets: its own under a new name, another's that is free, or a new one.
    fn settle_claim(
        &mut self,
        claimant: &Claimant,
        name: &Name,
        found: Option<MailboxId>,
        current_auto: bool,
    ) -> Result<MailboxId, Refusal> {
        let current = claimant.current.filter(|current| Some(*current) != found);
        let Some(current) = current.filter(|_| current_auto) else {
            let mailbox = found.map_or_else(|| self.new_mailbox(name, None), Ok)?;
            if let Some(chosen) = current {
                // A chosen name is left as it is, offline.
                self.leave(claimant.session, chosen);
                self.update_holder(chosen, |h| h.process = None);
            }
            return Ok(mailbox);
        };
        let old = self.name_of(current);
        match found {
            // An offline instance is taken up again: the mail of the automatic name goes there.
            Some(mailbox) if self.holder_of(mailbox).is_some() => {
                self.merge(current, mailbox);
                self.forward(&old, mailbox);
                Ok(mailbox)
            }
            unclaimed => {
                if let Some(mailbox) = unclaimed {
                    self.merge(mailbox, current);
                }
                self.point(current, name, &old);
                self.update_holder(current, |h| h.auto = false);
                Ok(current)
            }
        }
    }

    /// The claimant holds the mailbox now.
    fn take(&mut self, claimant: &Claimant, name: &Name, mailbox: MailboxId, auto: bool) {
        // A process that is back before its old connection ended.
        if let Some(old) = self.presence.holder(mailbox).filter(|old| *old != claimant.session) {
            self.leave(old, mailbox);
        }
        let now = self.wall();
        let Some(before) = self.state.mailboxes.get(&mailbox).map(|m| m.row.clone()) else { return };
        let was = before.holder.clone();
        let holder = Holder {
            process: claimant.process.clone(),
            host: claimant.host.clone(),
            auto,
            used: was.as_ref().is_some_and(|h| h.used) || !auto,
            client: claimant.client.clone(),
            client_session: claimant.client_session.clone(),
            folder: claimant.folder.clone(),
            since: was.as_ref().map_or(now, |h| h.since),
            last_seen: now,
            renamed_at: was.as_ref().and_then(|h| h.renamed_at),
            auto_check: was.as_ref().and_then(|h| h.auto_check),
        };
        let row = MailboxRow { name: name.clone(), holder: Some(holder), merged: before.merged.clone() };
        if row != *before {
            self.change(Mutation::PutMailbox(mailbox, Arc::new(row)));
        }
        if was.as_ref().is_none_or(|h| h.process != claimant.process) {
            // Another agent: it was told of nothing.
            self.end_bell(mailbox);
            self.bells.forget(mailbox);
        }
        if claimant.by_connection && self.presence.holder(mailbox) != Some(claimant.session) {
            self.presence.hold(claimant.session, mailbox);
        }
        self.touched.insert(mailbox);
    }

    /// A front end that outlived its connection keeps what it was handed.
    fn take_held(&mut self, session: SessionId, mailbox: MailboxId, held: &[MessageId]) -> Vec<MessageId> {
        let unsettled = |id: &&MessageId| {
            self.state.mailboxes.get(&mailbox).is_some_and(|m| m.unsettled.contains_key(id))
                && self.presence.leased_to(mailbox, **id).is_none_or(|reader| reader == session)
        };
        let kept: Vec<MessageId> = held.iter().filter(unsettled).copied().collect();
        for id in &kept {
            self.lease(mailbox, *id, session);
        }
        kept
    }

    fn live_peers(&self, mailbox: MailboxId) -> Vec<Name> {
        let others = self.state.mailboxes.iter().filter(|(id, _)| **id != mailbox && !self.is_user(**id));
        let live = others.filter(|(id, _)| self.is_live(**id));
        live.map(|(_, m)| m.row.name.clone()).take(PEERS_SHOWN).collect()
    }
}
