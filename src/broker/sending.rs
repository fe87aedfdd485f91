//! `send` and `broadcast`: from a call to rows. The whole call is refused before anything is stored,
//! or each recipient has an outcome of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::SessionId;
use super::keys::{Key, digest};
use super::mutation::{KeyOutcome, MailboxId, MessageRow, Mutation, message_size};
use super::presence::Speaker;
use super::quota::Chain;
use super::reply::Reply;
use crate::protocol::message::{Body, Data, MessageId, Sender, SharedSender, Verified};
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Broadcast, Send};
use crate::protocol::response::Response;

/// What is the same for every recipient of one call.
struct Draft {
    from: MailboxId,
    sender: SharedSender,
    summary: Option<String>,
    content: Body,
    data: Option<Data>,
    reply_to: Option<MessageId>,
    thread: Option<MessageId>,
    ttl: Option<Duration>,
    chain: Chain,
}

impl Draft {
    /// As [`MessageRow::size`] will have it.
    fn size(&self) -> usize {
        message_size(&self.content, self.summary.as_deref(), self.data.as_ref())
    }
}

/// A recipient's mailbox, and the old name by which it was found.
#[derive(Clone)]
struct Target {
    mailbox: MailboxId,
    forwarded_from: Option<Name>,
}

impl Broker {
    pub(super) fn send(&mut self, session: SessionId, mut send: Send) -> Result<Response, Refusal> {
        let from = self.speaking_mailbox(session, send.from.as_deref())?;
        self.check_sizes(&send.content, send.summary.as_deref(), send.data.as_ref())?;
        let key = send.key.take().map(|key| Key { digest: digest(&send), key });
        if let Some(key) = &key
            && let Some(known) = self.known_key(from, key)?
        {
            return self.report(from, &known.outcomes, send.to.len() > 1 || known.outcomes.len() > 1, true);
        }
        let names = recipients(&send.to)?;
        if names.len() > self.limits.recipients {
            let limit = self.limits.recipients;
            return Err(Refusal::invalid_argument(format!(
                "{} recipients, the limit is {limit}",
                names.len()
            ))
            .hint("use `broadcast` to reach everyone"));
        }
        let reply = self.replied_to(from, send.reply_to, names.is_empty())?;
        let chain = self.chain(session, from, reply.as_ref().and_then(|r| r.chain))?;
        self.quota.charge_sends(&self.limits, self.now.tick, from, names.len().max(1))?;
        let draft = Draft {
            from,
            sender: self.sender_facts(session),
            summary: send.summary,
            content: send.content,
            data: send.data,
            reply_to: send.reply_to,
            thread: reply.as_ref().map(|r| r.thread),
            ttl: send.ttl_seconds.map(Duration::from_secs),
            chain,
        };
        let outcomes = match reply {
            Some(Reply { mailbox: Some(mailbox), .. }) if names.is_empty() => {
                let target = Target { mailbox, forwarded_from: None };
                vec![self.send_to(&draft, &target, self.name_of(mailbox).as_str())]
            }
            _ => names.iter().map(|name| self.send_to_name(&draft, name)).collect(),
        };
        let many = send.to.len() > 1 || outcomes.len() > 1;
        self.remember(from, key, &outcomes);
        self.report(from, &outcomes, many, false)
    }

