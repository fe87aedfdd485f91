//! The whole front end against a scripted daemon: raw lines in, raw lines out.

mod bells;
mod handshake;
mod hardening;
mod mail;
mod sharing;
mod subscriptions;
mod tools;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::backend::{Answer, Backend, Dial, Later, Resume, cancelled};
use super::bell::Ringer;
use super::ring::Ringers;
use super::{Naming, Parts, Sharing, Toolset, serve};
use crate::client::Resumed;
use crate::protocol::event::Event;
use crate::protocol::hello::Hello;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::share::Here;
use crate::share::policy::{CommandPolicy, FilePolicy};

/// Far more than anything here takes, far less than a hang.
const DEADLINE: Duration = Duration::from_secs(10);

/// Bytes of a pipe, as on Linux.
const PIPE: usize = 64 << 10;

/// What the daemon does with a call.
enum Reply {
    Now(Answer),
    /// Answers when the call is stopped.
    Never,
    /// Answers so long after the call is stopped.
    Late(Duration, Answer),
    Panic,
}

/// What is out of the ordinary.
type Script = Box<dyn Fn(&Request) -> Option<Reply> + Send + Sync>;

/// A daemon that does as it is told, and remembers what it was asked.
struct Daemon {
    log: Mutex<Vec<Seen>>,
    changed: Notify,
    script: Script,
    events: broadcast::Sender<Event>,
    resumed: watch::Sender<Resumed>,
    hello: Mutex<Option<Hello>>,
    resume: Mutex<Option<Resume>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Call(Request),
    Post(Request),
    Stopped(&'static str),
    Bye,
}

impl Daemon {
    /// `script` says what is out of the ordinary.
    fn new(script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Arc<Daemon> {
        Arc::new(Daemon {
            log: Mutex::default(),
            changed: Notify::new(),
            script: Box::new(script),
            events: broadcast::channel(16).0,
            resumed: watch::channel(None).0,
            hello: Mutex::default(),
            resume: Mutex::default(),
        })
    }

    fn ordinary() -> Arc<Daemon> {
        Daemon::new(|_| None)
    }

    fn note(&self, seen: Seen) {
        self.log.lock().unwrap().push(seen);
        self.changed.notify_waiters();
    }

    fn log(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log satisfies `enough`, and returns it.
    async fn logged(&self, enough: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if enough(&self.log()) {
                    return self.log();
                }
                changed.await;
            }
        };
        match timeout(DEADLINE, wait).await {
            Ok(log) => log,
            Err(_) => panic!("not seen, but {:#?}", self.log()),
        }
    }

    /// The calls but for registrations, in words.
    fn words(&self) -> Vec<String> {
        self.log().iter().filter(|seen| !seen.registers()).map(Seen::word).collect()
    }

    /// The last call of the tools; settling is none.
    fn last(&self) -> Request {
        let log = self.log();
        let call = log.iter().rev().find_map(|seen| match seen {
            Seen::Call(request) if !matches!(request, Request::Ack(_)) => Some(request.clone()),
            _ => None,
        });
        call.expect("a call")
    }
}

impl Seen {
    fn registers(&self) -> bool {
        matches!(self, Seen::Call(Request::Register(_)))
    }

    fn word(&self) -> String {
        match self {
            Seen::Call(request) => {
                format!("{} {}", request.method(), serde_json::to_string(request).unwrap())
            }
            Seen::Post(request) => {
                format!("post {} {}", request.method(), serde_json::to_string(request).unwrap())
            }
            Seen::Stopped(method) => format!("stop {method}"),
            Seen::Bye => "bye".to_owned(),
        }
    }
}

struct Dialled(Arc<Daemon>);

impl Backend for Dialled {
    fn call(&self, request: Request, stop: CancellationToken) -> Later<Answer> {
        let daemon = Arc::clone(&self.0);
        let method = request.method();
        let reply = (daemon.script)(&request).unwrap_or_else(|| Reply::Now(ordinary(&request)));
        daemon.note(Seen::Call(request));
        Box::pin(async move {
            match reply {
                Reply::Now(answer) => answer,
                Reply::Never => {
                    stop.cancelled().await;
                    daemon.note(Seen::Stopped(method));
                    Err(cancelled())
                }
                Reply::Late(delay, answer) => {
                    stop.cancelled().await;
                    daemon.note(Seen::Stopped(method));
                    tokio::time::sleep(delay).await;
                    answer
                }
                Reply::Panic => panic!("the test's own panic"),
            }
        })
    }

    fn post(&self, request: Request) {
        self.0.note(Seen::Post(request));
    }

    fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    fn resumed(&self) -> watch::Receiver<Resumed> {
        self.0.resumed.subscribe()
    }

