//! Turns what was asked and answered into records of the audit log.
//!
//! What always holds: a record is made of what the daemon knows, after the answer; a text that a peer chose
//! is in it only as a name, a subject of bounded length, or a body where the configuration asks for bodies.

use std::collections::BTreeMap;

use crate::audit::{AuditLog, AuditRecord, Verdict};
use crate::broker::SessionId;
use crate::broker::mutation::message_size;
use crate::protocol::hello::{Hello, Role};
use crate::protocol::message::{MessageId, SharedSender};
use crate::protocol::name::Name;
use crate::protocol::peer::Peer;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Request, Verdict as Said};
use crate::protocol::response::{Response, SendOutcome};
use crate::protocol::time::Timestamp;
use crate::protocol::wire::CallId;

/// Longest subject, and longest recipient that is no name, in characters: a path, a long command.
const SUBJECT_CHARS_MAX: usize = 1000;

pub struct Clerk {
    /// `None`: nothing is written.
    log: Option<AuditLog>,
    bodies: bool,
    sessions: BTreeMap<SessionId, Caller>,
}

/// A session, as its records have it.
struct Caller {
    role: Role,
    sender: SharedSender,
    /// Calls without an answer, as their records will begin. As few as a session may have in flight.
    open: Vec<(CallId, Draft)>,
}

struct Draft {
    record: AuditRecord,
    /// It changes something, or somebody gets to see something. Of the others only refusals are told.
    weighty: bool,
}

impl Clerk {
    pub fn new(log: Option<AuditLog>, bodies: bool) -> Clerk {
        Clerk { log, bodies, sessions: BTreeMap::new() }
    }

    pub fn opened(&mut self, session: SessionId, hello: &Hello, peer: &Peer) {
        if self.log.is_some() {
            let client = hello.program.as_deref().unwrap_or(&hello.client);
            let sender = peer.sender(Some(client)).into();
            self.sessions.insert(session, Caller { role: hello.role, sender, open: Vec::new() });
        }
    }