    pub(super) fn broadcast(&mut self, session: SessionId, cast: Broadcast) -> Result<Response, Refusal> {
        let from = self.speaking_mailbox(session, cast.from.as_deref())?;
        self.check_sizes(&cast.content, cast.summary.as_deref(), cast.data.as_ref())?;
        let send = Send {
            to: vec!["*".to_owned()],
            content: cast.content,
            summary: cast.summary,
            data: cast.data,
            reply_to: None,
            key: None,
            ttl_seconds: None,
            from: None,
        };
        let key = cast.key.map(|key| Key { digest: digest(&send), key });
        if let Some(key) = &key
            && let Some(known) = self.known_key(from, key)?
        {
            return Ok(self.broadcasted(from, &known.outcomes));
        }
        let chain = self.chain(session, from, None)?;
        self.quota.charge_sends(&self.limits, self.now.tick, from, 1)?;
        let draft = Draft {
            from,
            sender: self.sender_facts(session),
            summary: send.summary,
            content: send.content,
            data: send.data,
            reply_to: None,
            thread: None,
            ttl: None,
            chain,
        };
        let mut outcomes = Vec::new();
        let mut fits = Vec::new();
        for mailbox in self.audience(from) {
            let to = self.name_of(mailbox);
            match self.check_room(mailbox, from, draft.size()) {
                Ok(()) => fits.push((mailbox, to)),
                Err(refusal) => outcomes.push(KeyOutcome::Refused { to: to.to_string(), refusal }),
            }
        }
        if !fits.is_empty() {
            let id = self.store_message(&draft);
            for (mailbox, to) in fits {
                self.deliver(mailbox, id);
                outcomes.push(KeyOutcome::Sent { id, mailbox, to, forwarded_from: None });
            }
        }
        self.remember(from, key, &outcomes);
        Ok(self.broadcasted(from, &outcomes))
    }

    /// The conversation that a message continues; a person always begins one.
    fn chain(&self, session: SessionId, from: MailboxId, replied: Option<Chain>) -> Result<Chain, Refusal> {
        match self.speaker(session)? {
            Speaker::User => Ok(Chain { hops: 0, began: self.wall() }),
            Speaker::Instance(_) => self.quota.continues(&self.limits, self.now, from, replied),
        }
    }

    /// A notice of the daemon to everyone but `except`: no bell, no quota. Who has a full mailbox is
    /// spared.
    pub(super) fn notify_all(&mut self, except: MailboxId, text: &str) {
        // The store takes no mail, and what this is about is not refused for a notice's sake.
        if self.resting {
            return;
        }
        let mut audience = self.audience(except);
        let limit = self.limits.mailbox_messages;
        let waiting = |m: &MailboxId| self.state.mailboxes.get(m).map_or(0, |m| m.unsettled.len());
        audience.retain(|m| limit == 0 || waiting(m) < limit);
        self.notify(audience, text);
    }

    /// A notice of the daemon to each of `audience`.
    pub(super) fn notify(&mut self, audience: Vec<MailboxId>, text: &str) {
        if audience.is_empty() {
            return;
        }
        let id = self.next_message();
        let at = self.wall();
        self.change(Mutation::PutMessage(Arc::new(MessageRow {
            id,
            from: Name::system(),
            from_mailbox: None,
            sent_at: at,
            summary: None,
            content: Body(text.into()),
            data: None,
            reply_to: None,
            thread: None,
            expires_at: None,
            hops: 0,
            chain_at: at,
            sender: Sender { verified: Verified::Daemon, ..Sender::default() }.into(),
        })));
        for mailbox in audience {
            self.deliver(mailbox, id);
        }
    }

    /// Instances that are live or were seen of late, without `except` and without the user.
    pub(super) fn audience(&self, except: MailboxId) -> Vec<MailboxId> {
        let recent = |m: &&MailboxId| {
            let Some(holder) = self.holder_of(**m) else { return false };
            self.is_live(**m) || self.wall().since(holder.last_seen) < self.limits.recently_seen
        };
        let others = self.state.mailboxes.keys().filter(|m| **m != except && !self.is_user(**m));
        others.filter(recent).copied().collect()
    }

    fn check_sizes(&self, content: &Body, summary: Option<&str>, data: Option<&Data>) -> Result<(), Refusal> {
        let elsewhere = "send it in parts, or put it into a file and say where it is";
        let shorter = "shorten it, or leave it out: without one, the message's first sentences are shown";
        let sizes = [
            ("content", content.0.len(), self.limits.content_bytes, elsewhere),
            ("summary", summary.map_or(0, str::len), self.limits.summary_bytes, shorter),
            ("data", data.map_or(0, |d| d.get().len()), self.limits.data_bytes, elsewhere),
        ];
        match sizes.iter().find(|(_, size, limit, _)| size > limit) {
            Some((what, size, limit, hint)) => Err(Refusal::new(
                RefusalCode::TooLarge,
                format!("`{what}` has {size} bytes, the limit is {limit}"),
            )
            .hint(*hint)),
            None => Ok(()),
        }
    }

