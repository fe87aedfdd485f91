//! A front end as it is played: it makes calls, repeats them on the next connection until they are
//! answered, and keeps what it was handed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::book::{Book, letter, name, owner};
use super::machine::Machine;
use crate::broker::{Input, SessionId};
use crate::daemon::command::{Command, Outgoing};
use crate::protocol::hello::{Hello, Role, VersionRange};
use crate::protocol::message::{Body, MessageId};
use crate::protocol::peer::Peer;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Broadcast, Check, Leases, Register, Rename, Request, Send};
use crate::protocol::response::{
    Broadcasted, Checked, Registered, Renamed, SendOutcome, Sent, SentMany, Settled,
};
use crate::protocol::wire::{CallId, FromDaemon};

pub struct FrontEnd {
    pub number: usize,
    /// The name that it has, as far as it was told.
    pub name: String,
    /// The name that a rename under way would give it.
    wanted: Option<String>,
    pid: u32,
    connection: Option<Connection>,
    /// Calls without an answer, in the order in which they were made.
    pending: BTreeMap<i64, Request>,
    last_call: i64,
    /// Mail that it was handed and that is not known to be settled.
    held: BTreeSet<u64>,
}

struct Connection {
    session: SessionId,
    lines: UnboundedReceiver<Outgoing>,
    registered: bool,
}

impl FrontEnd {
    pub fn new(number: usize) -> FrontEnd {
        FrontEnd {
            number,
            name: name(number, 0),
            wanted: None,
            pid: 0,
            connection: None,
            pending: BTreeMap::new(),
            last_call: 0,
            held: BTreeSet::new(),
        }
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// It has its name and no call of it waits.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.connection.as_ref().is_some_and(|c| c.registered)
    }

    /// Mail in its hands whose settling is not under way.
    pub fn hands(&self) -> Vec<u64> {
        let mut hands = self.held.clone();
        for request in self.pending.values() {
            if let Request::Ack(Leases { ids: Some(ids) }) = request {
                hands.retain(|id| !ids.contains(&MessageId(*id)));
            }
        }
        hands.into_iter().collect()
    }

    /// Connects; a process is started for it if it has none.
    pub fn connect(&mut self, machine: &Machine, session: u64) {
        let session = SessionId(session);
        if self.pid == 0 {
            // Sessions are never counted twice, so neither are pids.
            self.pid = u32::try_from(session.0).expect("few sessions");
        }
        let hello = Hello {
            protocol: VersionRange { min: 1, max: 1 },
            role: Role::Mcp,
            client: "ipcd/0".to_owned(),
            program: None,
            program_session: None,
            speak_as: None,
            wakes: None,
        };
        let peer = Peer { process: Some(machine.begin_process(self.pid)), ..Peer::default() };
        let (outbox, lines) = unbounded_channel();
        machine.tell(Command::Open { session, hello, peer, outbox });
        self.connection = Some(Connection { session, lines, registered: false });
        self.register(machine, self.name.clone());
    }

    fn register(&mut self, machine: &Machine, name: String) {
        let held = self.held.iter().map(|id| MessageId(*id)).collect();
        let register = Request::Register(Register { name: Some(name), auto: false, held });
        self.last_call += 1;
        self.say(machine, self.last_call, register.clone());
        self.pending.insert(self.last_call, register);
    }

    /// Makes a call; one that is made before it has its name is made when it has.
    pub fn call(&mut self, machine: &Machine, request: Request) {
        if let Request::Rename(Rename { new, .. }) = &request {
            self.wanted = Some(new.clone());
        }
        self.last_call += 1;
        self.pending.insert(self.last_call, request.clone());
        if self.connection.as_ref().is_some_and(|c| c.registered) {
            self.say(machine, self.last_call, request);
        }
    }

