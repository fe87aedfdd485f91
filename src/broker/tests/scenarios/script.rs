//! The lines of a scenario, done.

use std::time::Duration;

use super::super::world::{Actor, World};
use super::render::Renderer;
use crate::broker::Effect;
use crate::broker::limits::Limits;
use crate::protocol::hello::Role;
use crate::protocol::message::{Body, Data, MessageId};
use crate::protocol::request::{
    Auto, AutoSet, Bell, Broadcast, Check, DeadLetter, DeadLetters, Hook, Leases, Nothing, Register, Release,
    Rename, Request, Send,
};
use crate::protocol::response::Wakes;
use crate::protocol::time::Timestamp;

/// A world in which a scenario plays. It begins with the first line that is not about limits.
#[derive(Default)]
pub struct Stage {
    limits: Limits,
    world: Option<World>,
    renderer: Renderer,
}

/// The words of a line: what is bare, and what is `key=value`.
struct Words {
    bare: Vec<String>,
    options: Vec<(String, String)>,
}

impl Words {
    fn parse(line: &str) -> Words {
        let words = shlex::split(line).unwrap_or_else(|| panic!("quotes in {line:?}"));
        let option = |word: &String| {
            let (key, value) = word.split_once('=')?;
            let plain = key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !key.is_empty();
            plain.then(|| (key.to_owned(), value.to_owned()))
        };
        let options = words.iter().filter_map(option).collect();
        Words { bare: words.iter().filter(|word| option(word).is_none()).cloned().collect(), options }
    }

    fn get(&self, key: &str) -> Option<String> {
        self.options.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone())
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.get(key).map(|value| value.parse().unwrap_or_else(|_| panic!("{key}={value}")))
    }

    fn has(&self, word: &str) -> bool {
        self.bare.iter().any(|w| w == word)
    }

    fn ids(&self, key: &str) -> Option<Vec<MessageId>> {
        let ids = |value: String| value.split(',').map(|id| MessageId(id.parse().expect(key))).collect();
        self.get(key).map(ids)
    }
}

impl Stage {
    /// What came of one line.
    pub fn play(&mut self, line: &str) -> Vec<String> {
        if line.is_empty() || line.starts_with('#') {
            return Vec::new();
        }
        let words = Words::parse(line);
        let subject = words.bare.first().map(String::as_str).unwrap_or("limits");
        if subject == "limits" {
            self.set_limits(&words);
            return Vec::new();
        }
        let world = self.world.get_or_insert_with(|| World::new(self.limits.clone()));
        let bare: Vec<&str> = words.bare.iter().map(String::as_str).collect();
        let effects = match bare[..] {
            ["time", "passes", span] => world.pass(duration(span)),
            ["clock", "jumps", span] => world.jump_to(jumped(world.now.wall, span)),
            ["restart"] => {
                let stopped = world.stop();
                let mut heard = self.renderer.effects(world, &stopped);
                let started = world.start_again();
                heard.extend(self.renderer.effects(world, &started));
                return heard;
            }
            ["stopping"] => world.stop(),
            ["crash"] => world.start_again(),
            ["show", what] => {
                self.renderer.show(what);
                Vec::new()
            }
            [who, "opens", ..] => {
                world.actors.entry(who.to_owned()).or_insert_with(|| Actor::new(Role::Mcp, who));
                describe(world, who, &words);
                world.open(who)
            }
            [who, "runs", "a", "command", ..] => {
                world.actors.entry(who.to_owned()).or_insert_with(|| Actor::new(Role::Cli, who));
                describe(world, who, &words);
                world.open(who)
            }
            [who, "leaves"] => world.close(who, true),
            [who, "loses", "its", "connection"] => world.close(who, false),
            [who, "dies"] => world.die(who),
            [who, "cancels"] => world.cancel(who),
            [who, verb, ..] => return self.call(who, verb, &words),
            _ => panic!("what is {line:?}"),
        };
        self.renderer.effects(world, &effects)
    }

    /// Makes a call, `times=` over if so said, and then shows only how many came to what.
    fn call(&mut self, who: &str, verb: &str, words: &Words) -> Vec<String> {
        let world = self.world.as_mut().expect("there is a world since the first line");
        let request = request(verb, words);
        let Some(times) = words.number("times") else {
            let (call, effects) = world.call(who, request);
            let mut heard = self.renderer.effects(world, &effects);
            if world.waits(&call) {
                heard.push(format!("{who}: waits"));
            }
            return heard;
        };
        let mut tally: Vec<(String, u64)> = Vec::new();
        for _ in 0..times {
            let (_, effects) = world.call(who, request.clone());
            for effect in effects {
                let Effect::Reply { outcome, .. } = effect else { continue };
                let word = outcome.map_or_else(|refusal| refusal.code.word().to_owned(), |_| "ok".to_owned());
                match tally.iter_mut().find(|(w, _)| *w == word) {
                    Some((_, count)) => *count += 1,
                    None => tally.push((word, 1)),
                }
            }
        }
        let tally: Vec<String> = tally.iter().map(|(word, count)| format!("{count} {word}")).collect();
        vec![format!("{who}: {}", tally.join(", "))]
    }

    fn set_limits(&mut self, words: &Words) {
        assert!(self.world.is_none(), "limits come first");
        let limits = &mut self.limits;
        for (key, value) in &words.options {
            let number = || -> usize { value.parse().expect(key) };
            match key.as_str() {
                "sends_per_minute" => limits.sends_per_minute = number(),
                "mailbox_messages" => limits.mailbox_messages = number(),
                "mailboxes" => limits.mailboxes = number(),
                "backlog_bytes" => limits.backlog_bytes = number(),
                "list_bytes" => limits.list_bytes = number(),
                "deliveries" => limits.deliveries = number() as u32,
                "dead_letters" => limits.dead_letters = number(),
                "keys_per_sender" => limits.keys_per_sender = number(),
                "receipts_per_mailbox" => limits.receipts_per_mailbox = number(),
                "recipients" => limits.recipients = number(),
                "rename_cooldown" => limits.rename_cooldown = duration(value),
                "forward" => limits.forward = duration(value),
                _ => panic!("no limit {key}"),
            }
        }
    }
}

