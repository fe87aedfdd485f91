//! What a durable send costs beside what it cannot cost less than: one commit of the store's engine and
//! one round trip of a socket, measured in turn with it, on the same disk, in the same run.
//!
//! `cargo bench` prints the table. Nothing here passes or fails: read the ratios, not the times.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redb::{Database, ReadableTable, TableDefinition};

/// Times that each measurement is taken, in turn with the others.
const ROUNDS: usize = 12;
/// Operations of one client in one round.
const OPERATIONS: usize = 100;
/// A message of an ordinary size, in bytes.
const CONTENT: usize = 300;

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder on the disk of the target");
    let world = World::start(&folder);
    let echo = Echo::start(&folder);
    let store = Store::open(&folder);
    let (mut commits, mut echoes, mut sends, mut crowds) = (vec![], vec![], vec![], vec![]);
    let mut rates = (vec![], vec![]);
    for round in 0..ROUNDS {
        commits.extend(repeat(|| store.commit()));
        let mut client = echo.client();
        echoes.extend(repeat(|| client.call()));
        let mut one = world.clients(round, 1);
        let start = Instant::now();
        sends.extend(repeat(|| one[0].send()));
        rates.0.push(per_second(OPERATIONS, start.elapsed()));
        let (times, rate) = crowd(world.clients(round, 16));
        crowds.extend(times);
        rates.1.push(rate);
    }
    println!("{CONTENT}-byte messages, {ROUNDS} rounds of {OPERATIONS}, in turn\n");
    println!("{:28} {:>9} {:>9} {:>9}", "", "p50 ms", "p99 ms", "per s");
    let commit = row("redb commit", &mut commits, None);
    let trip = row("socket round trip", &mut echoes, None);
    let send = row("durable send, 1 client", &mut sends, Some(median(&mut rates.0)));
    row("durable send, 16 clients", &mut crowds, Some(median(&mut rates.1)));
    println!("\nsend / (commit + round trip)   {:.2}", send / (commit + trip));
    println!("rate of 16 clients / of 1      {:.1}", median(&mut rates.1) / median(&mut rates.0));
    drop(world);
    let _ = std::fs::remove_dir_all(&folder);
}

fn repeat(mut operation: impl FnMut()) -> Vec<Duration> {
    let timed = |()| {
        let start = Instant::now();
        operation();
        start.elapsed()
    };
    std::iter::repeat_n((), OPERATIONS).map(timed).collect()
}

/// All clients at once, each waiting for its answer before its next send. One thread serves them as their
/// answers come, so that the load itself costs little on a machine of two cores.
fn crowd(mut clients: Vec<Client>) -> (Vec<Duration>, f64) {
    let total = clients.len() * OPERATIONS;
    let mut left = vec![OPERATIONS; clients.len()];
    let start = Instant::now();
    let mut sent = vec![start; clients.len()];
    for (client, at) in clients.iter_mut().zip(&mut sent) {
        *at = Instant::now();
        client.ask();
    }
    let mut times = Vec::with_capacity(total);
    while times.len() < total {
        for ready in readable(&clients) {
            clients[ready].hear_stored();
            times.push(sent[ready].elapsed());
            left[ready] -= 1;
            if left[ready] > 0 {
                sent[ready] = Instant::now();
                clients[ready].ask();
            }
        }
    }
    (times, per_second(total, start.elapsed()))
}

/// Waits until some of them have something to read.
fn readable(clients: &[Client]) -> Vec<usize> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let mut fds: Vec<PollFd> =
        clients.iter().map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::NONE).expect("open sockets");
    (0..fds.len()).filter(|n| fds[*n].any().unwrap_or(false)).collect()
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints a row; its median in milliseconds.
fn row(name: &str, times: &mut [Duration], rate: Option<f64>) -> f64 {
    times.sort();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let rate = rate.unwrap_or_else(|| 1e3 / at(0.5));
    println!("{name:28} {:9.3} {:9.3} {rate:9.0}", at(0.5), at(0.99));
    at(0.5)
}

/// The floor of the store: one message row and one delivery row, committed as the daemon does.
struct Store(Database);

