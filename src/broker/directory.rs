//! Names. A name points at a mailbox; a forward is an old name that still does, until it ends. So a
//! chain of renames is one hop, a rename moves no mail, and a circle cannot exist.

use std::sync::Arc;

use super::mutation::{Holder, MailboxId, MailboxRow, Mutation, NameRow};
use super::{Broker, Effect, SessionId};
use crate::protocol::event::Event;
use crate::protocol::hello::Role;
use crate::protocol::message::MessageId;
use crate::protocol::name::{Name, NameKey};
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Register, Release, Rename};
use crate::protocol::response::{Registered, Released, Renamed, Response, Wakes};

/// Live peers named in the answer of `register`: enough to begin with, `list` has them all.
const PEERS_SHOWN: usize = 50;

/// An offline instance without mail that was not seen for so long is forgotten at start.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// Who wants a name.
struct Claimant {
    session: SessionId,
    /// The process that the name will belong to.
    process: Option<ProcessId>,
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
        let found = self.resolve(&name.key());
        let current_auto = claimant.current.and_then(|m| self.holder_of(m)).is_some_and(|h| h.auto);
        let (mailbox, last) = match found {
            Some(row) if Some(row.mailbox) == claimant.current => {
                self.register_own(row, &name, claimant.current.filter(|_| !current_auto))?
            }
            Some(row) => (Some(row.mailbox), self.check_free(row, &name, &claimant)?),
            None => (None, None),
        };
        let resumed = mailbox.is_some_and(|m| self.holder_of(m).is_some());
        let mailbox = self.settle_claim(&claimant, &name, mailbox, current_auto)?;
        let auto = auto && self.holder_of(mailbox).is_none_or(|h| h.auto);
        self.take(&claimant, &name, mailbox, auto);
        let held = self.take_held(session, mailbox, &r.held);
        Ok(Response::Registered(Registered {
            name: self.name_of(mailbox),
            resumed,
            last_holder: last,
            unread: self.unread(mailbox),
            peers: self.live_peers(mailbox),
            held,
        }))
    }

    pub(super) fn rename(&mut self, session: SessionId, r: &Rename) -> Result<Response, Refusal> {
        let mailbox = self.speaking_mailbox(session, r.old.as_deref())?;
        if self.is_user(mailbox) {
            return Err(Refusal::new(RefusalCode::NotRegistered, "the user has no name to change")
                .hint("run it below an agent, or `ipcd register NAME` first"));
        }
        let new = Name::parse(&r.new)?;
        let old = self.name_of(mailbox);
        let until = self.wall().plus(self.limits.forward);
        if new.key() == old.key() {
            self.respell(mailbox, &new);
            return Ok(Response::Renamed(Renamed { name: new, forwards_from: old, forward_until: until }));
        }
        if new.is_reserved() {
            return Err(Refusal::new(RefusalCode::NameReserved, format!("nobody can be called `{new}`"))
                .hint("choose another name"));
        }
        self.check_cooldown(mailbox)?;
        if let Some(row) = self.resolve(&new.key()).filter(|row| row.mailbox != mailbox) {
            self.check_unclaimed(row, &new)?;
            self.merge(row.mailbox, mailbox);
        }
        self.point(mailbox, &new, &old);
        let now = self.wall();
        self.update_holder(mailbox, |h| {
            h.renamed_at = Some(now);
            h.auto = false;
            h.used = true;
        });
        self.notify_all(mailbox, &format!("📝 {old} renamed to {new}"));
        Ok(Response::Renamed(Renamed { name: new, forwards_from: old, forward_until: until }))
    }

    /// A person takes a name from whoever holds it.
    pub(super) fn release(&mut self, session: SessionId, r: &Release) -> Result<Response, Refusal> {
        self.person(session, "release a name")?;
        let name = Name::parse(&r.name)?;
        let row = self.resolve(&name.key()).filter(|row| self.holder_of(row.mailbox).is_some());
        let Some(row) = row else {
            return Err(Refusal::invalid_argument(format!("nobody holds `{name}`"))
                .hint("`ipcd list` shows the names that are held"));
        };
        let was_live = self.is_live(row.mailbox);
        if let Some(holder) = self.presence.holder(row.mailbox) {
            self.leave(holder, row.mailbox);
            self.step.effects.push(Effect::Push { session: holder, event: Event::Released });
        }
        self.update_holder(row.mailbox, |h| h.process = None);
        Ok(Response::Released(Released { name: self.name_of(row.mailbox), was_live }))
    }

    /// The process behind a name is gone: the name is free, and an automatic one that nobody used
    /// goes with it.
    pub(super) fn departed(&mut self, mailbox: MailboxId) {
        if self.presence.holder(mailbox).is_some() {
            return;
        }
        self.end_waits(mailbox);
        let spare = |m: &super::state::Mailbox| {
            m.is_empty() && m.row.holder.as_ref().is_some_and(|h| h.auto && !h.used)
        };
        if self.state.mailboxes.get(&mailbox).is_some_and(spare) {
            self.drop_mailbox(mailbox);
            return;
        }
        self.update_holder(mailbox, |h| h.process = None);
    }

    /// What a name points at now. An expired forward points at nothing.
    pub(super) fn resolve(&self, key: &NameKey) -> Option<NameRow> {
        let row = self.state.names.get(key).copied()?;
        row.forward_until.is_none_or(|until| until > self.wall()).then_some(row)
    }

    /// Somebody is behind the name: a connection, or a process that will be back.
    pub(super) fn is_live(&self, mailbox: MailboxId) -> bool {
        self.presence.holder(mailbox).is_some()
            || self.holder_of(mailbox).is_some_and(|h| h.process.is_some())
    }

    pub(super) fn is_user(&self, mailbox: MailboxId) -> bool {
        self.state.names.get(&Name::user().key()).is_some_and(|row| row.mailbox == mailbox)
    }

    pub(super) fn wakes(&self, mailbox: MailboxId) -> Wakes {
        if self.waiters.first(mailbox).is_some() { Wakes::Waiting } else { Wakes::None }
    }

    /// The mailbox of the person at this machine.
    pub(super) fn user_mailbox(&mut self) -> MailboxId {
        if let Some(row) = self.state.names.get(&Name::user().key()) {
            return row.mailbox;
        }
        let now = self.wall();
        let id = MailboxId(self.state.counters.last_mailbox + 1);
        let counters = super::Counters { last_mailbox: id.0, ..self.state.counters };
        let holder = Some(Holder { since: now, last_seen: now, used: true, ..empty_holder() });
        self.change(Mutation::PutCounters(counters));
        self.change(Mutation::PutMailbox(
            id,
            Arc::new(MailboxRow { name: Name::user(), holder, merged: Vec::new() }),
        ));
        self.change(Mutation::PutName(Name::user().key(), NameRow { mailbox: id, forward_until: None }));
        id
    }

    /// Drops instances that left nothing and were not seen for long.
    pub(super) fn forget_abandoned(&mut self) {
        let abandoned: Vec<MailboxId> = self
            .state
            .mailboxes
            .iter()
            .filter(|(id, m)| {
                let away = |h: &Holder| h.process.is_none() && self.wall().since(h.last_seen) >= ABANDONED;
                m.is_empty() && !self.is_user(**id) && m.row.holder.as_ref().is_some_and(away)
            })
            .map(|(id, _)| *id)
            .collect();
        for mailbox in abandoned {
            self.drop_mailbox(mailbox);
        }
    }

    fn claimant(&self, session: SessionId) -> Result<Claimant, Refusal> {
        let Some(s) = self.presence.sessions.get(&session) else {
            return Err(Refusal::new(RefusalCode::NotRegistered, "no such session"));
        };
        let (process, current) = match s.hello.role {
            Role::Mcp => (s.peer.process.clone(), s.mailbox),
            Role::Cli => {
                let (process, current) = self.shell(session)?;
                (Some(process), current)
            }
        };
        Ok(Claimant {
            session,
            process,
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
            super::Speaker::User => None,
            super::Speaker::Instance(mailbox) if self.presence.holder(mailbox).is_some() => {
                let name = self.name_of(mailbox);
                return Err(Refusal::invalid_argument(format!(
                    "this shell already speaks as the agent `{name}`"
                ))
                .hint("use `ipcd rename` to change the agent's name"));
            }
            super::Speaker::Instance(mailbox) => Some(mailbox),
        };
        let host = self.presence.sessions.get(&session).and_then(|s| s.peer.host()).cloned();
        let Some(host) = host else {
            return Err(Refusal::invalid_argument("the shell above this command cannot be seen")
                .hint("run it from a shell of this machine and user"));
        };
        // A shell further up that registered keeps its name.
        let own = |m: &MailboxId| self.holder_of(*m).is_some_and(|h| h.process.as_ref() == Some(&host));
        let current = speaks_for.filter(own);
        Ok((host, current))
    }

    /// A name for who gave none: the one it, or its like, held before in this folder; else a new one.
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
        let same_folder = || {
            lowest(&|h| {
                claimant.folder.is_some() && h.folder == claimant.folder && h.client == claimant.client
            })
        };
        same_session.or_else(same_folder).unwrap_or_else(|| {
            let folder = claimant.folder.as_deref().unwrap_or_default();
            let free = |name: &Name| {
                self.resolve(&name.key())
                    .is_none_or(|row| row.forward_until.is_none() && self.holder_of(row.mailbox).is_none())
            };
            let mut names = (1..).map(|number| Name::from_folder(folder, number));
            names.find(free).expect("some number is free: the names in use are finite")
        })
    }

    /// The caller's own name again: another spelling of it, or an old name of its that forwards.
    fn register_own(
        &mut self,
        row: NameRow,
        name: &Name,
        chosen: Option<MailboxId>,
    ) -> Result<(Option<MailboxId>, Option<String>), Refusal> {
        if row.forward_until.is_none() {
            self.respell(row.mailbox, name);
            return Ok((Some(row.mailbox), None));
        }
        // Back to a name it had: as if the name were free. A chosen name then stays behind, offline.
        self.change(Mutation::DropName(name.key()));
        debug_assert!(chosen.is_none_or(|m| m == row.mailbox));
        Ok((None, None))
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

    fn check_unclaimed(&self, row: NameRow, name: &Name) -> Result<(), Refusal> {
        if let Some(until) = row.forward_until {
            return Err(Refusal::new(
                RefusalCode::NameReserved,
                format!("`{name}` is an old name of another instance and forwards until {until}"),
            )
            .hint("choose another name"));
        }
        match self.holder_of(row.mailbox) {
            None => Ok(()),
            Some(holder) => Err(Refusal::new(
                RefusalCode::NameTaken,
                format!("`{name}` is registered: {}", holder_words(holder)),
            )
            .hint("choose another name")),
        }
    }

    fn check_cooldown(&self, mailbox: MailboxId) -> Result<(), Refusal> {
        let renamed = self.holder_of(mailbox).and_then(|h| h.renamed_at);
        let since = renamed.map(|at| self.wall().since(at));
        match since.filter(|since| *since < self.limits.rename_cooldown) {
            None => Ok(()),
            Some(since) => {
                let left = (self.limits.rename_cooldown - since).as_secs();
                let left =
                    if left >= 60 { format!("{} minutes", left.div_ceil(60)) } else { format!("{left} s") };
                Err(Refusal::new(RefusalCode::RenameCooldown, "you were renamed a short while ago")
                    .hint(format!("try again in {left}")))
            }
        }
    }

    /// The mailbox that the claimant gets: its own under a new name, another's that is free, or a new one.
    fn settle_claim(
        &mut self,
        claimant: &Claimant,
        name: &Name,
        found: Option<MailboxId>,
        current_auto: bool,
    ) -> Result<MailboxId, Refusal> {
        let Some(current) = claimant.current.filter(|current| Some(*current) != found) else {
            return match found {
                Some(mailbox) => Ok(mailbox),
                None => self.new_mailbox(name, None),
            };
        };
        if !current_auto {
            // A chosen name is left as it is, offline.
            self.leave(claimant.session, current);
            self.update_holder(current, |h| h.process = None);
            return match found {
                Some(mailbox) => Ok(mailbox),
                None => self.new_mailbox(name, None),
            };
        }
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

    /// `mailbox` is called `new` from now on and `old` forwards.
    fn point(&mut self, mailbox: MailboxId, new: &Name, old: &Name) {
        self.change(Mutation::PutName(new.key(), NameRow { mailbox, forward_until: None }));
        if let Some(row) = self.state.mailboxes.get(&mailbox).map(|m| m.row.clone()) {
            let row = MailboxRow { name: new.clone(), ..MailboxRow::clone(&row) };
            self.change(Mutation::PutMailbox(mailbox, Arc::new(row)));
        }
        self.forward(old, mailbox);
        self.touched.insert(mailbox);
    }

    fn forward(&mut self, old: &Name, mailbox: MailboxId) {
        if self.limits.forward.is_zero() {
            self.change(Mutation::DropName(old.key()));
            return;
        }
        let forward_until = Some(self.wall().plus(self.limits.forward));
        self.change(Mutation::PutName(old.key(), NameRow { mailbox, forward_until }));
    }

    fn respell(&mut self, mailbox: MailboxId, name: &Name) {
        let Some(row) = self.state.mailboxes.get(&mailbox).map(|m| m.row.clone()) else { return };
        if row.name != *name {
            let row = MailboxRow { name: name.clone(), ..MailboxRow::clone(&row) };
            self.change(Mutation::PutMailbox(mailbox, Arc::new(row)));
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
        if claimant.by_connection && self.presence.holder(mailbox) != Some(claimant.session) {
            self.presence.hold(claimant.session, mailbox);
        }
        self.touched.insert(mailbox);
    }

    /// `session` gives up the mailbox it holds: waits for its mail are over, and what it was handed
    /// goes back.
    fn leave(&mut self, session: SessionId, mailbox: MailboxId) {
        self.end_waits(mailbox);
        for (mailbox, id) in self.presence.leases_of(session) {
            self.return_lease(mailbox, id, true);
        }
        self.presence.let_go(mailbox);
        self.seen(mailbox);
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

fn empty_holder() -> Holder {
    Holder {
        process: None,
        auto: false,
        used: false,
        client: None,
        client_session: None,
        folder: None,
        since: crate::protocol::time::Timestamp(0),
        last_seen: crate::protocol::time::Timestamp(0),
        renamed_at: None,
        auto_check: None,
    }
}

/// A holder for people: `claude-code in /home/u/webapp (pid 4711), last seen …`.
fn holder_words(holder: &Holder) -> String {
    let client = holder.client.as_deref().unwrap_or("an instance");
    let folder = holder.folder.as_deref().map(|f| format!(" in {f}")).unwrap_or_default();
    let pid = holder.process.as_ref().map(|p| format!(" (pid {})", p.pid)).unwrap_or_default();
    format!("{client}{folder}{pid}, last seen {}", holder.last_seen)
}
