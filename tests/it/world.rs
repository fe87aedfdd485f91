//! A home of its own for each test: its own socket, store and configuration, and an environment that
//! says nothing of the machine's.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// For everything that should happen at once. Generous: these machines are busy.
pub const SOON: Duration = Duration::from_secs(20);

/// Between two looks at a fact that announces itself to nobody.
const LOOK: Duration = Duration::from_millis(5);

/// The program under test: the one that was built with the tests, or `IPCD_TEST_PROGRAM`, as a release is
/// measured.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("IPCD_TEST_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_ipcd").into())
}

pub struct World {
    pub dir: Arc<tempfile::TempDir>,
    pub program: PathBuf,
    /// Beside what every command of a world gets.
    pub variables: Vec<(String, String)>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> World {
        // Short: a socket's path has little room.
        let dir = tempfile::Builder::new().prefix("ipcd-").tempdir_in("/tmp").expect("a temporary folder");
        let program = program().into();
        World { dir: Arc::new(dir), program, variables: Vec::new() }
    }

    /// With a `config.toml`.
    pub fn with_config(toml: &str) -> World {
        let world = World::new();
        std::fs::write(world.home().join("config.toml"), toml).expect("a config file");
        world
    }

    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.home().join("run/ipcd.sock")
    }

    pub fn state(&self) -> PathBuf {
        self.home().join("state")
    }

    /// A folder of this name inside the home, made.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// A file of this content inside the home, made.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// The program, in this world.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().envs(self.environment()).current_dir(self.home());
        command
    }

    pub fn environment(&self) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        let home = self.home().display().to_string();
        let pairs = [("PATH", path), ("HOME", home.clone()), ("IPCD_HOME", home), ("LANG", "C.UTF-8".into())];
        let mut pairs: Vec<(String, String)> = pairs.map(|(name, value)| (name.to_owned(), value)).into();
        if !nix::unistd::geteuid().is_root() {
            // Tests find a world's daemons by their environment, which an armoured one shows to root alone.
            pairs.push(("IPCD_DEBUGGABLE".to_owned(), "1".to_owned()));
        }
        pairs.extend(self.variables.iter().cloned());
        pairs
    }

    /// Runs a command of a person in a terminal of their own: no agent is above it.
    pub fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).stdin(Stdio::null()).output().expect("the program runs"))
    }

    /// [`World::run`] that must succeed and print one JSON value.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let said = self.run(&all);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.json()
    }

    /// Starts a daemon in the foreground and waits until it serves.
    pub fn daemon(&self) -> Daemon {
        let mut command = self.command(&["daemon"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let daemon = Daemon { child: command.spawn().expect("the daemon starts") };
        until("the daemon serves", || std::os::unix::net::UnixStream::connect(self.socket()).is_ok());
        daemon
    }

    /// The pid of the daemon that holds this world's lock.
    pub fn daemon_pid(&self) -> i32 {
        let status = self.json(&["status"]);
        i32::try_from(status["daemon"]["pid"].as_i64().expect("status tells the pid")).expect("a pid")
    }

    /// Kills the daemon as the kernel does it, and waits until it is gone.
    pub fn kill_daemon(&self) {
        let pid = self.daemon_pid();
        kill(pid, "KILL");
        until("the daemon is gone", || !runs(pid));
    }

    /// What a daemon that was started by a client logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.state().join("daemon.log")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if Arc::strong_count(&self.dir) > 1 {
            return;
        }
        // A daemon that a client started belongs to nobody's children.
        if let Ok(note) = std::fs::read_to_string(self.state().join("ipcd.lock"))
            && let Some(Ok(pid)) = note.lines().next().map(str::parse::<i32>)
            && serves(pid, self.home())
        {
            kill(pid, "KILL");
        }
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failed test shows what the daemon thought")]
            {
                eprintln!("--- the daemon's log ---\n{}", self.log());
            }
        }
    }
}

impl Said {
    pub fn of(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.out.trim()).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A daemon in the foreground.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// One that was started in another way.
    pub fn of(child: Child) -> Daemon {
        Daemon { child }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// How it ended, which must be soon.
    pub fn ends(mut self) -> i32 {
        let mut status = None;
        until("the daemon ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.and_then(|s| s.code()).unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a fact that announces itself to nobody.
pub fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !fact() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(LOOK);
    }
}

pub fn kill(pid: i32, signal: &str) {
    let status =
        Command::new("kill").args([format!("-{signal}"), pid.to_string()]).stderr(Stdio::null()).status();
    assert!(status.is_ok(), "there is a kill command");
}

/// A process that exists and is no zombie.
pub fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn serves(pid: i32, home: &Path) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mark = format!("IPCD_HOME={}", home.display());
    environment.split(|b| *b == 0).any(|variable| variable == mark.as_bytes())
}
