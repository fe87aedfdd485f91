//! Notices that a path stands for something else now, without looking again and again.
//!
//! What always holds: what happens after [`PathWatch::new`] is noticed, at the latest by the next
//! [`PathWatch::changed`]. Where the system has no such thing, nothing is ever noticed.

#[cfg(target_os = "linux")]
pub use linux::PathWatch;

#[cfg(target_os = "macos")]
#[path = "macos/watch.rs"]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::PathWatch;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::path::Path;

    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Watches one name in its directory.
    #[derive(Debug)]
    pub struct PathWatch {
        events: AsyncFd<Events>,
        name: OsString,
    }

    #[derive(Debug)]
    struct Events(Inotify);

    impl AsRawFd for Events {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl PathWatch {
        /// The directory of `path` must exist; `path` need not. Must run inside a tokio runtime.
        pub fn new(path: &Path) -> io::Result<PathWatch> {
            let (directory, name) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
            let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            let entries = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVE;
            inotify.add_watch(directory, entries | AddWatchFlags::IN_ONLYDIR)?;
            #[expect(unsafe_code, reason = "tokio cannot know how long a descriptor stays open")]
            // SAFETY: `Inotify` owns its descriptor, and `Events` neither closes nor replaces it.
            let events = unsafe { AsyncFd::register_with_interest(Events(inotify), Interest::READABLE) }?;
            Ok(PathWatch { events, name: name.to_owned() })
        }

        /// Waits until something was put at the path, taken away from it, or its directory went away.
        /// Nothing is lost when the future is dropped. After an error nothing is noticed any more.
        pub async fn changed(&mut self) -> io::Result<()> {
            loop {
                let read = |events: &Events| loop {
                    match events.0.read_events() {
                        Err(Errno::EINTR) => {}
                        other => return other.map_err(io::Error::from),
                    }
                };
                let events = self.events.async_io(Interest::READABLE, read).await?;
                if events.iter().any(|event| self.concerns(event)) {
                    return Ok(());
                }
            }
        }

        fn concerns(&self, event: &InotifyEvent) -> bool {
            // No name: the directory itself is gone, or events were lost.
            event.name.as_ref().is_none_or(|name| *name == self.name)
        }
    }

    #[cfg(test)]
    mod tests {
        use std::fs;
        use std::time::Duration;

        use super::*;

        const DEADLINE: Duration = Duration::from_secs(30);

        async fn noticed(watch: &mut PathWatch) {
            tokio::time::timeout(DEADLINE, watch.changed()).await.expect("nothing was noticed").unwrap();
        }

        #[tokio::test]
        async fn its_own_name_is_noticed_and_others_are_not() {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("socket");
            let mut watch = PathWatch::new(&path).unwrap();
            fs::write(&path, "").unwrap();
            noticed(&mut watch).await;
            fs::write(home.path().join("other"), "").unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(20), watch.changed()).await.is_err());
            fs::rename(home.path().join("other"), &path).unwrap();
            noticed(&mut watch).await;
            fs::remove_file(&path).unwrap();
            noticed(&mut watch).await;
            fs::remove_dir_all(home.path()).unwrap();
            noticed(&mut watch).await;
        }

        #[tokio::test]
        async fn only_what_can_be_watched_is() {
            let home = tempfile::tempdir().unwrap();
            assert!(PathWatch::new(&home.path().join("missing/socket")).is_err());
            fs::write(home.path().join("file"), "").unwrap();
            assert!(PathWatch::new(&home.path().join("file/socket")).is_err());
        }
    }
}

/// Watches nothing.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
#[derive(Debug)]
pub struct PathWatch(());

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
impl PathWatch {
    /// Always an error: this system has no such thing.
    pub fn new(_path: &std::path::Path) -> std::io::Result<PathWatch> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// Never returns.
    pub async fn changed(&mut self) -> std::io::Result<()> {
        std::future::pending().await
    }
}