    pub fn closed(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// `by`: in whose name.
    pub fn asked(
        &mut self,
        session: SessionId,
        call: &CallId,
        request: &Request,
        by: Option<Name>,
        at: Timestamp,
    ) {
        // Without a log there is none.
        let Some(caller) = self.sessions.get_mut(&session) else { return };
        let mut draft = Draft::new(request, at, self.bodies);
        draft.record.role = Some(caller.role);
        draft.record.sender = Some(caller.sender.clone());
        draft.record.by = by;
        caller.open.push((call.clone(), draft));
    }

    pub fn answered(
        &mut self,
        session: SessionId,
        call: &CallId,
        outcome: &Result<Response, Refusal>,
        at: Timestamp,
    ) {
        let Some(log) = &self.log else { return };
        let Some(caller) = self.sessions.get_mut(&session) else { return };
        let Some(place) = caller.open.iter().position(|(open, _)| open == call) else { return };
        let (_, Draft { mut record, weighty }) = caller.open.swap_remove(place);
        record.at = at;
        match outcome {
            // Nobody decided anything.
            Err(refusal) if refusal.code == RefusalCode::Cancelled => {}
            Err(refusal) => log.add(refused(record, refusal.code)),
            Ok(response) if weighty => done(record, response).into_iter().for_each(|record| log.add(record)),
            Ok(_) => {}
        }
    }
}

impl Draft {
    fn new(request: &Request, at: Timestamp, bodies: bool) -> Draft {
        let mut record = AuditRecord::new(at, request.method(), Verdict::Done);
        let mut weighty = true;
        match request {
            Request::Register(r) => record.subject = r.name.as_deref().map(short),
            Request::Send(r) => {
                record.to = r.to.iter().map(|to| short(to)).collect();
                record.bytes = Some(message_size(&r.content, r.summary.as_deref(), r.data.as_ref()) as u64);
                record.body = bodies.then(|| r.content.clone());
            }
            Request::Broadcast(r) => {
                record.bytes = Some(message_size(&r.content, r.summary.as_deref(), r.data.as_ref()) as u64);
                record.body = bodies.then(|| r.content.clone());
            }
            Request::Rename(r) => record.subject = Some(short(&r.new)),
            Request::Release(r) => record.to = vec![short(&r.name)],
            Request::DeadRequeue(r) | Request::DeadPurge(r) => record.ids = r.ids.clone().unwrap_or_default(),
            Request::DeadShow(r) => record.ids = vec![r.id],
            Request::Report(r) => {
                record.act = r.act.word().into();
                record.subject = Some(short(&r.subject));
                record.to = r.to.iter().map(|to| short(to)).collect();
                record.rule = Some(short(&r.rule));
                record.verdict = r.verdict;
                record.reported = true;
            }
            Request::Check(_) | Request::Stop(_) => {}
            _ => weighty = false,
        }
        Draft { record, weighty }
    }
}

/// Who was turned away at the door, by its user.
pub fn turned_away(uid: Option<u32>, times: u64, at: Timestamp) -> AuditRecord {
    let record = AuditRecord { uid, times: Some(times), ..AuditRecord::new(at, "connect", Verdict::Refused) };
    refused(record, RefusalCode::ForeignUser)
}

fn refused(record: AuditRecord, code: RefusalCode) -> AuditRecord {
    AuditRecord { verdict: Said::Refused, rule: Some(code.word().to_owned()), ..record }
}

/// One record for what was done, and one for each part that was refused.
fn done(mut record: AuditRecord, response: &Response) -> Vec<AuditRecord> {
    let mut parts = Vec::new();
    match response {
        Response::Registered(r) => record.by = Some(r.name.clone()),
        Response::Sent(sent) => {
            record.ids = vec![sent.id];
            record.to = vec![sent.to.as_str().to_owned()];
        }
        Response::SentMany(many) => {
            (record.to, record.ids) = (Vec::new(), Vec::new());
            for result in &many.results {
                match result {
                    SendOutcome::Sent(sent) => {
                        record.to.push(sent.to.to_string());
                        record.ids.push(sent.id);
                    }
                    SendOutcome::Refused { to, error } => {
                        parts.push((short(to), error.code));
                    }
                }
            }
        }
        Response::Broadcasted(cast) => {
            record.ids = cast.id.into_iter().collect();
            record.to = cast.delivered.iter().map(Name::to_string).collect();
            parts.extend(cast.refused.iter().map(|refused| (refused.name.to_string(), refused.code)));
        }
        Response::Checked(checked) if checked.messages.is_empty() => return Vec::new(),
        Response::Checked(checked) => {
            record.ids = checked.messages.iter().map(|mail| mail.id).collect::<Vec<MessageId>>()
        }
        _ => {}
    }
    let sent = matches!(response, Response::SentMany(_) | Response::Broadcasted(_));
    let parts: Vec<AuditRecord> = parts
        .into_iter()
        .map(|(to, code)| {
            refused(AuditRecord { to: vec![to], ids: Vec::new(), body: None, ..record.clone() }, code)
        })
        .collect();
    let whole = (!sent || !record.to.is_empty()).then_some(record);
    whole.into_iter().chain(parts).collect()
}

fn short(text: &str) -> String {
    if text.len() <= SUBJECT_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(SUBJECT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::Body;
    use crate::protocol::request::{Check, Register, Send};
    use crate::protocol::response::{Broadcasted, Failure, Refused, SentMany};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn drafted(request: &Request, bodies: bool) -> AuditRecord {
        Draft::new(request, Timestamp(7), bodies).record
    }

    #[test]
    fn what_was_said_is_not_in_it_unless_it_is_asked_for() {
        let send = r#"{"to":["bob"],"content":"a secret","summary":"hm","data":[1]}"#;
        let send = Request::Send(serde_json::from_str::<Send>(send).unwrap());
        let record = drafted(&send, false);
        assert_eq!((record.bytes, record.body.clone()), (Some(8 + 2 + 3), None));
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(
            line,
            r#"{"at":"1970-01-01T00:00:00.007Z","act":"send","to":["bob"],"bytes":13,"verdict":"done"}"#
        );
        assert_eq!(drafted(&send, true).body, Some(Body("a secret".into())));
    }

    #[test]
    fn a_text_of_a_peer_is_short() {
        let long = Register { name: Some("x".repeat(1 << 20)), ..Register::default() };
        let record = drafted(&Request::Register(long), false);
        assert_eq!(record.subject.map(|subject| subject.len()), Some(SUBJECT_CHARS_MAX));
    }

    #[test]
    fn each_part_that_was_refused_has_a_record_of_its_own() {
        let record = AuditRecord::new(Timestamp(7), "broadcast", Verdict::Done);
        let refused = vec![Refused { name: name("carol"), code: RefusalCode::MailboxFull }];
        let cast = Broadcasted { id: Some(MessageId(4)), delivered: vec![name("bob")], refused, unread: 0 };
        let [told, left_out] = &done(record.clone(), &Response::Broadcasted(cast))[..] else { panic!() };
        assert_eq!(
            (told.to.join(","), told.ids[0], told.verdict),
            ("bob".to_owned(), MessageId(4), Verdict::Done)
        );
        assert_eq!(
            (left_out.to.join(","), left_out.rule.as_deref()),
            ("carol".to_owned(), Some("mailbox_full"))
        );
        let error = Failure {
            code: RefusalCode::InvalidName,
            message: String::new(),
            hint: String::new(),
            recoverable: true,
        };
        let none =
            SentMany { results: vec![SendOutcome::Refused { to: "a b".to_owned(), error }], unread: 0 };
        let records = done(record, &Response::SentMany(none));
        assert_eq!(records.len(), 1, "nothing was done");
        assert_eq!(records[0].verdict, Verdict::Refused);
    }

    #[test]
    fn an_answer_to_nobody_leaves_nothing_behind() {
        let log = AuditLog::start("/nonexistent/audit".into()).unwrap();
        let mut clerk = Clerk::new(Some(log), false);
        let (session, call) = (SessionId(1), CallId::Number(1));
        let hello = r#"{"protocol":{"min":1,"max":1},"role":"cli","client":"ipcd"}"#;
        clerk.opened(session, &serde_json::from_str(hello).unwrap(), &Peer::default());
        clerk.asked(session, &call, &Request::Check(Check::default()), None, Timestamp(0));
        assert_eq!(clerk.sessions[&session].open.len(), 1);
        clerk.closed(session);
        clerk.asked(session, &call, &Request::Check(Check::default()), None, Timestamp(0));
        assert_eq!(clerk.sessions.len(), 0);
    }
}
