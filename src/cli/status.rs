//! `ipcd status`: one page that answers "is it well, who is there, what waits".

use std::fmt::Write as _;

use super::caller::{Caller, now};
use super::exit::{ExitCode, Failure};
use super::mail::yours;
use super::names::{instances, waiting};
use super::{skew, text, units};
use crate::protocol::request::{Nothing, Request};
use crate::protocol::response::{DaemonStatus, Status};
use crate::protocol::time::Timestamp;

pub async fn status(caller: &mut Caller) -> Result<ExitCode, Failure> {
    caller.show(Request::Status(Nothing {}), |status| page(status, now())).await?;
    Ok(ExitCode::Done)
}

/// One line for a prompt. A prompt is no place for errors: without a daemon there is no line.
pub async fn status_line(caller: &mut Caller) -> Result<ExitCode, Failure> {
    let Ok((raw, status)) = caller.call::<Status>(Request::Status(Nothing {})).await else {
        return Ok(ExitCode::Done);
    };
    if caller.out.is_json() || status.you.is_some() {
        caller.print(&raw, || line(&status))?;
    }
    Ok(ExitCode::Done)
}

fn line(status: &Status) -> String {
    match (&status.you, status.unread) {
        (None, _) => String::new(),
        (Some(you), 0) => you.to_string(),
        (Some(you), unread) => format!("{you} ({unread})"),
    }
}

fn page(status: &Status, now: Timestamp) -> String {
    let mut page = match &status.daemon {
        Some(daemon) => about(daemon, status),
        None => String::new(),
    };
    let you = status.you.as_ref().map(|you| format!("you are {you}\n")).unwrap_or_default();
    section(&mut page, "", &(you + &yours(status.unread)));
    let none = if status.instances.is_empty() { "  none has a name yet\n" } else { "" };
    let agents = instances(&status.instances, now) + &units::omitted(status.omitted) + none;
    section(&mut page, "agents", &agents);
    section(&mut page, "waiting for somebody to take the name", &unclaimed(status));
    section(&mut page, "old names", &forwards(status, now));
    section(&mut page, "limits reached since the start", &limits(status));
    section(&mut page, "", &troubles(status));
    page
}

/// Adds a paragraph, if it says anything.
fn section(page: &mut String, title: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    if !page.is_empty() {
        page.push('\n');
    }
    if !title.is_empty() {
        let _ = writeln!(page, "{title}");
    }
    page.push_str(body);
}

fn about(daemon: &DaemonStatus, status: &Status) -> String {
    let DaemonStatus { version, pid, uptime_seconds, activated, .. } = daemon;
    let starter = if *activated { ", started by the service manager" } else { "" };
    let mut text = format!("ipcd {version}, up {}, pid {pid}{starter}\n", units::span(*uptime_seconds));
    let backlog = match status.backlog_messages {
        0 => "nothing unread".to_owned(),
        n => format!("{} unread, {}", units::count(n, "message"), units::size(status.backlog_bytes)),
    };
    text.push_str(&units::columns(&[
        ["socket".to_owned(), text::line(&daemon.socket).into_owned()],
        ["store".to_owned(), format!("{}, {}", text::line(&daemon.store), units::size(daemon.store_bytes))],
        ["history".to_owned(), text::line(&daemon.history).into_owned()],
        ["holds".to_owned(), format!("{backlog}, {}", units::count(status.sessions, "connection"))],
    ]));
    text.push_str(&skew::about(daemon, &status.clients));
    text
}

fn unclaimed(status: &Status) -> String {
    let row =
        |u: &crate::protocol::response::Unclaimed| [u.name.to_string(), waiting(u.unread, u.oldest_seconds)];
    units::columns(&status.unclaimed.iter().map(row).collect::<Vec<_>>())
}

fn forwards(status: &Status, now: Timestamp) -> String {
    let row = |forward: &crate::protocol::response::Forward| {
        let left = units::span(forward.until.since(now).as_secs());
        [forward.from.to_string(), format!("is {} now", forward.to), format!("for {left}")]
    };
    units::columns(&status.forwards.iter().map(row).collect::<Vec<_>>())
}

fn limits(status: &Status) -> String {
    let row = |limit: &crate::protocol::response::LimitReached| {
        [limit.code.to_string(), units::count(limit.times, "time")]
    };
    units::columns(&status.limits_reached.iter().map(row).collect::<Vec<_>>())
}

fn troubles(status: &Status) -> String {
    let mut text = String::new();
    if status.dead_letters > 0 {
        let count = units::count(status.dead_letters, "dead letter");
        let _ = writeln!(text, "{count}: see `ipcd dead list`");
    }
    if let Some(error) = status.daemon.as_ref().and_then(|daemon| daemon.last_error.as_deref()) {
        let _ = writeln!(text, "last error: {}", text::line(error));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_296_428_007);

    fn status(more: &str) -> Status {
        let text = format!(
            r#"{{"unread":0,"instances":[],"unclaimed":[],"forwards":[],"dead_letters":0,"backlog_messages":0,
            "backlog_bytes":0,"sessions":1,"limits_reached":[],"daemon":{{"version":"{}","pid":42,
            "uptime_seconds":11525,"activated":false,"socket":"/run/s","store":"/s/ipcd.redb","store_bytes":53248,
            "history":"/s/history"}}{more}}}"#,
            env!("CARGO_PKG_VERSION")
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_quiet_day_is_a_short_page() {
        let expected = format!(
            "\
ipcd {}, up 3 h 12 min, pid 42
  socket   /run/s
  store    /s/ipcd.redb, 52 KiB
  history  /s/history
  holds    nothing unread, 1 connection

agents
  none has a name yet
",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(page(&status(""), NOW), expected);
    }

    #[test]
    fn everything_that_is_not_well_has_its_paragraph() {
        let mut status = status(r#","you":"web""#);
        status.unread = 2;
        status.dead_letters = 1;
        status.unclaimed =
            serde_json::from_str(r#"[{"name":"carol","unread":3,"oldest_seconds":90000}]"#).unwrap();
        status.forwards =
            serde_json::from_str(r#"[{"from":"old","to":"web","until":"2026-11-21T22:00:00Z"}]"#).unwrap();
        status.limits_reached = serde_json::from_str(r#"[{"code":"rate_limited","times":3}]"#).unwrap();
        let daemon = status.daemon.as_mut().unwrap();
        daemon.version = "9.0.0".to_owned();
        daemon.last_error = Some("disk\nfull".to_owned());
        let text = page(&status, NOW);
        let rest = text.split_once("nothing is lost\n").expect("the skew is noted").1;
        let expected = "
you are web
2 messages wait for you: run `ipcd check`

agents
  none has a name yet

waiting for somebody to take the name
  carol  3 unread, oldest 1 day

old names
  old  is web now  for 32 min 51 s

limits reached since the start
  rate_limited  3 times

1 dead letter: see `ipcd dead list`
last error: disk\\u{a}full
";
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_line_is_the_name_and_what_waits() {
        let mut status = status(r#","you":"web""#);
        assert_eq!(line(&status), "web");
        status.unread = 2;
        assert_eq!(line(&status), "web (2)");
    }
}
