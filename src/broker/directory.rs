//! Names. A name points at a mailbox; a forward is an old name that still does, until it ends. So a
//! chain of renames is one hop, a rename moves no mail, and a circle cannot exist.

use std::sync::Arc;

use super::mutation::{Holder, MailboxId, MailboxRow, Mutation, NameRow};
use super::quota::wait_words;
use super::{Broker, Effect, SessionId};
use crate::protocol::event::{Event, NewName};
use crate::protocol::name::{Name, NameKey};
use crate::protocol::peer::ProcessId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Release, Rename};
use crate::protocol::response::{Released, Renamed, Response};
use crate::protocol::time::Timestamp;

/// An offline instance without mail that was not seen for so long is forgotten at start.
const ABANDONED: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

impl Broker {
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
            return Ok(self.renamed(mailbox, new, old, until));
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
        if self.presence.holder(mailbox) != Some(session) {
            self.tell_name(mailbox);
        }
        Ok(self.renamed(mailbox, new, old, until))
    }

    fn renamed(&self, mailbox: MailboxId, name: Name, old: Name, until: Timestamp) -> Response {
        let unread = self.unread(mailbox);
        Response::Renamed(Renamed { name, forwards_from: old, forward_until: until, unread })
    }

    /// Tells the front end that holds `mailbox` its name: it claims it from the next daemon.
    pub(super) fn tell_name(&mut self, mailbox: MailboxId) {
        if let Some(session) = self.presence.holder(mailbox) {
            let event = Event::Renamed(NewName { name: self.name_of(mailbox) });
            self.step.effects.push(Effect::Push { session, event });
        }
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

    /// An agent is gone whose front end had died before: the name waits for nobody any more.
    pub(super) fn agent_departed(&mut self, mailbox: MailboxId, agent: &ProcessId) {
        let waits = |h: &Holder| h.process.is_none() && h.host.as_ref() == Some(agent);
        if self.holder_of(mailbox).is_some_and(waits) {
            self.update_holder(mailbox, |h| h.host = None);
        }
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
                let left = wait_words(self.limits.rename_cooldown - since);
                Err(Refusal::new(RefusalCode::RenameCooldown, "you were renamed a short while ago")
                    .hint(format!("try again in {left}")))
            }
        }
    }

    /// `mailbox` is called `new` from now on and `old` forwards.
    pub(super) fn point(&mut self, mailbox: MailboxId, new: &Name, old: &Name) {
        self.change(Mutation::PutName(new.key(), NameRow { mailbox, forward_until: None }));
        if let Some(row) = self.state.mailboxes.get(&mailbox).map(|m| m.row.clone()) {
            let row = MailboxRow { name: new.clone(), ..MailboxRow::clone(&row) };
            self.change(Mutation::PutMailbox(mailbox, Arc::new(row)));
        }
        self.forward(old, mailbox);
        self.touched.insert(mailbox);
    }

    pub(super) fn forward(&mut self, old: &Name, mailbox: MailboxId) {
        if self.limits.forward.is_zero() {
            self.change(Mutation::DropName(old.key()));
            return;
        }
        let forward_until = Some(self.wall().plus(self.limits.forward));
        self.change(Mutation::PutName(old.key(), NameRow { mailbox, forward_until }));
    }

    pub(super) fn respell(&mut self, mailbox: MailboxId, name: &Name) {
        let Some(row) = self.state.mailboxes.get(&mailbox).map(|m| m.row.clone()) else { return };
        if row.name != *name {
            let row = MailboxRow { name: name.clone(), ..MailboxRow::clone(&row) };
            self.change(Mutation::PutMailbox(mailbox, Arc::new(row)));
        }
    }

    /// `session` gives up the mailbox it holds: waits for its mail are over, and what it was handed
    /// goes back.
    pub(super) fn leave(&mut self, session: SessionId, mailbox: MailboxId) {
        self.end_waits(mailbox);
        for (mailbox, id) in self.presence.leases_of(session) {
            self.return_lease(mailbox, id, true);
        }
        self.presence.let_go(mailbox);
        self.seen(mailbox);
    }
}

fn empty_holder() -> Holder {
    Holder {
        process: None,
        host: None,
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
pub(super) fn holder_words(holder: &Holder) -> String {
    let client = holder.client.as_deref().unwrap_or("an instance");
    let folder = holder.folder.as_deref().map(|f| format!(" in {f}")).unwrap_or_default();
    let pid = holder.process.as_ref().map(|p| format!(" (pid {})", p.pid)).unwrap_or_default();
    format!("{client}{folder}{pid}, last seen {}", holder.last_seen)
}
