//! The verbs about who is who: `register`, `list`, `rename`, `release`, `auto`.

use std::fmt::Write as _;

use super::args::{AutoVerb, RegisterArgs};
use super::caller::{Caller, now};
use super::exit::{ExitCode, Failure};
use super::mail::{learns, yours};
use super::{text, units};
use crate::protocol::request::{Auto, AutoSet, Nothing, Register, Release, Rename, Request};
use crate::protocol::response::{AutoState, Instance, Listed, Presence, Registered, Released, Renamed};
use crate::protocol::time::Timestamp;

/// Longest folder in a list, in characters: what is left of a wide terminal beside the other columns.
const FOLDER_CHARS: usize = 48;
const PROGRAM_CHARS: usize = 24;

pub async fn register(caller: &mut Caller, args: RegisterArgs) -> Result<ExitCode, Failure> {
    let request = Register { name: Some(args.name), auto: false, held: Vec::new() };
    caller.show(Request::Register(request), registered).await?;
    Ok(ExitCode::Done)
}

pub async fn list(caller: &mut Caller) -> Result<ExitCode, Failure> {
    caller.show(Request::List(Nothing {}), |listed| self::listed(listed, now())).await?;
    Ok(ExitCode::Done)
}

pub async fn rename(caller: &mut Caller, new: String) -> Result<ExitCode, Failure> {
    let render = |renamed: &Renamed| self::renamed(renamed, now());
    caller.show(Request::Rename(Rename { new, old: None }), render).await?;
    Ok(ExitCode::Done)
}

pub async fn release(caller: &mut Caller, name: String) -> Result<ExitCode, Failure> {
    let render = |released: &Released| {
        let holder = if released.was_live { "; its holder has no name now" } else { "" };
        format!("{} is free, its mail waits for whoever takes it{holder}", released.name)
    };
    caller.show(Request::Release(Release { name }), render).await?;
    Ok(ExitCode::Done)
}

pub async fn auto(caller: &mut Caller, verb: AutoVerb) -> Result<ExitCode, Failure> {
    let (set, minutes) = match verb {
        AutoVerb::Start { minutes } => (AutoSet::Start, minutes),
        AutoVerb::Stop => (AutoSet::Stop, None),
        AutoVerb::Status => (AutoSet::Status, None),
    };
    let request = Request::Auto(Auto { set, minutes, from: None });
    caller.show(request, |state| auto_state(state, now())).await?;
    Ok(ExitCode::Done)
}

fn registered(answer: &Registered) -> String {
    let mut text = format!("you are {}", answer.name);
    match &answer.last_holder {
        Some(holder) if answer.resumed => {
            let _ = write!(text, " again; last held by {}", text::line(holder));
        }
        _ if answer.resumed => text.push_str(" again"),
        _ => {}
    }
    text.push('\n');
    if !answer.peers.is_empty() {
        let names: Vec<&str> = answer.peers.iter().map(|name| name.as_str()).collect();
        let _ = writeln!(text, "live now: {}", names.join(", "));
    }
    text + &yours(answer.unread)
}

fn listed(answer: &Listed, now: Timestamp) -> String {
    if answer.instances.is_empty() {
        return format!("no agent has a name yet\n{}", yours(answer.unread));
    }
    instances(&answer.instances, now) + &units::omitted(answer.omitted) + &yours(answer.unread)
}

/// One line for each instance.
pub fn instances(instances: &[Instance], now: Timestamp) -> String {
    let row = |instance: &Instance| {
        let you = if instance.you { " (you)" } else { "" };
        let folder = instance.cwd.as_deref().map(|cwd| text::tail(cwd, FOLDER_CHARS));
        [
            format!("{}{you}", instance.name),
            presence(instance, now),
            waiting(instance.unread, instance.oldest_seconds),
            instance.client.as_deref().map(|client| text::head(client, PROGRAM_CHARS)).unwrap_or_default(),
            folder.unwrap_or_default(),
        ]
    };
    units::columns(&instances.iter().map(row).collect::<Vec<_>>())
}

fn presence(instance: &Instance, now: Timestamp) -> String {
    match (instance.state, learns(instance.wakes)) {
        (Presence::Live, Some(how)) => format!("live, {how}"),
        (Presence::Live, None) => "live".to_owned(),
        (Presence::Offline, _) => {
            let seen = now.since(instance.last_seen).as_secs();
            format!("offline, seen {}", units::ago(seen))
        }
        (Presence::Unregistered, _) => "never registered".to_owned(),
    }
}

