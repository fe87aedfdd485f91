//! Rings the client that this front end runs under, by the means that [`agents`](crate::agents) describe:
//! where they touch sockets, files and programs.
//!
//! What always holds: the means is looked for anew at each ring; everything slow is done before the
//! doorbell is asked, and the ring itself is one write or one start of a program; whoever listens at a
//! socket is this user.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::io::AsyncWriteExt;

use super::backend::Later;
use super::bell::{Begin, Rang, Ringer};
use super::doorbell::Ring;
use crate::agents::Program;
use crate::agents::bell::{Around, Bell, words};
use crate::agents::claude_code::{self, Inbox};
use crate::agents::codex::{self, Queue};
use crate::config::Wake;
use crate::protocol::response::Wakes;
use crate::protocol::time::Timestamp;
use crate::transport;

/// How long a client may take to accept a connection, or a program of its to end.
const RING_TIME: Duration = Duration::from_secs(10);

/// Largest settings file of a client that is read, in bytes.
const SETTINGS_BYTES_MAX: u64 = 1 << 20;

/// Finds out how the client of this name is rung.
pub type Ringers = Box<dyn Fn(&str) -> Arc<dyn Ringer> + Send + Sync>;

/// The real ones. `read` is the tool that reads mail, `folder` where the agent works.
pub fn ringers(wake: Wake, read: &'static str, folder: PathBuf) -> Ringers {
    Box::new(move |client| {
        let program = Program::of_wire(client).filter(|program| wake.rings(program.word()));
        Arc::new(Client { program, read, folder: folder.clone(), thread: Arc::default() })
    })
}

#[derive(Clone)]
struct Client {
    /// `None`: one that cannot be rung, or is not to be.
    program: Option<Program>,
    read: &'static str,
    folder: PathBuf,
    thread: Arc<Mutex<Option<String>>>,
}

impl Ringer for Client {
    fn means(&self) -> Wakes {
        self.bell().map_or(Wakes::None, |bell| match &bell {
            Bell::Inbox(inbox) if !self.is_welcome(inbox) => Wakes::None,
            bell => bell.wakes(),
        })
    }

    fn ring(&self, begin: Begin) -> Later<Rang> {
        let client = self.clone();
        Box::pin(async move {
            let Some(bell) = client.bell() else { return Rang::Unable };
            match tokio::time::timeout(RING_TIME, client.ring_by(&bell, begin)).await {
                Ok(Ok(())) => Rang::By(bell.wakes()),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the agent could not be rung");
                    Rang::Unable
                }
                Err(_) => Rang::Unable,
            }
        })
    }

    fn thread(&self, thread: &str) -> bool {
        let mut known = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let news = self.program.is_some() && known.as_deref() != Some(thread);
        if news {
            *known = Some(thread.to_owned());
        }
        news
    }
}

impl Client {
    fn bell(&self) -> Option<Bell> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.program?.bell(&Around { variable: &variable, thread: thread.as_deref() })
    }

    async fn ring_by(&self, bell: &Bell, begin: Begin) -> anyhow::Result<()> {
        match bell {
            Bell::Inbox(inbox) => self.write(inbox, begin).await,
            Bell::Queue(queue) => self.queue(queue, &codex(), begin).await,
        }
    }

    /// Writes one message into a session's inbox.
    async fn write(&self, inbox: &Inbox, begin: Begin) -> anyhow::Result<()> {
        anyhow::ensure!(self.is_welcome(inbox), "the session takes no messages from programs");
        let mut stream = transport::connect(inbox.socket()).await?;
        let id = uuid();
        let Some(ring) = begin() else { return Ok(()) };
        // Nothing waits between the two: an empty socket has room for a line.
        stream.write_all(&inbox.lines(&id, &self.words(ring))).await?;
        Ok(())
    }

    /// Whether there is an inbox, and its user wants it to be used.
    fn is_welcome(&self, inbox: &Inbox) -> bool {
        let config = match std::env::var_os("CLAUDE_CONFIG_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => PathBuf::from(dir),
            None => std::env::home_dir().unwrap_or_default().join(".claude"),
        };
        let project = std::env::var_os("CLAUDE_PROJECT_DIR").map(PathBuf::from);
        let files = claude_code::settings(&config, project.as_deref().unwrap_or(&self.folder));
        let texts: Vec<String> = files.iter().filter_map(|file| settings(file)).collect();
        inbox.socket().exists() && claude_code::welcomes(&texts)
    }

    /// Starts the client's own program, which queues a prompt, and waits for its end.
    async fn queue(&self, queue: &Queue, codex: &Codex, begin: Begin) -> anyhow::Result<()> {
        let mut command = tokio::process::Command::new(&codex.program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        if let Some(home) = &codex.home {
            command.env(codex::HOME, home);
        }
        let Some(ring) = begin() else { return Ok(()) };
        let status = command.args(queue.arguments(&self.words(ring))).status().await?;
        anyhow::ensure!(status.success(), "`codex queue` ended with {status}");
        Ok(())
    }

    /// What the agent is told. The time makes each line another: clients drop one that repeats the last.
    fn words(&self, ring: Ring) -> String {
        let time = now().to_string();
        let clock = time.split(['T', '.']).nth(1).unwrap_or_default();
        format!("{} ({clock} UTC)", words(ring.unread, self.read))
    }
}

