//! One connection: who it is, its lines in, its lines out.
//!
//! Calls are handed to the engine in the order in which they were read; answers leave in the order in
//! which the engine gives them. Nothing a peer sends, or fails to read, holds up another session.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::command::{Command, EngineHandle, Outgoing};
use super::lobby::Guest;
use super::owed::Owed;
use crate::broker::{Input, SessionId};
use crate::protocol::LINE_BYTES_MAX;
use crate::protocol::hello::{Hello, Welcome};
use crate::protocol::peer::{Ancestor, Peer, ProcessId};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::protocol::wire::{self, CallId, Incoming};
use crate::release;
use crate::transport::Stream;
use crate::transport::codec::{Line, LineReader};
use crate::transport::process::{self, ProcessFacts};

/// Time for a new connection to say hello: an honest client does so at once.
pub const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// Bytes of a line before the hello, which is far shorter: nobody is given more memory before it is known
/// who that is.
const HELLO_BYTES_MAX: usize = 64 << 10;

/// Time in which a peer must take what is written to it, before it is given up as dead.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Most bytes that are put together for one write.
const WRITE_BYTES: usize = 256 << 10;

/// Serves one connection until it ends. The peer's user was checked before. Whoever has not said hello
/// when its time in the lobby is over is not waited for.
pub async fn serve(stream: Stream, session: SessionId, engine: EngineHandle, guest: Guest) {
    let peer = process::of_peer(&stream).map(peer_facts).unwrap_or_default();
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = LineReader::new(read, HELLO_BYTES_MAX);
    let greeting = timeout(HELLO_WITHIN, greet(&mut lines, &mut write));
    let greeted = guest.ending.run_until_cancelled(greeting).await;
    guest.leaves();
    let hello = match greeted {
        Some(Ok(Some(hello))) => hello,
        Some(Ok(None)) | None => return,
        Some(Err(_)) => {
            tracing::info!(session = session.0, "no hello in time");
            return;
        }
    };
    lines.allow(LINE_BYTES_MAX);
    tracing::debug!(session = session.0, client = %hello.client, pid = peer.process.as_ref().map(|p| p.pid));
    let (outbox, outgoing) = unbounded_channel();
    let open = Command::Open { session, hello, peer, outbox: outbox.clone() };
    if !engine.tell(open) {
        return;
    }
    let owed = Owed::default();
    let mut writer = tokio::spawn(write_lines(write, outgoing, owed.clone()));
    let mut reader = Reader { session, engine: engine.clone(), outbox, owed, polite: false };
    tokio::select! {
        () = reader.read_lines(&mut lines) => {}
        // The peer takes nothing any more, or the daemon ends: what it still says is for nobody.
        _ = &mut writer => {}
    }
    let polite = reader.polite;
    drop(reader);
    engine.tell(Command::Input(Input::Closed { session, polite }));
    // The engine drops its end of the outbox on `Closed`, having answered what was read before.
    if !writer.is_finished() {
        let _ = writer.await;
    }
}

/// Waits for a hello that this daemon can answer. Anything else is refused, and the wait goes on.
async fn greet(lines: &mut LineReader<ReadHalf<Stream>>, write: &mut WriteHalf<Stream>) -> Option<Hello> {
    loop {
        let line = match lines.next().await {
            Ok(Some(Line::Whole(line))) => line,
            Ok(Some(Line::Oversized { bytes })) => {
                write.write_all(&too_long(bytes, HELLO_BYTES_MAX)).await.ok()?;
                continue;
            }
            Ok(None) | Err(_) => return None,
        };
        let answer = match Incoming::parse(&line) {
            Ok(Incoming::Call { id, method, params }) if method == "hello" => {
                match parse_hello(params.map_or("{}", RawValue::get)) {
                    Ok((hello, welcome)) => {
                        write.write_all(&wire::answer_line(&id, &Ok(welcome))).await.ok()?;
                        return Some(hello);
                    }
                    Err(refusal) => {
                        let last = refusal.code == RefusalCode::UnsupportedProtocol;
                        let line = wire::answer_line::<Welcome>(&id, &Err(refusal));
                        write.write_all(&line).await.ok()?;
                        if last {
                            return None;
                        }
                        continue;
                    }
                }
            }
            Ok(Incoming::Call { id, .. }) => {
                let refusal = Refusal::invalid_argument("the first call must be `hello`");
                wire::answer_line::<Welcome>(&id, &Err(refusal))
            }
            Ok(Incoming::Notification { .. }) => continue,
            Err(unreadable) => wire::complaint_line(&unreadable),
        };
        write.write_all(&answer).await.ok()?;
    }
}

/// The answer to a line that was skipped.
fn too_long(bytes: u64, most: usize) -> Vec<u8> {
    let message = format!("a line of {bytes} bytes, the limit is {most}");
    let error = (&Refusal::new(RefusalCode::TooLarge, message)).into();
    wire::complaint_line(&wire::Unreadable { id: None, error })
}

fn parse_hello(params: &str) -> Result<(Hello, Welcome), Refusal> {
    let hello: Hello = serde_json::from_str(params)
        .map_err(|e| Refusal::invalid_argument(format!("bad parameters for `hello`: {e}")))?;
    let welcome = Welcome {
        protocol: release::protocol().common(hello.protocol)?,
        server: release::program(),
        line_bytes: LINE_BYTES_MAX,
    };
    Ok((hello, welcome))
}

