//! Where things live: the one place that knows, for every role of the binary.
//!
//! What always holds: each path is absolute; nothing is created or read here; the answer depends on the
//! user and on `IPCD_HOME` and `XDG_*`, never on the folder that ipcd was started in. Agents scrub the
//! environment of their children, so the daemon, the front ends and the commands take the same way and
//! meet at the same socket even where `XDG_RUNTIME_DIR` is gone.

use std::ffi::OsString;
use std::path::PathBuf;

use directories::BaseDirs;

use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::transport;

/// Longest path of a socket, in bytes: `sun_path` without its final NUL, on Linux and elsewhere.
#[cfg(unix)]
const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The places of one ipcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// `IPCD_HOME`, made absolute: an isolated ipcd lives below it.
    pub home: Option<PathBuf>,
    /// Gone after a reboot, where the system has such a place.
    pub runtime_dir: PathBuf,
    pub socket: PathBuf,
    /// Held by a client while it starts a daemon.
    pub spawn_lock: PathBuf,
    pub state_dir: PathBuf,
    /// Held by the daemon for life.
    pub lock: PathBuf,
    pub store: PathBuf,
    /// The last sequence number that was committed.
    pub head: PathBuf,
    pub history_dir: PathBuf,
    /// Who did what to whom.
    pub audit_dir: PathBuf,
    /// Private copies of messages too large to be shown whole.
    pub copies_dir: PathBuf,
    /// What a daemon that no service manager started has to say.
    pub log: PathBuf,
    /// Need not exist.
    pub config_file: PathBuf,
}

/// What the machine says about the user: every fact that [`Paths::find`] does not take from its `env`.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Asks the password database for a home, whatever `HOME` says: where it is needed and no sooner, for that reads
    /// files, and may ask a server.
    pub home: Option<fn() -> Option<PathBuf>>,
    /// Looks for `/run/user/UID`: it is there, and belongs to the user.
    pub runtime_dir: Option<fn() -> Option<PathBuf>>,
    /// The platform's folder for state: `XDG_STATE_HOME` or `~/.local/state`, `~/Library/Application Support`.
    pub state_dir: Option<PathBuf>,
    /// The platform's folder for configuration.
    pub config_dir: Option<PathBuf>,
}

/// Where state and configuration stand below a home that only the password database knows.
const STATE_BELOW_HOME: &str = match () {
    () if cfg!(windows) => "AppData/Local",
    () if cfg!(target_os = "macos") => "Library/Application Support",
    () => ".local/state",
};
const CONFIG_BELOW_HOME: &str = match () {
    () if cfg!(windows) => "AppData/Roaming",
    () if cfg!(target_os = "macos") => "Library/Application Support",
    () => ".config",
};

impl Paths {
    /// The places for this process.
    ///
    /// # Errors
    /// `invalid_argument`: no home is known at all, or the path of the socket would be too long.
    pub fn from_env() -> Result<Paths, Refusal> {
        Paths::find(&|name| std::env::var_os(name), &Account::read())
    }