impl Store {
    fn open(folder: &Path) -> Store {
        Store(Database::create(folder.join("floor.redb")).expect("a database"))
    }

    fn commit(&self) {
        const MESSAGES: TableDefinition<u64, &[u8]> = TableDefinition::new("messages");
        const DELIVERIES: TableDefinition<u64, &[u8]> = TableDefinition::new("deliveries");
        let transaction = self.0.begin_write().expect("a transaction");
        {
            let mut messages = transaction.open_table(MESSAGES).expect("a table");
            let key = messages.last().expect("readable").map_or(0, |(key, _)| key.value() + 1);
            messages.insert(key, [7u8; CONTENT].as_slice()).expect("room");
            let mut deliveries = transaction.open_table(DELIVERIES).expect("a table");
            deliveries.insert(key, [7u8; 32].as_slice()).expect("room");
        }
        transaction.commit().expect("a commit");
    }
}

/// The floor of the socket: a line there and a line back.
struct Echo(PathBuf);

impl Echo {
    fn start(folder: &Path) -> Echo {
        let path = folder.join("echo.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        std::thread::spawn(move || {
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
        });
        Echo(path)
    }

    fn client(&self) -> Client {
        Client::connect(&self.0, format!("{}\n", "x".repeat(CONTENT)))
    }
}

struct World {
    daemon: Child,
    socket: PathBuf,
}

impl World {
    fn start(folder: &Path) -> World {
        let limits =
            "[limits]\nsends_per_minute = 0\nmailbox_messages = 1000000\nmailbox_bytes = 268435456\n";
        std::fs::write(folder.join("config.toml"), limits).expect("a config");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcd"));
        command.arg("daemon").env("IPCD_HOME", folder).env("IPCD_LOG", "error").stdin(Stdio::null());
        let daemon = command.spawn().expect("a daemon");
        let socket = folder.join("run/ipcd.sock");
        let mut world = World { daemon, socket };
        while UnixStream::connect(&world.socket).is_err() {
            assert!(world.daemon.try_wait().is_ok_and(|ended| ended.is_none()), "the daemon ended");
            std::thread::sleep(Duration::from_millis(5));
        }
        world
    }

    /// Registered clients, each of which sends to a mailbox of its own.
    fn clients(&self, round: usize, count: usize) -> Vec<Client> {
        let client = |number: usize| {
            let content = "x".repeat(CONTENT);
            let send = format!(
                r#"{{"jsonrpc":"2.0","id":2,"method":"send","params":{{"to":["to-{round}-{count}-{number}"],"content":"{content}"}}}}"#
            );
            let mut client = Client::connect(&self.socket, send + "\n");
            let hello = r#"{"jsonrpc":"2.0","id":0,"method":"hello","params":{"protocol":{"min":1,"max":1},"role":"mcp","client":"bench/1"}}"#;
            client.exchange(&format!("{hello}\n"));
            let name = format!("from-{round}-{count}-{number}");
            let register =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"register","params":{{"name":"{name}"}}}}"#);
            client.exchange(&format!("{register}\n"));
            client
        };
        (0..count).map(client).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

struct Client {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
    line: String,
    heard: String,
}

impl Client {
    fn connect(path: &Path, line: String) -> Client {
        let stream = UnixStream::connect(path).expect("somebody listens");
        let lines = BufReader::new(stream.try_clone().expect("a handle"));
        Client { stream, lines, line, heard: String::new() }
    }

    fn exchange(&mut self, line: &str) {
        self.stream.write_all(line.as_bytes()).expect("it reads");
        self.hear();
    }

    fn ask(&mut self) {
        self.stream.write_all(self.line.as_bytes()).expect("it reads");
    }

    fn hear(&mut self) {
        self.heard.clear();
        self.lines.read_line(&mut self.heard).expect("it answers");
    }

    fn hear_stored(&mut self) {
        self.hear();
        assert!(self.heard.contains("\"stored\":true"), "{}", self.heard);
    }

    fn call(&mut self) {
        self.ask();
        self.hear();
    }

    fn send(&mut self) {
        self.ask();
        self.hear_stored();
    }
}
