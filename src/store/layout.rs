//! The store's tables: which there are, and what is in them under which key.
//!
//! Keys are numbers, tuples of numbers, or bytes; text is stored as bytes, because redb panics over a
//! damaged `&str`. How a row is written is in [`super::rows`].
//!
//! What one send or one settling changes stands together, in one leaf of one table: all of it is in
//! [`MAIL`], by message number first. A commit costs by the pages that it touches. For the same reason a
//! message of more than [`INLINE_BYTES_MAX`] is in [`LARGE`]: redb joins a leaf that became small with its
//! neighbour, and would write a neighbour of a megabyte anew with each message that is settled beside it.
//!
//! # Changing what is stored
//!
//! 1. An optional field with `#[serde(default)]` needs nothing: older rows read as before. An older
//!    ipcd drops the field when it writes the row anew; where that would hurt, it is a new schema.
//! 2. Anything else (a table, a key, a field's meaning or name) is a new schema: add one [`Step`]
//!    at the end of [`STEPS`](super::migrate::STEPS), which makes the rows of the last schema into
//!    those of the new one with types of its own: the types here are always the newest. What the journal
//!    holds is in the tables before the first step is taken.
//! 3. Never change: the table `meta`, its keys `schema` and `journal` and the form of these rows, and the
//!    numbers of [`TableId`]. By them every ipcd, older or newer, knows what it has in hand.
//!
//! [`Step`]: super::migrate::Step

use redb::{TableDefinition, Value};

use crate::broker::mutation::MailboxId;
use crate::protocol::message::MessageId;

pub(super) type Bytes = &'static [u8];

/// The oldest schema whose rows the types here read as they are, be it that a step leads from there: of a
/// store that was damaged before it was brought up, they are saved.
pub(super) const READ_SINCE: u64 = 1;

/// [`SCHEMA`] and [`JOURNAL`].
pub(super) const META: TableDefinition<Bytes, Bytes> = TableDefinition::new("meta");
pub(super) const SCHEMA: &[u8] = b"schema";
/// The [`Mark`](super::journal::Mark): which records of the journal are not in the tables yet.
pub(super) const JOURNAL: &[u8] = b"journal";

/// By mailbox number.
pub(super) const MAILBOXES: TableDefinition<u64, Bytes> = TableDefinition::new("mailboxes");
/// By name, in lower case.
pub(super) const NAMES: TableDefinition<Bytes, Bytes> = TableDefinition::new("names");
/// Messages, their deliveries and receipts, and last the counters: see [`MailKey`].
pub(super) const MAIL: TableDefinition<MailKey, Bytes> = TableDefinition::new("mail");
/// By message number: the messages that [`MAIL`] has as [`Elsewhere`](super::rows::Elsewhere).
pub(super) const LARGE: TableDefinition<u64, Bytes> = TableDefinition::new("large");
/// By the sender's mailbox number (8 bytes, big-endian), then the key.
pub(super) const KEYS: TableDefinition<Bytes, Bytes> = TableDefinition::new("keys");

/// The tables by the numbers that the journal has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(super) enum TableId {
    Mailboxes = 1,
    Names = 2,
    Mail = 3,
    Large = 4,
    Keys = 5,
}

impl TableId {
    pub(super) fn numbered(number: u8) -> Option<TableId> {
        use TableId::*;
        [Mailboxes, Names, Mail, Large, Keys].into_iter().find(|table| *table as u8 == number)
    }

    pub(super) fn name(self) -> &'static str {
        use redb::TableHandle;
        match self {
            TableId::Mailboxes => MAILBOXES.name(),
            TableId::Names => NAMES.name(),
            TableId::Mail => MAIL.name(),
            TableId::Large => LARGE.name(),
            TableId::Keys => KEYS.name(),
        }
    }
}

/// A message's number, what the row is, and the mailbox that it is about, or 0.
pub(super) type MailKey = (u64, u8, u64);
pub(super) const MESSAGE: u8 = 0;
pub(super) const DELIVERY: u8 = 1;
pub(super) const RECEIPT: u8 = 2;
/// Behind all mail, and so beside the newest, which is written together with it.
pub(super) const COUNTERS: MailKey = (u64::MAX, u8::MAX, 0);

/// Bytes of a message, as limits count them, up to which it stands in [`MAIL`] itself: half of a page of redb,
/// the rest of which is for what is known of it and for its neighbours.
pub(super) const INLINE_BYTES_MAX: usize = 2048;

pub(super) const fn message_key(id: MessageId) -> MailKey {
    (id.0, MESSAGE, 0)
}

/// A key of [`MAIL`] as redb has it, without an allocation for each.
pub(super) fn mail_key_bytes((id, kind, mailbox): MailKey) -> [u8; MAIL_KEY_BYTES] {
    let mut bytes = [0; MAIL_KEY_BYTES];
    bytes[..8].copy_from_slice(&id.to_le_bytes());
    bytes[8] = kind;
    bytes[9..].copy_from_slice(&mailbox.to_le_bytes());
    bytes
}

const MAIL_KEY_BYTES: usize = 17;

/// Takes the bytes of such a key apart; `None` where they are none.
pub(super) fn mail_key(bytes: &[u8]) -> Option<MailKey> {
    (bytes.len() == MAIL_KEY_BYTES).then(|| <MailKey as Value>::from_bytes(bytes))
}

pub(super) fn key_bytes(mailbox: MailboxId, key: &str) -> Vec<u8> {
    [&mailbox.0.to_be_bytes(), key.as_bytes()].concat()
}

pub(super) fn key_parts(bytes: &[u8]) -> Option<(MailboxId, String)> {
    let (mailbox, key) = bytes.split_first_chunk::<8>()?;
    Some((MailboxId(u64::from_be_bytes(*mailbox)), str::from_utf8(key).ok()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_taken_apart_as_it_was_put_together(mailbox: u64, key in ".*") {
            prop_assert_eq!(key_parts(&key_bytes(MailboxId(mailbox), &key)), Some((MailboxId(mailbox), key)));
        }

        #[test]
        fn any_bytes_are_a_key_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some((mailbox, key)) = key_parts(&bytes) {
                prop_assert_eq!(key_bytes(mailbox, &key), bytes.clone());
            }
            prop_assert_eq!(mail_key(&bytes).is_some(), bytes.len() == MAIL_KEY_BYTES);
        }

        #[test]
        fn a_key_of_mail_is_what_redb_makes_of_it(id: u64, kind: u8, mailbox: u64) {
            let bytes = mail_key_bytes((id, kind, mailbox));
            prop_assert_eq!(bytes.to_vec(), <MailKey as Value>::as_bytes(&(id, kind, mailbox)));
            prop_assert_eq!(mail_key(&bytes), Some((id, kind, mailbox)));
        }
    }

    #[test]
    fn a_table_is_found_by_its_number() {
        let numbers: Vec<u8> = (0..=u8::MAX).filter(|number| TableId::numbered(*number).is_some()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert!(numbers.iter().all(|number| TableId::numbered(*number).unwrap() as u8 == *number));
    }
}
