//! Bells: how an agent that is not looking learns that mail waits, and what its hooks may say.
//!
//! A front end rings by itself; the daemon only pushes it the count. Hooks of the agent's client ask
//! here. What always holds:
//! - A hook tells a message once: at the end of one turn, or by one wake. So no hook keeps an agent
//!   going over mail that it does not want to read. What a hook was told that neither asked on nor said
//!   goodbye was told to nobody.
//! - What is rung by a better way is not rung by a hook too.
//! - Nothing here is durable: after a restart of the daemon a hook may tell a message once more.

use std::collections::BTreeMap;
use std::time::Duration;

use super::mutation::MailboxId;
use super::waiters::{Purpose, Waiter};
use super::{Broker, Effect, SessionId};
use crate::protocol::event::{ClientSession, Event};
use crate::protocol::hello::Role;
use crate::protocol::message::MessageId;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Bell, Hook, Moment};
use crate::protocol::response::{Done, Hooked, Response, Wakes};
use crate::protocol::wire::CallId;

/// What is known of the hooks of each instance.
#[derive(Debug, Default)]
pub struct Bells(BTreeMap<MailboxId, Told>);

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Messages up to this one were told by a hook that makes the agent go on.
    until: Option<MessageId>,
    /// The hook that was told last, as long as nobody knows that it heard.
    unsure: Option<Unsure>,
    /// The best hook that was seen to run.
    hooks: Wakes,
}

/// A hook may have given up before its answer came.
#[derive(Clone, Copy, Debug)]
struct Unsure {
    session: SessionId,
    /// What [`Told::until`] was before.
    before: Option<MessageId>,
}

/// What a hook is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Speak,
    Nothing,
    /// Nothing, and no hook is to wait here any more.
    Over,
}

impl Say {
    fn whether(speak: bool) -> Say {
        if speak { Say::Speak } else { Say::Nothing }
    }
}

impl Bells {
    /// This hook goes on or said goodbye: it has heard what it was told.
    fn heard(&mut self, session: SessionId) {
        for told in self.0.values_mut() {
            told.unsure = told.unsure.filter(|unsure| unsure.session != session);
        }
    }

    /// This hook went without a word: what it was told last is to be told again. Returns to whom.
    fn unheard(&mut self, session: SessionId) -> Vec<MailboxId> {
        let mut again = Vec::new();
        for (mailbox, told) in &mut self.0 {
            if let Some(unsure) = told.unsure.take_if(|unsure| unsure.session == session) {
                told.until = unsure.before;
                again.push(*mailbox);
            }
        }
        again
    }

    /// Another agent, or none, is behind this mailbox.
    pub fn forget(&mut self, mailbox: MailboxId) {
        self.0.remove(&mailbox);
    }
}

impl Broker {
    /// A front end says by what means it rings its agent.
    pub(super) fn bell(&mut self, session: SessionId, bell: Bell) -> Result<Response, Refusal> {
        let Some(s) = self.presence.session_mut(session).filter(|s| s.hello.role == Role::Mcp) else {
            return Err(Refusal::new(RefusalCode::NotRegistered, "only a front end rings its agent"));
        };
        s.wakes = bell.wakes;
        if let Some(mailbox) = s.mailbox.filter(|_| bell.wakes.rings()) {
            self.end_bell(mailbox);
        }
        Ok(Response::Done(Done {}))
    }

    /// A hook asks whether to speak. `None`: it waits.
    pub(super) fn hook(
        &mut self,
        session: SessionId,
        call: &CallId,
        hook: Hook,
    ) -> Result<Option<Response>, Refusal> {
        let mailbox = self.speaking_mailbox(session, None)?;
        if self.is_user(mailbox) {
            return Err(Refusal::new(RefusalCode::NotRegistered, "no agent is above this hook")
                .hint("hooks are run by the agent's client"));
        }
        self.pass_session_on(session, mailbox);
        self.bells.heard(session);
        let waits = self.bell_count(mailbox) > 0;
        let speak = match hook.moment {
            Moment::Start => waits,
            Moment::Prompt => {
                self.prompted(session, mailbox);
                self.saw_hook(mailbox, Wakes::PromptHook);
                waits
            }
            Moment::Tool => waits && self.look_is_due(mailbox),
            Moment::Stop => {
                self.saw_hook(mailbox, Wakes::StopHook);
                !self.rings_itself(mailbox) && self.tell_news(session, mailbox)
            }
            Moment::Wait => return Ok(self.wait_for_bell(session, call, mailbox, hook)),
        };
        if speak && self.look_is_due(mailbox) {
            self.looked(mailbox);
        }
        Ok(Some(self.hooked(mailbox, Say::whether(speak))))
    }

