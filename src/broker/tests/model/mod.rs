//! Random calls, clock jumps, disconnects and restarts, against a model that a child could keep: who
//! has which name, and which messages lie in which mailbox.
//!
//! The model never predicts a refusal, but it knows when one would be a lie.

mod answers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{Actor, World};
use crate::broker::Effect;
use crate::broker::limits::Limits;
use crate::protocol::hello::Role;
use crate::protocol::message::{Body, MessageId};
use crate::protocol::name::Name;
use crate::protocol::request::{Broadcast, Check, Leases, Register, Rename, Request, Send};
use crate::protocol::response::{DeadReason, Response};
use crate::protocol::time::Timestamp;
use crate::protocol::wire::CallId;

/// Three agents in one folder, and the person.
const ACTORS: [&str; 4] = ["ann", "bob", "cat", "person"];
const NAMES: [&str; 6] = ["one", "two", "three", "four", "folder", "user"];
const FORWARD: Duration = Duration::from_secs(7200);
const MAILBOX_MESSAGES: usize = 8;
const SHARE: usize = 6;
const TRIES: u32 = 3;

#[derive(Clone, Debug)]
enum Op {
    Register(usize, Option<usize>),
    Rename(usize, usize),
    Send {
        from: usize,
        to: usize,
        key: Option<u8>,
        ttl: Option<u64>,
    },
    Broadcast(usize),
    Check {
        who: usize,
        limit: usize,
        wait: u64,
    },
    Ack(usize),
    Nack(usize),
    Cancel(usize),
    Leave(usize),
    Lose(usize),
    Die(usize),
    Pass(u64),
    Jump(i64),
    Restart,
    Crash,
    /// The commit of the next call fails.
    Fail,
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..ACTORS.len();
    let agent = || 0..ACTORS.len() - 1;
    let name = || 0..NAMES.len();
    let seconds = || prop_oneof![0..90u64, 3_000..8_000u64, 80_000..90_000u64];
    prop_oneof![
        8 => (agent(), prop::option::weighted(0.7, name())).prop_map(|(a, n)| Op::Register(a, n)),
        4 => (agent(), name()).prop_map(|(a, n)| Op::Rename(a, n)),
        20 => (who(), name(), prop::option::weighted(0.2, 0..2u8), prop::option::weighted(0.1, 1..100u64))
            .prop_map(|(from, to, key, ttl)| Op::Send { from, to, key, ttl }),
        3 => who().prop_map(Op::Broadcast),
        14 => (who(), 1..6usize, prop_oneof![2 => Just(0), 1 => 1..100u64])
            .prop_map(|(who, limit, wait)| Op::Check { who, limit, wait }),
        6 => who().prop_map(Op::Ack),
        2 => who().prop_map(Op::Nack),
        1 => who().prop_map(Op::Cancel),
        2 => who().prop_map(Op::Leave),
        4 => who().prop_map(Op::Lose),
        2 => who().prop_map(Op::Die),
        4 => seconds().prop_map(Op::Pass),
        2 => (any::<bool>(), seconds()).prop_map(|(back, s)| Op::Jump(if back { -(s as i64) } else { s as i64 })),
        1 => Just(Op::Restart),
        2 => Just(Op::Crash),
        3 => Just(Op::Fail),
    ]
}

/// A message in one mailbox.
#[derive(Clone, Debug, Default)]
struct Letter {
    content: String,
    from: usize,
    expires: Option<Timestamp>,
    shown: bool,
    tries: u32,
    reader: Option<&'static str>,
}

#[derive(Clone, Debug, Default)]
struct Mailbox {
    registered: bool,
    auto: bool,
    /// The actor whose process holds the name.
    process: Option<&'static str>,
    letters: BTreeMap<u64, Letter>,
    dead: BTreeSet<u64>,
}

struct Model {
    world: World,
    mailboxes: BTreeMap<usize, Mailbox>,
    /// What each name points at, and until when if it is an old one.
    names: BTreeMap<String, (usize, Option<Timestamp>)>,
    /// Which mailbox each actor speaks for while it is connected.
    speaks: BTreeMap<&'static str, usize>,
    /// What each process was handed and has not acked.
    hands: BTreeMap<&'static str, BTreeSet<u64>>,
    keys: BTreeMap<(usize, u8), (u64, Timestamp)>,
    calls: BTreeMap<CallId, (&'static str, Request)>,
    last_mailbox: usize,
    last_message: u64,
    repeat_until: u64,
    sent: u64,
}

impl Model {
    fn new() -> Model {
        let limits = Limits {
            sends_per_minute: 0,
            mailbox_messages: MAILBOX_MESSAGES,
            rename_cooldown: Duration::ZERO,
            deliveries: TRIES,
            ..Limits::default()
        };
        let mut world = World::new(limits);
        for label in ACTORS {
            let role = if label == "person" { Role::Cli } else { Role::Mcp };
            let actor = Actor { cwd: "/w/folder".to_owned(), ..Actor::new(role, label) };
            world.actors.insert(label.to_owned(), actor);
        }
        let mut model = Model {
            world,
            mailboxes: BTreeMap::new(),
            names: BTreeMap::new(),
            speaks: BTreeMap::new(),
            hands: BTreeMap::new(),
            keys: BTreeMap::new(),
            calls: BTreeMap::new(),
            last_mailbox: 0,
            last_message: 0,
            repeat_until: 0,
            sent: 0,
        };
        // The person's mailbox, once there, stays.
        model.call("person", Request::Check(Check::default()));
        model
    }

