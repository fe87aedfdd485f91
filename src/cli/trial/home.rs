//! The world of a trial: a folder, a daemon in it, and nothing of the user's environment.
//!
//! What always holds: [`Home::close`] ends the daemon in order before the folder goes; a home that
//! is dropped instead kills it and removes the folder all the same.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cli::caller::{hello, link_to};
use crate::client::Link;
use crate::paths::{Account, Paths};
use crate::protocol::request::{Nothing, Request};
use crate::protocol::response::{DaemonStatus, Done, Status};
use crate::transport::directory::private_dir;

/// How long the daemon may take to answer for the first time, and to end. Both take milliseconds;
/// a machine that is busy with other things must not fail a trial.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the processes get of the user's environment. Anything more could tie them to the agent that
/// runs the trial.
const KEPT: [&str; 8] =
    ["PATH", "HOME", "TMPDIR", "TEMP", "USERPROFILE", "SystemRoot", "IPCD_LOG", "RUST_BACKTRACE"];

/// Nobody is woken outside of the trial, and nobody is asked.
const CONFIG: &str = "[wake]\nenabled = false\n[share_command]\nmode = \"allow\"\n";

pub struct Home {
    exe: PathBuf,
    folder: PathBuf,
    paths: Paths,
    daemon: Option<Child>,
}

impl Home {
    /// A private folder, empty but for its configuration and a place to work in.
    pub fn create(trial: &str) -> anyhow::Result<Home> {
        let exe = std::env::current_exe().context("cannot find the program itself")?;
        let number = RandomState::new().hash_one(trial);
        let folder = std::env::temp_dir().join(format!("ipcd-{trial}-{number:016x}"));
        let named = |what: &str| format!("cannot {what} {}", folder.display());
        private_dir(&folder).with_context(|| named("make"))?;
        let env = |name: &str| (name == "IPCD_HOME").then(|| folder.clone().into_os_string());
        let paths = Paths::find(&env, &Account::default());
        let home = paths.map(|paths| Home { exe, folder: folder.clone(), paths, daemon: None });
        let home = home.inspect_err(|_| drop(std::fs::remove_dir_all(&folder)))?;
        std::fs::create_dir(home.work()).with_context(|| named("make a folder in"))?;
        std::fs::write(&home.paths.config_file, CONFIG).with_context(|| named("write to"))?;
        Ok(home)
    }

    /// Where the agents work.
    pub fn work(&self) -> PathBuf {
        self.folder.join("work")
    }

    pub fn exe(&self) -> &Path {
        &self.exe
    }

    /// This program in this world, with no input and no output yet.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = self.program(&self.exe);
        command.arg(verb);
        command
    }

    /// Another program in this world, likewise.
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let kept = KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(kept).env("IPCD_HOME", &self.folder).current_dir(self.work());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts the daemon, and waits for its first answer.
    pub async fn start_daemon(&mut self) -> anyhow::Result<DaemonStatus> {
        let child = self.command("daemon").spawn().context("cannot start the daemon")?;
        self.daemon = Some(child);
        let link = self.link();
        let status: Status =
            link.ask(Request::Status(Nothing {})).await.context("no answer from the daemon")?;
        link.close().await;
        status.daemon.context("the daemon did not say what it is")
    }

    fn link(&self) -> Link {
        link_to(&self.paths, false, PATIENCE, hello(None, None))
    }

    /// Ends the daemon and removes the folder. The agents must have ended.
    pub async fn close(mut self) -> anyhow::Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let running = daemon.try_wait().context("cannot look after the daemon")?.is_none();
        if running {
            // It may be ending by itself already: an interrupt goes to all of us.
            let stop = self.link().ask::<Done>(Request::Stop(Nothing {})).await;
            let status = timeout(PATIENCE, daemon.wait()).await;
            let Ok(status) = status else {
                daemon.kill().await.context("cannot end the daemon")?;
                stop.context("the daemon would not stop")?;
                anyhow::bail!("the daemon did not end in {} s", PATIENCE.as_secs());
            };
            let status = status.context("cannot look after the daemon")?;
            anyhow::ensure!(status.success() || stop.is_err(), "the daemon ended with {status}");
        }
        let folder = self.folder.clone();
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // After an orderly close there is nothing left to remove.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
