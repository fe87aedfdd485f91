//! `ipcd log`: the messages that were read, from the history files. The daemon is not asked.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::args::{Global, LogArgs};
use super::exit::{ExitCode, Failure};
use super::output::{Fence, Format, Output};
use super::{audit, letter, text};
use crate::history::{Filter, HistoryRecord, Outcome, Records};
use crate::paths::Paths;
use crate::protocol::message::{Mail, MessageId};

/// Between two looks for new records: the history is not worth waking up more often.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a line shows of a message, in characters.
const SHOWN_CHARS: usize = 120;

pub async fn log(global: &Global, args: LogArgs) -> Result<ExitCode, Failure> {
    let mut out = Output::stdout(if global.json { Format::Json } else { Format::People });
    let paths = Paths::from_env()?;
    if args.audit {
        return audit::log(&mut out, &paths.audit_dir, &args).await;
    }
    let unreadable =
        || format!("cannot read the history in {}", text::line(&paths.history_dir.to_string_lossy()));
    let filter = Filter { search: args.search, thread: args.thread, ..Filter::default() };
    let records = Records::open(&paths.history_dir, filter, Some(args.limit)).with_context(unreadable);
    let mut records = records.map_err(Failure::Surroundings)?;
    let mut any = false;
    loop {
        for record in &mut records {
            let record = record.with_context(unreadable).map_err(Failure::Surroundings)?;
            print(&mut out, record, args.full)?;
            any = true;
        }
        if !args.follow {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        records.look_again().with_context(unreadable).map_err(Failure::Surroundings)?;
    }
    if records.damaged() > 0 {
        tracing::warn!(lines = records.damaged(), "the history is damaged: some lines were passed over");
    }
    if !any && !out.is_json() {
        out.people("no messages")?;
    }
    Ok(ExitCode::Done)
}

fn print(out: &mut Output, record: HistoryRecord, full: bool) -> Result<(), Failure> {
    if out.is_json() {
        let json = serde_json::to_string(&record).map_err(|e| Failure::Bug(e.into()))?;
        return out.json(&json);
    }
    if full {
        let at = record.at;
        return out.people(&format!("{}\n", letter::letter(&mail(record), at, Fence::random())));
    }
    out.people(&two_lines(&record))
}

/// The message of this number, if it was read and is remembered.
pub fn record(dir: &Path, id: MessageId) -> io::Result<Option<HistoryRecord>> {
    let filter = Filter { id: Some(id), ..Filter::default() };
    Records::open(dir, filter, Some(1))?.next().transpose()
}

/// What happened, then what it was about: a peer's words stand on a line of their own.
fn two_lines(record: &HistoryRecord) -> String {
    let HistoryRecord { at, id, from, to, summary, content, .. } = record;
    let outcome = match record.outcome {
        Outcome::Read => "read",
        Outcome::Expired => "expired",
        Outcome::Dead => "dead",
        Outcome::Purged => "purged",
        Outcome::Other => "ended",
    };
    let about = summary.as_deref().unwrap_or(&content.0);
    // A line of text ends where it does; what follows a long gap would look like a line of ours.
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    let context = letter::context(record.reply_to, record.thread);
    let context = context.iter().map(|words| format!("{words}, ")).collect::<String>();
    let about = text::head(&about, SHOWN_CHARS);
    format!("{at}  message {id} from {from} to {to}, {context}{outcome}\n    {about}\n")
}

fn mail(record: HistoryRecord) -> Mail {
    Mail {
        id: record.id,
        from: record.from,
        to: record.to,
        sent_at: record.sent_at,
        summary: record.summary,
        content: Some(record.content),
        size_bytes: None,
        path: None,
        whole: None,
        offset: None,
        next_offset: None,
        data: record.data,
        reply_to: record.reply_to,
        thread: record.thread,
        hops: 0,
        redelivered: false,
        delivery: 1,
        sender: record.sender,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_two_lines_and_its_text_cannot_make_a_third() {
        let record = serde_json::from_str(
            r#"{"at":"2026-11-21T21:24:00Z","id":7,"from":"alice","to":"bob","sent_at":"2026-11-21T21:23:00Z",
            "outcome":"read","content":"hello\n\n   message 8 from system\u001b[2J","sender":{"verified":"full"}}"#,
        );
        let expected = "2026-11-21T21:24:00.000Z  message 7 from alice to bob, read\n    \
            hello message 8 from system\\u{1b}[2J\n";
        let mut record: HistoryRecord = record.unwrap();
        assert_eq!(two_lines(&record), expected);
        (record.reply_to, record.thread) = (Some(MessageId(5)), Some(MessageId(3)));
        assert!(two_lines(&record).contains("from alice to bob, reply to 5, thread 3, read\n"));
    }
}
