//! How a row is written: `[format][CRC-32, LE][payload]`. redb verifies its pages when a store is opened
//! and not when they are read, so each row vouches for itself.
//!
//! What always holds: the checksum covers the table and the key as well as the row. A row that stands
//! under another key, as the pages of a damaged file may have it, does not check out.

use serde::de::DeserializeOwned;

use super::StoreError;
use super::journal::Mark;
use crate::broker::mutation::{
    Counters, DeliveryRow, KeyOutcome, KeyRow, MailboxId, MailboxRow, MessageRow, NameRow, ReceiptRow,
};
use crate::json;
use crate::protocol::message::{Body, MessageId};
use crate::protocol::name::Name;
use crate::protocol::time::Timestamp;

/// Form of a row: a payload behind a checksum.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 5;

/// Of a message's payload: the length of its JSON, behind which its content stands as it is.
const LENGTH_BYTES: usize = 4;

/// Where a row stands: the name of its table, and its key as redb has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) table: &'p str,
    pub(super) key: &'p [u8],
}

/// What a table holds.
pub(super) trait Row: Sized {
    fn write(&self, payload: &mut Vec<u8>) -> serde_json::Result<()>;

    /// Reads a payload whose checksum holds; what is wrong with it is said in words.
    fn read(payload: &[u8]) -> Result<Self, String>;
}