/// `2 unread, oldest 3 min`, or nothing when nothing waits.
pub fn waiting(unread: u64, oldest_seconds: u64) -> String {
    if unread == 0 {
        return String::new();
    }
    format!("{unread} unread, oldest {}", units::age(oldest_seconds))
}

fn renamed(answer: &Renamed, now: Timestamp) -> String {
    let seconds = answer.forward_until.since(now).as_millis().div_ceil(1000);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let old = &answer.forwards_from;
    if old.key() == answer.name.key() {
        // Another spelling of the same name: nothing forwards, and nothing ends.
        return format!("you are {}", answer.name);
    }
    if seconds == 0 {
        return format!("you are {}; {old} is no longer yours", answer.name);
    }
    format!("you are {}; {old} forwards to you for {}", answer.name, units::span(seconds))
}

fn auto_state(state: &AutoState, now: Timestamp) -> String {
    if !state.enabled {
        return format!("no automatic looks\n{}", yours(state.unread));
    }
    let last = match state.last_check {
        Some(at) => format!("the last {}", units::ago(now.since(at).as_secs())),
        None => "none yet".to_owned(),
    };
    let due = match state.next_check {
        _ if state.due => ", one is due now".to_owned(),
        Some(at) => format!(", the next in {}", units::span(at.since(now).as_secs())),
        None => String::new(),
    };
    let every = state.interval_minutes;
    format!("a look every {every} min, {last}{due}\n{}", yours(state.unread))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_296_428_007);

    #[test]
    fn a_list_is_columns() {
        let listed = serde_json::from_str(
            r#"{"unread":1,"instances":[
            {"name":"webapp","state":"live","client":"claude-code","cwd":"/home/u/webapp","pid":4,"unread":0,
             "since":"2026-11-21T21:00:00Z","last_seen":"2026-11-21T21:27:00Z","wakes":"waiting","you":true},
            {"name":"api","state":"offline","client":"codex\u001b[2J","unread":3,"oldest_seconds":200,
             "since":"2026-11-21T20:00:00Z","last_seen":"2026-11-21T19:27:00Z","wakes":"none","you":false}]}"#,
        );
        let expected = "  \
  webapp (you)  live, waiting for mail                          claude-code     /home/u/webapp
  api           offline, seen 2 h ago   3 unread, oldest 3 min  codex\\u{1b}[2J
1 message waits for you: run `ipcd check`
";
        assert_eq!(super::listed(&listed.unwrap(), NOW), expected);
        let nobody = Listed { instances: Vec::new(), omitted: 0, unread: 0 };
        assert_eq!(super::listed(&nobody, NOW), "no agent has a name yet\n");
    }

    #[test]
    fn a_name_is_told_with_its_past() {
        let answer =
            r#"{"name":"builder","resumed":true,"last_holder":"codex in /src","unread":2,"peers":["api"]}"#;
        let expected = "you are builder again; last held by codex in /src\nlive now: api\n\
            2 messages wait for you: run `ipcd check`\n";
        assert_eq!(registered(&serde_json::from_str(answer).unwrap()), expected);
        let answer = r#"{"name":"new","forwards_from":"old","forward_until":"2026-11-21T23:27:08.007Z"}"#;
        let expected = "you are new; old forwards to you for 2 h";
        assert_eq!(renamed(&serde_json::from_str(answer).unwrap(), NOW), expected);
        let respelt = answer.replace("\"new\"", "\"OLD\"");
        assert_eq!(renamed(&serde_json::from_str(&respelt).unwrap(), NOW), "you are OLD");
    }

    #[test]
    fn auto_says_when_it_looked() {
        let state = |more: &str| serde_json::from_str(&format!(r#"{{"unread":0,{more}}}"#)).unwrap();
        let off = state(r#""enabled":false,"interval_minutes":5,"due":false"#);
        assert_eq!(auto_state(&off, NOW), "no automatic looks\n");
        let on =
            state(r#""enabled":true,"interval_minutes":5,"due":true,"last_check":"2026-11-21T21:20:00Z""#);
        assert_eq!(auto_state(&on, NOW), "a look every 5 min, the last 7 min ago, one is due now\n");
        let soon = state(
            r#""enabled":true,"interval_minutes":10,"due":false,"last_check":"2026-11-21T21:20:00Z",
            "next_check":"2026-11-21T21:30:00Z""#,
        );
        let expected = "a look every 10 min, the last 7 min ago, the next in 2 min 51 s\n";
        assert_eq!(auto_state(&soon, NOW), expected);
    }
}