/// `retire` is for a newer client that this daemon cannot serve. Others have `stop`, which is for people.
fn is_needed(request: Request) -> Result<Request, Refusal> {
    let ours = release::protocol();
    match &request {
        Request::Retire(retire) if retire.protocol.min <= ours.max => Err(Refusal::new(
            RefusalCode::NeedsHuman,
            format!("this daemon speaks protocol {} to {}, and need not give way", ours.min, ours.max),
        )
        .hint("to end it, a person runs `ipcd stop`")),
        _ => Ok(request),
    }
}

struct Reader {
    session: SessionId,
    engine: EngineHandle,
    outbox: UnboundedSender<Outgoing>,
    owed: Owed,
    /// The peer said `bye`.
    polite: bool,
}

impl Reader {
    /// Until the peer says nothing more, or the engine hears nothing more.
    async fn read_lines(&mut self, lines: &mut LineReader<ReadHalf<Stream>>) {
        loop {
            self.owed.room().await;
            let heard = match lines.next().await {
                Ok(Some(Line::Whole(line))) => self.take(&line),
                Ok(Some(Line::Oversized { bytes })) => self.say(too_long(bytes, LINE_BYTES_MAX)),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(session = self.session.0, %error, "reading");
                    return;
                }
            };
            if !heard {
                return;
            }
        }
    }

    /// Takes one line; false when nobody can.
    fn take(&mut self, line: &[u8]) -> bool {
        match Incoming::parse(line) {
            Ok(Incoming::Call { id, method, params }) => self.call(id, &method, params, line.len()),
            Ok(Incoming::Notification { method, params }) => self.notification(&method, params),
            Err(unreadable) => self.say(wire::complaint_line(&unreadable)),
        }
    }

    fn call(&self, call: CallId, method: &str, params: Option<&RawValue>, line_bytes: usize) -> bool {
        if let Err(refusal) = self.owed.begin(&call) {
            return self.say(wire::answer_line::<Welcome>(&call, &Err(refusal)));
        }
        match Request::decode(method, params).and_then(is_needed) {
            Ok(request) => {
                let session = self.session;
                self.owed.weigh(&call, &request, line_bytes);
                self.engine.tell(Command::Input(Input::Call { session, call, request }))
            }
            Err(refusal) => {
                let line = wire::answer_line::<Welcome>(&call, &Err(refusal));
                self.outbox.send(Outgoing::Answer(call, line)).is_ok()
            }
        }
    }

    fn notification(&mut self, method: &str, params: Option<&RawValue>) -> bool {
        match method {
            "cancel" => match wire::cancelled_call(params).filter(|call| self.owed.give_up(call)) {
                Some(call) => {
                    let session = self.session;
                    self.engine.tell(Command::Input(Input::Cancelled { session, call }))
                }
                None => true,
            },
            "bye" => {
                self.polite = true;
                true
            }
            // JSON-RPC: a notification is never answered, not even an unknown one.
            _ => true,
        }
    }

    fn say(&self, line: Vec<u8>) -> bool {
        self.owed.complain() && self.outbox.send(Outgoing::Line(line)).is_ok()
    }
}

/// Writes what comes, putting together what is there, until the end or until the peer stops reading.
async fn write_lines(
    mut write: impl AsyncWrite + Unpin,
    mut outgoing: UnboundedReceiver<Outgoing>,
    owed: Owed,
) {
    let mut bytes: Vec<u8> = Vec::new();
    let mut last = false;
    while !last {
        let mut next = outgoing.recv().await;
        if next.is_none() {
            return;
        }
        while let Some(out) = next {
            match out {
                Outgoing::Answer(call, line) => {
                    // Out of flight before it is written: a call with the same id may follow at once.
                    owed.end(&call);
                    bytes.extend_from_slice(&line);
                }
                Outgoing::Line(line) => {
                    owed.line_taken();
                    bytes.extend_from_slice(&line);
                }
                Outgoing::End => last = true,
            }
            next = if last || bytes.len() >= WRITE_BYTES { None } else { outgoing.try_recv().ok() };
        }
        match timeout(WRITE_WITHIN, write.write_all(&bytes)).await {
            Ok(Ok(())) => bytes.clear(),
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::warn!("a session does not read its answers and is closed");
                return;
            }
        }
        bytes.shrink_to(WRITE_BYTES);
    }
}

/// What the kernel says of a peer, in the core's words.
fn peer_facts(facts: ProcessFacts) -> Peer {
    let process = |pid, start| ProcessId { pid, start, boot: facts.boot.clone() };
    let above = facts.ancestors.iter().map(|a| Ancestor {
        process: process(a.pid, a.start),
        wrapper: a.wrapper,
        session: a.session,
    });
    Peer {
        process: Some(process(facts.pid, facts.start)),
        ancestors: above.collect(),
        exe: facts.exe,
        cwd: facts.cwd,
        sandboxed: facts.sandboxed,
        interactive: facts.interactive,
        session: facts.session,
    }
}
