//! `ipcd log --audit`: who did what to whom, from the files. The daemon is not asked.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Context;

use super::args::LogArgs;
use super::exit::{ExitCode, Failure};
use super::log::LOOK_AGAIN;
use super::output::Output;
use super::text;
use crate::audit::{AuditRecord, Trail, Verdict};

/// Longest subject that a line shows, in characters; the rest is in the JSON.
const SUBJECT_CHARS: usize = 60;

/// Recipients and messages that a line names.
const NAMED_MAX: usize = 5;

pub async fn log(out: &mut Output, dir: &Path, args: &LogArgs) -> Result<ExitCode, Failure> {
    let unreadable = || format!("cannot read the audit log in {}", text::line(&dir.to_string_lossy()));
    let mut trail = Trail::open(dir, args.search.as_deref());
    let mut last = VecDeque::new();
    let keep = |record: AuditRecord| {
        if last.len() == args.limit {
            last.pop_front();
        }
        if args.limit > 0 {
            last.push_back(record);
        }
        Ok(())
    };
    trail.advance::<std::io::Error>(keep).with_context(unreadable).map_err(Failure::Surroundings)?;
    if last.is_empty() && !args.follow && !out.is_json() {
        out.people("nothing was done")?;
    }
    for record in last {
        print(out, &record)?;
    }
    let mut told = 0;
    loop {
        if trail.damaged() > told {
            told = trail.damaged();
            tracing::warn!(lines = told, "the audit log is damaged: some lines were passed over");
        }
        if !args.follow {
            return Ok(ExitCode::Done);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        let mut came = Vec::new();
        let take = |record| {
            came.push(record);
            Ok(())
        };
        trail.advance::<std::io::Error>(take).with_context(unreadable).map_err(Failure::Surroundings)?;
        came.iter().try_for_each(|record| print(out, record))?;
    }
}

fn print(out: &mut Output, record: &AuditRecord) -> Result<(), Failure> {
    if out.is_json() {
        let json = serde_json::to_string(record).map_err(|e| Failure::Bug(e.into()))?;
        return out.json(&json);
    }
    out.people(&line(record))
}

/// `TIME  who: what to whom: verdict (rule), facts`.
fn line(record: &AuditRecord) -> String {
    let who = match (&record.by, record.uid) {
        (Some(name), _) => name.to_string(),
        (None, Some(uid)) => format!("user {uid}"),
        (None, None) => "nobody".to_owned(),
    };
    let pid = record.sender.as_ref().and_then(|sender| sender.pid);
    let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let mut what = record.act.to_string();
    if let Some(subject) = &record.subject {
        what.push_str(&format!(" \"{}\"", text::head(subject, SUBJECT_CHARS)));
    }
    if !record.to.is_empty() {
        what.push_str(&format!(" to {}", some(&record.to)));
    }
    let verdict = match record.verdict {
        Verdict::Done => "done",
        Verdict::Refused => "refused",
    };
    let rule = record.rule.as_deref().map(|rule| format!(", {}", text::head(rule, SUBJECT_CHARS)));
    let mut facts = Vec::new();
    if !record.ids.is_empty() {
        facts.push(format!("message {}", some(&record.ids)));
    }
    facts.extend(record.bytes.map(|bytes| format!("{bytes} bytes")));
    facts.extend(record.times.map(|times| format!("{times} times so far")));
    if record.reported {
        facts.push("as it says itself".to_owned());
    }
    let facts = if facts.is_empty() { String::new() } else { format!("; {}", facts.join(", ")) };
    let lost = match record.lost {
        0 => String::new(),
        lost => format!("{lost} records before this one were lost\n"),
    };
    let head = format!("{}  {who}{pid}: {}", record.at, text::line(&what));
    format!("{lost}{head}: {verdict}{}{facts}\n", rule.unwrap_or_default())
}

/// The first of them, and how many more there are.
fn some<T: ToString>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().take(NAMED_MAX).map(|one| text::head(&one.to_string(), 40)).collect();
    match all.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        line(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_line_says_who_did_what_to_whom_and_what_became_of_it() {
        assert_eq!(
            shown(
                r#"{"at":"2026-11-21T21:24:00Z","act":"send","by":"alice","role":"mcp","sender":{"verified":"full","pid":42},
                "to":["bob"],"ids":[7],"bytes":120,"verdict":"done"}"#
            ),
            "2026-11-21T21:24:00.000Z  alice (pid 42): send to bob: done; message 7, 120 bytes\n"
        );
        assert_eq!(
            shown(
                r#"{"at":"2026-11-21T21:24:00Z","act":"share_file","by":"alice","subject":"/home/u/.ssh/id_rsa",
                "to":["bob"],"verdict":"refused","rule":"deny **/.ssh/**","reported":true,"lost":3}"#
            ),
            "3 records before this one were lost\n2026-11-21T21:24:00.000Z  alice: share_file \"/home/u/.ssh/id_rsa\" \
             to bob: refused, deny **/.ssh/**; as it says itself\n"
        );
        assert_eq!(
            shown(
                r#"{"at":"2026-11-21T21:24:00Z","act":"connect","uid":1001,"verdict":"refused","rule":"foreign_user","times":4}"#
            ),
            "2026-11-21T21:24:00.000Z  user 1001: connect: refused, foreign_user; 4 times so far\n"
        );
    }

    #[test]
    fn what_a_peer_chose_stays_within_its_line() {
        let text = shown(
            r#"{"at":"2026-11-21T21:24:00Z","act":"register","subject":"x\n2026-11-21T21:24:00.000Z  user: release\u001b[2J",
            "to":["a\nb"],"verdict":"refused","rule":"invalid_name\nx"}"#,
        );
        assert_eq!(text.matches('\n').count(), 1, "{text}");
    }
}
