//! Who is connected, who holds which lease, and who speaks. Volatile: gone with the daemon.

use std::collections::BTreeMap;

use super::SessionId;
use super::mutation::{Holder, MailboxId, MailboxRow};
use super::state::State;
use crate::protocol::hello::{Hello, Role};
use crate::protocol::message::{MessageId, SharedSender};
use crate::protocol::name::Name;
use crate::protocol::peer::{Peer, ProcessId};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response::Wakes;

#[derive(Debug)]
pub struct Session {
    pub hello: Hello,
    pub peer: Peer,
    /// The mailbox whose name this session holds. Only front ends hold names by their connection.
    pub mailbox: Option<MailboxId>,
    /// What the last `mail` push was about, so that none is said twice.
    pub told: Told,
    /// How its agent is woken, by its own word.
    pub wakes: Wakes,
    /// What its messages say of it.
    pub sender: SharedSender,
    /// What the agent's client calls its own session, as this session knows it.
    pub client_session: Option<String>,
}

/// What waits for a bell: how many messages, and the youngest of them. The same count may be other mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub unread: u64,
    pub last: Option<MessageId>,
}

#[derive(Debug, Default)]
pub struct Presence {
    sessions: BTreeMap<SessionId, Session>,
    /// Which session holds a mailbox's name.
    holders: BTreeMap<MailboxId, SessionId>,
    leases: BTreeMap<(MailboxId, MessageId), SessionId>,
    /// Something is other than it was at the last [`Presence::take_changed`].
    changed: bool,
}

/// Who held which name by a connection, and which mail, at one moment.
#[derive(Debug, Default)]
pub struct Holdings {
    /// With what the last `mail` push was about.
    sessions: Vec<(SessionId, Option<MailboxId>, Told)>,
    leases: BTreeMap<(MailboxId, MessageId), SessionId>,
}

/// In whose name a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    Instance(MailboxId),
    /// The person at this machine.
    User,
}

impl Session {
    pub fn new(hello: Hello, peer: Peer) -> Session {
        let (wakes, client_session) = (hello.wakes.unwrap_or_default(), hello.program_session.clone());
        let client = hello.program.as_deref().unwrap_or(&hello.client);
        let sender = peer.sender(Some(client)).into();
        Session { hello, peer, mailbox: None, told: Told::default(), wakes, sender, client_session }
    }
}

impl Presence {
    pub fn sessions(&self) -> &BTreeMap<SessionId, Session> {
        &self.sessions
    }

    pub fn session_mut(&mut self, session: SessionId) -> Option<&mut Session> {
        self.changed = true;
        self.sessions.get_mut(&session)
    }

    pub fn open(&mut self, number: SessionId, session: Session) {
        self.changed = true;
        self.sessions.insert(number, session);
    }

    pub fn close(&mut self, session: SessionId) {
        self.changed = true;
        self.sessions.remove(&session);
    }

    /// `session` is told what waits; false if it knows.
    pub fn tell(&mut self, session: SessionId, waits: Told) -> bool {
        let Some(s) = self.sessions.get_mut(&session).filter(|s| s.told != waits) else { return false };
        s.told = waits;
        self.changed = true;
        true
    }

