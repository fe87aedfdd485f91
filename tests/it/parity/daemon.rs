//! Rows 37 to 43: one daemon for all, whatever happens to it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

#[cfg(target_os = "linux")]
use nix::libc;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::machine::{is_root, skip};
use crate::world::{SOON, Said, World, kill, until};

/// Somebody whom nobody knows.
const STRANGER: u32 = 65_534;

/// Reads so many messages: id and content, in the order in which they came.
fn read(reader: &mut Agent, count: usize) -> Vec<(u64, String)> {
    let mut read = Vec::new();
    while read.len() < count {
        let answer = reader.ok("check", json!({"wait_seconds": 5}));
        let messages = answer["messages"].as_array().expect("messages").clone();
        assert!(!messages.is_empty(), "{} of {count} came", read.len());
        let pair =
            |m: &Value| (m["id"].as_u64().expect("an id"), m["content"].as_str().expect("small").to_owned());
        read.extend(messages.iter().map(pair));
    }
    read
}

#[test]
fn row_37_persistence() {
    const CYCLES: usize = 30;
    const SENDS: usize = 10;
    let world = World::with_config(
        "[limits]\nsends_per_minute = 0\nmailbox_messages = 10000\nsender_share_percent = 100\n",
    );
    let (mut alice, bob) = (world.agent("alice"), world.agent("bob"));
    bob.leaves();
    let mut stored: BTreeMap<u64, String> = BTreeMap::new();
    for cycle in 0..CYCLES {
        let text = |n: usize| format!("{cycle}.{n}");
        let calls: Vec<(usize, i64)> = (0..SENDS)
            .map(|n| (n, alice.start("send", json!({"to_id": "bob", "content": text(n)}))))
            .collect();
        // At another moment each time: after so many answers.
        for (n, call) in calls {
            if n == cycle % SENDS {
                world.daemons().into_iter().for_each(|pid| kill(pid, "KILL"));
            }
            let outcome = alice.finish(call);
            assert!(!outcome.is_error && outcome.value["stored"] == true, "{}: {outcome:?}", text(n));
            let id = outcome.value["id"].as_u64().expect("an id");
            assert_eq!(stored.insert(id, text(n)), None, "no number is given twice");
        }
    }
    world.daemons().into_iter().for_each(|pid| kill(pid, "KILL"));
    let mut bob = world.agent("bob");
    let read = read(&mut bob, CYCLES * SENDS);
    assert_eq!(read, stored.into_iter().collect::<Vec<_>>(), "each of them, once, in order");
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]));
}

#[test]
fn row_38_the_daemon_outlives_its_clients() {
    let world = World::new();
    let (alice, mut bob, mut carol) = (world.agent("alice"), world.agent("bob"), world.agent("carol"));
    let pid = world.daemon_pid();
    alice.leaves();
    bob.ok("send", json!({"to_id": "carol", "content": "still here"}));
    assert_eq!(read(&mut carol, 1)[0].1, "still here");
    carol.dies();
    bob.ok("send", json!({"to_id": "carol", "content": "for later"}));
    assert_eq!(world.daemons(), [pid]);
}

#[test]
fn row_39_clients_survive_a_crash_of_the_daemon() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let waiting = bob.start("check", json!({"wait_seconds": 60}));
    until("bob waits", || world.json(&["list"])["instances"][1]["wakes"] == "waiting");
    let before = world.daemon_pid();
    world.kill_daemon();
    let start = Instant::now();
    let sent = alice.ok("send", json!({"to_id": "bob", "content": "after the crash"}));
    assert!(start.elapsed() < SOON / 2, "{:?}", start.elapsed());
    assert_eq!(sent["stored"], true);
    let heard = bob.finish(waiting);
    assert!(!heard.is_error, "{heard:?}");
    let messages = heard.value["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 1, "{heard:?}");
    assert_eq!((&messages[0]["from"], &messages[0]["content"]), (&json!("alice"), &json!("after the crash")));
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]), "stored once");
    let list = alice.ok("list_instances", json!({}));
    let live: Vec<_> =
        list["instances"].as_array().unwrap().iter().map(|i| (&i["name"], &i["state"])).collect();
    assert_eq!(live, [(&json!("alice"), &json!("live")), (&json!("bob"), &json!("live"))]);
    assert_ne!(world.daemon_pid(), before);
}

