//! Started by a service manager: the socket that it hands over, and what it wants to be told.
//!
//! What always holds: one socket, by the name `ipcd`, or an error that names what came instead. The
//! environment that carried it is gone afterwards, so that no child takes it for its own.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::socket::{SockType, sockopt};

use super::{InheritedSocket, TransportError};

/// The name of our socket: `FileDescriptorName=` in a systemd unit, the key below `Sockets` in a
/// launchd property list.
#[cfg(any(target_os = "linux", target_os = "macos"))]
const NAME: &str = "ipcd";

/// How long launchd holds back a service that ended too early: it starts none again within 10 s. Who
/// connects meanwhile waits.
pub const HELD_BACK: Duration =
    if cfg!(target_os = "macos") { Duration::from_secs(10) } else { Duration::ZERO };

/// A service that was started for a connection must not end of itself sooner than this after the last.
/// launchd holds back one that ran for less than 10 s, and this is well above it; systemd gives up on a
/// socket whose service comes and goes more than 20 times in 2 s.
pub const IDLE_EXIT_MIN: Duration =
    if cfg!(target_os = "macos") { Duration::from_secs(60) } else { Duration::from_millis(100) };

/// Variables that speak to the process that the service manager started, and to no other.
const VARIABLES: &[&str] = &[
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// What a service manager gave to this process.
#[derive(Debug)]
pub struct Inherited {
    /// `None`: nobody listens for us, we bind.
    pub socket: Option<InheritedSocket>,
    pub notifier: Notifier,
}

/// Tells the service manager how it goes; without one, does nothing.
#[derive(Clone, Debug, Default)]
pub struct Notifier {
    address: Option<OsString>,
}

/// Takes what the service manager gave. Call it once, first thing in `main`, before any thread (and so
/// any runtime) exists: with more than one thread the environment is left as it is.
pub fn take() -> Result<Inherited, TransportError> {
    let notifier = Notifier { address: env::var_os("NOTIFY_SOCKET") };
    let socket = inherited_socket();
    clean_environment();
    Ok(Inherited { socket: socket?, notifier })
}

fn clean_environment() {
    if VARIABLES.iter().all(|name| env::var_os(name).is_none()) {
        return;
    }
    // A system that does not tell has no such variables either.
    let alone = std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1);
    if !alone {
        return;
    }
    for name in VARIABLES {
        #[expect(unsafe_code, reason = "the environment of a process has no owner")]
        // SAFETY: this is the only thread, and it makes no other one here.
        unsafe {
            env::remove_var(name);
        }
    }
}

#[cfg(target_os = "linux")]
fn inherited_socket() -> Result<Option<InheritedSocket>, TransportError> {
    let found = sd_notify::listen_fds_with_names().map_err(|e| {
        TransportError::Inherited(format!("the service manager's descriptors are wrong: {e}"))
    })?;
    let (numbers, names): (Vec<_>, Vec<_>) = found.unzip();
    check_names(&names)?;
    numbers.first().map(|number| own(*number)).transpose()
}