/// Takes what a line says of who opens a connection.
fn describe(world: &mut World, who: &str, words: &Words) {
    let below: Option<Vec<String>> = words.get("below").map(|below| {
        let host = |name: &str| match world.actors.get(name).map(|above| above.role) {
            Some(Role::Mcp) => format!("{name}'s host"),
            _ => name.to_owned(),
        };
        below.split(',').map(host).collect()
    });
    let actor = world.actors.get_mut(who).expect("made by the caller");
    actor.above = below.unwrap_or(std::mem::take(&mut actor.above));
    actor.cwd = words.get("cwd").unwrap_or(std::mem::take(&mut actor.cwd));
    actor.client = words.get("client").unwrap_or(std::mem::take(&mut actor.client));
    actor.client_session = words.get("session").or(actor.client_session.take());
    actor.speak_as = words.get("as");
    actor.terminal = words.number("terminal").map(|number| number as u32).or(actor.terminal);
    actor.wakes = words.get("wakes").map(wakes);
    actor.invisible |= words.has("unseen");
}

fn request(verb: &str, words: &Words) -> Request {
    let argument = words.bare.get(2).cloned();
    let from = words.get("from");
    let ids = words.ids("ids");
    match verb {
        "registers" => Request::Register(Register {
            name: argument,
            auto: words.has("automatic"),
            held: words.ids("held").unwrap_or_default(),
        }),
        "sends" => Request::Send(Send {
            to: match argument.expect("to whom").as_str() {
                "-" => Vec::new(),
                names => names.split('+').map(str::to_owned).collect(),
            },
            content: content(words),
            summary: words
                .number("summary_size")
                .map(|size| "s".repeat(size as usize))
                .or(words.get("summary")),
            data: words.get("data").map(data),
            reply_to: words.number("reply").map(MessageId),
            key: words.get("key"),
            ttl_seconds: words.get("ttl").map(|ttl| duration(&ttl).as_secs()),
            from,
        }),
        "broadcasts" => Request::Broadcast(Broadcast {
            content: Body(argument.expect("what").into()),
            summary: words.get("summary"),
            data: None,
            key: words.get("key"),
            from,
        }),
        "checks" | "peeks" => Request::Check(Check {
            wait_ms: words.get("wait").map_or(0, |wait| duration(&wait).as_millis() as u64),
            peek: verb == "peeks",
            limit: words.number("limit").map(|limit| limit as usize),
            id: words.number("id").map(MessageId),
            offset: words.number("offset").unwrap_or(0),
            from,
        }),
        "acks" => Request::Ack(Leases { ids }),
        "nacks" => Request::Nack(Leases { ids }),
        "lists" => Request::List(Nothing {}),
        "renames" => Request::Rename(Rename { new: argument.expect("the new name"), old: from }),
        "releases" => Request::Release(Release { name: argument.expect("whom") }),
        "auto" => Request::Auto(Auto {
            set: match argument.as_deref() {
                Some("start") => AutoSet::Start,
                Some("stop") => AutoSet::Stop,
                Some("looked") => AutoSet::Looked,
                _ => AutoSet::Status,
            },
            minutes: words.get("minutes").map(|minutes| minutes.parse().expect("minutes")),
            from,
        }),
        "rings" => Request::Bell(Bell { wakes: wakes(argument.expect("how")) }),
        "asks" => Request::Hook(Hook {
            moment: serde_json::from_value(argument.expect("when").into()).expect("a moment"),
            wait_ms: words.get("wait").map_or(0, |wait| duration(&wait).as_millis() as u64),
            wakes: words.get("by").map(wakes),
        }),
        "status" => Request::Status(Nothing {}),
        "dead" => match words.number("id") {
            Some(id) => Request::DeadShow(DeadLetter { id: MessageId(id) }),
            None => Request::DeadList(Nothing {}),
        },
        "requeues" => Request::DeadRequeue(DeadLetters { ids }),
        "purges" => Request::DeadPurge(DeadLetters { ids }),
        "stops" => Request::Stop(Nothing {}),
        _ => panic!("what is {verb:?}"),
    }
}

fn wakes(word: String) -> Wakes {
    serde_json::from_value(word.into()).expect("a way of waking")
}

/// The text given, or `size=` bytes of it.
fn content(words: &Words) -> Body {
    let text = words.bare.get(3).cloned().unwrap_or_default();
    Body(words.number("size").map_or(text, |size| "x".repeat(size as usize)).into())
}

fn data(json: String) -> Data {
    Data(serde_json::value::RawValue::from_string(json).expect("JSON").into())
}

/// `30s`, `5m`, `2h`, `7d`, `10ms`.
fn duration(text: &str) -> Duration {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or_else(|| panic!("unit of {text:?}"));
    let number: u64 = text[..digits].parse().unwrap_or_else(|_| panic!("{text:?}"));
    match &text[digits..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(60 * number),
        "h" => Duration::from_secs(3600 * number),
        "d" => Duration::from_secs(86_400 * number),
        unit => panic!("unit {unit:?}"),
    }
}

fn jumped(wall: Timestamp, span: &str) -> Timestamp {
    match span.strip_prefix('-') {
        Some(back) => Timestamp(wall.0 - duration(back).as_millis() as u64),
        None => wall.plus(duration(span)),
    }
}