    pub fn send(
        &mut self,
        machine: &Machine,
        book: &mut Book,
        number: u64,
        to: &[(usize, String)],
        ttl: Option<u64>,
    ) {
        to.iter().for_each(|(to, _)| book.sending(number, self.number, *to));
        let send = Send {
            to: to.iter().map(|(_, name)| name.clone()).collect(),
            content: text(number),
            summary: None,
            data: None,
            reply_to: None,
            key: Some(number.to_string()),
            ttl_seconds: ttl,
            from: None,
        };
        self.call(machine, Request::Send(send));
    }

    pub fn broadcast(&mut self, machine: &Machine, book: &mut Book, number: u64, ends: usize) {
        (0..ends).filter(|to| *to != self.number).for_each(|to| book.casting(number, self.number, to));
        let key = Some(number.to_string());
        let cast = Broadcast { content: text(number), summary: None, data: None, key, from: None };
        self.call(machine, Request::Broadcast(cast));
    }

    pub fn check(&mut self, machine: &Machine, limit: usize, wait_ms: u64) {
        self.call(machine, Request::Check(Check { limit: Some(limit), wait_ms, ..Check::default() }));
    }

    pub fn ack(&mut self, machine: &Machine, book: &mut Book, ids: &[u64]) {
        book.asked(self.number, ids);
        self.call(machine, Request::Ack(leases(ids)));
    }

    pub fn nack(&mut self, machine: &Machine, ids: &[u64]) {
        self.let_go(ids);
        self.call(machine, Request::Nack(leases(ids)));
    }

    /// Cancels the oldest check that waits.
    pub fn cancel(&mut self, machine: &Machine) {
        let check = self.pending.iter().find(|(_, request)| matches!(request, Request::Check(_)));
        if let (Some(c), Some((id, _))) = (&self.connection, check) {
            machine.tell(Command::Input(Input::Cancelled { session: c.session, call: CallId::Number(*id) }));
        }
    }

    /// Its connection ends. What was written to it and not read is lost.
    pub fn disconnect(&mut self, machine: &Machine, polite: bool) {
        if let Some(Connection { session, .. }) = self.connection.take() {
            machine.tell(Command::Input(Input::Closed { session, polite }));
        }
        self.forget_connection();
    }

    /// The daemon is gone.
    pub fn forget_connection(&mut self) {
        self.connection = None;
        self.pending.retain(|_, request| !matches!(request, Request::Register(_) | Request::Nack(_)));
    }

    /// Its process ends, with a farewell or without one.
    pub fn leave(&mut self, machine: &Machine, polite: bool) {
        self.disconnect(machine, polite);
        self.die(machine);
    }

    /// Its process ends, and with it all that it knew.
    pub fn die(&mut self, machine: &Machine) {
        machine.end_process(self.pid);
        self.connection = None;
        self.pid = 0;
        self.pending.clear();
        self.held.clear();
    }

    /// Reads what the daemon wrote. `refusals`: also what it refused because a commit failed.
    pub fn listen(&mut self, machine: &Machine, book: &mut Book, refusals: bool) {
        while let Some(connection) = &mut self.connection {
            let Ok(outgoing) = connection.lines.try_recv() else { return };
            let line = match outgoing {
                Outgoing::Answer(_, line) | Outgoing::Line(line) => line,
                Outgoing::End => return,
            };
            let Some(FromDaemon::Answer { id: CallId::Number(id), outcome }) = FromDaemon::parse(&line)
            else {
                continue;
            };
            if !refusals && outcome.is_err() {
                continue;
            }
            let request = self.pending.remove(&id).expect("an answer to a call, and one only");
            match outcome {
                Ok(result) => self.answered(machine, book, request, &result),
                Err(refusal) => self.refused(machine, book, id, request, &refusal),
            }
        }
    }

