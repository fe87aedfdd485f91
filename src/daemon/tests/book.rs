//! The book of promises: what each sender was told, what each reader saw and said, and whether the
//! store keeps to it.

use std::collections::BTreeMap;

use crate::broker::mutation::{MailboxId, Mutation};
use crate::protocol::message::Mail;

/// A message (by the number in its text) for one front end.
pub type LetterKey = (u64, usize);

/// What its sender knows of a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// No answer came: it is there once, or it is not.
    #[default]
    Unknown,
    /// Promised.
    Stored,
    /// Refused for itself, not for the daemon's end.
    Refused,
}

#[derive(Clone, Debug, Default)]
pub struct Letter {
    from: usize,
    /// To everyone. One that reached nobody is accepted only when it is repeated, and by then others may
    /// be there, who got later letters before.
    cast: bool,
    standing: Standing,
    id: Option<u64>,
    /// A reader saw it.
    shown: bool,
    /// Its reader said that it was read.
    asked: bool,
    /// And was told that this is known.
    confirmed: bool,
}

#[derive(Debug, Default)]
pub struct Book {
    pub letters: BTreeMap<LetterKey, Letter>,
    /// The last letter to one reader that it saw for the first time, by sender and reader, and the last id.
    last_shown: BTreeMap<(usize, usize), u64>,
    last_id: BTreeMap<(usize, usize), u64>,
    /// Letters that came to a reader a second time, flagged.
    pub repeats: u64,
}

/// A delivery as it is stored.
struct Stored {
    id: u64,
    dead: bool,
}

impl Book {
    pub fn sending(&mut self, number: u64, from: usize, to: usize) {
        self.letters.entry((number, to)).or_insert(Letter { from, ..Letter::default() });
    }

    pub fn casting(&mut self, number: u64, from: usize, to: usize) {
        self.letters.entry((number, to)).or_insert(Letter { from, cast: true, ..Letter::default() });
    }

    pub fn stored(&mut self, number: u64, to: usize, id: u64) {
        let letter = self.letters.get_mut(&(number, to)).expect("it was sent");
        assert!(letter.id.is_none_or(|known| known == id), "{number} got a second id: {id}, {letter:?}");
        (letter.standing, letter.id) = (Standing::Stored, Some(id));
    }

    pub fn refused(&mut self, number: u64, to: usize) {
        let letter = self.letters.get_mut(&(number, to)).expect("it was sent");
        assert_eq!(letter.standing, Standing::Unknown, "{number} was answered before");
        letter.standing = Standing::Refused;
    }

    /// `to` sees a message.
    pub fn shown(&mut self, to: usize, mail: &Mail) {
        let number = number(mail.content.as_ref().map_or("", |c| &c.0)).expect("a letter's text");
        let letter = self.letters.get_mut(&(number, to)).expect("it was sent to this front end");
        assert!(letter.id.is_none_or(|id| id == mail.id.0), "{number} came as {}: {letter:?}", mail.id);
        assert_ne!(letter.standing, Standing::Refused, "{number} was refused, and came");
        assert!(!letter.confirmed, "{number} was read and came again");
        letter.id = Some(mail.id.0);
        if letter.shown {
            assert!(mail.redelivered, "{number} came again without a flag");
            self.repeats += 1;
            return;
        }
        letter.shown = true;
        let way = (letter.from, to);
        let last = self.last_id.insert(way, mail.id.0);
        assert!(last.is_none_or(|last| last < mail.id.0), "{} came to {to} after {last:?}", mail.id);
        if !letter.cast {
            let last = self.last_shown.insert(way, number);
            assert!(last.is_none_or(|last| last < number), "{number} came to {to} after {last:?}");
        }
    }

    pub fn asked(&mut self, to: usize, ids: &[u64]) {
        self.of(to, ids, |letter| letter.asked = true);
    }

    pub fn confirmed(&mut self, to: usize, ids: &[u64]) {
        self.of(to, ids, |letter| letter.confirmed = true);
    }

    fn of(&mut self, to: usize, ids: &[u64], mut what: impl FnMut(&mut Letter)) {
        for letter in self.letters.iter_mut().filter(|((_, t), _)| *t == to).map(|(_, letter)| letter) {
            if letter.id.is_some_and(|id| ids.contains(&id)) {
                what(letter);
            }
        }
    }

    /// Holds committed rows against the book.
    pub fn check(&self, rows: &[Mutation]) {
        let stored = deliveries(rows);
        for ((number, to), letter) in &self.letters {
            let there = stored.get(&(*number, *to));
            let promised = letter.standing == Standing::Stored && !letter.asked;
            assert!(there.is_some() || !promised, "{number} to {to} is lost: {letter:?}");
            let Some(there) = there else { continue };
            assert_ne!(letter.standing, Standing::Refused, "{number} was refused, and is there");
            assert!(letter.id.is_none_or(|id| id == there.id), "{number} has another id: {letter:?}");
            assert!(there.dead || !letter.confirmed, "{number} was read, and is there: {letter:?}");
        }
        for key in stored.keys() {
            assert!(self.letters.contains_key(key), "{key:?} was never sent");
        }
    }

    /// All mail was read: what was promised was seen, or is a dead letter.
    pub fn close(&self, rows: &[Mutation]) {
        self.check(rows);
        let stored = deliveries(rows);
        for (key, letter) in &self.letters {
            let dead = stored.get(key).is_some_and(|there| there.dead);
            assert!(
                letter.standing != Standing::Stored || letter.shown || dead,
                "{key:?} was promised and never seen: {letter:?}"
            );
        }
    }
}

/// Every delivery of a letter in the store, each of which there may be only one.
fn deliveries(rows: &[Mutation]) -> BTreeMap<LetterKey, Stored> {
    let mut owners: BTreeMap<MailboxId, usize> = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    let mut stored = BTreeMap::new();
    for row in rows {
        match row {
            Mutation::PutMailbox(id, row) => {
                owners.insert(*id, owner(row.name.as_str()));
            }
            Mutation::PutMessage(row) if row.from_mailbox.is_some() => {
                numbers.insert(row.id, number(&row.content.0).expect("a letter's text"));
            }
            Mutation::PutDelivery(mailbox, id, row) => {
                let Some(number) = numbers.get(id) else { continue };
                let key = (*number, owners[mailbox]);
                let before = stored.insert(key, Stored { id: id.0, dead: row.dead.is_some() });
                assert!(before.is_none(), "{key:?} is there twice");
            }
            _ => {}
        }
    }
    stored
}

/// Letters say their number; the daemon's notices do not.
pub fn number(text: &str) -> Option<u64> {
    let number = text.strip_prefix("letter ")?.split(' ').next()?.parse().ok()?;
    (text == letter(number)).then_some(number)
}

/// The text of a letter. One in eight is so large that it is stored in another table.
pub fn letter(number: u64) -> String {
    let more = if number.is_multiple_of(8) { " and more".repeat(300) } else { String::new() };
    format!("letter {number}{more}")
}

/// Names of a front end: it is renamed among a few of its own.
pub fn name(front_end: usize, which: u64) -> String {
    format!("f{front_end}-{which}")
}

/// Whose name this is.
pub fn owner(name: &str) -> usize {
    let number = name.strip_prefix('f').and_then(|rest| rest.split('-').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("a name of nobody: {name}"))
}