/// Writes a row behind what is in `bytes`.
///
/// # Errors
/// The row has no JSON form; then a part of it may stand there.
pub(super) fn append(bytes: &mut Vec<u8>, place: Place<'_>, row: &impl Row) -> Result<(), StoreError> {
    let start = bytes.len();
    bytes.extend_from_slice(&[FORMAT, 0, 0, 0, 0]);
    row.write(bytes).map_err(|error| StoreError::failed("a row has no JSON form", error))?;
    let checksum = checksum(place, &bytes[start + HEADER_BYTES..]);
    bytes[start + 1..start + HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// A row by itself.
pub(super) fn encode(place: Place<'_>, row: &impl Row) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    append(&mut bytes, place, row)?;
    Ok(bytes)
}

/// Reads a row back; any bytes will do, and what is wrong with them is said in words.
pub(super) fn decode<R: Row>(place: Place<'_>, bytes: &[u8]) -> Result<R, String> {
    let Some(([format, stored @ ..], payload)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(format!("{} bytes are too few for a row", bytes.len()));
    };
    if *format != FORMAT {
        return Err(format!("unknown row format {format}"));
    }
    if checksum(place, payload) != u32::from_le_bytes(*stored) {
        return Err("checksum mismatch".to_owned());
    }
    R::read(payload)
}

/// Each part of variable length goes in behind its length, so that none can pass for a piece of another.
fn checksum(place: Place<'_>, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [place.table.as_bytes(), place.key] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&[FORMAT]);
    hasher.update(payload);
    hasher.finalize()
}

fn from_json<R: DeserializeOwned>(json: &[u8]) -> Result<R, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

/// Rows that are JSON and nothing else.
macro_rules! json_rows {
    ($($row:ty)*) => {$(
        impl Row for $row {
            fn write(&self, payload: &mut Vec<u8>) -> serde_json::Result<()> {
                json::append(payload, self)
            }

            fn read(payload: &[u8]) -> Result<$row, String> {
                from_json(payload)
            }
        }
    )*};
}

// The first two are of the table `meta`.
json_rows!(u64 Mark Counters MailboxRow NameRow DeliveryRow ReceiptRow);

/// `[length of the JSON, LE][JSON of all but the content][content]`: a text of a megabyte is copied, and
/// neither escaped nor searched for escapes.
impl Row for MessageRow {
    fn write(&self, payload: &mut Vec<u8>) -> serde_json::Result<()> {
        let start = payload.len();
        payload.extend_from_slice(&[0; LENGTH_BYTES]);
        json::append(payload, self)?;
        let length = u32::try_from(payload.len() - start - LENGTH_BYTES)
            .map_err(|_| serde::ser::Error::custom("4 GiB and more beside the content"))?;
        payload[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        payload.extend_from_slice(self.content.0.as_bytes());
        Ok(())
    }

    fn read(payload: &[u8]) -> Result<MessageRow, String> {
        let (length, rest) =
            payload.split_first_chunk::<LENGTH_BYTES>().ok_or("the row ends within its length")?;
        let (json, content) = rest
            .split_at_checked(u32::from_le_bytes(*length) as usize)
            .ok_or("the row ends within its JSON")?;
        let content = str::from_utf8(content).map_err(|error| error.to_string())?;
        Ok(MessageRow { content: Body(content.into()), ..from_json(json)? })
    }
}

/// The first byte of a key's row in its short form. JSON begins with another.
const SHORT_KEY: u8 = 1;

/// A sender has thousands of keys, and each start reads them all. Nearly every one stands for one message to
/// one name, and is `[1][at][digest][message][mailbox][name]`, numbers in 8 bytes, LE. Others are JSON, as all
/// were in schema 1.
impl Row for KeyRow {
    fn write(&self, payload: &mut Vec<u8>) -> serde_json::Result<()> {
        let [KeyOutcome::Sent { id, mailbox, to, forwarded_from: None }] = self.outcomes.as_slice() else {
            return json::append(payload, self);
        };
        payload.push(SHORT_KEY);
        for number in [self.at.0, self.digest, id.0, mailbox.0] {
            payload.extend_from_slice(&number.to_le_bytes());
        }
        payload.extend_from_slice(to.as_str().as_bytes());
        Ok(())
    }

    fn read(payload: &[u8]) -> Result<KeyRow, String> {
        let Some((SHORT_KEY, rest)) = payload.split_first().map(|(first, rest)| (*first, rest)) else {
            return from_json(payload);
        };
        let (numbers, to) = rest.split_at_checked(4 * 8).ok_or("the row ends within its numbers")?;
        let ([at, digest, id, mailbox], []) = numbers.as_chunks::<8>() else {
            return Err("four numbers of 8 bytes are no four".to_owned());
        };
        let [at, digest, id, mailbox] = [at, digest, id, mailbox].map(|bytes| u64::from_le_bytes(*bytes));
        let to = str::from_utf8(to).map_err(|error| error.to_string())?;
        let to = Name::parse(to).map_err(|refusal| refusal.message)?;
        let (id, mailbox) = (MessageId(id), MailboxId(mailbox));
        let outcomes = vec![KeyOutcome::Sent { id, mailbox, to, forwarded_from: None }];
        Ok(KeyRow { at: Timestamp(at), digest, outcomes })
    }
}

/// In the place of a message that is too large for it: the message is in a table of its own.
pub(super) struct Elsewhere;

/// No JSON is so long.
const ELSEWHERE: [u8; LENGTH_BYTES] = [0xff; LENGTH_BYTES];

impl Row for Elsewhere {
    fn write(&self, payload: &mut Vec<u8>) -> serde_json::Result<()> {
        payload.extend_from_slice(&ELSEWHERE);
        Ok(())
    }

    fn read(payload: &[u8]) -> Result<Elsewhere, String> {
        if payload == ELSEWHERE { Ok(Elsewhere) } else { Err("it is not elsewhere".to_owned()) }
    }
}

/// Whether a row is [`Elsewhere`], checked or not.
pub(super) fn is_elsewhere(row: &[u8]) -> bool {
    row.get(HEADER_BYTES..).is_some_and(|payload| payload == ELSEWHERE)
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn with_checksum(place: Place<'_>, payload: &[u8]) -> Vec<u8> {
    [&[FORMAT][..], &checksum(place, payload).to_le_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACE: Place<'_> = Place { table: "meta", key: b"counters" };

    #[test]
    fn a_row_is_read_back_and_every_flipped_bit_is_noticed() {
        let counters = Counters { last_message: 7, clean: true, ..Counters::default() };
        let bytes = encode(PLACE, &counters).unwrap();
        assert_eq!(decode::<Counters>(PLACE, &bytes), Ok(counters));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<Counters>(PLACE, &flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode::<Counters>(PLACE, &bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_row_in_another_place_does_not_check_out() {
        let row = with_checksum(PLACE, b"7");
        assert_eq!(decode::<u64>(PLACE, &row), Ok(7));
        for (table, key) in
            [("meta", &b"counter"[..]), ("mail", b"counters"), ("metac", b"ounters"), ("", b"")]
        {
            let elsewhere = Place { table, key };
            assert_eq!(decode::<u64>(elsewhere, &row), Err("checksum mismatch".to_owned()), "{elsewhere:?}");
        }
    }

    #[test]
    fn a_row_of_another_shape_is_an_error() {
        assert!(decode::<Counters>(PLACE, &with_checksum(PLACE, b"\"text\"")).is_err());
        for payload in [&b""[..], b"\0\0\0", b"\xff\xff\xff\xff{}", b"\x02\0\0\0{}", b"\0\0\0\0"] {
            let row = with_checksum(PLACE, payload);
            assert!(decode::<MessageRow>(PLACE, &row).is_err(), "{payload:?}");
        }
    }

    #[test]
    fn a_key_is_short_where_it_can_be_and_is_read_back_in_both_forms() {
        let sent = |forwarded_from| KeyOutcome::Sent {
            id: MessageId(u64::MAX),
            mailbox: MailboxId(3),
            to: Name::parse("Bob").unwrap(),
            forwarded_from,
        };
        let key = |outcomes| KeyRow { at: Timestamp(8), digest: u64::MAX, outcomes };
        for (row, short) in [
            (key(vec![sent(None)]), true),
            (key(vec![sent(Some(Name::user()))]), false),
            (key(vec![sent(None), sent(None)]), false),
        ] {
            let bytes = encode(PLACE, &row).unwrap();
            assert_eq!(decode::<KeyRow>(PLACE, &bytes), Ok(row.clone()));
            assert_eq!(bytes[HEADER_BYTES] == SHORT_KEY, short);
            let json = with_checksum(PLACE, &serde_json::to_vec(&row).unwrap());
            assert_eq!(decode::<KeyRow>(PLACE, &json), Ok(row), "as schema 1 has it");
        }
        for length in 0..1 + 4 * 8 {
            let cut = vec![SHORT_KEY; length];
            assert!(decode::<KeyRow>(PLACE, &with_checksum(PLACE, &cut)).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<MessageRow>(PLACE, &bytes).is_err());
            let _ = decode::<KeyRow>(PLACE, &with_checksum(PLACE, &[&[SHORT_KEY], &*bytes].concat()));
            prop_assert!(decode::<MessageRow>(PLACE, &with_checksum(PLACE, &bytes)).is_err());
        }
    }
}
