//! `send` and `broadcast`: from a call to rows. The whole call is refused before anything is stored,
//! or each recipient has an outcome of its own.

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::SessionId;
use super::mutation::{KeyOutcome, KeyRow, MailboxId, MessageRow, Mutation};
use super::presence::Speaker;
use super::quota::Chain;
use crate::protocol::message::{Body, Data, MessageId, Sender, Verified};
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Broadcast, Send};
use crate::protocol::response::{
    Broadcasted, Failure, Presence as Standing, Recipient, Refused, Response, SendOutcome, Sent, SentMany,
};

/// What is the same for every recipient of one call.
struct Draft {
    from: MailboxId,
    sender: Sender,
    summary: Option<String>,
    content: Body,
    data: Option<Data>,
    reply_to: Option<MessageId>,
    thread: Option<MessageId>,
    ttl: Option<Duration>,
    chain: Chain,
}

/// A recipient's mailbox, and the old name by which it was found.
#[derive(Clone)]
struct Target {
    mailbox: MailboxId,
    forwarded_from: Option<Name>,
}

impl Broker {
    pub(super) fn send(&mut self, session: SessionId, send: Send) -> Result<Response, Refusal> {
        let from = self.speaking_mailbox(session, send.from.as_deref())?;
        self.check_sizes(&send.content, send.summary.as_deref(), send.data.as_ref())?;
        let digest = digest(&send);
        if let Some(key) = &send.key
            && let Some(known) = self.known_key(from, key, digest)?
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
        self.remember(from, send.key, digest, &outcomes);
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
            key: cast.key,
            ttl_seconds: None,
            from: None,
        };
        let digest = digest(&send);
        if let Some(key) = &send.key
            && let Some(known) = self.known_key(from, key, digest)?
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
        let row = self.row(&draft, MessageId(0));
        for mailbox in self.audience(from) {
            let to = self.name_of(mailbox);
            match self.check_room(mailbox, from, row.size()) {
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
        self.remember(from, send.key, digest, &outcomes);
        Ok(self.broadcasted(from, &outcomes))
    }

    /// The conversation that a message continues; a person always begins one.
    fn chain(&self, session: SessionId, from: MailboxId, replied: Option<Chain>) -> Result<Chain, Refusal> {
        match self.speaker(session)? {
            Speaker::User => Ok(Chain { hops: 0, began: self.wall() }),
            Speaker::Instance(_) => self.quota.continues(&self.limits, self.now, from, replied),
        }
    }

    /// A notice of the daemon to everyone but `except`: no bell, no quota.
    pub(super) fn notify_all(&mut self, except: MailboxId, text: &str) {
        let audience = self.audience(except);
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
            sender: Sender { verified: Verified::Daemon, ..Sender::default() },
        })));
        for mailbox in audience {
            self.deliver(mailbox, id);
        }
    }

    /// Instances that are live or were seen of late, without `except` and without the user.
    fn audience(&self, except: MailboxId) -> Vec<MailboxId> {
        let recent = |m: &&MailboxId| {
            let Some(holder) = self.holder_of(**m) else { return false };
            self.is_live(**m) || self.wall().since(holder.last_seen) < self.limits.recently_seen
        };
        let others = self.state.mailboxes.keys().filter(|m| **m != except && !self.is_user(**m));
        others.filter(recent).copied().collect()
    }

    fn check_sizes(&self, content: &Body, summary: Option<&str>, data: Option<&Data>) -> Result<(), Refusal> {
        let sizes = [
            ("content", content.0.len(), self.limits.content_bytes),
            ("summary", summary.map_or(0, str::len), self.limits.summary_bytes),
            ("data", data.map_or(0, |d| d.get().len()), self.limits.data_bytes),
        ];
        match sizes.iter().find(|(_, size, limit)| size > limit) {
            Some((what, size, limit)) => Err(Refusal::new(
                RefusalCode::TooLarge,
                format!("`{what}` has {size} bytes, the limit is {limit}"),
            )
            .hint("send it in parts, or put it into a file and say where it is")),
            None => Ok(()),
        }
    }

    /// What `key` stands for, if this sender used it before.
    fn known_key(&self, from: MailboxId, key: &str, digest: u64) -> Result<Option<KeyRow>, Refusal> {
        let limit = self.limits.key_bytes;
        if key.is_empty() || key.len() > limit {
            return Err(Refusal::invalid_argument(format!("`key` must have 1 to {limit} bytes")));
        }
        let row = self.state.mailboxes.get(&from).and_then(|m| m.keys.get(key));
        let Some(row) = row.filter(|row| self.wall().since(row.at) < self.limits.key_age) else {
            return Ok(None);
        };
        if row.digest != digest {
            return Err(Refusal::new(RefusalCode::KeyReused, "this `key` was used for another message")
                .hint("use a new key for a new message"));
        }
        Ok(Some(row.clone()))
    }

    /// Remembers what became of a keyed message, and forgets the oldest keys of this sender.
    fn remember(&mut self, from: MailboxId, key: Option<String>, digest: u64, outcomes: &[KeyOutcome]) {
        let stored = outcomes.iter().any(|o| matches!(o, KeyOutcome::Sent { .. }));
        let (Some(key), true) = (key, stored) else { return };
        let row = KeyRow { at: self.wall(), digest, outcomes: outcomes.to_vec() };
        self.change(Mutation::PutKey(from, key, row));
        while let Some(mailbox) = self.state.mailboxes.get(&from) {
            let Some((at, oldest)) = mailbox.keys_by_age.first() else { break };
            let old = self.wall().since(*at) >= self.limits.key_age;
            if !old && mailbox.keys.len() <= self.limits.keys_per_sender {
                break;
            }
            let oldest = oldest.clone();
            self.change(Mutation::DropKey(from, oldest));
        }
    }

    fn send_to_name(&mut self, draft: &Draft, name: &Name) -> KeyOutcome {
        match self.target(name) {
            Ok(target) => self.send_to(draft, &target, name.as_str()),
            Err(refusal) => KeyOutcome::Refused { to: name.to_string(), refusal },
        }
    }

    fn send_to(&mut self, draft: &Draft, target: &Target, written: &str) -> KeyOutcome {
        let size = self.row(draft, MessageId(0)).size();
        if let Err(refusal) = self.check_room(target.mailbox, draft.from, size) {
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
        self.update_holder(draft.from, |h| h.used = true);
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
        if name.key() == Name::user().key() {
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

    fn sender_facts(&self, session: SessionId) -> Sender {
        self.presence.sessions.get(&session).map_or_else(Sender::default, |s| {
            let client = s.hello.program.as_deref().unwrap_or(&s.hello.client);
            s.peer.sender(Some(client))
        })
    }

    /// The answer of a send, with each recipient's state as it is now.
    fn report(
        &self,
        from: MailboxId,
        outcomes: &[KeyOutcome],
        many: bool,
        repeated: bool,
    ) -> Result<Response, Refusal> {
        let unread = self.unread(from);
        if !many && let [KeyOutcome::Refused { refusal, .. }] = outcomes {
            return Err(refusal.clone());
        }
        let mut results: Vec<SendOutcome> = outcomes
            .iter()
            .map(|outcome| match outcome {
                KeyOutcome::Refused { to, refusal } => {
                    SendOutcome::Refused { to: to.clone(), error: Failure::from(refusal) }
                }
                KeyOutcome::Sent { id, mailbox, to, forwarded_from } => SendOutcome::Sent(Sent {
                    id: *id,
                    to: to.clone(),
                    forwarded_from: forwarded_from.clone(),
                    stored: true,
                    repeated,
                    recipient: self.recipient(self.surviving(*mailbox).unwrap_or(*mailbox)),
                    unread,
                }),
            })
            .collect();
        match results.pop() {
            Some(SendOutcome::Sent(sent)) if !many => Ok(Response::Sent(sent)),
            last => {
                results.extend(last);
                Ok(Response::SentMany(SentMany { results, unread }))
            }
        }
    }

    fn recipient(&self, mailbox: MailboxId) -> Recipient {
        let state = match self.holder_of(mailbox) {
            None => Standing::Unregistered,
            Some(_) if self.is_live(mailbox) => Standing::Live,
            Some(_) => Standing::Offline,
        };
        Recipient {
            state,
            unread: self.unread(mailbox),
            oldest_seconds: self.oldest_seconds(mailbox),
            wakes: self.wakes(mailbox),
        }
    }

    fn broadcasted(&self, from: MailboxId, outcomes: &[KeyOutcome]) -> Response {
        let mut answer =
            Broadcasted { id: None, delivered: Vec::new(), refused: Vec::new(), unread: self.unread(from) };
        for outcome in outcomes {
            match outcome {
                KeyOutcome::Sent { id, to, .. } => {
                    answer.id = Some(*id);
                    answer.delivered.push(to.clone());
                }
                KeyOutcome::Refused { to, refusal } => {
                    if let Ok(name) = Name::parse(to) {
                        answer.refused.push(Refused { name, code: refusal.code });
                    }
                }
            }
        }
        Response::Broadcasted(answer)
    }
}

/// What a message continues.
struct Reply {
    /// Whom it goes to when no recipient is named.
    mailbox: Option<MailboxId>,
    thread: MessageId,
    chain: Option<Chain>,
}

impl Broker {
    /// The message that is replied to: the one named, or, with no recipient at all, the last one read.
    fn replied_to(
        &self,
        from: MailboxId,
        reply_to: Option<MessageId>,
        needed: bool,
    ) -> Result<Option<Reply>, Refusal> {
        let Some(mailbox) = self.state.mailboxes.get(&from) else { return Ok(None) };
        let id = match reply_to {
            Some(id) => id,
            None if !needed => return Ok(None),
            None => self.last_heard(from).ok_or_else(|| {
                Refusal::invalid_argument("no recipient: `to_id` is absent and you read no mail yet")
                    .hint("give `to_id`, or `reply_to` with a message id")
            })?,
        };
        let held = mailbox.unsettled.contains_key(&id).then(|| self.state.messages.get(&id)).flatten();
        let (sender, thread, chain) = match (held, mailbox.receipts.get(&id)) {
            (Some(m), _) => (
                m.row.from_mailbox,
                m.row.thread.unwrap_or(id),
                Chain { hops: m.row.hops, began: m.row.chain_at },
            ),
            (None, Some(r)) => (r.from_mailbox, r.thread, Chain { hops: r.hops, began: r.chain_at }),
            (None, None) => {
                return Err(Refusal::new(
                    RefusalCode::UnknownMessage,
                    format!("you have no message {id} to reply to"),
                )
                .hint("give `to_id` instead"));
            }
        };
        let sender = sender.and_then(|m| self.surviving(m));
        if needed && sender.is_none() {
            return Err(Refusal::invalid_argument(format!(
                "nobody can answer message {id}: its sender is the daemon, or gone"
            ))
            .hint("give `to_id` instead"));
        }
        Ok(Some(Reply { mailbox: sender, thread, chain: reply_to.is_some().then_some(chain) }))
    }

    /// The last message of another instance that this one was handed.
    fn last_heard(&self, reader: MailboxId) -> Option<MessageId> {
        let mailbox = self.state.mailboxes.get(&reader)?;
        let leased = mailbox.unsettled.keys().rev().find(|id| {
            let from_peer = self.state.messages.get(id).is_some_and(|m| m.row.from_mailbox.is_some());
            from_peer && self.presence.leased_to(reader, **id).is_some()
        });
        let read = mailbox.receipts.iter().rev().find(|(_, r)| r.from_mailbox.is_some()).map(|(id, _)| id);
        leased.max(read).copied()
    }
}

/// Names in a call: an array, or several in one string with commas between them.
fn recipients(written: &[String]) -> Result<Vec<Name>, Refusal> {
    let mut names: Vec<Name> = Vec::new();
    let parts = written.iter().flat_map(|w| w.split(',')).map(str::trim);
    for name in parts.filter(|part| !part.is_empty() || written.len() == 1 && written[0].is_empty()) {
        let name = Name::parse(name)?;
        if !names.iter().any(|n| n.key() == name.key()) {
            names.push(name);
        }
    }
    if names.is_empty() && !written.is_empty() {
        return Err(Refusal::new(RefusalCode::InvalidName, "no name among the recipients"));
    }
    Ok(names)
}

/// Tells two messages under one key apart: a slip, not an attack.
fn digest(send: &Send) -> u64 {
    let mut crc = crc32fast::Hasher::new();
    let mut length = 0u64;
    let mut part = |bytes: &[u8]| {
        crc.update(&(bytes.len() as u64).to_le_bytes());
        crc.update(bytes);
        length += bytes.len() as u64;
    };
    send.to.iter().for_each(|to| part(to.as_bytes()));
    part(send.content.0.as_bytes());
    part(send.summary.as_deref().unwrap_or_default().as_bytes());
    part(send.data.as_ref().map_or("", Data::get).as_bytes());
    part(&send.reply_to.map_or(0, |id| id.0).to_le_bytes());
    u64::from(crc.finalize()) | length << 32
}