    fn play(&mut self, op: &Op) {
        match *op {
            Op::Register(a, name) => self.register(ACTORS[a], name.map(|n| NAMES[n])),
            Op::Rename(a, name) => {
                self.call(ACTORS[a], Request::Rename(Rename { new: NAMES[name].to_owned(), old: None }))
            }
            Op::Send { from, to, key, ttl } => self.send(ACTORS[from], NAMES[to], key, ttl),
            Op::Broadcast(who) => {
                let content = self.content();
                let cast = Broadcast { content, summary: None, data: None, key: None, from: None };
                self.call(ACTORS[who], Request::Broadcast(cast));
            }
            Op::Check { who, limit, wait } => {
                let check = Check { limit: Some(limit), wait_ms: wait * 1000, ..Check::default() };
                self.call(ACTORS[who], Request::Check(check));
            }
            Op::Ack(who) => self.call(ACTORS[who], Request::Ack(Leases { ids: None })),
            Op::Nack(who) => self.call(ACTORS[who], Request::Nack(Leases { ids: None })),
            Op::Cancel(who) => {
                self.connect(ACTORS[who]);
                let effects = self.world.cancel(ACTORS[who]);
                self.hear(&effects);
            }
            Op::Leave(who) => self.disconnect(ACTORS[who], true),
            Op::Lose(who) => self.disconnect(ACTORS[who], false),
            Op::Die(who) => self.die(ACTORS[who]),
            Op::Pass(seconds) => {
                let effects = self.world.pass(Duration::from_secs(seconds));
                self.hear(&effects);
            }
            Op::Jump(seconds) => {
                let wall = self.world.now.wall.0.saturating_add_signed(seconds * 1000);
                let effects = self.world.jump_to(Timestamp(wall));
                self.hear(&effects);
            }
            Op::Restart => {
                let effects = self.world.stop();
                self.hear(&effects);
                self.start_again();
            }
            Op::Fail => {
                self.repeat_until = self.last_message;
                self.world.fail_next = true;
            }
            Op::Crash => {
                self.repeat_until = self.last_message;
                self.start_again();
            }
        }
        self.compare();
    }

    fn content(&mut self) -> Body {
        self.sent += 1;
        Body(format!("message {}", self.sent).into())
    }

    fn register(&mut self, who: &'static str, name: Option<&str>) {
        let held = self.hands.get(who).into_iter().flatten().map(|id| MessageId(*id)).collect();
        self.call(who, Request::Register(Register { name: name.map(str::to_owned), auto: false, held }));
    }

    /// With a key it is always the same message to the same name.
    fn send(&mut self, who: &'static str, to: &str, key: Option<u8>, ttl: Option<u64>) {
        let (to, content) = match key {
            Some(key) => (NAMES[usize::from(key)], Body(format!("key {key}").into())),
            None => (to, self.content()),
        };
        let send = Send {
            to: vec![to.to_owned()],
            content,
            summary: None,
            data: None,
            reply_to: None,
            key: key.map(|key| key.to_string()),
            ttl_seconds: ttl,
            from: None,
        };
        self.call(who, Request::Send(send));
    }

    fn connect(&mut self, who: &'static str) {
        if self.world.actors[who].session.is_none() {
            let effects = self.world.open(who);
            self.hear(&effects);
            if who == "person" {
                let user = self.user();
                self.speaks.insert(who, user);
            }
        }
    }

    fn call(&mut self, who: &'static str, request: Request) {
        self.connect(who);
        let (call, effects) = self.world.call(who, request.clone());
        self.calls.insert(call, (who, request));
        self.hear(&effects);
    }

    fn disconnect(&mut self, who: &'static str, polite: bool) {
        if self.world.actors[who].session.is_none() {
            return;
        }
        self.give_back(who, !polite);
        let spoke = self.speaks.remove(who);
        if polite {
            self.hands.remove(who);
            self.free(spoke, who);
        }
        let effects = self.world.close(who, polite);
        self.hear(&effects);
    }

    fn die(&mut self, who: &'static str) {
        self.give_back(who, true);
        self.speaks.remove(who);
        self.hands.remove(who);
        for mailbox in self.mailboxes.values_mut().filter(|m| m.process == Some(who)) {
            mailbox.process = None;
        }
        let effects = self.world.die(who);
        self.hear(&effects);
    }

