//! The verbs for people who look after ipcd: `stop` and `dead`.

use std::time::{Duration, Instant};

use super::args::{DeadVerb, Which};
use super::caller::{Caller, now};
use super::exit::{ExitCode, Failure};
use super::output::Fence;
use super::{letter, text, units};
use crate::protocol::refusal::RefusalCode;
use crate::protocol::request::{DeadLetter, DeadLetters, Nothing, Request};
use crate::protocol::response::{DeadInfo, DeadListed, Done, Settled, Status};
use crate::protocol::time::Timestamp;
use crate::transport::process;

/// How long a stopping daemon may take: it answers its calls, commits and closes the store.
const STOP_TIME: Duration = Duration::from_secs(30);

/// Between two looks whether a process is gone, where the system cannot tell us.
const STOP_LOOK: Duration = Duration::from_millis(10);

/// Longest summary in a list, in characters.
const SUMMARY_CHARS: usize = 40;

pub async fn stop(caller: &mut Caller) -> Result<ExitCode, Failure> {
    let status = match caller.call::<Status>(Request::Status(Nothing {})).await {
        Ok((_, status)) => status,
        // What was asked for is so already.
        Err(Failure::Refused(refusal)) if refusal.code == RefusalCode::Retry => {
            return done(caller, "no daemon was running");
        }
        Err(failure) => return Err(failure),
    };
    caller.call::<Done>(Request::Stop(Nothing {})).await?;
    let pid = status.daemon.map(|daemon| daemon.pid);
    if !gone(pid).await {
        return Err(Failure::Surroundings(anyhow::anyhow!(
            "the daemon (pid {}) was told to stop and still runs after {}",
            pid.unwrap_or(0),
            units::age(STOP_TIME.as_secs())
        )));
    }
    done(caller, "the daemon has stopped")
}

fn done(caller: &mut Caller, words: &str) -> Result<ExitCode, Failure> {
    if caller.out.is_json() {
        caller.out.json("{}")?
    } else {
        caller.out.people(words)?
    }
    Ok(ExitCode::Done)
}

/// Waits until the process is gone. Asking at the socket would start the next daemon where a service
/// manager keeps it.
async fn gone(pid: Option<u32>) -> bool {
    let Some(pid) = pid else { return true };
    let deadline = Instant::now() + STOP_TIME;
    while runs(pid) {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(STOP_LOOK).await;
    }
    true
}

/// Whether the process does more than to wait for its parent to look after it. Where that cannot be
/// known, the answer of the daemon must do.
fn runs(pid: u32) -> bool {
    process::of(pid).is_some()
}

pub async fn dead(caller: &mut Caller, verb: DeadVerb) -> Result<ExitCode, Failure> {
    match verb {
        DeadVerb::List => {
            caller.show(Request::DeadList(Nothing {}), |listed| list(listed, now())).await?;
        }
        DeadVerb::Show { id } => {
            let render = |listed: &DeadListed| {
                let letters = listed.dead.iter().map(|info| letter::dead(info, now(), Fence::random()));
                letters.collect::<Vec<_>>().join("\n")
            };
            caller.show(Request::DeadShow(DeadLetter { id }), render).await?;
        }
        DeadVerb::Requeue(which) => {
            let render = |settled: &Settled| format!("{} back in their mailboxes", letters(settled));
            caller.show(Request::DeadRequeue(which.into()), render).await?;
        }
        DeadVerb::Purge(which) => {
            let render = |settled: &Settled| format!("{} forgotten", letters(settled));
            caller.show(Request::DeadPurge(which.into()), render).await?;
        }
    }
    Ok(ExitCode::Done)
}

fn letters(settled: &Settled) -> String {
    units::count(settled.settled, "dead letter")
}

impl From<Which> for DeadLetters {
    fn from(which: Which) -> DeadLetters {
        DeadLetters { ids: (!which.all).then_some(which.ids) }
    }
}

fn list(listed: &DeadListed, now: Timestamp) -> String {
    if listed.dead.is_empty() {
        return "no dead letters".to_owned();
    }
    let row = |info: &DeadInfo| {
        let mail = &info.message;
        let summary = mail.summary.as_deref().or(mail.content.as_ref().map(|body| &*body.0));
        [
            mail.id.to_string(),
            format!("{} to {}", mail.from, mail.to),
            units::ago(now.since(info.died_at).as_secs()),
            letter::reason(info.reason).to_owned(),
            units::size(info.size_bytes),
            summary.map(|text| text::head(text, SUMMARY_CHARS)).unwrap_or_default(),
        ]
    };
    units::columns(&listed.dead.iter().map(row).collect::<Vec<_>>()) + &units::omitted(listed.omitted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::MessageId;

    #[test]
    fn dead_letters_are_listed_by_number() {
        let listed = serde_json::from_str(
            r#"{"dead":[{"reason":"expired","died_at":"2026-11-21T21:20:00Z","size_bytes":2048,"message":
            {"id":7,"from":"alice","to":"bob","sent_at":"2026-11-14T21:20:00Z","summary":"logs\nof last night",
            "hops":1,"redelivered":false,"delivery":1,"sender":{"verified":"full"}}}]}"#,
        );
        let expected =
            "  7  alice to bob  7 min ago  nobody read it in time  2.0 KiB  logs\\u{a}of last night\n";
        assert_eq!(list(&listed.unwrap(), Timestamp(1_795_296_428_007)), expected);
        assert_eq!(list(&DeadListed { dead: Vec::new(), omitted: 0 }, Timestamp(0)), "no dead letters");
    }

    #[test]
    fn all_or_some_of_them() {
        let ids = vec![MessageId(7)];
        assert_eq!(DeadLetters::from(Which { ids: ids.clone(), all: false }).ids, Some(ids));
        assert_eq!(DeadLetters::from(Which { ids: Vec::new(), all: true }).ids, None);
    }

    #[cfg(unix)] // for the program alone
    #[tokio::test(flavor = "current_thread")]
    async fn a_process_that_ended_is_gone() {
        let mut child = tokio::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        // Not waited for yet: the process is a zombie, or soon will be.
        assert!(gone(pid).await);
        child.wait().await.unwrap();
        assert!(gone(pid).await);
        assert!(runs(std::process::id()));
    }
}
