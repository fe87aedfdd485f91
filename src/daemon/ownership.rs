//! Whose the store and the socket's path are.
//!
//! What always holds: `ipcd.lock` is taken first and held for life, so there is never a second daemon
//! on one store; only its holder removes or binds the path, so no daemon takes another's socket away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::paths::Paths;
use crate::protocol::hello::{Hello, Role, VersionRange};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::wire::{self, CallId};
use crate::release;
use crate::transport::lock::{self, FileLock, Note};
use crate::transport::watch::PathWatch;
use crate::transport::{self, Credentials, Listener, Stream, TransportError};

/// A daemon that must give way has so long to answer its calls and end.
const HANDOVER_WITHIN: Duration = Duration::from_secs(10);

/// Whoever holds the lock without being reachable at its socket has so long to get there: it may be
/// starting. One that is reached has so long to answer hello before it counts as one that hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Between two looks at a holder that is starting or ending.
const ANSWER_RETRY: Duration = Duration::from_millis(10);

/// A client that holds the spawn lock is about to connect: an idle exit waits no longer than this for it.
const SPAWN_LOCK_WITHIN: Duration = Duration::from_millis(200);

pub enum Claim {
    Ours(Box<Ownership>),
    /// Another daemon serves this store, there.
    Others {
        socket: PathBuf,
    },
}

/// The lock, held.
pub struct Ownership {
    // Goes last, with the process or after the path: whoever gets it finds no path of ours.
    _lock: FileLock,
    paths: Paths,
    /// The socket that we bound, by device and inode; `None` for an inherited one, whose path is its
    /// maker's.
    bound: Option<(u64, u64)>,
    /// Held from an idle exit's decision to the process's end, so that no client starts a daemon between.
    spawn_lock: Option<FileLock>,
}

impl Ownership {
    /// Takes the lock. A holder that can be reached keeps it; one that cannot (its socket is gone, or
    /// a service manager has put another in its place) is asked to end.
    pub async fn claim(paths: &Paths, activated: bool) -> Result<Claim, Refusal> {
        match first_look(paths, activated).await? {
            Look::Free(lock) => return Self::note(lock, paths),
            Look::Served(socket) => return Ok(Claim::Others { socket }),
            Look::Unreachable => {}
        }
        let deadline = Instant::now() + HANDOVER_WITHIN;
        let holder = lock::read_note(&paths.lock);
        if let Some(Note { pid, .. }) = holder {
            tracing::info!(pid, "asking an unreachable daemon to end");
            transport::ask_to_end(pid);
        }
        match FileLock::acquire_until(&paths.lock, deadline).await.map_err(super::refusal_of)? {
            Some(lock) => Self::note(lock, paths),
            None => {
                let who = holder.map_or_else(String::new, |note| format!(" (pid {})", note.pid));
                Err(Refusal::new(
                    RefusalCode::Busy,
                    format!("another daemon{who} holds the store and does not answer"),
                )
                .hint("end that process, then try again"))
            }
        }
    }

    fn note(mut lock: FileLock, paths: &Paths) -> Result<Claim, Refusal> {
        let note = Note { pid: std::process::id(), socket: paths.socket.clone() };
        lock.write_note(&note).map_err(super::refusal_of)?;
        let paths = paths.clone();
        Ok(Claim::Ours(Box::new(Ownership { _lock: lock, paths, bound: None, spawn_lock: None })))
    }

    /// Listens at the path, after removing what an earlier daemon left there.
    pub fn bind(&mut self) -> Result<Listener, TransportError> {
        transport::remove_stale_socket(&self.paths.socket)?;
        let listener = transport::bind(&self.paths.socket)?;
        self.bound = transport::socket_identity(&self.paths.socket);
        Ok(listener)
    }

    /// Removes the path, if it is still the socket that we bound.
    pub fn unbind(&mut self) {
        let bound = self.bound.take();
        if bound.is_some() && transport::socket_identity(&self.paths.socket) == bound {
            let _ = transport::remove_stale_socket(&self.paths.socket);
        }
    }

    /// Looks at the path from here on.
    pub fn watch(&self) -> Option<PathWatch> {
        // Without it a daemon whose path was taken serves those it has until they go.
        let watch = PathWatch::new(&self.paths.socket);
        watch.inspect_err(|error| tracing::warn!(%error, "the socket's path is not watched")).ok()
    }

