//! What came of a line, in words.

use std::time::Duration;

use super::super::world::World;
use crate::broker::{Effect, SessionId};
use crate::protocol::event::Event;
use crate::protocol::message::Mail;
use crate::protocol::refusal::Refusal;
use crate::protocol::response::{
    AutoState, Broadcasted, Checked, DeadListed, Listed, Recipient, Registered, Response, SendOutcome, Sent,
    SentMany, Status, Wakes,
};
use crate::protocol::time::Timestamp;

/// Content longer than this is shown by its length.
const SHOWN_CHARS: usize = 60;

/// Bells and the history are shown only where a scenario is about them.
#[derive(Default)]
pub struct Renderer {
    bells: bool,
    history: bool,
}

impl Renderer {
    pub fn show(&mut self, what: &str) {
        match what {
            "bells" => self.bells = true,
            "history" => self.history = true,
            _ => panic!("show what? {what:?}"),
        }
    }

    pub fn effects(&self, world: &World, effects: &[Effect]) -> Vec<String> {
        effects.iter().flat_map(|effect| self.effect(world, effect)).collect()
    }

    fn effect(&self, world: &World, effect: &Effect) -> Vec<String> {
        match effect {
            Effect::Reply { session, outcome, copies, .. } => {
                let mut lines = match outcome {
                    Ok(response) => answer(world, response),
                    Err(refusal) => vec![refused(refusal)],
                };
                lines[0] = format!("{}: {}", who(world, *session), lines[0]);
                lines.extend(copies.iter().map(|copy| format!("  a copy of {}", copy.header.id)));
                lines
            }
            Effect::ReadCopy { session, id, offset, .. } => {
                vec![format!("{}: from the copy of {id}, at {offset}", who(world, *session))]
            }
            Effect::Push { session, event: Event::Mail(mail) } if self.bells => {
                vec![format!("{}: bell, {} waiting", who(world, *session), mail.unread)]
            }
            Effect::Push { event: Event::Mail(_), .. } => Vec::new(),
            Effect::Push { session, event } => vec![format!("{}: {}", who(world, *session), event.method())],
            Effect::Ended(ended) if self.history => {
                vec![format!("history: {} to {} {:?}", ended.message.id, ended.to, ended.how).to_lowercase()]
            }
            Effect::Ended(_) => Vec::new(),
            Effect::Stop => vec!["the daemon is told to stop".to_owned()],
        }
    }
}

fn who(world: &World, session: SessionId) -> String {
    let actor = world.actors.iter().find(|(_, actor)| actor.session == Some(session));
    actor.map_or_else(|| "somebody".to_owned(), |(label, _)| label.clone())
}

fn refused(refusal: &Refusal) -> String {
    match refusal.hint.as_str() {
        "" => format!("{}: {}", refusal.code, refusal.message),
        hint => format!("{}: {}; {hint}", refusal.code, refusal.message),
    }
}

fn answer(world: &World, response: &Response) -> Vec<String> {
    let line = match response {
        Response::Registered(r) => registered(r),
        Response::Sent(sent) => format!("{} unread {}", self::sent(sent), sent.unread),
        Response::SentMany(many) => return sent_many(many),
        Response::Broadcasted(b) => broadcasted(b),
        Response::Checked(checked) => return self::checked(checked),
        Response::Settled(s) => format!("settled {} unread {}", s.settled, s.unread),
        Response::Listed(listed) => return self::listed(listed),
        Response::Renamed(r) => {
            let span = span(r.forward_until.since(world.wall()));
            format!("renamed {}, {} forwards for {span}", r.name, r.forwards_from)
        }
        Response::Released(r) => {
            format!("released {}, which was {}", r.name, if r.was_live { "live" } else { "offline" })
        }
        Response::Auto(auto) => self::auto(auto),
        Response::Hooked(h) => {
            let says = if h.speak { "is to speak" } else { "is silent" };
            format!("{says}, {} waiting{}", h.unread, if h.over { ", and over" } else { "" })
        }
        Response::Status(status) => return self::status(world, status),
        Response::DeadListed(dead) => return self::dead(dead),
        Response::Done(_) => "done".to_owned(),
    };
    vec![line]
}

fn registered(r: &Registered) -> String {
    let mut line = format!("registered {} unread {}", r.name, r.unread);
    if r.resumed {
        line.push_str(" resumed");
    }
    if let Some(last) = &r.last_holder {
        line.push_str(&format!(" from {last}"));
    }
    if !r.peers.is_empty() {
        line.push_str(&format!(" peers {}", joined(&r.peers)));
    }
    if !r.held.is_empty() {
        line.push_str(&format!(" held {}", joined(&r.held)));
    }
    line
}

fn sent(sent: &Sent) -> String {
    let repeated = if sent.repeated { "already stored" } else { "stored" };
    let forwarded = sent.forwarded_from.as_ref().map(|old| format!(" (was {old})")).unwrap_or_default();
    format!("{repeated} {} to {}{forwarded} {}", sent.id, sent.to, recipient(&sent.recipient))
}

fn recipient(r: &Recipient) -> String {
    let state = format!("{:?}", r.state).to_lowercase();
    let oldest = if r.oldest_seconds > 0 { format!(" oldest {}s", r.oldest_seconds) } else { String::new() };
    let wakes = match r.wakes {
        Wakes::None => String::new(),
        Wakes::Waiting => " waiting".to_owned(),
        wakes => format!(" by {}", serde_json::to_value(wakes).expect("a word").as_str().expect("a word")),
    };
    format!("{state}{wakes} with {}{oldest},", r.unread)
}

