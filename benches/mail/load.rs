//! Clients that each wait for their answer before they ask again. One thread serves all of them as their
//! answers come, so that the load itself costs little on a machine of two cores, and every system here is
//! asked by the same code.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a client does until its answer is whole.
pub struct Client {
    input: File,
    output: File,
    request: Vec<u8>,
    /// Room to read into, of which so many bytes are what was heard. Made once: to clear it for each answer
    /// would cost the processors that the server needs.
    room: Vec<u8>,
    heard: usize,
    /// Whether so many bytes are a whole answer.
    is_whole: fn(&[u8]) -> bool,
    /// What a good answer has in it.
    good: &'static str,
}

/// What became of a run.
pub struct Run {
    pub times: Vec<Duration>,
    pub rate: f64,
}

pub fn is_line(heard: &[u8]) -> bool {
    heard.last() == Some(&b'\n')
}

impl Client {
    pub fn connect(path: &Path) -> Client {
        let stream = UnixStream::connect(path).expect("somebody listens");
        let output = OwnedFd::from(stream.try_clone().expect("a handle"));
        Client::over(File::from(OwnedFd::from(stream)), File::from(output))
    }

    /// Over the pipes of a process.
    pub fn of(process: &mut Child) -> Client {
        let (Some(to), Some(from)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both are piped")
        };
        Client::over(File::from(OwnedFd::from(from)), File::from(OwnedFd::from(to)))
    }

    /// Over these two: what it reads from, and what it writes to.
    fn over(input: File, output: File) -> Client {
        Client { input, output, request: Vec::new(), room: Vec::new(), heard: 0, is_whole: is_line, good: "" }
    }

    pub fn asks(mut self, request: impl Into<Vec<u8>>, good: &'static str) -> Client {
        (self.request, self.good) = (request.into(), good);
        self
    }

    pub fn until(mut self, is_whole: fn(&[u8]) -> bool) -> Client {
        self.is_whole = is_whole;
        self
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.output.write_all(bytes).expect("it reads");
    }

    pub fn ask(&mut self) {
        self.output.write_all(&self.request).expect("it reads");
    }

    /// Waits for one whole answer.
    pub fn hear(&mut self) -> &str {
        self.heard = 0;
        while !self.take() {}
        str::from_utf8(&self.room[..self.heard]).expect("text")
    }

    /// Takes what is there; true when the answer is whole.
    fn take(&mut self) -> bool {
        const LEAST: usize = 4 << 10;
        if self.room.len() - self.heard < LEAST {
            self.room.resize((2 * self.room.len()).max(2 * LEAST), 0);
        }
        let read = self.input.read(&mut self.room[self.heard..]).expect("it answers");
        assert!(read > 0, "it hung up");
        self.heard += read;
        (self.is_whole)(&self.room[..self.heard])
    }

    pub fn exchange(&mut self, line: &str) -> String {
        self.write(format!("{line}\n").as_bytes());
        self.hear().to_owned()
    }

    fn check(&self) {
        let heard = String::from_utf8_lossy(&self.room[..self.heard]);
        assert!(heard.contains(self.good), "{heard}");
    }

    /// Asks and waits: how long it took.
    pub fn call(&mut self) -> Duration {
        let start = Instant::now();
        self.ask();
        self.hear();
        let time = start.elapsed();
        self.check();
        time
    }
}

/// `each` calls of each client.
pub fn run(clients: &mut [Client], each: usize) -> Run {
    let total = clients.len() * each;
    let mut times = Vec::with_capacity(total);
    let start = Instant::now();
    if let [one] = clients {
        times.extend(std::iter::repeat_n((), each).map(|()| one.call()));
        return Run { times, rate: rate(total, start.elapsed()) };
    }
    let mut left = vec![each; clients.len()];
    let mut asked = vec![start; clients.len()];
    for (client, at) in clients.iter_mut().zip(&mut asked) {
        *at = Instant::now();
        client.heard = 0;
        client.ask();
    }
    while times.len() < total {
        for ready in readable(clients) {
            let client = &mut clients[ready];
            if !client.take() {
                continue;
            }
            times.push(asked[ready].elapsed());
            client.check();
            client.heard = 0;
            left[ready] -= 1;
            if left[ready] > 0 {
                asked[ready] = Instant::now();
                client.ask();
            }
        }
    }
    Run { times, rate: rate(total, start.elapsed()) }
}

/// Waits until some of them have something to read.
pub fn readable(clients: &[Client]) -> Vec<usize> {
    let mut fds: Vec<PollFd> =
        clients.iter().map(|client| PollFd::new(client.input.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::NONE).expect("open descriptors");
    (0..fds.len()).filter(|n| fds[*n].any().unwrap_or(false)).collect()
}

pub fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