    /// Whether [`Presence::holdings`] may be others than when this was asked last.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub fn holder(&self, mailbox: MailboxId) -> Option<SessionId> {
        self.holders.get(&mailbox).copied()
    }

    /// `session` holds this mailbox's name from now on; whoever held it before does not.
    pub fn hold(&mut self, session: SessionId, mailbox: MailboxId) {
        self.changed = true;
        self.let_go(mailbox);
        if let Some(s) = self.sessions.get_mut(&session) {
            s.mailbox = Some(mailbox);
            s.told = Told::default();
            self.holders.insert(mailbox, session);
        }
    }

    /// Nobody holds this mailbox's name by a connection; returns who did.
    pub fn let_go(&mut self, mailbox: MailboxId) -> Option<SessionId> {
        let session = self.holders.remove(&mailbox)?;
        self.changed = true;
        if let Some(s) = self.sessions.get_mut(&session) {
            s.mailbox = None;
        }
        Some(session)
    }

    pub fn lease(&mut self, mailbox: MailboxId, message: MessageId, session: SessionId) {
        self.changed = true;
        self.leases.insert((mailbox, message), session);
    }

    pub fn leased_to(&self, mailbox: MailboxId, message: MessageId) -> Option<SessionId> {
        self.leases.get(&(mailbox, message)).copied()
    }

    pub fn unlease(&mut self, mailbox: MailboxId, message: MessageId) {
        self.changed |= self.leases.remove(&(mailbox, message)).is_some();
    }

    pub fn holdings(&self) -> Holdings {
        let sessions = self.sessions.iter().map(|(session, s)| (*session, s.mailbox, s.told)).collect();
        Holdings { sessions, leases: self.leases.clone() }
    }

    /// As it was at that moment, for sessions that are still here and for what `state` still holds.
    /// Who came since holds nothing.
    pub fn take_back(&mut self, then: &Holdings, state: &State) {
        self.changed = true;
        self.holders.clear();
        for s in self.sessions.values_mut() {
            (s.mailbox, s.told) = (None, Told::default());
        }
        for (session, mailbox, told) in &then.sessions {
            let mailbox = mailbox.filter(|m| state.mailboxes.contains_key(m));
            if let (Some(s), Some(mailbox)) = (self.sessions.get_mut(session), mailbox) {
                (s.mailbox, s.told) = (Some(mailbox), *told);
                self.holders.insert(mailbox, *session);
            }
        }
        let unsettled = |(mailbox, message): &(MailboxId, MessageId)| {
            state.mailboxes.get(mailbox).is_some_and(|m| m.unsettled.contains_key(message))
        };
        let here = |session: &SessionId| self.sessions.contains_key(session);
        let kept = then.leases.iter().filter(|(lease, session)| unsettled(lease) && here(session));
        self.leases = kept.map(|(lease, session)| (*lease, *session)).collect();
    }

    /// Leased deliveries of one mailbox.
    pub fn leased_in(&self, mailbox: MailboxId) -> impl Iterator<Item = MessageId> + '_ {
        let leases = self.leases.range((mailbox, MessageId(0))..=(mailbox, MessageId(u64::MAX)));
        leases.map(|((_, message), _)| *message)
    }

    pub fn leases_of(&self, session: SessionId) -> Vec<(MailboxId, MessageId)> {
        self.leases.iter().filter(|(_, s)| **s == session).map(|(lease, _)| *lease).collect()
    }

    pub fn all_leases(&self) -> Vec<(MailboxId, MessageId)> {
        self.leases.keys().copied().collect()
    }

    /// The mailbox `from` was merged into `into`.
    pub fn move_leases(&mut self, from: MailboxId, into: MailboxId) {
        let moved: Vec<_> = self.leases.keys().filter(|(mailbox, _)| *mailbox == from).copied().collect();
        for (mailbox, message) in moved {
            if let Some(session) = self.leases.remove(&(mailbox, message)) {
                self.changed = true;
                self.leases.insert((into, message), session);
            }
        }
    }

    /// In whose name `session` speaks (`semantics.md` rule 16): its own, that of the agent above it,
    /// that of a shell above it that registered, that of an agent whose terminal it runs in, or the user's.
    pub fn speaker(&self, state: &State, session: SessionId) -> Result<Speaker, Refusal> {
        let not_registered = || {
            Refusal::new(RefusalCode::NotRegistered, "you have no name yet")
                .hint("call `register` with a name first")
        };
        let s = self.sessions.get(&session).ok_or_else(not_registered)?;
        if s.hello.role == Role::Mcp {
            return s.mailbox.map(Speaker::Instance).ok_or_else(not_registered);
        }
        let instance = match self.agents_above(state, s) {
            Some(agents) => Some(self.choose(state, s, &agents)?),
            None => match (self.registered_shell_above(state, s), self.agents_of_terminal(s)) {
                (None, Some(agents)) => Some(self.choose(state, s, &agents)?),
                (shell, _) => shell,
            },
        };
        let speaker = instance.map_or(Speaker::User, Speaker::Instance);
        self.check_as(state, s, speaker)?;
        Ok(speaker)
    }

    /// Instances of the nearest agent above `session`, if there is one. An agent whose front end is
    /// not back yet, after a restart of the daemon, is one too.
    fn agents_above(&self, state: &State, session: &Session) -> Option<Vec<MailboxId>> {
        let connected = |process: &ProcessId| {
            let of_host = |s: &&Session| s.hello.role == Role::Mcp && s.peer.host() == Some(process);
            let mut front_ends = self.sessions.values().filter(of_host).peekable();
            front_ends.peek()?;
            Some(front_ends.filter_map(|s| s.mailbox).collect::<Vec<_>>())
        };
        let away = |process: &ProcessId| {
            let of_host = |row: &MailboxRow| {
                row.holder.as_ref().is_some_and(|h| h.process.is_some() && h.host.as_ref() == Some(process))
            };
            let rows = state.mailboxes.iter().filter(|(_, m)| of_host(&m.row)).map(|(id, _)| *id);
            let mailboxes: Vec<MailboxId> = rows.filter(|id| self.holder(*id).is_none()).collect();
            (!mailboxes.is_empty()).then_some(mailboxes)
        };
        session.peer.ancestors.iter().find_map(|a| match (connected(&a.process), away(&a.process)) {
            (Some(here), Some(away)) => Some([here, away].concat()),
            (here, away) => here.or(away),
        })
    }

    /// Instances of agents whose terminal, or login, `session` runs in without being seen below or beside
    /// them: what an agent started may have lost the processes above it. `None`: there is no such agent.
    ///
    /// Beside them is what a shell above both started, like a person's next command in that terminal.
    fn agents_of_terminal(&self, session: &Session) -> Option<Vec<MailboxId>> {
        let terminal = session.peer.session?;
        let beside = |agent: &Peer| {
            let mut above = session.peer.ancestors.iter().filter(|a| a.session == Some(terminal));
            above.any(|a| agent.ancestors.iter().any(|b| a.process == b.process))
        };
        let of_terminal = |s: &&Session| {
            s.hello.role == Role::Mcp
                && s.peer.sessions().any(|theirs| theirs == terminal)
                && !beside(&s.peer)
        };
        let mut front_ends = self.sessions.values().filter(of_terminal).peekable();
        front_ends.peek()?;
        Some(front_ends.filter_map(|s| s.mailbox).collect())
    }

    fn registered_shell_above(&self, state: &State, session: &Session) -> Option<MailboxId> {
        let held_by = |process: &ProcessId| {
            let holds =
                |row: &MailboxRow| row.holder.as_ref().is_some_and(|h| h.process.as_ref() == Some(process));
            state.mailboxes.iter().find(|(_, mailbox)| holds(&mailbox.row)).map(|(id, _)| *id)
        };
        session.peer.ancestors.iter().find_map(|a| held_by(&a.process))
    }

    /// One of several instances of the same agent process: by its session, by its folder, by `--as`.
    fn choose(&self, state: &State, session: &Session, agents: &[MailboxId]) -> Result<MailboxId, Refusal> {
        if agents.is_empty() {
            // An agent that has no name yet, or lost it, is no person.
            return Err(Refusal::new(RefusalCode::NotRegistered, "the agent above has no name yet")
                .hint("it gets one by its `register` tool"));
        }
        let holder_of = |m: &MailboxId| state.mailboxes.get(m).and_then(|m| m.row.holder.as_ref());
        let narrowed = |wanted: &dyn Fn(&Holder) -> bool| -> Option<MailboxId> {
            let mut fits = agents.iter().filter(|m| holder_of(m).is_some_and(wanted));
            fits.next().filter(|_| fits.next().is_none()).copied()
        };
        let by_name = session.hello.speak_as.as_ref().and_then(|name| {
            let key = Name::parse(name).ok()?.key();
            agents.iter().find(|m| state.mailboxes.get(m).is_some_and(|b| b.row.name.key() == key)).copied()
        });
        let program_session = session.hello.program_session.as_ref();
        (agents.len() == 1)
            .then(|| agents[0])
            .or(by_name)
            .or_else(|| {
                let wanted = program_session?;
                narrowed(&|h| h.client_session.as_ref() == Some(wanted))
            })
            .or_else(|| narrowed(&|h| h.folder.is_some() && h.folder == session.peer.cwd))
            .ok_or_else(|| {
                let name = |m: &MailboxId| state.mailboxes.get(m).map(|b| b.row.name.to_string());
                let names: Vec<String> = agents.iter().filter_map(name).collect();
                Refusal::invalid_argument(format!("this shell could speak as {}", names.join(" or ")))
                    .hint("say which one with --as NAME")
            })
    }

    fn check_as(&self, state: &State, session: &Session, speaker: Speaker) -> Result<(), Refusal> {
        let Some(wanted) = &session.hello.speak_as else { return Ok(()) };
        let own = self.name(state, speaker);
        if Name::parse(wanted)?.key() == own.key() {
            return Ok(());
        }
        Err(Refusal::new(RefusalCode::NotOwner, format!("this shell speaks as `{own}`, not as `{wanted}`"))
            .hint("run it below that agent, or `ipcd register` a name for this shell"))
    }

    pub fn name(&self, state: &State, speaker: Speaker) -> Name {
        match speaker {
            Speaker::Instance(mailbox) => {
                state.mailboxes.get(&mailbox).map_or_else(Name::user, |m| m.row.name.clone())
            }
            Speaker::User => Name::user(),
        }
    }
}
