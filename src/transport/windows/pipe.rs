//! Both ends of a named pipe.

use std::fmt;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::ERROR_PIPE_BUSY;
use windows_sys::Win32::Security::Authorization::SE_KERNEL_OBJECT;
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, GetNamedPipeServerProcessId};

use super::super::{Credentials, TransportError};
use super::activation::InheritedSocket;
use super::security::{self, Descriptor, done, own_user};

/// How long a connection waits for an end of the pipe that is free.
const CROWDED_WITHIN: Duration = Duration::from_secs(2);
const CROWDED_RETRY: Duration = Duration::from_millis(5);

/// What the kernel holds of one direction before a writer waits.
const BUFFER_BYTES: u32 = 64 << 10;

/// One end of a connected pipe.
pub struct Stream {
    end: End,
    /// Its first bytes came, and from this user.
    proven: bool,
}

enum End {
    Client(NamedPipeClient),
    Server { pipe: NamedPipeServer, accepted: SystemTime },
}

/// Makes ends of the pipe, one ahead: there is always one for the next client.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    next: tokio::sync::Mutex<NamedPipeServer>,
}

pub fn bind(path: &Path) -> Result<Listener, TransportError> {
    let error = |e| TransportError::io("listen at", path, e);
    // The first end of a pipe decides who owns it; that there is none yet is part of the call.
    let first = make(path, true).map_err(error)?;
    match security::guard_of(first.as_handle(), SE_KERNEL_OBJECT) {
        Ok(guard) if guard.allowed.as_deref() == Some(&[own_user()]) => {
            tracing::debug!(descriptor = guard.text, "the pipe is its owner's alone");
        }
        Ok(guard) => {
            let problem = format!("can be used by others: {}", guard.text);
            let cure = "report it, for the system did not do as it was told".to_owned();
            return Err(TransportError::Unsafe { path: path.to_owned(), problem, cure });
        }
        // What was asked for was done; only to look at it may be denied.
        Err(error) => tracing::debug!(%error, "the pipe's rights cannot be read back"),
    }
    Ok(Listener { path: path.to_owned(), next: tokio::sync::Mutex::new(first) })
}

fn make(path: &Path, first: bool) -> io::Result<NamedPipeServer> {
    let descriptor = Descriptor::own("")?;
    let mut attributes = descriptor.attributes();
    let mut options = ServerOptions::new();
    options.first_pipe_instance(first).reject_remote_clients(true);
    options.in_buffer_size(BUFFER_BYTES).out_buffer_size(BUFFER_BYTES);
    #[expect(unsafe_code, reason = "a descriptor is a pointer")]
    // SAFETY: the attributes and the descriptor that they point at live until the call is over.
    unsafe {
        options.create_with_security_attributes_raw(path, (&raw mut attributes).cast())
    }
}

pub fn adopt(socket: InheritedSocket) -> Result<Listener, TransportError> {
    match socket {}
}

pub async fn connect(path: &Path) -> Result<Stream, TransportError> {
    let deadline = tokio::time::Instant::now() + CROWDED_WITHIN;
    loop {
        // What the server may do in our name is to ask for it: the options say so by themselves.
        match ClientOptions::new().open(path) {
            Ok(pipe) => return Ok(Stream { end: End::Client(pipe), proven: true }),
            Err(error) if error.raw_os_error() != Some(ERROR_PIPE_BUSY.cast_signed()) => {
                return Err(TransportError::io("connect to", path, error));
            }
            // All ends are taken: somebody listens there, has much to do, or is about to end.
            Err(_) if tokio::time::Instant::now() >= deadline => {
                return Err(TransportError::io("connect to", path, io::ErrorKind::WouldBlock.into()));
            }
            Err(_) => tokio::time::sleep(CROWDED_RETRY).await,
        }
    }
}

impl Listener {
    pub async fn accept(&self) -> io::Result<Stream> {
        let mut next = self.next.lock().await;
        next.connect().await?;
        // Should this fail, the one that came is still there for the next call.
        let pipe = std::mem::replace(&mut *next, make(&self.path, false)?);
        Ok(Stream { end: End::Server { pipe, accepted: now() }, proven: false })
    }
}

pub fn credentials(stream: &Stream) -> io::Result<Credentials> {
    let user = match &stream.end {
        // Whoever made the pipe owns it, and nobody can make another its owner.
        End::Client(pipe) => security::guard_of(pipe.as_handle(), SE_KERNEL_OBJECT)?.owner,
        // The kernel let nobody else in, and the first bytes must prove it.
        End::Server { .. } => own_user(),
    };
    Ok(Credentials { user, pid: stream.peer_pid().ok() })
}