/// The program that runs above us, and where it keeps its threads.
struct Codex {
    program: PathBuf,
    home: Option<std::ffi::OsString>,
}

/// The very Codex that started this front end, where it can be seen; else the one on the path. Codex
/// keeps its own folder from its children.
fn codex() -> Codex {
    let facts = transport::process::of(std::process::id());
    let above = facts.into_iter().flat_map(|facts| facts.ancestors).find(|above| !above.wrapper);
    let above = above.and_then(|above| transport::process::of(above.pid));
    let running = above.filter(|facts| facts.exe.as_deref().is_some_and(codex::is_codex));
    let home = running.as_ref().and_then(|facts| transport::process::variable(facts.pid, codex::HOME));
    Codex { program: startable(running.and_then(|facts| facts.exe)), home }
}

/// What to start for the file that runs. One that was replaced since is gone by its old name, as the kernel
/// says; what took its place has that name.
fn startable(exe: Option<String>) -> PathBuf {
    let exe = exe.map(|exe| PathBuf::from(exe.strip_suffix(" (deleted)").unwrap_or(&exe)));
    exe.filter(|exe| exe.exists()).unwrap_or_else(|| PathBuf::from("codex"))
}

/// A small text file, if there is one.
fn settings(path: &Path) -> Option<String> {
    let found = std::fs::metadata(path).ok()?;
    (found.is_file() && found.len() <= SETTINGS_BYTES_MAX).then(|| std::fs::read_to_string(path).ok())?
}

/// A name for one message, in the form of a random UUID.
fn uuid() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = || RandomState::new().hash_one("message");
    let bits = (u128::from(random()) << 64) | u128::from(random());
    // Version 4, the variant that says so.
    let bits = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The time of day, which is only shown.
#[expect(clippy::disallowed_methods, reason = "the edge, where the time is read")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_name_of_its_own() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!((&one[14..15], true), ("4", "89ab".contains(&one[19..20])), "{one}");
    }

    #[test]
    fn a_codex_that_was_upgraded_while_it_runs_is_started_by_its_name() {
        let home = tempfile::tempdir().unwrap();
        let codex = home.path().join("codex");
        let name = codex.to_str().unwrap().to_owned();
        assert_eq!(
            startable(Some(format!("{name} (deleted)"))),
            Path::new("codex"),
            "nothing took its place"
        );
        std::fs::write(&codex, "").unwrap();
        assert_eq!(startable(Some(format!("{name} (deleted)"))), codex);
        assert_eq!(startable(Some(name)), codex);
        assert_eq!(startable(None), Path::new("codex"));
    }

    pub(super) fn anyone() -> Client {
        Client { program: None, read: "check", folder: PathBuf::new(), thread: Arc::default() }
    }

    #[test]
    fn an_agent_is_told_a_count_and_nothing_else() {
        let words = anyone().words(Ring { unread: 2 });
        let shape: String = words.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "ipcd: 9 messages wait for you; call check to read them (99:99:99 UTC)");
    }
}