#[cfg(target_os = "macos")]
fn inherited_socket() -> Result<Option<InheritedSocket>, TransportError> {
    let numbers = launchd::activate_socket(NAME).map_err(|e| {
        TransportError::Inherited(format!("launchd does not hand over the socket `{NAME}`: {e}"))
    })?;
    if numbers.len() > 1 {
        return Err(TransportError::Inherited(format!("launchd handed over {} sockets", numbers.len())));
    }
    numbers.first().map(|number| own(*number)).transpose()
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn inherited_socket() -> Result<Option<InheritedSocket>, TransportError> {
    Ok(None)
}

/// Nothing, or one descriptor of our name.
#[cfg(target_os = "linux")]
fn check_names(names: &[String]) -> Result<(), TransportError> {
    let strays: Vec<String> =
        names.iter().filter(|name| *name != NAME).map(|name| format!("`{}`", name.escape_debug())).collect();
    if !strays.is_empty() {
        return Err(TransportError::Inherited(format!(
            "the service manager handed over {}, and only `{NAME}` is known",
            strays.join(", ")
        )));
    }
    if names.len() > 1 {
        return Err(TransportError::Inherited(format!(
            "the service manager handed over {} sockets named `{NAME}`, and one is enough",
            names.len()
        )));
    }
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn own(number: std::os::fd::RawFd) -> Result<InheritedSocket, TransportError> {
    use std::os::fd::FromRawFd as _;
    #[expect(unsafe_code, reason = "an inherited descriptor is a number, and nothing else speaks of it")]
    // SAFETY: the service manager opened it for this process, `take` runs once, nobody else closes it.
    let socket = unsafe { std::os::fd::OwnedFd::from_raw_fd(number) };
    listens(&socket)?;
    Ok(InheritedSocket(socket))
}

fn listens(socket: &impl std::os::fd::AsFd) -> Result<(), TransportError> {
    use nix::sys::socket::{UnixAddr, getsockname, getsockopt};
    let raw = std::os::fd::AsRawFd::as_raw_fd(&socket.as_fd());
    let stream = getsockopt(socket, sockopt::SockType).is_ok_and(|kind| kind == SockType::Stream);
    let listening = getsockopt(socket, sockopt::AcceptConn).unwrap_or(false);
    if stream && listening && getsockname::<UnixAddr>(raw).is_ok() {
        return Ok(());
    }
    Err(TransportError::Inherited(
        "the inherited descriptor is not a listening Unix stream socket".to_owned(),
    ))
}

impl Notifier {
    /// Connections are accepted from now on.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// One line for people.
    pub fn status(&self, text: &str) {
        self.tell(&format!("STATUS={}", text.replace('\n', " ")));
    }

    fn tell(&self, state: &str) {
        let Some(address) = &self.address else { return };
        // A manager that does not listen loses a line of status and no more.
        if let Err(error) = send(address, state.as_bytes()) {
            tracing::debug!(%error, state, "the service manager cannot be told");
        }
    }
}

fn send(address: &OsString, state: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::unix::ffi::OsStrExt::as_bytes(address.as_os_str()).strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(state, &address).map(drop);
    }
    socket.send_to(state, address).map(drop)
}

#[cfg(target_os = "macos")]
mod launchd {
    use std::ffi::{CString, c_char, c_int, c_void};
    use std::io;

    #[expect(unsafe_code, reason = "launchd has no other interface")]
    unsafe extern "C" {
        fn launch_activate_socket(name: *const c_char, fds: *mut *mut c_int, count: *mut usize) -> c_int;
        fn free(pointer: *mut c_void);
    }

    /// The descriptors that launchd holds under `name`; none if this process is not launchd's.
    pub fn activate_socket(name: &str) -> io::Result<Vec<c_int>> {
        let name = CString::new(name)?;
        let (mut fds, mut count) = (std::ptr::null_mut(), 0_usize);
        #[expect(unsafe_code, reason = "launchd has no other interface")]
        // SAFETY: `name` ends with a zero; the two others are written by the callee. On success `fds`
        // points at `count` descriptors in memory that is ours to free.
        unsafe {
            match launch_activate_socket(name.as_ptr(), &mut fds, &mut count) {
                0 => {}
                error if error == nix::libc::ESRCH => return Ok(Vec::new()),
                error => return Err(io::Error::from_raw_os_error(error)),
            }
            let found = std::slice::from_raw_parts(fds, count).to_vec();
            free(fds.cast());
            Ok(found)
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn names(names: &[&str]) -> Result<(), String> {
        check_names(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).map_err(|e| e.to_string())
    }

    #[test]
    fn one_descriptor_of_our_name_or_none() {
        assert_eq!(names(&[]), Ok(()));
        assert_eq!(names(&["ipcd"]), Ok(()));
        assert!(names(&["ipcd", "ipcd"]).unwrap_err().contains("2 sockets"));
        let refused = names(&["web", "ipcd", "x\ny"]).unwrap_err();
        assert!(refused.contains("`web`, `x\\ny`"), "{refused}");
        assert!(names(&["unknown"]).is_err());
    }

    #[test]
    fn only_a_listening_stream_is_taken() {
        let home = tempfile::tempdir().unwrap();
        assert!(listens(&UnixListener::bind(home.path().join("a")).unwrap()).is_ok());
        assert!(listens(&UnixStream::pair().unwrap().0).is_err());
        assert!(listens(&UnixDatagram::bind(home.path().join("b")).unwrap()).is_err());
        assert!(listens(&std::net::TcpListener::bind("127.0.0.1:0").unwrap()).is_err());
        assert!(listens(&std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn the_manager_is_told_by_path_and_by_abstract_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("ipcd-test-{}", std::process::id());
        use std::os::linux::net::SocketAddrExt as _;
        let abstract_name = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&abstract_name).unwrap();
        for (address, socket) in [(path.into_os_string(), by_path), (format!("@{name}").into(), by_name)] {
            let notifier = Notifier { address: Some(address) };
            notifier.ready();
            notifier.status("two\nlines");
            notifier.stopping();
            for expected in ["READY=1", "STATUS=two lines", "STOPPING=1"] {
                let mut buffer = [0; 64];
                let length = socket.recv(&mut buffer).unwrap();
                assert_eq!(std::str::from_utf8(&buffer[..length]), Ok(expected));
            }
        }
        Notifier::default().ready();
        Notifier { address: Some("/nonexistent/notify".into()) }.ready();
    }
}