    fn send_to_name(&mut self, draft: &Draft, name: &Name) -> KeyOutcome {
        match self.target(name) {
            Ok(target) => self.send_to(draft, &target, name.as_str()),
            Err(refusal) => KeyOutcome::Refused { to: name.to_string(), refusal },
        }
    }

    fn send_to(&mut self, draft: &Draft, target: &Target, written: &str) -> KeyOutcome {
        if let Err(refusal) = self.check_room(target.mailbox, draft.from, draft.size()) {
            self.drop_if_unclaimed(target.mailbox);
            return KeyOutcome::Refused { to: written.to_owned(), refusal };
        }
        let id = self.store_message(draft);
        self.deliver(target.mailbox, id);
        let to = self.name_of(target.mailbox);
        KeyOutcome::Sent { id, mailbox: target.mailbox, to, forwarded_from: target.forwarded_from.clone() }
    }

    fn store_message(&mut self, draft: &Draft) -> MessageId {
        let id = self.next_message();
        let row = self.row(draft, id);
        self.change(Mutation::PutMessage(Arc::new(row)));
        self.mark_used(draft.from);
        id
    }

    fn row(&self, draft: &Draft, id: MessageId) -> MessageRow {
        let sent_at = self.wall();
        MessageRow {
            id,
            from: self.name_of(draft.from),
            from_mailbox: Some(draft.from),
            sent_at,
            summary: draft.summary.clone(),
            content: draft.content.clone(),
            data: draft.data.clone(),
            reply_to: draft.reply_to,
            thread: draft.thread,
            expires_at: draft.ttl.map(|ttl| sent_at.plus(ttl)),
            hops: draft.chain.hops,
            chain_at: draft.chain.began,
            sender: draft.sender.clone(),
        }
    }

    /// The mailbox behind a recipient's name; one is made for a name that nobody holds.
    fn target(&mut self, name: &Name) -> Result<Target, Refusal> {
        if name.is_user() {
            return Ok(Target { mailbox: self.user_mailbox(), forwarded_from: None });
        }
        if name.is_reserved() {
            return Err(Refusal::new(RefusalCode::NameReserved, format!("nobody can be called `{name}`"))
                .hint("use `broadcast` to reach everyone, `user` to reach the person at this machine"));
        }
        if let Some(row) = self.resolve(&name.key()) {
            let forwarded_from = row.forward_until.is_some().then(|| name.clone());
            return Ok(Target { mailbox: row.mailbox, forwarded_from });
        }
        Ok(Target { mailbox: self.new_mailbox(name, None)?, forwarded_from: None })
    }

    fn sender_facts(&self, session: SessionId) -> SharedSender {
        self.presence.sessions().get(&session).map(|s| s.sender.clone()).unwrap_or_default()
    }
}

/// Names in a call: an array, or several in one string with commas between them.
fn recipients(written: &[String]) -> Result<Vec<Name>, Refusal> {
    let parts = written.iter().flat_map(|w| w.split(',')).map(str::trim);
    let parts = parts.filter(|part| !part.is_empty() || written.len() == 1 && written[0].is_empty());
    let mut names = parts.map(Name::parse).collect::<Result<Vec<Name>, Refusal>>()?;
    if names.len() > 1 {
        // How many there may be is decided later: a look through all names for each would take its square.
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.key()));
    }
    if names.is_empty() && !written.is_empty() {
        return Err(Refusal::new(RefusalCode::InvalidName, "no name among the recipients"));
    }
    Ok(names)
}
