//! A client against daemons that do what a test says.

use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::bytes::Bytes;

use super::*;
use crate::protocol::PROTOCOL;
use crate::protocol::hello::{Role, Welcome};
use crate::protocol::request::Check;
use crate::protocol::wire::CallId;
use crate::protocol::wire::{Incoming, answer_line};
use crate::transport::codec::{Line, LineReader};
use crate::transport::{self, Listener, Stream};

mod calls;
mod launching;
mod losses;

/// Longer than anything here takes, shorter than anybody's patience.
const DEADLINE: Duration = Duration::from_secs(60);

fn runs<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await.expect("the test hangs") })
}

/// The daemon's end of one connection.
struct Session {
    lines: LineReader<ReadHalf<Stream>>,
    writer: WriteHalf<Stream>,
}

impl Session {
    /// The next connection, after its hello.
    async fn accept(listener: &Listener) -> Session {
        let mut session = Session::accept_silently(listener).await;
        let (id, _) = session.call("hello").await;
        let welcome = Welcome { protocol: 1, server: "fake".into(), line_bytes: LINE_BYTES_MAX };
        session.write(&answer_line(&id, &Ok(welcome))).await;
        session
    }

    async fn accept_silently(listener: &Listener) -> Session {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, writer) = tokio::io::split(stream);
        Session { lines: LineReader::new(reader, LINE_BYTES_MAX), writer }
    }

    async fn next(&mut self) -> Option<Bytes> {
        // A client that ends with answers unread resets the connection.
        match self.lines.next().await.ok()?? {
            Line::Whole(line) => Some(line),
            Line::Oversized { .. } => panic!("an oversized line"),
        }
    }

    /// The next line, which is this call: its id and parameters.
    async fn call(&mut self, expected: &str) -> (CallId, String) {
        let line = self.next().await;
        match line.as_deref().map(Incoming::parse) {
            Some(Ok(Incoming::Call { id, method, params })) if method == expected => {
                (id, params.map(|p| p.get().to_owned()).unwrap_or_default())
            }
            other => panic!("{expected} was expected: {other:?}"),
        }
    }

    async fn notification(&mut self, expected: &str) -> Option<Box<RawValue>> {
        let line = self.next().await;
        match line.as_deref().map(Incoming::parse) {
            Some(Ok(Incoming::Notification { method, params })) if method == expected => {
                params.map(ToOwned::to_owned)
            }
            other => panic!("{expected} was expected: {other:?}"),
        }
    }

    async fn answer(&mut self, id: &CallId, answer: serde_json::Value) {
        self.write(&answer_line(id, &Ok(answer))).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::Builder::new().permissions(private()).tempdir().unwrap())
    }

    fn socket(&self) -> PathBuf {
        self.0.path().join("ipcd.sock")
    }

    fn spawn_lock(&self) -> PathBuf {
        self.0.path().join("spawn.lock")
    }

    fn config(&self, patience: Duration) -> LinkConfig {
        LinkConfig {
            socket: self.socket(),
            spawn_lock: self.spawn_lock(),
            launch: false,
            hello: hello(),
            resume: Arc::new(|| None),
            patience,
        }
    }

    fn link(&self) -> Link {
        Link::new(self.config(DEADLINE))
    }

    fn bind(&self) -> Listener {
        transport::remove_stale_socket(&self.socket()).unwrap();
        transport::bind(&self.socket()).unwrap()
    }
}

fn private() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o700)
}

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        role: Role::Cli,
        client: "test".into(),
        program: None,
        program_session: None,
        speak_as: None,
        wakes: None,
    }
}

/// A call that can be told from others by its number.
fn check(number: u64) -> Request {
    Request::Check(Check { offset: number, ..Check::default() })
}

fn number(params: &str) -> u64 {
    serde_json::from_str::<Check>(params).unwrap().offset
}
