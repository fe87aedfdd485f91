//! What every verb gets: the way to the daemon, and the way to the reader.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::args::Global;
use super::exit::Failure;
use super::output::{Format, Output};
use crate::client::{Link, LinkConfig};
use crate::paths::Paths;
use crate::protocol::hello::{Hello, Role, VersionRange};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::protocol::time::Timestamp;
use crate::release;

/// How long a command survives a restart of the daemon. Recovering a large store takes seconds;
/// a person at a terminal gives up soon after.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where agents put the number of their own session for the programs that they start: it tells two
/// agents of one kind apart.
const PROGRAM_SESSIONS: [&str; 4] =
    ["CLAUDE_CODE_SESSION_ID", "COPILOT_AGENT_SESSION_ID", "GEMINI_SESSION_ID", "CODEX_THREAD_ID"];

pub struct Caller {
    pub out: Output,
    link: Link,
    /// Whether a daemon is started when there is none.
    launch: bool,
}

impl Caller {
    /// Connects with the first call, not here.
    pub fn new(global: &Global, launch: bool) -> Result<Caller, Failure> {
        Caller::speaking(release::protocol(), global, launch)
    }

    /// For what every daemon understands, of whatever version: `status` and `stop`.
    pub fn of_any_version(global: &Global, launch: bool) -> Result<Caller, Failure> {
        Caller::speaking(VersionRange::ANY, global, launch)
    }

    fn speaking(protocol: VersionRange, global: &Global, launch: bool) -> Result<Caller, Failure> {
        let session = PROGRAM_SESSIONS.iter().find_map(|name| std::env::var(name).ok());
        let hello = Hello { protocol, ..hello(global.speak_as.clone(), session) };
        let link = link(&Paths::from_env()?, launch, hello);
        let format = if global.json { Format::Json } else { Format::People };
        Ok(Caller { out: Output::stdout(format), link, launch })
    }

    /// Calls, and gives the answer as it came and decoded.
    pub async fn call<T: DeserializeOwned>(&self, request: Request) -> Result<(Box<RawValue>, T), Failure> {
        let method = request.method();
        let raw = self.link.call(request).await.map_err(|refusal| self.without_daemon(refusal))?;
        let answer = serde_json::from_str(raw.get()).map_err(|e| {
            Failure::Bug(anyhow::anyhow!("the daemon's answer to `{method}` cannot be read: {e}"))
        })?;
        Ok((raw, answer))
    }

    /// Where this command was not to start a daemon, that is what there is to say.
    fn without_daemon(&self, refusal: Refusal) -> Refusal {
        if !self.launch && refusal.code == RefusalCode::Retry {
            return refusal.hint("leave out --no-spawn, or run `ipcd daemon`");
        }
        refusal
    }

    /// Calls, and shows the answer: as it came with `--json`, else as `render` puts it.
    pub async fn show<T: DeserializeOwned>(
        &mut self,
        request: Request,
        render: impl FnOnce(&T) -> String,
    ) -> Result<T, Failure> {
        let (raw, answer) = self.call(request).await?;
        self.print(&raw, || render(&answer))?;
        Ok(answer)
    }

    pub fn print(&mut self, raw: &RawValue, render: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.out.is_json() { self.out.json(raw.get()) } else { self.out.people(&render()) }
    }

    /// Says goodbye, so that what was taken and not settled counts as given back and not as lost.
    pub async fn close(self) {
        self.link.close().await;
    }
}

/// A link of a command. Without `launch` it does not wait for a daemon that is not there.
pub fn link(paths: &Paths, launch: bool, hello: Hello) -> Link {
    link_to(paths, launch, if launch { PATIENCE } else { Duration::ZERO }, hello)
}

/// A link that stands so long without a daemon.
pub fn link_to(paths: &Paths, launch: bool, patience: Duration, hello: Hello) -> Link {
    Link::new(LinkConfig {
        socket: paths.socket.clone(),
        spawn_lock: paths.spawn_lock.clone(),
        launch,
        hello,
        resume: Arc::new(|| None),
        patience,
    })
}

pub fn hello(speak_as: Option<String>, program_session: Option<String>) -> Hello {
    Hello {
        protocol: release::protocol(),
        role: Role::Cli,
        client: release::program(),
        program: None,
        program_session,
        speak_as,
        wakes: None,
    }
}

/// A key for a message that was given none: the link repeats a call after a daemon restart, and the
/// daemon then keeps one copy.
pub fn fresh_key() -> String {
    let random = || RandomState::new().hash_one("key");
    format!("cli-{:016x}{:016x}", random(), random())
}

/// The only clock of the commands; it dates what is shown and decides nothing.
#[expect(clippy::disallowed_methods, reason = "the edge, where the time is read")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
