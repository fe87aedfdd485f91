//! A sender's keys: the same key with the same message is the same send, and has the same outcome.

use super::Broker;
use super::mutation::{KeyOutcome, KeyRow, MailboxId, Mutation};
use crate::planted::{Bug, planted};
use crate::protocol::message::Data;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Send;

/// What a sender calls a message, and which message it means by it.
pub(super) struct Key {
    pub(super) key: String,
    pub(super) digest: u64,
}

impl Broker {
    /// What `key` stands for, if this sender used it before.
    pub(super) fn known_key(
        &self,
        from: MailboxId,
        Key { key, digest }: &Key,
    ) -> Result<Option<KeyRow>, Refusal> {
        let limit = self.limits.key_bytes;
        if key.is_empty() || key.len() > limit {
            return Err(Refusal::invalid_argument(format!("`key` must have 1 to {limit} bytes")));
        }
        let row = self.state.mailboxes.get(&from).and_then(|m| m.keys.get(key));
        let Some(row) = row
            .filter(|_| !planted(Bug::NoDeduplication))
            .filter(|row| self.wall().since(row.at) < self.limits.key_age)
        else {
            return Ok(None);
        };
        if row.digest != *digest {
            return Err(Refusal::new(RefusalCode::KeyReused, "this `key` was used for another message")
                .hint("use a new key for a new message"));
        }
        Ok(Some(row.clone()))
    }

    /// Remembers what became of a keyed message, and forgets the oldest keys of this sender.
    pub(super) fn remember(&mut self, from: MailboxId, key: Option<Key>, outcomes: &[KeyOutcome]) {
        let stored = outcomes.iter().any(|o| matches!(o, KeyOutcome::Sent { .. }));
        let (Some(Key { key, digest }), true) = (key, stored) else { return };
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
}

/// Tells two messages under one key apart: a slip, not an attack.
pub(super) fn digest(send: &Send) -> u64 {
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