impl Stream {
    /// The process at the other end; for a client, the one that made this end of the pipe.
    pub fn peer_pid(&self) -> io::Result<u32> {
        let mut pid = 0;
        #[expect(unsafe_code, reason = "Windows has no other interface")]
        // SAFETY: the handles are open, and the callee writes one number.
        done(unsafe {
            match &self.end {
                End::Client(pipe) => GetNamedPipeServerProcessId(pipe.as_raw_handle(), &mut pid),
                End::Server { pipe, .. } => GetNamedPipeClientProcessId(pipe.as_raw_handle(), &mut pid),
            }
        })?;
        Ok(pid)
    }

    /// When the peer connected: it is older than that.
    pub fn accepted(&self) -> Option<SystemTime> {
        match self.end {
            End::Client(_) => None,
            End::Server { accepted, .. } => Some(accepted),
        }
    }
}

impl AsHandle for Stream {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        match &self.end {
            End::Client(pipe) => pipe.as_handle(),
            End::Server { pipe, .. } => pipe.as_handle(),
        }
    }
}

/// Refuses bytes that came from another user.
fn prove(pipe: &NamedPipeServer) -> io::Result<()> {
    let (peer, own) = (security::pipe_client(pipe.as_handle())?, own_user());
    if peer == own {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, super::turned_away(&peer, &own)))
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Stream { end, proven } = self.get_mut();
        let before = buffer.filled().len();
        let read = match end {
            End::Client(pipe) => ready!(Pin::new(pipe).poll_read(context, buffer)),
            End::Server { pipe, .. } => ready!(Pin::new(pipe).poll_read(context, buffer)),
        };
        match read {
            // A peer that ended is the end of its words, however it ended.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Poll::Ready(Ok(())),
            other => other?,
        }
        if let (false, End::Server { pipe, .. }) = (*proven, end)
            && buffer.filled().len() > before
        {
            if let Err(error) = prove(pipe) {
                tracing::warn!(%error, "a connection is closed");
                buffer.set_filled(before);
                return Poll::Ready(Err(error));
            }
            *proven = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().end {
            End::Client(pipe) => Pin::new(pipe).poll_write(context, bytes),
            End::Server { pipe, .. } => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.peer_pid().ok()).finish()
    }
}

/// There is nothing that a dead daemon could leave.
pub fn remove_stale_socket(_path: &Path) -> Result<(), TransportError> {
    Ok(())
}

/// A pipe is its maker's for as long as it lives: it cannot be another one later.
pub fn socket_identity(_path: &Path) -> Option<(u64, u64)> {
    Some((0, 0))
}

#[expect(clippy::disallowed_methods, reason = "compared with what the kernel says of a process's start")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::super::{Authority, bind, connect};
    use super::*;

    /// A name that no other test has.
    fn name(of: &str) -> PathBuf {
        format!(r"\\.\pipe\ipcd-test-{}-{of}", std::process::id()).into()
    }

    #[tokio::test]
    async fn both_sides_know_each_other_and_bytes_arrive() {
        let path = name("both");
        let listener = bind(&path).unwrap();
        let mut client = connect(&path).await.unwrap();
        let (mut server, peer) = listener.accept().await.unwrap();
        assert_eq!((&peer.user, peer.pid), (&own_user(), Some(std::process::id())));
        assert_eq!(Authority::of(own_user()).admit(&peer.user), Ok(()));
        assert_eq!(client.peer_pid().unwrap(), std::process::id());
        client.write_all(b"there").await.unwrap();
        let mut there = [0; 5];
        server.read_exact(&mut there).await.unwrap();
        assert!(server.proven, "the first bytes were this user's");
        server.write_all(&there).await.unwrap();
        drop(server);
        let mut back = String::new();
        client.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, "there", "what was written is read, then comes the end");
    }

    #[tokio::test]
    async fn the_descriptor_names_the_owner_alone() {
        let path = name("descriptor");
        let _listener = bind(&path).unwrap();
        let client = connect(&path).await.unwrap();
        let guard = security::guard_of(client.as_handle(), SE_KERNEL_OBJECT).unwrap();
        assert_eq!(guard.owner, own_user());
        assert_eq!(guard.allowed, Some(vec![own_user()]), "{}", guard.text);
    }

    #[tokio::test]
    async fn nobody_listens_and_crowded_are_told_apart() {
        let path = name("gone");
        assert!(connect(&path).await.unwrap_err().nobody_listens());
        let listener = bind(&path).unwrap();
        let _client = connect(&path).await.unwrap();
        let error = connect(&path).await.unwrap_err();
        assert!(error.is_crowded(), "the one end is taken and nobody accepts: {error:?}");
        let _server = listener.accept().await.unwrap();
        connect(&path).await.unwrap();
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn one_that_came_and_went_is_an_end_without_words() {
        let path = name("went");
        let listener = bind(&path).unwrap();
        drop(connect(&path).await.unwrap());
        let (mut server, _) = listener.accept().await.unwrap();
        let mut said = Vec::new();
        server.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"");
    }
}
