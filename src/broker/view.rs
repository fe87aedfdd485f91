//! A stored message as a reader sees it: whole, as a summary, or in pieces.

use std::borrow::Cow;

use super::mutation::{MailboxId, MessageRow};
use super::{Broker, Copy};
use crate::protocol::message::{Body, Mail, MessageId, WholeFormat};
use crate::protocol::refusal::Refusal;

/// A sentence of fewer characters is a fragment and does not make a summary (the seed's rule).
const SENTENCE_CHARS_MIN: usize = 10;
/// Length of a summary that is cut out of a text without sentences, in characters (the seed's rule).
const SUMMARY_CHARS: usize = 150;

impl Broker {
    /// One message of a mailbox. Large ones come as summary, size and copy. A peek shows the sender's
    /// summary where there is one.
    pub(super) fn view(&self, mailbox: MailboxId, id: MessageId, peek: bool) -> Option<(Mail, Option<Copy>)> {
        let mut mail = self.header(mailbox, id)?;
        let row = &self.state.messages.get(&id)?.row;
        let large = row.size() > self.limits.inline_bytes;
        let by_summary = large || peek && row.summary.is_some();
        if !by_summary {
            mail.content = Some(row.content.clone());
            mail.data = row.data.clone();
            return Some((mail, None));
        }
        mail.size_bytes = Some(whole_text(row).len() as u64);
        if mail.summary.is_none() {
            mail.summary = Some(summarise(&row.content.0, self.limits.summary_bytes));
        }
        if !large || peek {
            return Some((mail, None));
        }
        let format = format_of(row);
        mail.whole = Some(format);
        let copy = Copy { mailbox, format, message: row.clone(), header: mail.clone() };
        Some((mail, Some(copy)))
    }

    /// A piece of one message: all of it if it is small.
    pub(super) fn piece(&self, mailbox: MailboxId, id: MessageId, offset: u64) -> Result<Mail, Refusal> {
        let mut mail = self.header(mailbox, id).ok_or_else(|| Refusal::unknown_message(id.0))?;
        let row =
            self.state.messages.get(&id).map(|m| &m.row).ok_or_else(|| Refusal::unknown_message(id.0))?;
        if row.size() <= self.limits.inline_bytes {
            mail.content = Some(row.content.clone());
            mail.data = row.data.clone();
            return Ok(mail);
        }
        let whole = whole_text(row);
        let piece = cut(&whole, offset, self.limits.piece_bytes)
            .ok_or_else(|| Refusal::invalid_argument(format!("message {id} has {} bytes", whole.len())))?;
        let end = offset + piece.len() as u64;
        mail.content = Some(Body(piece.into()));
        mail.size_bytes = Some(whole.len() as u64);
        mail.whole = Some(format_of(row));
        mail.offset = Some(offset);
        mail.next_offset = (end < whole.len() as u64).then_some(end);
        Ok(mail)
    }

    /// A message without its texts.
    pub(super) fn header(&self, mailbox: MailboxId, id: MessageId) -> Option<Mail> {
        let row = &self.state.messages.get(&id)?.row;
        let target = self.state.mailboxes.get(&mailbox)?;
        let delivery = target.unsettled.get(&id).or_else(|| target.dead.get(&id))?;
        Some(Mail {
            id,
            from: row.from.clone(),
            to: target.row.name.clone(),
            sent_at: row.sent_at,
            summary: row.summary.clone(),
            content: None,
            size_bytes: None,
            path: None,
            whole: None,
            offset: None,
            next_offset: None,
            data: None,
            reply_to: row.reply_to,
            thread: row.thread,
            hops: row.hops,
            redelivered: delivery.redelivered
                || id.0 <= self.state.counters.repeat_until.max(self.repeat_until),
            delivery: delivery.tries + u32::from(delivery.dead.is_none()),
            sender: row.sender.clone(),
        })
    }
}

fn format_of(row: &MessageRow) -> WholeFormat {
    if row.data.is_some() { WholeFormat::Json } else { WholeFormat::Text }
}

/// The whole of a message as one text: what its copy holds and its pieces are cut from.
pub fn whole_text(row: &MessageRow) -> Cow<'_, str> {
    let Some(data) = &row.data else { return Cow::Borrowed(&row.content.0) };
    let content = serde_json::Value::String(row.content.0.to_string());
    Cow::Owned(format!("{{\"content\":{content},\"data\":{}}}", data.get()))
}

/// At most `max` bytes from `offset` on, whole characters only. `None`: there is nothing at `offset`.
fn cut(text: &str, offset: u64, max: usize) -> Option<&str> {
    let offset = usize::try_from(offset).ok()?;
    if offset >= text.len() {
        return None;
    }
    let rest = text.get(offset..)?;
    Some(&rest[..rest.floor_char_boundary(max)])
}

/// The first two sentences, or the beginning, of a text that nobody summarised.
fn summarise(text: &str, max_bytes: usize) -> String {
    let mut sentences = text.split_inclusive(['.', '!', '?']).map(str::trim).filter(|sentence| {
        sentence.ends_with(['.', '!', '?']) && sentence.chars().count() > SENTENCE_CHARS_MIN
    });
    let mut summary = match (sentences.next(), sentences.next()) {
        (Some(first), Some(second)) => format!("{first} {second}"),
        (Some(first), None) => first.to_owned(),
        (None, _) => {
            let start: String = text.chars().take(SUMMARY_CHARS).collect();
            format!("{}...", start.trim())
        }
    };
    if summary.len() > max_bytes {
        summary.truncate(summary.floor_char_boundary(max_bytes - 3));
        summary.push_str("...");
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_two_sentences_or_the_beginning() {
        assert_eq!(
            summarise("The build is red. I fixed the test! More follows.", 500),
            "The build is red. I fixed the test!"
        );
        assert_eq!(summarise("No. No. This is a sentence. tail", 500), "This is a sentence.");
        assert_eq!(summarise(&"x".repeat(400), 500), format!("{}...", "x".repeat(150)));
        let long = summarise(&format!("{}. b", "é".repeat(400)), 500);
        assert!(long.len() <= 500 && long.ends_with("..."), "{}", long.len());
    }

    #[test]
    fn pieces_are_whole_characters() {
        assert_eq!(cut("aé", 0, 2), Some("a"));
        assert_eq!(cut("aé", 1, 9), Some("é"));
        assert_eq!(cut("aé", 2, 9), None, "inside a character");
        assert_eq!(cut("aé", 3, 9), None, "at the end");
    }
}