/// Each means against a reader. Their other ends are sockets and programs of Unix.
#[cfg(all(test, unix))]
mod races {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::bell::Bell as Doorbells;
    use super::tests::anyone;
    use super::*;

    /// A thousand times, one thread learns that the mail was read while another rings. Returns how many
    /// rings began; none does after the first knew.
    fn race(ring: impl Fn(Begin) -> Later<anyhow::Result<()>>) -> u32 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut rings = 0;
        for race in 0..1000 {
            let (bell, known) = (Arc::new(Doorbells::new()), Arc::new(AtomicBool::new(false)));
            let begun = Arc::new(AtomicBool::new(false));
            bell.mail(1);
            let (asked, knew, began) = (Arc::clone(&bell), Arc::clone(&known), Arc::clone(&begun));
            let begin: Begin = Arc::new(move || {
                let knew = knew.load(Ordering::SeqCst);
                let ring = asked.begin();
                assert!(!(knew && ring.is_some()), "race {race}");
                began.fetch_or(ring.is_some(), Ordering::SeqCst);
                ring
            });
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    // Now early, now late in what goes before a ring.
                    (0..race * 20).for_each(|_| std::hint::spin_loop());
                    bell.read(0);
                    known.store(true, Ordering::SeqCst);
                });
                runtime.block_on(ring(begin)).expect("it rings, or is not wanted any more");
            });
            rings += u32::from(begun.load(Ordering::SeqCst));
        }
        rings
    }

    #[test]
    fn in_a_thousand_races_an_inbox_gets_what_began_before_the_mail_was_read_and_no_more() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("cc.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let heard = std::thread::spawn(move || {
            let mut heard = 0;
            for stream in listener.incoming() {
                let mut text = String::new();
                stream.unwrap().read_to_string(&mut text).unwrap();
                if text == "over" {
                    break;
                }
                heard += u32::from(!text.is_empty());
            }
            heard
        });
        let variable =
            |name: &str| (name == "CLAUDE_CODE_MESSAGING_SOCKET").then(|| socket.display().to_string());
        let Some(Bell::Inbox(inbox)) =
            Program::ClaudeCode.bell(&Around { variable: &variable, thread: None })
        else {
            panic!("no inbox")
        };
        let inbox = Arc::new(inbox);
        let client = anyone();
        let rings = race(|begin| {
            let (client, inbox) = (client.clone(), Arc::clone(&inbox));
            Box::pin(async move { client.write(&inbox, begin).await })
        });
        UnixStream::connect(&socket).unwrap().write_all(b"over").unwrap();
        assert_eq!(heard.join().unwrap(), rings);
        assert!(rings > 0, "the ringer won some of them");
    }

    #[test]
    fn in_a_thousand_races_a_queue_gets_what_began_before_the_mail_was_read_and_no_more() {
        let home = tempfile::tempdir().unwrap();
        let (program, log) = (home.path().join("codex"), home.path().join("log"));
        std::fs::write(&program, format!("#!/bin/sh\necho rung >> '{}'\n", log.display())).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        // Another test that starts a program just now may hold the file open for a moment.
        while !std::process::Command::new(&program).status().is_ok_and(|status| status.success()) {
            std::thread::yield_now();
        }
        std::fs::remove_file(&log).unwrap();
        let thread = Around { variable: &|_| None, thread: Some("a-thread") };
        let Some(Bell::Queue(queue)) = Program::Codex.bell(&thread) else { panic!("no queue") };
        let queue = Arc::new(queue);
        let codex = Arc::new(Codex { program, home: None });
        let client = anyone();
        let rings = race(|begin| {
            let (client, queue, codex) = (client.clone(), Arc::clone(&queue), Arc::clone(&codex));
            Box::pin(async move { client.queue(&queue, &codex, begin).await })
        });
        let heard = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
        assert_eq!(heard, rings as usize);
        assert!(rings > 0, "the ringer won some of them");
    }
}
