//! Standard input and output without a thread between them and the runtime.
//!
//! What always holds: when a write to [`Output`] is done, its bytes are with the kernel, and nothing
//! that the peer says in answer can have been read from [`Input`] before. Pipes and sockets, which is
//! what an MCP client gives its server, are used so; a terminal or a file goes the runtime's ordinary
//! way, where nobody counts.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub enum Input {
    Direct(AsyncFd<File>),
    Ordinary(tokio::io::Stdin),
}

pub enum Output {
    Direct(AsyncFd<File>),
    Ordinary(tokio::io::Stdout),
}

/// This process's standard input. Must run inside a tokio runtime.
pub fn input() -> Input {
    match direct(io::stdin().as_fd(), "/proc/self/fd/0", true) {
        Ok(file) => Input::Direct(file),
        Err(_) => Input::Ordinary(tokio::io::stdin()),
    }
}

/// This process's standard output. Must run inside a tokio runtime.
pub fn output() -> Output {
    match direct(io::stdout().as_fd(), "/proc/self/fd/1", false) {
        Ok(file) => Output::Direct(file),
        Err(_) => Output::Ordinary(tokio::io::stdout()),
    }
}

fn direct(fd: BorrowedFd<'_>, path: &str, read: bool) -> io::Result<AsyncFd<File>> {
    let file = File::from(fd.try_clone_to_owned()?);
    let kind = file.metadata()?.file_type();
    let own = if kind.is_fifo() {
        // A pipe that is opened anew has flags of its own: whoever shares ours is not disturbed.
        // Not waiting: nobody may be at its other end.
        let mut options = File::options();
        options.read(read).write(!read).custom_flags(nix::libc::O_NONBLOCK);
        options.open(path).unwrap_or(file)
    } else if kind.is_socket() {
        file
    } else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    set_nonblocking(&own)?;
    let interest = if read { tokio::io::Interest::READABLE } else { tokio::io::Interest::WRITABLE };
    register(OwnedFd::from(own).into(), interest)
}

fn set_nonblocking(file: &File) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(file, FcntlArg::F_GETFL)?);
    fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

fn register(file: File, interest: tokio::io::Interest) -> io::Result<AsyncFd<File>> {
    #[expect(unsafe_code, reason = "tokio cannot know how long a descriptor stays open")]
    // SAFETY: the `File` owns its descriptor, and nothing closes or replaces it inside the `AsyncFd`.
    let registered = unsafe { AsyncFd::register_with_interest(file, interest) };
    Ok(registered?)
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let file = match self.get_mut() {
            Input::Ordinary(stdin) => return Pin::new(stdin).poll_read(context, buffer),
            Input::Direct(file) => file,
        };
        loop {
            let mut ready = ready!(file.poll_read_ready(context))?;
            let unfilled = buffer.initialize_unfilled();
            match ready.try_io(|file| file.get_ref().read(unfilled)) {
                Ok(Ok(count)) => {
                    if (1..unfilled.len()).contains(&count) {
                        // It is empty now, and tells when it is not: no read to find that out.
                        ready.clear_ready();
                    }
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let file = match self.get_mut() {
            Output::Ordinary(stdout) => return Pin::new(stdout).poll_write(context, bytes),
            Output::Direct(file) => file,
        };
        loop {
            let mut ready = ready!(file.poll_write_ready(context))?;
            match ready.try_io(|file| file.get_ref().write(bytes)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Output::Ordinary(stdout) => Pin::new(stdout).poll_flush(context),
            Output::Direct(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Output::Ordinary(stdout) => Pin::new(stdout).poll_shutdown(context),
            Output::Direct(_) => Poll::Ready(Ok(())),
        }
    }
}
