//! `ipcd mcp`: the front end of one agent, an MCP server on stdin and stdout.
//!
//! The only module that knows the MCP SDK. What always holds:
//! - Nothing but JSON-RPC goes to stdout.
//! - The handshake never waits for the daemon, and no call holds up another.
//! - Mail that was handed out is settled only when the client has evidently seen it.
//! - After the end of input everything that can be answered is, and the process ends within a second.

mod answer;
mod backend;
mod bell;
mod book;
mod call;
mod catalog;
mod consent;
mod definition;
mod doorbell;
mod forward;
mod frame;
mod ledger;
mod lines;
mod outbox;
mod overlong;
mod params;
mod program;
mod pushed;
mod recent;
mod ring;
mod server;
mod session;
mod share;
mod shown;
mod stdio;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tools;
mod twice;
mod values;
mod waits;
mod waking;

use std::sync::Arc;
use std::time::Duration;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use backend::Dialing;
pub use catalog::Toolset;
pub use session::Naming;
pub use share::Sharing;

use backend::Dial;
use ring::Ringers;
use server::Server;
use session::Session;
use stdio::{Stdio, Watch};

use crate::config::Wake;
use crate::transport;

/// How long calls may go on after the end of input.
const LAST_ANSWERS: Duration = Duration::from_millis(600);

/// Between two notifications of progress: clients that restart a timer on them wait a minute or longer.
const PROGRESS_EVERY: Duration = Duration::from_secs(12);

/// How long the goodbye to the daemon may take.
const GOODBYE: Duration = Duration::from_millis(200);

/// What `ipcd mcp` needs to know.
pub struct Options {
    pub naming: Naming,
    /// Which tools are listed and answered.
    pub tools: Toolset,
    /// Where the daemon is.
    pub dialing: Dialing,
    pub sharing: Sharing,
    /// Which idle agents are rung.
    pub wake: Wake,
}

/// Serves the client on stdin and stdout until its input ends.
///
/// A read from a terminal may outlive this call: whoever runs it must end the process without waiting
/// for the runtime's threads.
///
/// # Errors
/// The client said something else than a handshake first, and nothing could be answered.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let ended = CancellationToken::new();
    tokio::spawn(end_on_signal(ended.clone()));
    tokio::spawn(end_without_client(ended.clone()));
    let read = if options.tools == Toolset::Terminals { "get_messages" } else { "check" };
    let parts = Parts {
        ringers: ring::ringers(options.wake, read, options.sharing.here.cwd.clone()),
        naming: options.naming,
        tools: options.tools,
        dial: options.dialing.dial(),
        sharing: options.sharing,
        progress_every: PROGRESS_EVERY,
    };
    serve(transport::stdio::input(), transport::stdio::output(), parts, ended).await
}

/// [`Options`] with the daemon behind a seam.
struct Parts {
    naming: Naming,
    tools: Toolset,
    dial: Dial,
    sharing: Sharing,
    ringers: Ringers,
    progress_every: Duration,
}

/// Serves one client until `ended`, which the end of input cancels too.
async fn serve<R, W>(input: R, output: W, parts: Parts, ended: CancellationToken) -> anyhow::Result<()>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let session = Session::new(parts.naming, parts.dial, parts.ringers, ended.clone());
    let watch: Arc<dyn Watch> = Arc::clone(&session) as Arc<dyn Watch>;
    let transport = Stdio::start(input, output, watch, ended.clone());
    let server = Server::new(Arc::clone(&session), parts.sharing, parts.tools, parts.progress_every);
    let serving = async {
        match server.serve(transport).await {
            Ok(running) => running.waiting().await.map(drop).map_err(anyhow::Error::from),
            // Clients probe by starting a server and closing its input.
            Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    let too_late = async {
        ended.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let outcome = tokio::select! {
        outcome = serving => outcome,
        () = too_late => {
            tracing::debug!("some calls were still running at the end");
            Ok(())
        }
    };
    ended.cancel();
    let _ = tokio::time::timeout(GOODBYE, session.close()).await;
    outcome
}

/// A client that died may have left the other end of our stdin to a process that lives on.
async fn end_without_client(ended: CancellationToken) {
    transport::reader_of_stdout_gone().await;
    ended.cancel();
}

/// A polite end is better than being killed: mail that was handed out goes back as unread.
async fn end_on_signal(ended: CancellationToken) {
    let Ok(mut signals) = transport::signals::Signals::listen() else { return };
    signals.next().await;
    ended.cancel();
}
