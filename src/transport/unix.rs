//! The Unix half of the page: sockets in the file system, peers by `SO_PEERCRED` and its like.
//!
//! What always holds: a bound socket is the owner's alone whatever the umask is, and its path is
//! removed by nobody but [`remove_stale_socket`] and the daemon that bound it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::prelude::*;
use interprocess::local_socket::tokio as local;
use interprocess::local_socket::traits::tokio::Stream as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions};
use interprocess::os::unix::uds_local_socket::tokio as uds;
use nix::libc;

use super::{Credentials, OVERFLOW_UID, TransportError};

pub mod lockfile;
pub mod signals;

/// A connection.
pub type Stream = local::Stream;

/// A user by number, as this process's user namespace knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User(pub(super) u32);

impl User {
    /// Where a user is a number.
    pub fn number(self) -> Option<u32> {
        Some(self.0)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.0)
    }
}

/// Takes connections.
#[derive(Debug)]
pub struct Listener(local::Listener);

/// Longest path that an address holds, in bytes: its array without the final zero.
const SUN_PATH_MAX: usize =
    size_of::<libc::sockaddr_un>() - std::mem::offset_of!(libc::sockaddr_un, sun_path) - 1;

/// How long a connection waits for its place in a queue that is full.
const CROWDED_WITHIN: Duration = Duration::from_secs(2);
const CROWDED_RETRY: Duration = Duration::from_millis(5);

/// A listening socket that a service manager made and handed over.
#[derive(Debug)]
pub struct InheritedSocket(pub(super) OwnedFd);

pub fn bind(path: &Path) -> Result<Listener, TransportError> {
    let error = |e| TransportError::io("listen at", path, e);
    let address = Address::of(path)?;
    let name = address.path.as_path().to_fs_name::<GenericFilePath>().map_err(error)?;
    // Reclaiming would remove the path on drop even if another daemon has bound it since.
    let options = ListenerOptions::new().name(name).reclaim_name(false);
    #[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "openbsd"))]
    let options = interprocess::os::unix::local_socket::ListenerOptionsExt::mode(options, 0o600);
    let listener = options.create_tokio().map_err(error)?;
    // The mode at birth is less the umask, and where it cannot be given the directory keeps others out.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(error)?;
    Ok(Listener(listener))
}

pub fn adopt(socket: InheritedSocket) -> Result<Listener, TransportError> {
    let listener = uds::Listener::try_from(socket.0);
    listener
        .map(|listener| Listener(listener.into()))
        .map_err(|e| TransportError::Inherited(format!("the inherited socket does not work: {e}")))
}

impl Listener {
    pub async fn accept(&self) -> io::Result<Stream> {
        use interprocess::local_socket::traits::tokio::Listener as _;
        self.0.accept().await
    }
}

pub async fn connect(path: &Path) -> Result<local::Stream, TransportError> {
    let error = |e| TransportError::io("connect to", path, e);
    let address = Address::of(path)?;
    let deadline = tokio::time::Instant::now() + CROWDED_WITHIN;
    loop {
        let name = address.path.as_path().to_fs_name::<GenericFilePath>().map_err(error)?;
        let stream = local::Stream::connect(name).await.map_err(error)?;
        let local::Stream::UdSocket(socket) = &stream;
        // With a full queue at the other side the socket is writable and connected to nobody: somebody
        // listens there, and has much to do.
        if socket.inner().peer_addr().is_ok() {
            return Ok(stream);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(error(io::ErrorKind::WouldBlock.into()));
        }
        tokio::time::sleep(CROWDED_RETRY).await;
    }
}

pub fn credentials(stream: &local::Stream) -> io::Result<Credentials> {
    let local::Stream::UdSocket(socket) = stream;
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
        let peer = getsockopt(&socket.as_fd(), PeerCredentials)?;
        // 0 stands for a process that our PID namespace does not show.
        let pid = u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0);
        Ok(Credentials { user: User(peer.uid()), pid })
    }
    #[cfg(target_os = "macos")]
    {
        use nix::sys::socket::{getsockopt, sockopt::LocalPeerPid};
        let (uid, _) = nix::unistd::getpeereid(socket)?;
        // One that is gone again has no number any more.
        let pid = getsockopt(&socket.as_fd(), LocalPeerPid).ok().and_then(|pid| u32::try_from(pid).ok());
        Ok(Credentials { user: User(uid.as_raw()), pid: pid.filter(|pid| *pid != 0) })
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    {
        use interprocess::local_socket::traits::StreamCommon as _;
        let peer = socket.peer_creds()?;
        let uid = peer.euid().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Credentials { user: User(uid), pid: peer.pid().and_then(|pid| u32::try_from(pid).ok()) })
    }
}