    /// A hook knows what its client calls its own session, and the front end may need it to ring.
    fn pass_session_on(&mut self, hook: SessionId, mailbox: MailboxId) {
        let named = self.presence.sessions().get(&hook).and_then(|s| s.hello.program_session.clone());
        let Some((named, holder)) = named.zip(self.presence.holder(mailbox)) else { return };
        let Some(s) = self.presence.session_mut(holder) else { return };
        if s.client_session.as_ref() != Some(&named) {
            s.client_session = Some(named.clone());
            let event = Event::Session(ClientSession { session: named });
            self.step.effects.push(Effect::Push { session: holder, event });
        }
    }

    /// A hook in the background takes the place of an older one.
    fn wait_for_bell(
        &mut self,
        session: SessionId,
        call: &CallId,
        mailbox: MailboxId,
        hook: Hook,
    ) -> Option<Response> {
        self.end_bell(mailbox);
        if self.rings_itself(mailbox) {
            return Some(self.hooked(mailbox, Say::Over));
        }
        if self.tell_news(session, mailbox) {
            return Some(self.hooked(mailbox, Say::Speak));
        }
        let wait = Duration::from_millis(hook.wait_ms).min(self.limits.wait);
        let since = self.now.tick;
        self.waiters.park(Waiter {
            session,
            call: call.clone(),
            mailbox,
            purpose: Purpose::Bell(hook.wakes.unwrap_or(Wakes::RewakeHook)),
            since,
            deadline: since.plus(wait),
        });
        None
    }

    /// Mail came, or a hook's time is over.
    pub(super) fn answer_bell(&mut self, waiter: Waiter) {
        let say = Say::whether(self.tell_news(waiter.session, waiter.mailbox));
        let answer = self.hooked(waiter.mailbox, say);
        self.reply(waiter.session, waiter.call, Ok(answer));
    }

    /// Whoever waits for this mailbox's bell waits in vain.
    pub(super) fn end_bell(&mut self, mailbox: MailboxId) {
        while let Some((number, _)) = self.waiters.bell(mailbox) {
            let Some(waiter) = self.waiters.take(number) else { return };
            self.dismiss(waiter);
        }
    }

    pub(super) fn dismiss(&mut self, waiter: Waiter) {
        let answer = self.hooked(waiter.mailbox, Say::Over);
        self.reply(waiter.session, waiter.call, Ok(answer));
    }

    /// The youngest message that rings and that no hook told.
    pub(super) fn news(&self, mailbox: MailboxId) -> Option<MessageId> {
        let told = self.bells.0.get(&mailbox).and_then(|told| told.until);
        self.rings_for(mailbox).last.filter(|id| Some(*id) > told)
    }

    /// Whether there is something to tell this hook; it counts as told.
    fn tell_news(&mut self, hook: SessionId, mailbox: MailboxId) -> bool {
        let Some(news) = self.news(mailbox) else { return false };
        let told = self.bells.0.entry(mailbox).or_default();
        told.unsure = Some(Unsure { session: hook, before: told.until });
        told.until = Some(news);
        true
    }

    /// A session ends that may have been a hook's. Whoever waits for the bell learns what it did not.
    pub(super) fn end_hook(&mut self, session: SessionId, polite: bool) {
        if polite {
            self.bells.heard(session);
        } else {
            self.touched.extend(self.bells.unheard(session));
        }
    }

    fn saw_hook(&mut self, mailbox: MailboxId, hook: Wakes) {
        let told = self.bells.0.entry(mailbox).or_default();
        told.hooks = told.hooks.max(hook);
    }

    /// The instance's front end has a bell of its own.
    fn rings_itself(&self, mailbox: MailboxId) -> bool {
        self.own_bell(mailbox).rings()
    }

    fn own_bell(&self, mailbox: MailboxId) -> Wakes {
        let session = self.presence.holder(mailbox).and_then(|holder| self.presence.sessions().get(&holder));
        session.map_or(Wakes::None, |s| s.wakes)
    }

    fn hooked(&self, mailbox: MailboxId, say: Say) -> Response {
        let unread = self.bell_count(mailbox);
        Response::Hooked(Hooked { speak: say == Say::Speak, unread, over: say == Say::Over })
    }

    /// How this instance learns of mail, right now.
    pub(super) fn wakes(&self, mailbox: MailboxId) -> Wakes {
        if self.waiters.first(mailbox).is_some() {
            return Wakes::Waiting;
        }
        if !self.is_live(mailbox) {
            return Wakes::None;
        }
        let waiting_hook = self.waiters.bell(mailbox).map_or(Wakes::None, |(_, wakes)| wakes);
        let hooks = self.bells.0.get(&mailbox).map_or(Wakes::None, |told| told.hooks);
        self.own_bell(mailbox).max(waiting_hook).max(hooks)
    }
}
