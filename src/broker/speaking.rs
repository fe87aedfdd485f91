//! In whose name a session speaks, and what only a person may do.
//!
//! What always holds: a name that a caller gives is compared with what its connection shows, and never
//! believed.

use super::mutation::MailboxId;
use super::presence::Speaker;
use super::{Broker, SessionId};
use crate::protocol::hello::Role;
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode};

impl Broker {
    /// In whose name `session` speaks now, if in anybody's.
    pub fn speaks_as(&self, session: SessionId) -> Option<Name> {
        Some(self.presence.name(&self.state, self.speaker(session).ok()?))
    }

    pub(super) fn speaker(&self, session: SessionId) -> Result<Speaker, Refusal> {
        self.presence.speaker(&self.state, session)
    }

    /// The mailbox of whoever speaks; the user gets one when it is first needed.
    pub(super) fn speaking_mailbox(
        &mut self,
        session: SessionId,
        claim: Option<&str>,
    ) -> Result<MailboxId, Refusal> {
        let speaker = self.speaker(session)?;
        let name = self.presence.name(&self.state, speaker);
        if let Some(claim) = claim
            && !self.is_name_of(&Name::parse(claim)?, &name, speaker)
        {
            return Err(Refusal::new(RefusalCode::NotOwner, format!("you are `{name}`, not `{claim}`"))
                .hint("leave that parameter out, or give your own name"));
        }
        match speaker {
            Speaker::Instance(mailbox) => Ok(mailbox),
            Speaker::User => Ok(self.user_mailbox()),
        }
    }

    /// Its name, or an old one of its that still forwards: habits outlive a rename.
    fn is_name_of(&self, claim: &Name, name: &Name, speaker: Speaker) -> bool {
        let forwards = || match speaker {
            Speaker::Instance(mailbox) => {
                self.resolve(&claim.key()).is_some_and(|row| row.mailbox == mailbox)
            }
            Speaker::User => false,
        };
        claim.key() == name.key() || forwards()
    }

    /// Refused below an agent: only a person may `what`.
    pub(super) fn person(&self, session: SessionId, what: &str) -> Result<(), Refusal> {
        let cli = self.presence.sessions().get(&session).is_some_and(|s| s.hello.role == Role::Cli);
        match self.speaker(session) {
            Ok(Speaker::User) if cli => Ok(()),
            _ => Err(Refusal::new(RefusalCode::NeedsHuman, format!("only a person may {what}")).hint(
                "ask your user to run the command in a terminal of their own, one that registered no name",
            )),
        }
    }
}