#[test]
fn row_40_many_clients_at_once_start_one_daemon() {
    let world = World::new();
    let mut agents: Vec<Agent> = (0..16).map(|n| world.silent(&format!("w{n:02}"), &[])).collect();
    for agent in &mut agents {
        agent.handshake("test-agent");
    }
    let calls: Vec<i64> = agents.iter_mut().map(|a| a.start("list_instances", json!({}))).collect();
    for (agent, call) in agents.iter_mut().zip(calls) {
        let outcome = agent.finish(call);
        assert!(!outcome.is_error, "{outcome:?}");
    }
    let list = world.json(&["list"]);
    let names: Vec<&str> =
        list["instances"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    let mut expected: Vec<String> = (0..16).map(|n| format!("w{n:02}")).collect();
    expected.sort();
    let mut names: Vec<&str> = names.into_iter().filter(|name| *name != "user").collect();
    names.sort_unstable();
    assert_eq!(names, expected);
    until("one daemon is left", || world.daemons() == [world.noted_pid()]);
    assert_eq!(world.daemon_pid(), world.noted_pid());
}

#[test]
fn row_41_a_session_does_not_expire() {
    use ipcd::broker::limits::Limits;
    use ipcd::broker::{Broker, Effect, Input, SessionId};
    use ipcd::protocol::hello::{Hello, Role, VersionRange};
    use ipcd::protocol::peer::Peer;
    use ipcd::protocol::request::{Check, Register, Request, Send};
    use ipcd::protocol::response::Response;
    use ipcd::protocol::time::{Now, Tick, Timestamp};
    use ipcd::protocol::wire::CallId;

    // The clock of a real daemon cannot be set for it alone; its core takes any.
    let at = |hours: u64| Now { wall: Timestamp(hours * 3_600_000), tick: Tick(hours * 3_600_000) };
    let mut broker = Broker::recover(Limits::default(), &[], at(1)).expect("an empty store");
    let hello = |name: &str| Hello {
        protocol: VersionRange { min: 1, max: 1 },
        role: Role::Mcp,
        client: name.to_owned(),
        program: None,
        program_session: None,
        speak_as: None,
        wakes: None,
    };
    let call = |broker: &mut Broker, hours: u64, session: u64, request: Request| {
        broker.tick(at(hours));
        broker
            .handle(at(hours), Input::Call { session: SessionId(session), call: CallId::Number(1), request });
        let effects = broker.drain().effects;
        let reply = effects.into_iter().find_map(|effect| match effect {
            Effect::Reply { outcome, .. } => Some(outcome),
            _ => None,
        });
        reply.expect("an answer").unwrap_or_else(|refusal| panic!("{refusal:?}"))
    };
    for (session, name) in [(1, "alice"), (2, "bob")] {
        let opened = Input::Opened { session: SessionId(session), hello: hello(name), peer: Peer::default() };
        broker.handle(at(1), opened);
        let register = Register { name: Some(name.to_owned()), auto: false, held: Vec::new() };
        call(&mut broker, 1, session, Request::Register(register));
    }
    let send = |text: &str| -> Send {
        serde_json::from_value(json!({"to": ["bob"], "content": text})).expect("a send")
    };
    for (hours, text) in [(26, "a day later"), (24 * 8, "a week later"), (24 * 400, "a year later")] {
        call(&mut broker, hours, 1, Request::Send(send(text)));
        let Response::Checked(checked) = call(&mut broker, hours, 2, Request::Check(Check::default())) else {
            panic!("not an answer of check");
        };
        assert_eq!(checked.messages.last().and_then(|m| m.content.as_ref()).map(|c| &*c.0), Some(text));
    }
}

/// What is below a folder and usable by others.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(at) = left.pop() {
        let found = std::fs::symlink_metadata(&at).expect("it is there");
        if found.mode() & 0o077 != 0 {
            open.push(format!("{} {:o}", at.display(), found.mode() & 0o7777));
        }
        if found.is_dir() {
            left.extend(std::fs::read_dir(&at).expect("ours").map(|entry| entry.expect("an entry").path()));
        }
    }
    open
}

