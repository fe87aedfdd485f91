//! The stdio edge: lines in, lines out, as the SDK's transport.
//!
//! What always holds:
//! - Nothing leaves but JSON-RPC lines; nothing that comes in ends the session but the end of input.
//! - Lines are read while calls run, so a ping or a cancel is never behind a wait.
//! - [`Watch`] hears of each tool call when its line is read, and of each answer when it is flushed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorCode, GetMeta, JsonRpcMessage, ProtocolVersion, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::service::RoleServer;
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::frame::{Complaint, Frame};
use super::ledger::Stamp;
use super::lines::{Lines, Piece};
use super::outbox::Outbox;
use super::params::quoted;
use super::shown::to_line;
use crate::protocol::LINE_BYTES_MAX;

/// Bytes of one read.
const CHUNK_BYTES: usize = 64 << 10;

/// Messages between the reader and the service, which takes them at once.
const INBOX_MESSAGES: usize = 8;

/// Hears what becomes of calls. Called from the reader and the writer: must not block.
pub trait Watch: Send + Sync {
    /// The stamp of what is read now.
    fn stamp(&self) -> Stamp;
    /// The line of a tool call was read; its first byte came at `began`.
    fn call_read(&self, id: &RequestId, began: Stamp);
    /// The client gave up on this request, which may be answered already.
    fn cancelled(&self, id: &RequestId);
    /// The last byte of this request's answer was written.
    fn flushed(&self, id: &RequestId);
    /// This request's answer could not be written.
    fn lost(&self, id: &RequestId);
    /// Nothing can be written any more.
    fn broken(&self);
}

pub struct Stdio {
    incoming: mpsc::Receiver<ClientJsonRpcMessage>,
    outbox: Outbox,
    pending: Pending,
}

/// Requests that were read and not answered.
type Pending = Arc<Mutex<HashSet<RequestId>>>;

impl Stdio {
    /// Starts reading and writing. `ended` is cancelled at the end of input; cancelling it ends the
    /// reading.
    pub fn start<R, W>(input: R, output: W, watch: Arc<dyn Watch>, ended: CancellationToken) -> Stdio
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let outbox = Outbox::start(output, Arc::clone(&watch));
        let (inbox, incoming) = mpsc::channel(INBOX_MESSAGES);
        let pending = Pending::default();
        let reader =
            Reader { inbox, outbox: outbox.clone(), watch, pending: Arc::clone(&pending), opened: false };
        tokio::spawn(async move {
            tokio::select! {
                () = reader.run(input) => {}
                () = ended.cancelled() => {}
            }
            ended.cancel();
        });
        Stdio { incoming, outbox, pending }
    }
}

impl Transport<RoleServer> for Stdio {
    type Error = io::Error;

    fn name() -> Cow<'static, str> {
        "stdio".into()
    }

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let answers = match &message {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        if let Some(id) = &answers {
            lock(&self.pending).remove(id);
        }
        self.outbox.put(to_line(&message), answers)
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.incoming.recv().await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.outbox.drained().await
    }
}

struct Reader {
    inbox: mpsc::Sender<ClientJsonRpcMessage>,
    outbox: Outbox,
    watch: Arc<dyn Watch>,
    pending: Pending,
    /// A request came that settles which era is spoken. Before it the SDK takes requests only.
    opened: bool,
}

impl Reader {
    async fn run<R: AsyncRead + Unpin>(mut self, mut input: R) {
        let mut lines = Lines::new(LINE_BYTES_MAX);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            self.outbox.room().await;
            let read = match input.read(&mut chunk).await {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::debug!(%error, "input broke");
                    break;
                }
            };
            lines.push(&chunk[..read], self.watch.stamp());
            while let Some(piece) = lines.next() {
                self.piece(piece).await;
            }
        }
        if let Some(piece) = lines.finish() {
            self.piece(piece).await;
        }
    }

    async fn piece(&mut self, piece: Piece) {
        match piece {
            Piece::Line(line, began) => match Frame::parse(&line) {
                Ok(frame) => self.frame(frame, began).await,
                Err(complaint) => self.complain(complaint),
            },
            Piece::TooLong(id) => {
                let text = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                self.complain(Complaint::new(id, ErrorCode::INVALID_REQUEST, text));
            }
        }
    }

    async fn frame(&mut self, frame: Frame, began: Stamp) {
        match frame {
            Frame::Request(id, request) => self.request(id, *request, began).await,
            Frame::Cancelled(id, message) => {
                lock(&self.pending).remove(&id);
                self.watch.cancelled(&id);
                self.other(message).await;
            }
            Frame::Other(message) => self.other(message).await,
            Frame::Nothing => {}
        }
    }

    async fn request(&mut self, id: RequestId, request: ClientRequest, began: Stamp) {
        if !lock(&self.pending).insert(id.clone()) {
            // An answer under this id would pass for the answer to the first.
            let text =
                format!("a request with the id `{}` is still being worked on", quoted(&id.to_string()));
            return self.complain(Complaint::new(None, ErrorCode::INVALID_REQUEST, text));
        }
        if !self.opened && is_too_early(&request) {
            lock(&self.pending).remove(&id);
            let text = "say `initialize` first, or name the revision of the protocol in `_meta`";
            return self.complain(Complaint::new(Some(id), ErrorCode::INVALID_PARAMS, text));
        }
        if matches!(request, ClientRequest::CallToolRequest(_)) {
            self.watch.call_read(&id, began);
        }
        self.opened = self.opened || opens(&request);
        self.forward(ClientJsonRpcMessage::request(request, id)).await;
    }

    async fn other(&mut self, message: ClientJsonRpcMessage) {
        if self.opened {
            self.forward(message).await;
        }
    }

    async fn forward(&self, message: ClientJsonRpcMessage) {
        // Nobody takes it when the service has ended; the reader is ended too then.
        let _ = self.inbox.send(message).await;
    }

    fn complain(&self, complaint: Complaint) {
        drop(self.outbox.put(to_line(&complaint.answer()), None));
    }
}

/// Whether the SDK leaves its handshake with this request: `initialize`, or any other but the probes
/// when it carries the metadata of the revision without a handshake.
fn opens(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        request => {
            let meta = request.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty()
                && meta.protocol_version().is_some_and(|v| ProtocolVersion::KNOWN_VERSIONS.contains(&v))
        }
    }
}

/// Whether this request cannot be the first: it is none that begins a session, and carries no revision
/// to be understood by. (One that names a revision which does not exist is the SDK's to answer.)
fn is_too_early(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_)
        | ClientRequest::PingRequest(_)
        | ClientRequest::DiscoverRequest(_) => false,
        request => request.get_meta().protocol_version().is_none(),
    }
}

fn lock(pending: &Pending) -> std::sync::MutexGuard<'_, HashSet<RequestId>> {
    // A panic elsewhere leaves the set whole.
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}
