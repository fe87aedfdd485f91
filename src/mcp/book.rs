//! What a session remembers of its agent, for connections that are made anew: its name, and its mail.
//!
//! What always holds: a name that a person took away is not claimed again unasked.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;

use super::ledger::Ledger;
use super::recent::Recent;
use crate::protocol::name::Name;
use crate::protocol::request::Register;

pub struct Book {
    pub ledger: Ledger<RequestId>,
    pub recent: Recent,
    standing: Standing,
}

enum Standing {
    Unnamed,
    Named {
        name: String,
        /// It is not of the user's or the agent's choice.
        auto: bool,
    },
    /// A person took the name away.
    Released,
}

impl Book {
    pub fn new() -> Book {
        Book { ledger: Ledger::new(), recent: Recent::default(), standing: Standing::Unnamed }
    }

    /// Whether a name should be taken.
    pub fn lacks_name(&self) -> bool {
        matches!(self.standing, Standing::Unnamed)
    }

    pub fn named(&mut self, name: &Name, auto: bool) {
        self.standing = Standing::Named { name: name.to_string(), auto };
    }

    pub fn released(&mut self) {
        self.standing = Standing::Released;
    }

    /// The daemon knows no name of this session. True if there was one.
    pub fn unnamed(&mut self) -> bool {
        let was_named = matches!(self.standing, Standing::Named { .. });
        if was_named {
            self.standing = Standing::Unnamed;
        }
        was_named
    }

    /// What a new connection is told first: nothing, as long as there is no name to resume.
    pub fn resume(&self) -> Option<Register> {
        let Standing::Named { name, auto } = &self.standing else { return None };
        Some(Register { name: Some(name.clone()), auto: *auto, held: self.ledger.held() })
    }
}

pub fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    // No invariant of a book spans a panic: each change to it is one call.
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_resumed_until_the_daemon_or_a_person_takes_it_away() {
        let mut book = Book::new();
        assert!(book.lacks_name() && book.resume().is_none() && !book.unnamed());
        book.named(&Name::parse("webapp").unwrap(), true);
        assert!(!book.lacks_name());
        let resumed = book.resume().unwrap();
        assert_eq!((resumed.name.as_deref(), resumed.auto), (Some("webapp"), true));
        assert!(book.unnamed() && book.lacks_name() && book.resume().is_none());
        book.named(&Name::parse("webapp").unwrap(), true);
        book.released();
        assert!(!book.lacks_name() && book.resume().is_none() && !book.unnamed());
        assert!(!book.lacks_name(), "what a person took away is not taken again");
    }
}
