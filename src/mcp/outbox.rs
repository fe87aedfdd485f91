//! The way out: lines are queued in order and written by one task, which knows when the last byte of
//! an answer is with the client.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::model::RequestId;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};

use super::stdio::Watch;

/// Bytes that wait to be written before no more requests are read: a client that does not read its
/// answers is not asked for more of them.
const UNWRITTEN_BYTES_MAX: usize = 1 << 20;

/// Cheap to clone; all clones feed one writer.
#[derive(Clone)]
pub struct Outbox {
    lines: mpsc::UnboundedSender<Outgoing>,
    backlog: Arc<Backlog>,
}

struct Outgoing {
    line: Vec<u8>,
    /// The request that this line answers.
    answers: Option<RequestId>,
    written: oneshot::Sender<io::Result<()>>,
}

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    shrank: Notify,
}

impl Outbox {
    /// Starts the writer. It ends, and tells `watch`, when the output breaks.
    pub fn start<W>(output: W, watch: Arc<dyn Watch>) -> Outbox
    where
        W: AsyncWrite + Send + Unpin + 'static,
    {
        // Unbounded in lines, bounded in bytes by `room`.
        let (lines, queue) = mpsc::unbounded_channel();
        let backlog = Arc::new(Backlog::default());
        tokio::spawn(write_lines(output, queue, Arc::clone(&backlog), watch));
        Outbox { lines, backlog }
    }

    /// Queues one line at once, in the order of the calls. The future ends when it is written.
    pub fn put(
        &self,
        line: Vec<u8>,
        answers: Option<RequestId>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static + use<> {
        let (written, done) = oneshot::channel();
        self.backlog.bytes.fetch_add(line.len(), Ordering::Relaxed);
        let queued = self.lines.send(Outgoing { line, answers, written });
        async move {
            let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
            queued.map_err(|_| broken())?;
            done.await.map_err(|_| broken())?
        }
    }

    /// Waits until so little is unwritten that more may be asked for.
    pub async fn room(&self) {
        loop {
            let shrank = self.backlog.shrank.notified();
            if self.backlog.bytes.load(Ordering::Relaxed) < UNWRITTEN_BYTES_MAX {
                return;
            }
            shrank.await;
        }
    }

    /// Waits until all that was queued is written.
    pub async fn drained(&self) -> io::Result<()> {
        self.put(Vec::new(), None).await
    }
}

async fn write_lines<W>(
    mut output: W,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    backlog: Arc<Backlog>,
    watch: Arc<dyn Watch>,
) where
    W: AsyncWrite + Unpin,
{
    while let Some(Outgoing { line, answers, written }) = queue.recv().await {
        let outcome = write_line(&mut output, &line).await;
        let broken = outcome.is_err();
        match (&answers, broken) {
            (Some(id), false) => watch.flushed(id),
            (Some(id), true) => watch.lost(id),
            (None, _) => {}
        }
        backlog.bytes.fetch_sub(line.len(), Ordering::Relaxed);
        backlog.shrank.notify_one();
        // Whoever queued it may be gone; the line is written all the same.
        let _ = written.send(outcome);
        if broken {
            watch.broken();
            return;
        }
    }
}

async fn write_line<W: AsyncWrite + Unpin>(output: &mut W, line: &[u8]) -> io::Result<()> {
    output.write_all(line).await?;
    output.flush().await
}
