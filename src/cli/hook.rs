//! `ipcd hook`: tells an agent, in its client's own form, that mail waits.
//!
//! What always holds: it says how many messages wait and nothing that a peer wrote, for clients put
//! a hook's words beside those of their user; it is silent when nothing waits or anything fails; it
//! starts no daemon and ends in order. Whether it is time to say something, the daemon knows.

use std::io::{IsTerminal, Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::args::{Global, HookArgs};
use super::caller::{hello, link, link_to};
use super::exit::ExitCode;
use crate::agents::Program;
use crate::agents::bell::words;
use crate::agents::hook::{Input, Moment};
use crate::client::Link;
use crate::config::Config;
use crate::paths::Paths;
use crate::protocol::request::{self, Hook, Request};
use crate::protocol::response::Hooked;
use crate::transport;

/// How long the daemon may take. The agent stands still meanwhile.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How long the client may take to write what the hook is about. Some never close the pipe.
const INPUT_TIME: Duration = Duration::from_millis(200);

/// Longest description of an event, in bytes: the result of a tool call may be part of it.
const INPUT_BYTES_MAX: u64 = 8 << 20;

/// One wait in the background. A longer one is made of several.
const WAIT: Duration = Duration::from_secs(3600);

/// How long a hook in the background outlives a daemon, for the next one to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two lines of `watch`: what comes meanwhile is told by the second.
const LINES_APART: Duration = Duration::from_secs(2);

/// What a hook is for.
enum Purpose {
    /// To say something now, at this moment of the agent's work.
    Tell(Moment),
    /// To wait in the background and wake the agent by its end.
    Wait,
    /// To wait in the background and write a line for each time that the agent is to be woken.
    Watch,
}

impl Purpose {
    fn of(event: &str) -> Option<Purpose> {
        match event.to_ascii_lowercase().as_str() {
            "wait" => Some(Purpose::Wait),
            "watch" => Some(Purpose::Watch),
            _ => Moment::of(event).map(Purpose::Tell),
        }
    }
}

/// What a hook needs to know.
struct Setting {
    paths: Paths,
    program: Program,
    /// Idle agents of this client are to be woken.
    wakes: bool,
    session: Option<String>,
    speak_as: Option<String>,
}

/// Does what the hook is for. To a client the end with 2 is the wake; any other says nothing.
pub async fn hook(global: &Global, args: HookArgs) -> ExitCode {
    let Some(purpose) = Purpose::of(&args.event) else { return ExitCode::Done };
    // A watcher's input is nobody's to write.
    let input = if matches!(purpose, Purpose::Watch) { Input::default() } else { read() };
    // No person spoke. Of a bell the agent has been told; what waits is told at the end of its turn.
    let unspoken = matches!(purpose, Purpose::Tell(Moment::Prompt)) && input.is_unspoken();
    let Some(setting) = Setting::find(global, &args, input).filter(|_| !unspoken) else {
        return ExitCode::Done;
    };
    match purpose {
        Purpose::Tell(moment) => {
            // An agent must not stumble over its hook, whatever became of the words.
            let _ = timeout(ANSWER_TIME, setting.tell(moment)).await;
            ExitCode::Done
        }
        Purpose::Wait => {
            if setting.wait().await {
                ExitCode::Usage
            } else {
                ExitCode::Done
            }
        }
        Purpose::Watch => {
            setting.watch().await;
            ExitCode::Done
        }
    }
}

impl Setting {
    fn find(global: &Global, args: &HookArgs, input: Input) -> Option<Setting> {
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let program = args.client.or_else(|| Program::marked(has)).or_else(|| input.program())?;
        let paths = Paths::from_env().ok()?;
        let wakes = Config::load(&paths.config_file).ok()?.wake.rings(program.word());
        Some(Setting {
            paths,
            program,
            wakes,
            session: input.session().map(str::to_owned),
            speak_as: global.speak_as.clone(),
        })
    }

    /// Says what there is to say at this moment, in the client's form, and only then goodbye: to the
    /// daemon, a hook that goes without one has said nothing.
    async fn tell(self, moment: Moment) -> Option<()> {
        if moment == Moment::Stop && !self.wakes {
            return None;
        }
        let link = link(&self.paths, false, hello(self.speak_as, self.session));
        let told = ask(&link, Hook { moment: moment.on_the_wire(), wait_ms: 0, wakes: None }).await?;
        if told.speak
            && let Some(said) = self.program.hook()?.say(moment, &words(told.unread, "check"))
        {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{said}").and_then(|()| out.flush()).ok()?;
        }
        link.close().await;
        Some(())
    }

    /// Waits until the agent is to be woken, and says by how many messages. False: it is not, any more.
    async fn wait(self) -> bool {
        if !self.program.wakes_by_its_hook(|name| std::env::var(name).ok()) {
            return false;
        }
        let Some(link) = self.background().await else { return false };
        let told = self.news(&link).await;
        if let Some(unread) = told {
            // The end of this process is the wake, whatever became of the words.
            let _ = writeln!(std::io::stderr().lock(), "{}", words(unread, "check"));
        }
        link.close().await;
        told.is_some()
    }

    async fn watch(self) {
        let Some(link) = self.background().await else { return };
        while let Some(unread) = self.news(&link).await {
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{}", words(unread, "check")).and_then(|()| out.flush()).is_err() {
                // Nobody read it: no goodbye, so that it is told again.
                return;
            }
            drop(out);
            tokio::time::sleep(LINES_APART).await;
        }
        link.close().await;
    }

    /// A connection that stays; `None` where nobody is to be woken, or no daemon is there to begin with.
    async fn background(&self) -> Option<Link> {
        if !self.wakes || transport::connect(&self.paths.socket).await.is_err() {
            return None;
        }
        let hello = hello(self.speak_as.clone(), self.session.clone());
        Some(link_to(&self.paths, false, PATIENCE, hello))
    }

    /// Waits for the next wake. `None`: there will be none.
    async fn news(&self, link: &Link) -> Option<u64> {
        let wait_ms = u64::try_from(WAIT.as_millis()).unwrap_or(u64::MAX);
        let wakes = Some(self.program.watched());
        loop {
            let told = ask(link, Hook { moment: request::Moment::Wait, wait_ms, wakes }).await?;
            if told.speak || told.over {
                return told.speak.then_some(told.unread);
            }
        }
    }
}

async fn ask(link: &Link, hook: Hook) -> Option<Hooked> {
    link.ask(Request::Hook(hook)).await.ok()
}

/// What the client wrote, or nothing of it when it is slow, large or no JSON. It is not waited for the end
/// of the pipe: the object's own end is enough.
fn read() -> Input {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Input::default();
    }
    let (done, input) = mpsc::channel();
    // Left behind if the client writes nothing; the process ends soon.
    std::thread::spawn(move || {
        let mut text = serde_json::Deserializer::from_reader(stdin.lock().take(INPUT_BYTES_MAX));
        let _ = done.send(Input::deserialize(&mut text).unwrap_or_default());
    });
    input.recv_timeout(INPUT_TIME).unwrap_or_default()
}
