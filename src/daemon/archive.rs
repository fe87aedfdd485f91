//! What is kept beside the promise: the history of read mail, and private copies of large messages.
//!
//! Its failures never fail a call; each is logged, and `status` shows the last one.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use crate::broker::mutation::MailboxId;
use crate::broker::view::whole_text;
use crate::broker::{Copy, Ended, EndedHow};
use crate::history::{Copies, HistoryRecord, HistoryWriter, Outcome};
use crate::paths::Paths;
use crate::protocol::message::{Body, Mail, MessageId};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response::{Checked, Response};
use crate::protocol::time::Timestamp;

/// Bytes of one piece of a message that is read from its copy: what a model takes in one go.
const PIECE_BYTES: usize = 32 << 10;

/// Between two prunings: files are a day each.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

pub struct Archive {
    writer: HistoryWriter,
    copies: Copies,
    /// Zero: no history is kept.
    keep: Duration,
    last_error: Option<String>,
    pruned: Option<Timestamp>,
}

impl Archive {
    /// Touches no file. `warnings` are what the store had to say when it was opened.
    pub fn new(paths: &Paths, keep: Duration, warnings: Vec<String>) -> Archive {
        let copies = Copies::new(paths.copies_dir.clone());
        let writer = HistoryWriter::new(paths.history_dir.clone(), copies.clone());
        Archive { writer, copies, keep, last_error: warnings.into_iter().next_back(), pruned: None }
    }

    /// Writes the copies that an answer speaks of, and puts their paths into it.
    pub fn make_copies(&mut self, response: &mut Response, copies: &[Copy]) {
        let Response::Checked(checked) = response else { return };
        for copy in copies {
            let (mailbox, id) = (copy.mailbox.0, copy.message.id);
            let text = whole_text(&copy.message);
            let written = self
                .copies
                .write(mailbox, id, copy.format, text.as_bytes())
                .and_then(|path| self.copies.write_header(mailbox, id, &copy.header).map(|()| path));
            match written {
                Ok(path) => {
                    let mail = checked.messages.iter_mut().find(|mail| mail.id == id);
                    if let Some(mail) = mail {
                        mail.path = Some(path.display().to_string());
                    }
                }
                // It can be read in pieces as long as it is unsettled, and the answer shows no path.
                Err(error) => self.note("making a copy of a large message", &error),
            }
        }
    }

    /// A piece of a message that was read already.
    pub fn read_copy(
        &mut self,
        mailbox: MailboxId,
        id: MessageId,
        offset: u64,
        unread: u64,
    ) -> Result<Response, Refusal> {
        let mail = self.piece(mailbox, id, offset).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::unknown_message(id.0),
            _ => {
                self.note("reading the copy of a large message", &error);
                Refusal::new(
                    RefusalCode::Unreadable,
                    format!("the copy of message {id} cannot be read: {error}"),
                )
                .hint("the message may be in `ipcd log`")
            }
        })?;
        if mail.offset.is_some_and(|begin| begin < offset)
            || mail.content.as_ref().is_none_or(|c| c.0.is_empty())
        {
            let size = mail.size_bytes.unwrap_or_default();
            return Err(Refusal::invalid_argument(format!("message {id} has {size} bytes")));
        }
        Ok(Response::Checked(Checked {
            messages: vec![mail],
            remaining: unread,
            waited_seconds: 0.0,
            unread,
        }))
    }

    fn piece(&self, mailbox: MailboxId, id: MessageId, offset: u64) -> io::Result<Mail> {
        let header = self.copies.read_header(mailbox.0, id)?;
        let piece = self.copies.read_piece(mailbox.0, id, offset, PIECE_BYTES)?;
        Ok(Mail {
            content: Some(Body(piece.text.into())),
            size_bytes: Some(piece.size_bytes),
            whole: Some(piece.format),
            offset: Some(piece.offset),
            next_offset: piece.next_offset,
            path: None,
            ..header
        })
    }

    /// Writes down how deliveries ended.
    pub fn remember(&mut self, ended: &[Ended]) {
        let Some(last) = ended.last() else { return };
        if self.keep.is_zero() {
            return;
        }
        let records: Vec<HistoryRecord> = ended.iter().map(record).collect();
        if let Err(error) = self.writer.append(&records) {
            self.note("writing the history", &error);
        }
        if self.pruned.is_none_or(|pruned| last.at.since(pruned) >= PRUNE_EVERY) {
            self.pruned = Some(last.at);
            if let Err(error) = self.writer.prune(last.at, self.keep) {
                self.note("removing old history", &error);
            }
        }
    }

    pub fn last_error(&self) -> Option<String> {
        self.last_error.clone()
    }

    /// Keeps `error` for `status`.
    pub fn note(&mut self, doing: &str, error: &dyn Display) {
        tracing::warn!("{doing}: {error}");
        self.last_error = Some(format!("{doing}: {error}"));
    }
}

fn record(ended: &Ended) -> HistoryRecord {
    let message = &ended.message;
    HistoryRecord {
        at: ended.at,
        id: message.id,
        from: message.from.clone(),
        to: ended.to.clone(),
        sent_at: message.sent_at,
        outcome: match ended.how {
            EndedHow::Read => Outcome::Read,
            EndedHow::Purged => Outcome::Purged,
            EndedHow::MadeRoom => Outcome::Dead,
        },
        summary: message.summary.clone(),
        content: message.content.clone(),
        data: message.data.clone(),
        reply_to: message.reply_to,
        thread: message.thread,
        sender: message.sender.clone(),
    }
}