    /// Waits until the path that we bound is no longer our socket: it was removed, or somebody, such as
    /// a service manager, listens there now. Nobody can find us then, and we hold the store.
    pub async fn lost(&self, watch: &mut Option<PathWatch>) {
        loop {
            let Some(path) = watch.as_mut().filter(|_| self.bound.is_some()) else {
                return std::future::pending().await;
            };
            if path.changed().await.is_err() {
                *watch = None;
            } else if transport::socket_identity(&self.paths.socket) != self.bound {
                return;
            }
        }
    }

    /// Gives up the path unless somebody is waiting to be accepted, who is returned. With an inherited
    /// socket nobody can be lost: the service manager keeps it.
    pub async fn leave_if_nobody_waits(&mut self, listener: &Listener) -> Option<(Stream, Credentials)> {
        if self.bound.is_none() {
            return waiting(listener).await;
        }
        let deadline = Instant::now() + SPAWN_LOCK_WITHIN;
        // Without the lock a client may be starting: it is connected to us in a moment, or never.
        self.spawn_lock = FileLock::acquire_until(&self.paths.spawn_lock, deadline).await.ok().flatten();
        let came = waiting(listener).await;
        if came.is_some() {
            self.spawn_lock = None;
            return came;
        }
        self.unbind();
        None
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        self.unbind();
    }
}

/// A connection that is already made and not accepted yet.
async fn waiting(listener: &Listener) -> Option<(Stream, Credentials)> {
    timeout(Duration::from_millis(1), listener.accept()).await.ok()?.ok()
}

/// What there is to see of the lock.
enum Look {
    Free(FileLock),
    /// Its holder listens there.
    Served(PathBuf),
    /// Its holder does not listen, and has had time to.
    Unreachable,
}

/// Looks until the lock is free or its holder can be reached. A holder that was killed a moment ago lets
/// go only when the kernel is done with it; one that is starting is not listening yet.
async fn first_look(paths: &Paths, activated: bool) -> Result<Look, Refusal> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        if let Some(lock) = FileLock::try_acquire(&paths.lock).map_err(super::refusal_of)? {
            return Ok(Look::Free(lock));
        }
        if activated {
            return Ok(Look::Unreachable);
        }
        let socket = lock::read_note(&paths.lock).map_or_else(|| paths.socket.clone(), |note| note.socket);
        if serves(&socket).await {
            return Ok(Look::Served(socket));
        }
        if Instant::now() >= deadline {
            // Whoever takes connections for so long lives, and is only full.
            let listens = transport::connect(&socket).await.is_ok();
            return Ok(if listens { Look::Served(socket) } else { Look::Unreachable });
        }
        tokio::time::sleep(ANSWER_RETRY).await;
    }
}

/// Whether somebody serves there. A holder that was killed a moment ago still takes connections until the
/// kernel is done with it, and hangs up on them: only an answer to hello is a sign of life.
async fn serves(socket: &Path) -> bool {
    let mut stream = match transport::connect(socket).await {
        Ok(stream) => stream,
        // A daemon with a full queue is busy, not gone.
        Err(error) => return error.is_crowded(),
    };
    let hello = Hello {
        protocol: VersionRange::ANY,
        role: Role::Cli,
        client: release::program(),
        program: None,
        program_session: None,
        speak_as: None,
        wakes: None,
    };
    let line = wire::call_line(&CallId::Number(0), "hello", &hello);
    let answer = async {
        // One that has no room says so and hangs up before it has read anything.
        let _ = stream.write_all(&line).await;
        stream.read(&mut [0]).await
    };
    match timeout(ANSWER_WITHIN, answer).await {
        Ok(read) => read.is_ok_and(|bytes| bytes > 0),
        // It hangs, and holds the store all the same.
        Err(_) => true,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What a daemon that was killed does in its last moment.
    #[tokio::test]
    async fn one_that_takes_connections_and_hangs_up_does_not_serve() {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let socket = home.path().join("s");
        assert!(!serves(&socket).await, "nobody is there");
        let listener = transport::bind(&socket).unwrap();
        let dying = tokio::spawn(async move { listener.accept().await.map(drop).map(|()| listener) });
        assert!(!serves(&socket).await);
        let listener = dying.await.unwrap().unwrap();
        let living = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(b"{}").await
        });
        assert!(serves(&socket).await);
        living.await.unwrap().unwrap();
    }
}
