//! A connection to the daemon's socket, line by line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{SOON, World, kill};

pub struct Socket {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl World {
    /// Connects to a daemon that serves already.
    pub fn connect(&self) -> Socket {
        let stream = UnixStream::connect(self.socket()).expect("the daemon serves");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        Socket { stream, reader }
    }

    /// Connects as an instance without a name.
    pub fn client(&self) -> Socket {
        let mut socket = self.connect();
        let hello = json!({"protocol": {"min": 1, "max": 1}, "role": "mcp", "client": "test/1"});
        socket.call(0, "hello", hello);
        socket
    }
}

impl Socket {
    /// The connection itself, for what is no line.
    pub fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    pub fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).expect("the daemon reads");
    }

    /// [`Socket::say`] to a daemon that may not listen any more.
    pub fn try_say(&mut self, line: &str) {
        let _ = self.stream.write_all(format!("{line}\n").as_bytes());
    }

    /// The next line; `None` at the end.
    pub fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let bytes = match self.reader.read_line(&mut line) {
            // A daemon that ends does not read what else was said.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            read => read.expect("a line in time"),
        };
        (bytes > 0).then(|| line.trim_end().to_owned())
    }

    /// Makes a call and skips pushes until its answer.
    pub fn call(&mut self, id: i64, method: &str, params: Value) -> Value {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        loop {
            let line = self.hear().expect("the daemon answers");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if answer["id"] == json!(id) {
                return answer;
            }
        }
    }
}

#[test]
fn a_client_that_says_no_more_still_hears_its_answers() {
    let world = World::new();
    let _daemon = world.daemon();
    let mut client = world.client();
    client.call(1, "register", json!({"name": "alice"}));
    client.say(r#"{"jsonrpc":"2.0","id":2,"method":"send","params":{"to":["bob"],"content":"last words"}}"#);
    client.stream.shutdown(std::net::Shutdown::Write).expect("a half-closed connection");
    let answer: Value = serde_json::from_str(&client.hear().expect("an answer")).expect("JSON");
    assert_eq!(answer["result"]["stored"], json!(true), "{answer}");
    assert_eq!(client.hear(), None);
}

#[test]
fn who_says_no_hello_does_not_hold_up_the_end() {
    let world = World::new();
    let daemon = world.daemon();
    let mut silent = world.connect();
    let begun = Instant::now();
    kill(daemon.pid(), "TERM");
    assert_eq!(daemon.ends(), 0);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(silent.hear(), None);
}

#[test]
fn a_line_that_is_too_long_is_answered_before_hello_too() {
    let world = World::new();
    let _daemon = world.daemon();
    let mut client = world.connect();
    client.say(&"x".repeat(8 * 1024 * 1024 + 1));
    assert!(client.hear().expect("an answer").contains("too_large"));
    let hello = json!({"protocol": {"min": 1, "max": 1}, "role": "mcp", "client": "test/1"});
    assert_eq!(client.call(0, "hello", hello)["result"]["protocol"], 1);
}