    /// The places for a process with the variables `env`, run by `account`.
    ///
    /// # Errors
    /// As [`Paths::from_env`].
    pub fn find(env: &dyn Fn(&str) -> Option<OsString>, account: &Account) -> Result<Paths, Refusal> {
        if let Some(home) = env("IPCD_HOME").filter(|value| !value.is_empty()) {
            let home = std::path::absolute(&home).map_err(|error| {
                Refusal::invalid_argument(format!("IPCD_HOME={} names no folder: {error}", home.display()))
            })?;
            let (runtime, state) = (home.join("run"), home.join("state"));
            let config_file = home.join("config.toml");
            return Paths::below(Some(home), runtime, state, config_file).fits();
        }
        let platform = |known: &Option<PathBuf>, below: &str| {
            let known = known.clone().filter(|dir| dir.is_absolute());
            let fixed = || account.home().map(|home| home.join(below));
            Some(known.or_else(fixed)?.join("ipcd"))
        };
        let state = platform(&account.state_dir, STATE_BELOW_HOME).ok_or_else(no_home)?;
        let config_dir = platform(&account.config_dir, CONFIG_BELOW_HOME).ok_or_else(no_home)?;
        let runtime = env("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
            .or_else(|| account.runtime_dir.and_then(|look| look()))
            .map(|dir| dir.join("ipcd"))
            // Fixed, and not below XDG_STATE_HOME: a scrubbed environment must lead to the same socket.
            .or_else(|| account.home().map(|home| home.join(STATE_BELOW_HOME).join("ipcd/run")))
            .unwrap_or_else(|| state.join("run"));
        Paths::below(None, runtime, state, config_dir.join("config.toml")).fits()
    }

    fn below(home: Option<PathBuf>, runtime_dir: PathBuf, state_dir: PathBuf, config_file: PathBuf) -> Paths {
        Paths {
            socket: transport::address(&runtime_dir, home.as_deref()),
            home,
            spawn_lock: runtime_dir.join("spawn.lock"),
            lock: state_dir.join("ipcd.lock"),
            store: state_dir.join("ipcd.redb"),
            head: state_dir.join("head"),
            history_dir: state_dir.join("history"),
            audit_dir: state_dir.join("audit"),
            copies_dir: state_dir.join("copies"),
            log: state_dir.join("daemon.log"),
            runtime_dir,
            state_dir,
            config_file,
        }
    }

    #[cfg(unix)]
    fn fits(self) -> Result<Paths, Refusal> {
        let bytes = self.socket.as_os_str().len();
        if bytes <= SOCKET_PATH_BYTES_MAX {
            return Ok(self);
        }
        let socket = self.socket.display();
        Err(Refusal::invalid_argument(format!(
            "the socket's path has {bytes} bytes, the system allows {SOCKET_PATH_BYTES_MAX}: {socket}"
        ))
        .hint("set IPCD_HOME to a folder with a shorter path"))
    }

    #[cfg(not(unix))]
    fn fits(self) -> Result<Paths, Refusal> {
        Ok(self)
    }
}

fn no_home() -> Refusal {
    Refusal::new(RefusalCode::InvalidArgument, "no home directory: HOME is not set and the user has none")
        .hint("set HOME, or set IPCD_HOME to the folder that ipcd shall live in")
}

impl Account {
    /// Asks the system. What it does not know stays `None`.
    pub fn read() -> Account {
        let base = BaseDirs::new();
        let state = |b: &BaseDirs| b.state_dir().unwrap_or_else(|| b.data_local_dir()).to_owned();
        Account {
            home: Some(password_home),
            runtime_dir: Some(run_user),
            state_dir: base.as_ref().map(state),
            config_dir: base.as_ref().map(|b| b.config_dir().to_owned()),
        }
    }

    fn home(&self) -> Option<PathBuf> {
        self.home.and_then(|ask| ask()).filter(|home| home.is_absolute())
    }
}

#[cfg(unix)]
fn password_home() -> Option<PathBuf> {
    use nix::unistd::{Uid, User};
    Some(User::from_uid(Uid::current()).ok()??.dir)
}

#[cfg(unix)]
fn run_user() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let uid = nix::unistd::Uid::current().as_raw();
    let dir = PathBuf::from(format!("/run/user/{uid}"));
    // Not through a symlink: the folder itself must be ours.
    let found = dir.symlink_metadata().ok()?;
    (found.is_dir() && found.uid() == uid).then_some(dir)
}

#[cfg(not(unix))]
fn password_home() -> Option<PathBuf> {
    std::env::home_dir()
}