    fn answered(&mut self, machine: &Machine, book: &mut Book, request: Request, result: &RawValue) {
        match request {
            Request::Register(_) => self.registered(machine, &parse(result)),
            Request::Rename(_) => {
                let renamed: Renamed = parse(result);
                (self.name, self.wanted) = (renamed.name.to_string(), None);
            }
            Request::Send(send) if send.to.len() == 1 => {
                let sent: Sent = parse(result);
                book.stored(key(&send.key), owner(sent.to.as_str()), sent.id.0);
            }
            Request::Send(send) => {
                for outcome in parse::<SentMany>(result).results {
                    match outcome {
                        SendOutcome::Sent(sent) => {
                            book.stored(key(&send.key), owner(sent.to.as_str()), sent.id.0);
                        }
                        SendOutcome::Refused { to, .. } => book.refused(key(&send.key), owner(&to)),
                    }
                }
            }
            Request::Broadcast(cast) => {
                let answer: Broadcasted = parse(result);
                let id = answer.id.map_or(0, |id| id.0);
                for name in &answer.delivered {
                    book.stored(key(&cast.key), owner(name.as_str()), id);
                }
            }
            Request::Check(_) => {
                for mail in parse::<Checked>(result).messages.iter().filter(|m| m.from.as_str() != "system") {
                    assert!(self.held.insert(mail.id.0), "{} is in these hands already", mail.id);
                    book.shown(self.number, mail);
                }
            }
            Request::Ack(Leases { ids: Some(ids) }) => {
                let _: Settled = parse(result);
                let ids: Vec<u64> = ids.iter().map(|id| id.0).collect();
                self.let_go(&ids);
                book.confirmed(self.number, &ids);
            }
            _ => {}
        }
    }

    fn registered(&mut self, machine: &Machine, registered: &Registered) {
        self.name = registered.name.to_string();
        // Mail on its way to be settled stays in the book of this front end until that is answered.
        let lost: Vec<u64> =
            self.hands().into_iter().filter(|id| !registered.held.contains(&MessageId(*id))).collect();
        self.let_go(&lost);
        if let Some(connection) = &mut self.connection {
            connection.registered = true;
        }
        for (id, request) in self.pending.clone() {
            self.say(machine, id, request);
        }
    }

    fn refused(&mut self, machine: &Machine, book: &mut Book, id: i64, request: Request, refusal: &Refusal) {
        match (&request, refusal.code) {
            // The daemon ends: the call is repeated with the next one.
            (_, RefusalCode::Retry | RefusalCode::StoreFailed) => drop(self.pending.insert(id, request)),
            (Request::Check(_), RefusalCode::Cancelled) => {}
            // A rename that came through and was not answered.
            (Request::Register(_), RefusalCode::NameReserved) => {
                let wanted =
                    self.wanted.clone().unwrap_or_else(|| panic!("{} lost its name: {refusal}", self.name));
                self.register(machine, wanted);
            }
            (Request::Send(send), RefusalCode::MailboxFull | RefusalCode::ShareFull) => {
                book.refused(key(&send.key), owner(&send.to[0]));
            }
            _ => panic!("{} asked {request:?}: {refusal}", self.name),
        }
    }

    fn let_go(&mut self, ids: &[u64]) {
        self.held.retain(|id| !ids.contains(id));
    }

    fn say(&self, machine: &Machine, id: i64, request: Request) {
        if let Some(connection) = &self.connection {
            let call = CallId::Number(id);
            machine.tell(Command::Input(Input::Call { session: connection.session, call, request }));
        }
    }
}

fn text(number: u64) -> Body {
    Body(letter(number).into())
}

fn key(key: &Option<String>) -> u64 {
    key.as_ref().and_then(|key| key.parse().ok()).expect("every letter has a key")
}

fn leases(ids: &[u64]) -> Leases {
    Leases { ids: Some(ids.iter().map(|id| MessageId(*id)).collect()) }
}

fn parse<T: serde::de::DeserializeOwned>(result: &RawValue) -> T {
    serde_json::from_str(result.get()).unwrap_or_else(|error| panic!("{error}: {result}"))
}
