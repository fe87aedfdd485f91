//! What a durable send cannot cost less than: a sync of the disk, a commit of the store's engine, and a
//! round trip of a socket.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};

use crate::CONTENT;
use crate::load::{Client, Run, rate};

/// A page of a file that is there already, written and synced.
pub struct Sync(File);

impl Sync {
    pub fn start(folder: &Path) -> Sync {
        let file = File::create(folder.join("sync")).expect("a file");
        file.write_all_at(&[1; 1 << 16], 0).expect("room");
        file.sync_all().expect("a disk");
        Sync(file)
    }

    pub fn run(&self, times: usize) -> Run {
        repeat(times, 1, || {
            self.0.write_all_at(&[2; 4096], 8192).expect("room");
            self.0.sync_data().expect("a disk");
        })
    }
}

/// A message row and a delivery row each, in a database of redb as it comes.
pub struct Commit {
    database: Database,
    next: u64,
}

impl Commit {
    pub fn start(folder: &Path) -> Commit {
        Commit { database: Database::create(folder.join("floor.redb")).expect("a database"), next: 0 }
    }

    /// Each commit holds so many messages.
    pub fn run(&mut self, messages: usize, times: usize) -> Run {
        repeat(times, messages, || self.commit(messages as u64))
    }

    fn commit(&mut self, messages: u64) {
        const MESSAGES: TableDefinition<u64, &[u8]> = TableDefinition::new("messages");
        const DELIVERIES: TableDefinition<u64, &[u8]> = TableDefinition::new("deliveries");
        let transaction = self.database.begin_write().expect("a transaction");
        {
            let mut rows = transaction.open_table(MESSAGES).expect("a table");
            let mut deliveries = transaction.open_table(DELIVERIES).expect("a table");
            for key in self.next..self.next + messages {
                rows.insert(key, [7u8; CONTENT].as_slice()).expect("room");
                deliveries.insert(key, [7u8; 32].as_slice()).expect("room");
            }
        }
        transaction.commit().expect("a commit");
        self.next += messages;
    }
}

fn repeat(times: usize, each: usize, mut operation: impl FnMut()) -> Run {
    let begin = Instant::now();
    let timed = |()| {
        let start = Instant::now();
        operation();
        start.elapsed()
    };
    let times: Vec<Duration> = std::iter::repeat_n((), times).map(timed).collect();
    let rate = rate(times.len() * each, begin.elapsed());
    Run { times, rate }
}

/// A line there and a line back, to another process and from it: the daemon is one, too.
pub struct Echo {
    path: PathBuf,
    process: Child,
}

/// What this program is called with to be that process.
pub const ECHO: &str = "--echo-at";

impl Echo {
    pub fn start(folder: &Path) -> Echo {
        // A run has two of them, one after the other.
        let path = folder.join("echo.sock");
        let _ = std::fs::remove_file(&path);
        let this = std::env::current_exe().expect("this program");
        let process = Command::new(this).arg(ECHO).arg(&path).spawn().expect("a process");
        while UnixStream::connect(&path).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Echo { path, process }
    }

    /// Says again what each client says, for as long as it lives.
    pub fn serve(path: &Path) {
        let listener = UnixListener::bind(path).expect("a socket");
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().expect("a handle"));
                let (mut line, mut out) = (String::new(), stream);
                while lines.read_line(&mut line).is_ok_and(|n| n > 0)
                    && out.write_all(line.as_bytes()).is_ok()
                {
                    line.clear();
                }
            });
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.path).asks(line(), "")
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A process between that passes lines on to the echo and back, as a front end must: what is talked to
    /// through pipes.
    pub fn relay(&self) -> Relay {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new(this);
        command.arg(RELAY).arg(&self.path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let client = Client::of(&mut process).asks(line(), "");
        Relay { process, client }
    }
}

fn line() -> String {
    format!("{}\n", "x".repeat(CONTENT))
}

/// What this program is called with to pass lines on.
pub const RELAY: &str = "--relay-to";

pub struct Relay {
    pub process: Child,
    pub client: Client,
}

impl Relay {
    /// Passes on until nothing comes any more.
    pub fn serve(path: &Path) {
        let mut echo = Client::connect(path);
        let mut lines = std::io::stdin().lock();
        let (mut line, mut out) = (String::new(), std::io::stdout().lock());
        while lines.read_line(&mut line).is_ok_and(|n| n > 0) {
            echo.write(line.as_bytes());
            let passed = out.write_all(echo.hear().as_bytes()).and_then(|()| out.flush());
            passed.expect("it reads");
            line.clear();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