#[cfg(not(unix))]
fn run_user() -> Option<PathBuf> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;

    use super::*;

    fn account() -> Account {
        Account {
            home: Some(|| Some("/home/ada".into())),
            runtime_dir: None,
            state_dir: Some("/home/ada/.local/state".into()),
            config_dir: Some("/home/ada/.config".into()),
        }
    }

    fn find(env: &[(&str, &str)], account: &Account) -> Result<Paths, Refusal> {
        Paths::find(
            &|name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()),
            account,
        )
    }

    #[test]
    fn ipcd_home_holds_everything() {
        let paths =
            find(&[("IPCD_HOME", "/tmp/net"), ("XDG_RUNTIME_DIR", "/run/user/7")], &account()).unwrap();
        assert_eq!(paths.home.as_deref(), Some(Path::new("/tmp/net")));
        assert_eq!(paths.socket, Path::new("/tmp/net/run/ipcd.sock"));
        assert_eq!(paths.spawn_lock, Path::new("/tmp/net/run/spawn.lock"));
        assert_eq!(paths.store, Path::new("/tmp/net/state/ipcd.redb"));
        assert_eq!(paths.log, Path::new("/tmp/net/state/daemon.log"));
        assert_eq!(paths.config_file, Path::new("/tmp/net/config.toml"));
        let nowhere = Account::default();
        assert_eq!(find(&[("IPCD_HOME", "/tmp/net")], &nowhere).unwrap(), paths, "no home is needed");
        let relative = find(&[("IPCD_HOME", "net")], &account()).unwrap();
        assert!(relative.socket.is_absolute() && relative.socket.ends_with("net/run/ipcd.sock"));
    }

    #[test]
    fn the_socket_is_found_in_order() {
        let login = Account { runtime_dir: Some(|| Some("/run/user/7".into())), ..account() };
        let socket = |env: &[(&str, &str)], account: &Account| find(env, account).unwrap().socket;
        let fixed = Path::new("/home/ada").join(STATE_BELOW_HOME).join("ipcd/run/ipcd.sock");
        assert_eq!(socket(&[("XDG_RUNTIME_DIR", "/run/x")], &login), Path::new("/run/x/ipcd/ipcd.sock"));
        assert_eq!(socket(&[("XDG_RUNTIME_DIR", "x")], &login), Path::new("/run/user/7/ipcd/ipcd.sock"));
        assert_eq!(socket(&[("XDG_RUNTIME_DIR", "")], &account()), fixed);
        let moved = Account { state_dir: Some("/mnt/state".into()), ..account() };
        assert_eq!(socket(&[], &moved), fixed, "XDG_STATE_HOME does not move the socket");
        assert_eq!(find(&[], &moved).unwrap().store, Path::new("/mnt/state/ipcd/ipcd.redb"));
    }

    #[test]
    fn an_unusable_home_gives_way_to_the_password_database() {
        let relative = Account {
            state_dir: Some("h/.local/state".into()),
            config_dir: Some("h/.config".into()),
            ..account()
        };
        let paths = find(&[], &relative).unwrap();
        assert_eq!(paths.state_dir, Path::new("/home/ada").join(STATE_BELOW_HOME).join("ipcd"));
        assert_eq!(
            paths.config_file,
            Path::new("/home/ada").join(CONFIG_BELOW_HOME).join("ipcd/config.toml")
        );
    }

    #[test]
    fn without_any_home_it_says_what_to_set() {
        let refusal = find(&[], &Account::default()).unwrap_err();
        assert!(refusal.hint.contains("HOME") && refusal.hint.contains("IPCD_HOME"), "{refusal:?}");
    }

    #[test]
    fn a_socket_path_that_the_system_cannot_take_is_refused() {
        let refusal = find(&[("IPCD_HOME", &format!("/tmp/{}", "d".repeat(100)))], &account()).unwrap_err();
        assert!(refusal.message.contains("bytes") && refusal.hint.contains("shorter"), "{refusal:?}");
    }

    #[test]
    fn this_machine_has_places() {
        let account = Account::read();
        assert!(account.home().is_some() || account.state_dir.is_some());
        assert!(run_user().is_none_or(|dir| dir.is_absolute()));
    }
}