    fn start_again(&mut self) {
        self.speaks.clear();
        self.calls.clear();
        for letter in self.mailboxes.values_mut().flat_map(|m| m.letters.values_mut()) {
            letter.reader = None;
        }
        let effects = self.world.start_again();
        self.hear(&effects);
    }

    /// What `who` was handed is ready again.
    fn give_back(&mut self, who: &'static str, died: bool) {
        for letter in self.mailboxes.values_mut().flat_map(|m| m.letters.values_mut()) {
            if letter.reader == Some(who) {
                letter.reader = None;
                letter.tries += u32::from(died);
            }
        }
    }

    fn free(&mut self, mailbox: Option<usize>, who: &'static str) {
        if let Some(mailbox) = mailbox.and_then(|m| self.mailboxes.get_mut(&m))
            && mailbox.process == Some(who)
        {
            mailbox.process = None;
        }
    }

    fn hear(&mut self, effects: &[Effect]) {
        self.bury();
        for effect in effects {
            let Effect::Reply { call, outcome, .. } = effect else { continue };
            let (who, request) = self.calls.remove(call).expect("an answer to a call");
            match outcome {
                Ok(Response::Registered(r)) => self.registered(who, &request, r),
                Ok(Response::Renamed(r)) => self.renamed(who, r),
                Ok(Response::Sent(sent)) => self.accepted(who, &request, sent),
                Ok(Response::Broadcasted(cast)) => self.broadcasted(who, &request, cast),
                Ok(Response::Checked(checked)) => self.handed(who, checked),
                Ok(Response::Settled(_)) => self.settled(who, &request),
                Ok(other) => panic!("{other:?}"),
                Err(refusal) => self.refused(who, &request, refusal),
            }
        }
    }

    /// What the broker says is dead must have had a reason to die.
    fn bury(&mut self) {
        let state = &self.world.broker.state;
        let now = self.world.wall();
        for (name, (mailbox, until)) in &self.names {
            let Some(row) = state.names.get(&key(name)).filter(|_| until.is_none()) else { continue };
            let mailbox = self.mailboxes.get_mut(mailbox).expect("a name points at a mailbox");
            for (id, row) in &state.mailboxes[&row.mailbox].dead {
                let Some(letter) = mailbox.letters.remove(&id.0) else { continue };
                let old = now.since(state.messages[id].row.sent_at) >= Duration::from_secs(7 * 86_400);
                let over = letter.expires.is_some_and(|at| at <= now) || !mailbox.registered && old;
                match row.dead.map(|dead| dead.reason) {
                    Some(DeadReason::Poison) => assert!(letter.tries >= TRIES, "{id} is no poison"),
                    _ => assert!(over && letter.reader.is_none(), "{id} died too early"),
                }
                mailbox.dead.insert(id.0);
            }
        }
    }

    /// Each mailbox holds what the model says, no more, no less.
    fn compare(&mut self) {
        self.bury();
        let state = &self.world.broker.state;
        let gone: Vec<usize> = self
            .mailboxes
            .keys()
            .copied()
            .filter(|id| {
                let mailbox = &self.mailboxes[id];
                let lasts =
                    mailbox.process.is_some() || !mailbox.letters.is_empty() || !mailbox.dead.is_empty();
                let there = state.names.contains_key(&key(&self.name_of(*id)));
                assert!(there || !lasts, "{} is lost", self.name_of(*id));
                !there
            })
            .collect();
        for id in gone {
            self.mailboxes.remove(&id);
            self.names.retain(|_, (mailbox, _)| *mailbox != id);
            self.keys.retain(|(mailbox, _), _| *mailbox != id);
        }
        let names: Vec<String> = self.names.keys().cloned().collect();
        for name in names {
            let Some((mailbox, forwards)) = self.resolve(&name) else { continue };
            let mailbox = &self.mailboxes[&mailbox];
            let row = self.world.broker.resolve(&key(&name)).expect("the name is known");
            assert_eq!(row.forward_until.is_some(), forwards, "{name} forwards");
            let stored = &self.world.broker.state.mailboxes[&row.mailbox];
            let from_peer =
                |id: &&MessageId| self.world.broker.state.messages[*id].row.from_mailbox.is_some();
            let unsettled: Vec<u64> = stored.unsettled.keys().filter(from_peer).map(|id| id.0).collect();
            assert_eq!(unsettled, mailbox.letters.keys().copied().collect::<Vec<_>>(), "mail of {name}");
            let dead: Vec<u64> = stored.dead.keys().filter(from_peer).map(|id| id.0).collect();
            assert_eq!(dead, mailbox.dead.iter().copied().collect::<Vec<_>>(), "dead letters of {name}");
        }
    }
}

fn key(name: &str) -> crate::protocol::name::NameKey {
    Name::parse(name).expect("a name of the model").key()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_repeated_or_out_of_order(ops in vec(op(), 1..120)) {
        let mut model = Model::new();
        for op in &ops {
            model.play(op);
        }
    }
}
