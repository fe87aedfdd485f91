//! Broker steps out of bytes, against a book of what was stored and what was read: two bytes are one
//! thing that happens. After each, the rows alone give the state, and what was promised is in them.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use ipcd::broker::limits::Limits;
use ipcd::broker::mutation::Mutation;
use ipcd::broker::state::State;
use ipcd::broker::{Broker, Effect, Input, SessionId};
use ipcd::protocol::hello::{Hello, Role, VersionRange};
use ipcd::protocol::message::{Body, MessageId};
use ipcd::protocol::peer::{Peer, ProcessId};
use ipcd::protocol::request::{Broadcast, Check, Leases, Register, Rename, Request, Send};
use ipcd::protocol::response::Response;
use ipcd::protocol::time::{Now, Tick, Timestamp};
use ipcd::protocol::wire::CallId;
use ipcd::store::{MemoryStore, Store};
use libfuzzer_sys::fuzz_target;

const ACTORS: usize = 3;
const NAMES: [&str; 4] = ["ann", "bob", "cat", "dan"];

struct World {
    broker: Broker,
    store: MemoryStore,
    state: State,
    now: Now,
    sessions: [Option<SessionId>; ACTORS],
    last: u64,
    calls: BTreeMap<CallId, (SessionId, Request)>,
    /// Messages that were promised.
    stored: BTreeSet<MessageId>,
    /// What each session was handed, by a reader who may ack all of it.
    read: BTreeSet<MessageId>,
}

fn limits() -> Limits {
    Limits {
        sends_per_minute: 0,
        mailbox_messages: 6,
        rename_cooldown: std::time::Duration::ZERO,
        ..Limits::default()
    }
}

impl World {
    fn new() -> World {
        let now = Now { wall: Timestamp(1_767_225_600_000), tick: Tick(0) };
        let mut world = World {
            broker: Broker::recover(limits(), &[], now).expect("no rows, no contradiction"),
            store: MemoryStore::new(),
            state: State::default(),
            now,
            sessions: [None; ACTORS],
            last: 0,
            calls: BTreeMap::new(),
            stored: BTreeSet::new(),
            read: BTreeSet::new(),
        };
        world.finish();
        world
    }

    fn play(&mut self, what: u8, with: u8) {
        let who = usize::from(what) % ACTORS;
        let name = NAMES[usize::from(with) % NAMES.len()].to_owned();
        let body = || Body("text".into());
        let key = (with & 0x30 == 0).then(|| (with >> 6).to_string());
        match what / 16 {
            0 => self.pass(u64::from(with) * 1_000),
            1 => self.pass(u64::from(with) * 3_600_000),
            2 => self.close(who, with & 1 == 0),
            3 if with < 64 => self.crash(),
            4 => self.call(who, Request::Rename(Rename { new: name, old: None })),
            5 => self.call(who, Request::Ack(Leases { ids: None })),
            6 => self.call(who, Request::Nack(Leases { ids: None })),
            7 => {
                let cast = Broadcast { content: body(), summary: None, data: None, key, from: None };
                self.call(who, Request::Broadcast(cast));
            }
            8 | 9 => self.call(who, Request::Register(Register { name: Some(name), ..Register::default() })),
            10 | 11 => {
                let wait_ms = u64::from(with & 3) * 1_000;
                self.call(who, Request::Check(Check { wait_ms, limit: Some(3), ..Check::default() }));
            }
            _ => {
                let send = Send {
                    to: vec![name],
                    content: body(),
                    summary: None,
                    data: None,
                    reply_to: None,
                    key,
                    ttl_seconds: (with & 0x0c == 0x0c).then_some(60),
                    from: None,
                };
                self.call(who, Request::Send(send));
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        let span = std::time::Duration::from_millis(millis);
        self.now = Now { wall: self.now.wall.plus(span), tick: self.now.tick.plus(span) };
        self.broker.tick(self.now);
        self.finish();
    }

    fn open(&mut self, who: usize) -> SessionId {
        if let Some(session) = self.sessions[who] {
            return session;
        }
        self.last += 1;
        let session = SessionId(self.last);
        self.sessions[who] = Some(session);
        let hello = Hello {
            protocol: VersionRange { min: 1, max: 1 },
            role: Role::Mcp,
            client: "fuzz/1".to_owned(),
            program: None,
            program_session: None,
            speak_as: None,
            wakes: None,
        };
        let process = ProcessId { pid: who as u32 + 1, start: 1, boot: "boot".to_owned() };
        let peer = Peer { process: Some(process), ..Peer::default() };
        self.input(Input::Opened { session, hello, peer });
        session
    }

    fn call(&mut self, who: usize, request: Request) {
        let session = self.open(who);
        self.last += 1;
        let call = CallId::Number(self.last as i64);
        self.calls.insert(call.clone(), (session, request.clone()));
        self.input(Input::Call { session, call, request });
    }

    fn close(&mut self, who: usize, polite: bool) {
        if let Some(session) = self.sessions[who].take() {
            self.calls.retain(|_, (of, _)| *of != session);
            self.input(Input::Closed { session, polite });
        }
    }

    fn crash(&mut self) {
        self.sessions = [None; ACTORS];
        self.calls.clear();
        self.now.tick = Tick(0);
        let rows = self.store.recover();
        self.broker = Broker::recover(limits(), &rows, self.now).expect("what it wrote itself");
        self.finish();
    }

    fn input(&mut self, input: Input) {
        self.broker.handle(self.now, input);
        self.finish();
    }

    fn finish(&mut self) {
        let step = self.broker.drain();
        for mutation in &step.mutations {
            self.state.apply(mutation).expect("a change of what is there");
        }
        self.store.commit(&step.mutations).expect("a store in memory");
        for effect in step.effects {
            let Effect::Reply { session, call, outcome, .. } = effect else { continue };
            let (asked, request) = self.calls.remove(&call).expect("an answer to a call, and one only");
            assert_eq!(asked, session);
            match outcome {
                Ok(Response::Sent(sent)) => drop(self.stored.insert(sent.id)),
                Ok(Response::Broadcasted(cast)) => self.stored.extend(cast.id),
                Ok(Response::Checked(checked)) => {
                    assert!(matches!(request, Request::Check(_)));
                    self.read.extend(checked.messages.iter().map(|mail| mail.id));
                }
                _ => {}
            }
        }
        let rows = self.store.recover();
        assert_eq!(
            State::recover(&rows).expect("rows agree"),
            self.state,
            "what is stored is not what is live"
        );
        let there: BTreeSet<MessageId> = rows.iter().filter_map(delivered).collect();
        let lost: Vec<_> = self.stored.difference(&there).filter(|id| !self.read.contains(id)).collect();
        assert!(lost.is_empty(), "{lost:?} were promised, never handed out, and are gone");
    }
}

fn delivered(row: &Mutation) -> Option<MessageId> {
    match row {
        Mutation::PutDelivery(_, id, _) => Some(*id),
        _ => None,
    }
}

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    // More is slow, and says nothing that two shorter ones do not.
    for step in data.chunks_exact(2).take(200) {
        world.play(step[0], step[1]);
    }
});