fn sent_many(many: &SentMany) -> Vec<String> {
    let mut lines = vec![format!("{} recipients, unread {}", many.results.len(), many.unread)];
    lines.extend(many.results.iter().map(|outcome| match outcome {
        SendOutcome::Sent(sent) => format!("  {}", self::sent(sent).trim_end_matches(',')),
        SendOutcome::Refused { to, error } => format!("  not to {to}: {}", error.code),
    }));
    lines
}

fn broadcasted(b: &Broadcasted) -> String {
    let id = b.id.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
    let mut line = format!("broadcast {id} to {}", joined(&b.delivered));
    if b.delivered.is_empty() {
        line.push_str("nobody");
    }
    for refused in &b.refused {
        line.push_str(&format!(", not to {}: {}", refused.name, refused.code));
    }
    line
}

fn checked(checked: &Checked) -> Vec<String> {
    let mut line = match checked.messages.len() {
        0 => "nothing".to_owned(),
        1 => "1 message".to_owned(),
        n => format!("{n} messages"),
    };
    if checked.remaining > 0 {
        line.push_str(&format!(", {} remain", checked.remaining));
    }
    if checked.unread > 0 {
        line.push_str(&format!(", unread {}", checked.unread));
    }
    if checked.waited_seconds > 0.0 {
        line.push_str(&format!(", after {}s", checked.waited_seconds));
    }
    let mut lines = vec![line];
    lines.extend(checked.messages.iter().map(mail));
    lines
}

fn mail(mail: &Mail) -> String {
    let mut line = format!("  {} {} -> {}", mail.id, mail.from, mail.to);
    let mut add = |text: String| {
        line.push(' ');
        line.push_str(&text);
    };
    if let Some(content) = &mail.content {
        match content.0.chars().count() > SHOWN_CHARS {
            true => add(format!("({} bytes)", content.0.len())),
            false => add(format!("{:?}", content.0)),
        }
    }
    if let Some(data) = &mail.data {
        add(format!("data {}", data.get()));
    }
    if let Some(summary) = &mail.summary {
        match summary.len() > SHOWN_CHARS {
            true => add(format!("summary of {} bytes", summary.len())),
            false => add(format!("summary {summary:?}")),
        }
    }
    if let Some(size) = mail.size_bytes {
        add(format!("of {size} bytes"));
    }
    if let Some(whole) = mail.whole {
        add(format!("in {whole:?}").to_lowercase());
    }
    if let Some(offset) = mail.offset {
        add(format!("from {offset}"));
    }
    if let Some(next) = mail.next_offset {
        add(format!("next {next}"));
    }
    if let Some(id) = mail.reply_to {
        add(format!("replies to {id}"));
    }
    if let Some(id) = mail.thread {
        add(format!("thread {id}"));
    }
    if mail.hops > 0 {
        add(format!("hops {}", mail.hops));
    }
    if mail.redelivered {
        add("redelivered".to_owned());
    }
    if mail.delivery > 1 {
        add(format!("delivery {}", mail.delivery));
    }
    line
}

fn listed(listed: &Listed) -> Vec<String> {
    let mut lines = vec![format!("{} instances, unread {}", listed.instances.len(), listed.unread)];
    lines.extend(listed.instances.iter().map(|i| {
        let state = format!("{:?}", i.state).to_lowercase();
        let folder = i.cwd.as_deref().unwrap_or("nowhere");
        let you = if i.you { ", you" } else { "" };
        let oldest =
            if i.oldest_seconds > 0 { format!(" (oldest {}s)", i.oldest_seconds) } else { String::new() };
        format!(
            "  {} {state} in {folder}, seen {}, unread {}{oldest}{you}",
            i.name,
            at(i.last_seen),
            i.unread
        )
    }));
    lines.extend((listed.omitted > 0).then(|| format!("  and {} more", listed.omitted)));
    lines
}

fn auto(auto: &AutoState) -> String {
    let due = if auto.due { ", due" } else { "" };
    match auto.enabled {
        true => format!("looks every {} minutes{due}, unread {}", auto.interval_minutes, auto.unread),
        false => format!("does not look, unread {}", auto.unread),
    }
}

fn status(world: &World, status: &Status) -> Vec<String> {
    let you = status.you.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let mut lines = vec![format!(
        "you are {you}, unread {}, backlog {} in {} bytes, dead {}",
        status.unread, status.backlog_messages, status.backlog_bytes, status.dead_letters
    )];
    lines.extend((status.omitted > 0).then(|| format!("  {} instances left out", status.omitted)));
    lines.extend(status.unclaimed.iter().map(|u| format!("  {} is nobody's, unread {}", u.name, u.unread)));
    lines.extend(
        status
            .forwards
            .iter()
            .map(|f| format!("  {} forwards to {} for {}", f.from, f.to, span(f.until.since(world.wall())))),
    );
    lines.extend(status.limits_reached.iter().map(|l| format!("  {} {} times", l.code, l.times)));
    lines
}

fn dead(dead: &DeadListed) -> Vec<String> {
    let mut lines = vec![format!("{} dead", dead.dead.len())];
    lines.extend(dead.dead.iter().map(|d| {
        let reason = format!("{:?}", d.reason).to_lowercase();
        format!("{}, {reason} at {}, {} bytes", mail(&d.message), at(d.died_at), d.size_bytes)
    }));
    lines
}

/// Time since the world began.
fn at(time: Timestamp) -> String {
    span(time.since(Timestamp(super::super::world::BEGINNING)))
}

fn span(span: Duration) -> String {
    let (ms, s) = (span.as_millis() as u64, span.as_secs());
    match () {
        () if !ms.is_multiple_of(1000) => format!("{ms}ms"),
        () if s == 0 || !s.is_multiple_of(60) => format!("{s}s"),
        () if !s.is_multiple_of(3600) => format!("{}m", s / 60),
        () => format!("{}h", s / 3600),
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
