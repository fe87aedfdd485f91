//! The directory of the path, watched by the kernel: it tells of each change in it, not of what changed,
//! so what is at the path is looked at each time.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};
use nix::sys::time::TimeSpec;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches one name in its directory.
#[derive(Debug)]
pub struct PathWatch {
    events: AsyncFd<Events>,
    path: PathBuf,
    /// Device and inode of what was there last.
    seen: Option<(u64, u64)>,
    // The kernel watches as long as it is open.
    directory: File,
}

#[derive(Debug)]
struct Events(Kqueue);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl PathWatch {
    /// The directory of `path` must exist; `path` need not. Must run inside a tokio runtime.
    pub fn new(path: &Path) -> io::Result<PathWatch> {
        let directory = File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        if !directory.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let queue = Kqueue::new()?;
        let what = FilterFlag::NOTE_WRITE | FilterFlag::NOTE_DELETE | FilterFlag::NOTE_RENAME;
        let watched = usize::try_from(directory.as_raw_fd()).map_err(io::Error::other)?;
        let flags = EvFlags::EV_ADD | EvFlags::EV_CLEAR;
        let change = KEvent::new(watched, EventFilter::EVFILT_VNODE, flags, what, 0, 0);
        queue.kevent(&[change], &mut [], None)?;
        #[expect(unsafe_code, reason = "tokio cannot know how long a descriptor stays open")]
        // SAFETY: `Kqueue` owns its descriptor, and `Events` neither closes nor replaces it.
        let events = unsafe { AsyncFd::register_with_interest(Events(queue), Interest::READABLE) }?;
        // After the watch began: what changes from here on is told.
        Ok(PathWatch { events, path: path.to_owned(), seen: identity(path), directory })
    }

    /// Waits until something was put at the path, taken away from it, or its directory went away.
    /// Nothing is lost when the future is dropped. After an error nothing is noticed any more.
    pub async fn changed(&mut self) -> io::Result<()> {
        loop {
            self.events.async_io(Interest::READABLE, take).await?;
            let found = identity(&self.path);
            let gone = self.directory.metadata()?.nlink() == 0;
            if gone || found != self.seen {
                self.seen = found;
                return Ok(());
            }
        }
    }
}

/// Takes the one event that is there, or says that there is none yet.
fn take(events: &Events) -> io::Result<()> {
    let none = KEvent::new(0, EventFilter::EVFILT_VNODE, EvFlags::empty(), FilterFlag::empty(), 0, 0);
    let at_once = TimeSpec::new(0, 0);
    match events.0.kevent(&[], &mut [none], Some(*at_once.as_ref()))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = path.symlink_metadata().ok()?;
    Some((found.dev(), found.ino()))
}