    fn close(&self) -> Later<()> {
        self.0.note(Seen::Bye);
        Box::pin(async {})
    }
}

fn ordinary(request: &Request) -> Answer {
    match request {
        Request::Register(r) => {
            let name = r.name.clone().unwrap_or_else(|| "webapp".to_owned());
            answer(json!({"name": name, "resumed": false, "unread": 0, "peers": []}))
        }
        Request::Check(_) => {
            answer(json!({"messages": [], "remaining": 0, "waited_seconds": 0.0, "unread": 0}))
        }
        Request::Rename(r) => answer(
            json!({"name": r.new, "forwards_from": "webapp", "forward_until": "2026-11-21T21:27:08.007Z"}),
        ),
        _ => answer(json!({"ok": request.method()})),
    }
}

fn answer(value: Value) -> Answer {
    Ok(raw(&value.to_string()))
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn refusal(code: RefusalCode, message: &str) -> Reply {
    Reply::Now(Err(Refusal::new(code, message).hint("a hint")))
}

/// One message, as a check answers it.
fn mail(id: u64) -> Reply {
    Reply::Now(with_mail(id))
}

fn with_mail(id: u64) -> Answer {
    let message = json!({"id": id, "from": "bob", "content": "hi", "sender": {"verified": "full"}});
    answer(json!({"messages": [message], "remaining": 0, "waited_seconds": 0.0, "unread": 1}))
}

/// A client and the front end that serves it.
struct Client {
    to: Option<DuplexStream>,
    from: BufReader<DuplexStream>,
    serving: JoinHandle<anyhow::Result<()>>,
    daemon: Arc<Daemon>,
}

struct Setup {
    naming: Naming,
    tools: Toolset,
    sharing: Sharing,
    ringer: Arc<dyn Ringer>,
    progress_every: Duration,
    /// Bytes that the way out holds before it blocks.
    pipe: usize,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            naming: Naming::default(),
            tools: Toolset::All,
            sharing: Sharing {
                files: FilePolicy::default(),
                commands: CommandPolicy::default(),
                here: Here { cwd: std::env::temp_dir(), home: None, ipcd: "ipcd".into(), remote: None },
            },
            ringer: Arc::new(bells::Mute),
            progress_every: Duration::from_secs(12),
            pipe: PIPE,
        }
    }
}

impl Client {
    fn of(daemon: Arc<Daemon>) -> Client {
        Client::with(daemon, Setup::default())
    }

    fn with(daemon: Arc<Daemon>, setup: Setup) -> Client {
        let (to, input) = tokio::io::duplex(PIPE);
        let (output, from) = tokio::io::duplex(setup.pipe);
        let dialled = Arc::clone(&daemon);
        let dial: Dial = Box::new(move |hello, resume| {
            *dialled.hello.lock().unwrap() = Some(hello);
            *dialled.resume.lock().unwrap() = Some(resume);
            Arc::new(Dialled(Arc::clone(&dialled)))
        });
        let Setup { naming, tools, sharing, ringer, progress_every, .. } = setup;
        let ringers: Ringers = Box::new(move |_| Arc::clone(&ringer));
        let parts = Parts { naming, tools, dial, sharing, ringers, progress_every };
        let serving = tokio::spawn(serve(input, output, parts, CancellationToken::new()));
        Client { to: Some(to), from: BufReader::new(from), serving, daemon }
    }

    /// A client that has shaken hands the older way, against a daemon that follows `script`.
    async fn ready(script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Client {
        let mut client = Client::of(Daemon::new(script));
        client.initialize("claude-code", json!({})).await;
        client
    }

    async fn initialize(&mut self, name: &str, capabilities: Value) -> Value {
        let params = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": capabilities,
            "clientInfo": {"name": name, "version": "1.2"},
        });
        let result = self.request(0, "initialize", params).await;
        self.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        result
    }

    async fn say_raw(&mut self, line: &[u8]) {
        let to = self.to.as_mut().expect("input is open");
        timeout(DEADLINE, to.write_all(line)).await.expect("input is read").expect("input is open");
    }

    async fn say(&mut self, message: Value) {
        self.say_raw(format!("{message}\n").as_bytes()).await;
    }

    async fn hear_line(&mut self) -> String {
        let mut line = String::new();
        timeout(DEADLINE, self.from.read_line(&mut line)).await.expect("a line comes").unwrap();
        line
    }

    /// The next message; `Null` at the end.
    async fn hear(&mut self) -> Value {
        let line = self.hear_line().await;
        if line.is_empty() {
            return Value::Null;
        }
        let message: Value = serde_json::from_str(&line).expect("nothing but JSON");
        assert_eq!(message["jsonrpc"], "2.0");
        message
    }

    async fn request(&mut self, id: u64, method: &str, params: Value) -> Value {
        self.say(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        let message = self.hear().await;
        assert_eq!(message["id"], id, "{message}");
        message
    }

    async fn start_call(&mut self, id: u64, tool: &str, arguments: Value) {
        let params = json!({"name": tool, "arguments": arguments});
        self.say(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).await;
    }

    /// The result of a tool, checked for its form.
    async fn call(&mut self, id: u64, tool: &str, arguments: Value) -> Value {
        self.start_call(id, tool, arguments).await;
        let message = self.hear().await;
        assert_eq!(message["id"], id, "{message}");
        content_of(&message)
    }

    async fn ping(&mut self, id: u64) {
        let message = self.request(id, "ping", json!({})).await;
        assert_eq!(message["result"], json!({}));
    }

    async fn cancel(&mut self, id: u64) {
        let params = json!({"requestId": id});
        self.say(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})).await;
    }

    fn end_input(&mut self) {
        self.to = None;
    }

    /// Ends the input and waits for the end of the front end, which must come within a second.
    async fn finish(mut self) -> Arc<Daemon> {
        self.end_input();
        let serving = timeout(Duration::from_secs(1), &mut self.serving).await;
        serving.expect("it ends within a second").unwrap().unwrap();
        self.daemon
    }
}

/// The JSON of a tool's result, which is there twice.
fn content_of(message: &Value) -> Value {
    let result = &message["result"];
    let structured = &result["structuredContent"];
    assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{message}");
    assert_eq!(result["content"][0]["text"], structured.to_string());
    assert_eq!(result["isError"], structured.get("error").is_some(), "{message}");
    structured.clone()
}
