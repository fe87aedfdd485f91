//! One connection to a daemon: it says hello, and then lines go both ways.
//!
//! What always holds: hello is the first line, and a daemon that does not answer it in time is as good
//! as none; writing never waits for reading, nor reading for writing; what a daemon says that is not
//! of the protocol ends the connection.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::io::{AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::bytes::Bytes;

use super::pending::IN_FLIGHT_MAX;
use crate::protocol::LINE_BYTES_MAX;
use crate::protocol::event::Event;
use crate::protocol::hello::{Hello, Welcome};
use crate::protocol::refusal::Refusal;
use crate::protocol::wire::{CallId, FromDaemon, call_line};
use crate::transport::Stream;
use crate::transport::activation::HELD_BACK;
use crate::transport::codec::{Line, LineReader};

/// For a daemon to answer hello. It does so at once unless it hangs, its machine crawls, or a service
/// manager has to start it first.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5).saturating_add(HELD_BACK);

/// For a daemon to read what is left when a client ends.
pub const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// Lines that wait to be written while a daemon does not read: each call in flight and its cancellation,
/// the cancellations of calls that were answered just then, and what comes once: hello, the
/// registration, bye.
const OUTBOX_LINES_MAX: usize = 3 * IN_FLIGHT_MAX + 3;

/// Bytes that one write collects at most, unless a single line is longer: what a socket's buffer takes.
const WRITE_BYTES: usize = 64 << 10;

/// Calls are numbered from 1 on.
const HELLO_ID: CallId = CallId::Number(0);

/// What a daemon said.
#[derive(Debug)]
pub enum Said {
    /// It answered hello.
    Welcome(Welcome),
    Answer(CallId, Result<Box<RawValue>, Refusal>),
    Push(Event),
}

/// Why a connection is over.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// The daemon does not want this client, for this reason.
    Refused(Refusal),
    /// It hung up, or the connection broke.
    Closed,
    /// It did not answer hello in time.
    Silent,
    /// What answers there does not speak the protocol.
    Garbage,
}

#[derive(Debug)]
pub struct Connection {
    lines: LineReader<ReadHalf<Stream>>,
    outbox: mpsc::Sender<Bytes>,
    /// Ends with the connection.
    writer: JoinSet<()>,
    /// For the answer to hello; `None` once it is there.
    hello_until: Option<Instant>,
}

impl Connection {
    /// Says hello, which is to be answered within `patience`. Calls may be sent at once behind it.
    pub fn open(stream: Stream, hello: &Hello, patience: Duration) -> Connection {
        let (reader, writer) = tokio::io::split(stream);
        let (outbox, queue) = mpsc::channel(OUTBOX_LINES_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(write_lines(writer, queue));
        let connection = Connection {
            lines: LineReader::new(reader, LINE_BYTES_MAX),
            outbox,
            writer: tasks,
            hello_until: Some(Instant::now() + patience),
        };
        connection.send(call_line(&HELLO_ID, "hello", hello).into());
        connection
    }

    /// Queues a line.
    pub fn send(&self, line: Bytes) {
        // Without a writer the reader finds out too, and says why.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.outbox.try_send(line) {
            debug_assert!(false, "more lines than calls in flight");
        }
    }

    /// The next thing that the daemon says. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Said, Ended> {
        loop {
            let line = match self.hello_until {
                Some(until) => timeout_at(until, self.lines.next()).await.map_err(|_| Ended::Silent)?,
                None => self.lines.next().await,
            };
            let line = match line {
                Ok(Some(Line::Whole(line))) => line,
                Ok(Some(Line::Oversized { .. })) => return Err(Ended::Garbage),
                Ok(None) | Err(_) => return Err(Ended::Closed),
            };
            match FromDaemon::parse(&line).ok_or(Ended::Garbage)? {
                FromDaemon::Answer { id: HELLO_ID, outcome } if self.hello_until.take().is_some() => {
                    let welcome = outcome.map_err(Ended::Refused)?;
                    let welcome = serde_json::from_str(welcome.get()).map_err(|_| Ended::Garbage)?;
                    return Ok(Said::Welcome(welcome));
                }
                FromDaemon::Answer { id, outcome } => return Ok(Said::Answer(id, outcome)),
                FromDaemon::Push(event) => return Ok(Said::Push(event)),
                // Which call it is about cannot be told, so none would ever be answered.
                FromDaemon::Complaint(refusal) => return Err(Ended::Refused(refusal)),
                FromDaemon::Unknown => {}
            }
        }
    }

    /// Writes what is queued, then ends the connection.
    pub async fn finish(self) {
        let Connection { outbox, mut writer, .. } = self;
        drop(outbox);
        if timeout(FINISH_TIMEOUT, writer.join_next()).await.is_err() {
            tracing::debug!("the daemon did not read what was left");
        }
    }
}

/// Writes what is queued, in as few writes as possible, until the queue is closed and empty.
async fn write_lines(mut stream: WriteHalf<Stream>, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(first) = queue.recv().await {
        let Ok(second) = queue.try_recv() else {
            if write(&mut stream, &first).await.is_err() {
                return;
            }
            continue;
        };
        let mut lines = [first, second].concat();
        while lines.len() < WRITE_BYTES
            && let Ok(line) = queue.try_recv()
        {
            lines.extend_from_slice(&line);
        }
        if write(&mut stream, &lines).await.is_err() {
            return;
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await.inspect_err(|error| tracing::debug!(%error, "cannot write to the daemon"))
}