#[test]
fn row_42_private_to_the_user() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    alice.ok("send", json!({"to_id": "bob", "content": "x".repeat(20 << 10)}));
    until("it is read, and in the history", || {
        bob.ok("check", json!({}));
        world.state().join("history").exists()
    });
    let kept = ["run", "state"].map(|name| open_to_others(&world.home().join(name)));
    assert_eq!(kept, [Vec::<String>::new(), Vec::new()], "dirs 0700, files 0600");
    assert!(world.state().join("copies").exists());

    if !is_root() {
        return skip("row 42", "only root can play another user");
    }
    let as_stranger = |program: &str, arguments: &[&str]| {
        let id = STRANGER.to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", program]).args(arguments);
        command.env_clear().envs(world.environment()).current_dir("/").stdin(Stdio::null());
        Said::of(command.output().expect("setpriv runs"))
    };
    let cat = as_stranger("cat", &[world.state().join("ipcd.redb").to_str().unwrap()]);
    assert!(cat.code != 0 && cat.out.is_empty(), "{cat:?}");
    // Made reachable on purpose, the daemon says nothing to strangers all the same.
    let said = connect_as_stranger(&world.socket());
    assert_eq!(said, Err(ErrorKind::PermissionDenied), "the folder keeps others out");
    for (path, mode) in [("", 0o755), ("run", 0o755), ("run/ipcd.sock", 0o666)] {
        let path = world.home().join(path);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(connect_as_stranger(&world.socket()), Ok(Vec::new()), "closed without a byte");
    let status = as_stranger(env!("CARGO_BIN_EXE_ipcd"), &["status", "--json"]);
    if status.code < 0 || status.err.contains("setpriv") {
        return skip("row 42, the command", "strangers cannot read the program here");
    }
    assert_eq!((status.code, &status.json()["error"]["code"]), (1, &json!("foreign_user")), "{status:?}");
    alice.ok("list_instances", json!({}));
    assert!(
        world.log().contains(&format!("user {STRANGER}")) || world.log().contains("unknown in this user")
    );
}

/// Connects as somebody else, says hello, and hears what comes.
fn connect_as_stranger(socket: &Path) -> Result<Vec<u8>, ErrorKind> {
    let socket = socket.to_owned();
    let talk = move || {
        assert!(become_stranger(), "root may be anybody");
        let mut stream = UnixStream::connect(socket).map_err(|e| e.kind())?;
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        // The other end may be closed by now, which is what the read tells.
        let _ =
            std::io::Write::write_all(&mut stream, b"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"hello\"}\n");
        let mut said = Vec::new();
        match stream.read_to_end(&mut said) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error.kind()),
            _ => Ok(said),
        }
    };
    std::thread::spawn(talk).join().expect("the thread ends")
}

/// Changes the user of this thread, where a thread has one of its own.
#[cfg(target_os = "linux")]
fn become_stranger() -> bool {
    #[expect(unsafe_code, reason = "the C library changes the user of all threads, the kernel that of one")]
    // SAFETY: changes the credentials of this thread only, which ends with its test.
    let changed = unsafe { libc::syscall(libc::SYS_setresuid, STRANGER, STRANGER, STRANGER) };
    changed == 0
}

#[cfg(not(target_os = "linux"))]
fn become_stranger() -> bool {
    false
}

#[test]
fn row_43_networks_do_not_see_each_other() {
    let (one, two) = (World::new(), World::new());
    let (mut alice, mut bob) = (one.agent("alice"), two.agent("bob"));
    let names = |agent: &mut Agent| -> Vec<String> {
        let list = agent.ok("list_instances", json!({}));
        list["instances"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((names(&mut alice), names(&mut bob)), (vec!["alice".to_owned()], vec!["bob".to_owned()]));
    let sent = alice.ok("send", json!({"to_id": "bob", "content": "hello?"}));
    assert_eq!(sent["recipient"]["state"], "unregistered");
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]));
    assert_eq!(
        two.agent("alice").ok("check", json!({}))["messages"],
        json!([]),
        "the same name, another one"
    );
    assert_ne!(one.daemon_pid(), two.daemon_pid());
}