pub fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The user that this process acts as.
pub fn own_user() -> User {
    User(own_uid())
}

/// Why somebody is not let in, and what to do instead.
pub fn turned_away(User(peer): &User, User(own): &User) -> String {
    match *peer {
        0 => format!(
            "root may not use the mailbox of user {own}: run the command as that user, for example with `sudo -u '#{own}'`"
        ),
        OVERFLOW_UID => format!(
            "the caller's user is unknown in this user namespace and shows as {OVERFLOW_UID}: run client and daemon in the same namespace as user {own}"
        ),
        other => {
            format!("user {other} may not use the mailbox of user {own}: each user has an ipcd of their own")
        }
    }
}

/// What to do about a server of another user.
pub fn foreign_server_hint(server: &User) -> String {
    if own_uid() == 0 {
        return format!("run the command as that user, for example with `sudo -u '#{}'`", server.0);
    }
    "set IPCD_HOME or XDG_RUNTIME_DIR to a directory of your own".to_owned()
}

/// Where the daemon listens.
pub fn address(runtime_dir: &Path, _home: Option<&Path>) -> PathBuf {
    runtime_dir.join("ipcd.sock")
}

/// Starts a process that outlives this one: it leaves this session itself, see [`detach`].
pub fn spawn_detached(command: &mut tokio::process::Command) -> io::Result<tokio::process::Child> {
    command.current_dir("/").spawn()
}

/// How many descriptors this process may have open at one time.
pub fn descriptors_max() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Leaves the terminal and the session of whoever started this process: for a daemon that a client
/// started. Files are private from here on.
pub fn detach() {
    // Fails only for a process that leads a group, and that one has been detached by its starter.
    let _ = nix::unistd::setsid();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}

/// Waits until nobody reads our stdout any more, also while nothing is written to it. It never comes
/// back where that cannot be told, as with a file.
pub async fn reader_of_stdout_gone() {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let (gone, told) = tokio::sync::oneshot::channel();
    // A thread: the runtime's own way would have to watch for more than the end.
    let watch = std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        let stdout = io::stdout();
        // Told in any case on Linux, and where it is asked for on macOS.
        let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::POLLHUP)];
        while let Err(nix::errno::Errno::EINTR) = poll(&mut watched, PollTimeout::NONE) {}
        let seen = watched[0].revents().unwrap_or(PollFlags::empty());
        if seen.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
            let _ = gone.send(());
        }
    });
    if watch.is_err() || told.await.is_err() {
        std::future::pending().await
    }
}

/// Asks the daemon `pid` to end in order, if that process is a daemon of the same program as this one.
/// For whoever waits for its lock: a note may be left from an earlier holder, whose pid is another's by now.
pub fn ask_to_end(pid: u32) {
    let Ok(raw) = i32::try_from(pid) else { return };
    if raw > 1 && super::process::is_of_this_program(pid) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(raw), nix::sys::signal::Signal::SIGTERM);
    }
}

/// Removes the socket that a daemon left at `path`. Only for the holder of the daemon's lock. Refuses
/// to remove anything but a socket.
pub fn remove_stale_socket(path: &Path) -> Result<(), TransportError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            fs::remove_file(path).map_err(|e| TransportError::io("remove", path, e))
        }
        Ok(_) => Err(TransportError::Unsafe {
            path: path.to_owned(),
            problem: "is where the socket belongs, and is not a socket".to_owned(),
            cure: format!("look what it is, then move `{}` away", path.display()),
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(TransportError::io("look at", path, e)),
    }
}

/// Device and inode of the socket at `path`; another pair means that another daemon bound the path.
pub fn socket_identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    found.file_type().is_socket().then(|| (found.dev(), found.ino()))
}

/// A path as it fits into an address. A long one leads through a descriptor of its directory, where
/// the system has such paths.
struct Address {
    path: PathBuf,
    _directory: Option<File>,
}

impl Address {
    fn of(path: &Path) -> Result<Address, TransportError> {
        if path.as_os_str().len() <= SUN_PATH_MAX {
            return Ok(Address { path: path.to_owned(), _directory: None });
        }
        let too_long = || TransportError::PathTooLong { path: path.to_owned(), max: SUN_PATH_MAX };
        if !cfg!(target_os = "linux") {
            return Err(too_long());
        }
        let (directory, file) = path.parent().zip(path.file_name()).ok_or_else(too_long)?;
        let directory = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY)
            .open(directory)
            .map_err(|e| TransportError::io("open the directory of", path, e))?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&directory);
        let path = Path::new("/proc/self/fd").join(number.to_string()).join(file);
        if path.as_os_str().len() > SUN_PATH_MAX {
            return Err(too_long());
        }
        Ok(Address { path, _directory: Some(directory) })
    }
}
