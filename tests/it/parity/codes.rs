//! Row 53: every refusal has a code, a hint and says whether its caller can mend it. Each code that can
//! be had without breaking the machine is provoked where its users meet it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use ipcd::protocol::refusal::RefusalCode;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::machine::{is_root, skip};
use crate::socket::Socket;
use crate::world::{Said, World, kill, until};

/// The code of an error that is as it must be.
fn checked(error: &Value) -> String {
    let code = error["code"].as_str().unwrap_or_else(|| panic!("no code: {error}"));
    let known = RefusalCode::ALL.iter().find(|known| known.word() == code);
    let known = known.unwrap_or_else(|| panic!("an unknown code: {error}"));
    assert_eq!(error["recoverable"], known.recoverable(), "{error}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "no message: {error}");
    assert!(error["hint"].as_str().is_some_and(|text| !text.is_empty()), "no hint: {error}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(!message.ends_with('.') && !message.contains("Err("), "for people: {message}");
    code.to_owned()
}

fn refused(agent: &mut Agent, tool: &str, arguments: Value) -> String {
    let outcome = agent.call(tool, arguments.clone());
    assert!(outcome.is_error, "{tool} {arguments} should have failed: {outcome:?}");
    checked(&outcome.value["error"])
}

fn failed(said: &Said) -> String {
    assert_ne!(said.code, 0, "{said:?}");
    checked(&said.json()["error"])
}

#[test]
fn row_53_codes_about_names_and_arguments() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let mut nobody = world.nameless(&["--no-auto-register"]);
    assert_eq!(refused(&mut nobody, "check", json!({})), "not_registered");
    for (tool, arguments, code) in [
        ("register", json!({"instance_id": "bad name!"}), "invalid_name"),
        ("register", json!({"instance_id": "bob"}), "name_taken"),
        ("register", json!({"instance_id": "root"}), "name_reserved"),
        ("send", json!({"from_id": "bob", "to_id": "bob", "content": "x"}), "not_owner"),
        ("send", json!({"to_id": "no such!", "content": "x"}), "invalid_name"),
        ("send", json!({"content": "to nobody"}), "invalid_argument"),
        ("send", json!({"to_id": "bob", "content": 5}), "invalid_argument"),
        ("send", json!({"to_id": "bob", "content": "x", "colour": "red"}), "invalid_argument"),
        ("send", json!({"to_id": "bob"}), "invalid_argument"),
        ("send", json!({"to_id": "bob", "content": "x", "reply_to": 99}), "unknown_message"),
        ("check", json!({"id": 99}), "unknown_message"),
        ("check", json!({"wait_seconds": 4000}), "invalid_argument"),
        ("send", json!({"to_id": "bob", "content": "x".repeat((1 << 20) + 1)}), "too_large"),
        ("send", json!({"to_id": "bob", "content": "x", "summary": "s".repeat(501)}), "too_large"),
        ("rename", json!({"new_id": "bob"}), "name_taken"),
        ("rename", json!({"new_id": "admin"}), "name_reserved"),
        ("rename", json!({"new_id": "x", "old_id": "bob"}), "not_owner"),
        ("share_file", json!({"to_id": "bob", "filepath": "/"}), "not_a_file"),
        ("share_file", json!({"to_id": "bob", "filepath": "/nowhere"}), "unreadable"),
        ("share_file", json!({"to_id": "bob", "filepath": "/x/.ssh/id_rsa"}), "unreadable"),
        ("share_command", json!({"to_id": "bob", "command": "a | b"}), "shell_syntax"),
        ("share_command", json!({"to_id": "bob", "command": "'"}), "invalid_argument"),
        ("share_command", json!({"to_id": "bob", "command": "/nonexistent/x"}), "invalid_argument"),
    ] {
        assert_eq!(
            refused(&mut alice, tool, arguments.clone()),
            code,
            "{tool} {}",
            &arguments.to_string()[..30.min(arguments.to_string().len())]
        );
    }
    world.file("work/.env", "TOKEN=1");
    assert_eq!(refused(&mut alice, "share_file", json!({"to_id": "bob", "filepath": ".env"})), "secret");
    alice.ok("send", json!({"to_id": "bob", "content": "x", "key": "k"}));
    assert_eq!(
        refused(&mut alice, "send", json!({"to_id": "bob", "content": "y", "key": "k"})),
        "key_reused"
    );
    alice.ok("rename", json!({"new_id": "alice2"}));
    assert_eq!(refused(&mut alice, "rename", json!({"new_id": "alice3"})), "rename_cooldown");
    assert_eq!(refused(&mut bob, "rename", json!({"new_id": "alice"})), "name_reserved", "it forwards");
    for command in ["stop", "release alice2", "dead purge --all"] {
        assert_eq!(failed(&bob.shell(&format!("{command} --json"))), "needs_human", "{command}");
    }
}

#[test]
fn row_53_codes_of_limits() {
    let world = World::with_config(
        "[limits]\nsends_per_minute = 12\nmailbox_messages = 4\nsender_share_percent = 50\n\
         [share_command]\nmode = \"off\"\n[share_file]\nmode = \"off\"\n",
    );
    let (mut alice, mut bob, mut carol) = (world.agent("alice"), world.agent("bob"), world.agent("carol"));
    let mail = |to: &str| json!({"to_id": to, "content": "x"});
    let two = |sender: &mut Agent| (0..2).for_each(|_| drop(sender.ok("send", mail("later"))));
    two(&mut alice);
    assert_eq!(refused(&mut alice, "send", mail("later")), "share_full");
    two(&mut bob);
    assert_eq!(refused(&mut carol, "send", mail("later")), "mailbox_full");
    let several = alice.ok("send", json!({"to_id": ["later", "other"], "content": "x"}));
    assert_eq!(checked(&several["results"][0]["error"]), "mailbox_full", "of several, each has its own");
    let code = loop {
        let outcome = alice.call("send", mail("other"));
        match outcome.is_error.then(|| checked(&outcome.value["error"])) {
            Some(code) if code != "share_full" => break code,
            _ => {}
        }
    };
    assert_eq!(code, "rate_limited");
    let command = json!({"to_id": "bob", "command": "true"});
    assert_eq!(refused(&mut bob, "share_command", command), "denied");
    world.file("work/plain.txt", "text");
    assert_eq!(refused(&mut bob, "share_file", json!({"to_id": "carol", "filepath": "plain.txt"})), "denied");
}

#[test]
fn row_53_code_of_a_conversation_that_runs_away() {
    let world = World::new();
    let mut agents = [world.agent("ping"), world.agent("pong")];
    agents[0].ok("send", json!({"to_id": "pong", "content": "0"}));
    let mut code = None;
    for turn in 1..40 {
        let agent = &mut agents[turn % 2];
        let read = agent.ok("check", json!({"wait_seconds": 5}));
        let reply = json!({"content": turn.to_string(), "reply_to": read["messages"][0]["id"]});
        let outcome = agent.call("send", reply);
        if outcome.is_error {
            code = Some(checked(&outcome.value["error"]));
            break;
        }
    }
    assert_eq!(code.as_deref(), Some("loop"));
}

#[test]
fn row_53_codes_of_the_way_to_the_daemon() {
    let world = World::with_config("[limits]\nsessions = 1\n");
    assert_eq!(failed(&world.run(&["--no-spawn", "list", "--json"])), "retry");
    let _daemon = world.daemon();
    let (mut one, _) = when_there_is_room(&world, 1);
    assert_eq!(failed(&world.run(&["--no-spawn", "list", "--json"])), "busy");
    assert!(one.call(7, "register", json!({"name": "one"}))["result"].is_object());
    one.say(r#"{"jsonrpc":"2.0","id":8,"method":"check","params":{"wait_ms":60000}}"#);
    one.say(r#"{"jsonrpc":"2.0","method":"cancel","params":{"id":8}}"#);
    let answer: Value = serde_json::from_str(&one.hear().expect("an answer")).unwrap();
    assert_eq!((&answer["id"], &answer["error"]["data"]["code"]), (&json!(8), &json!("cancelled")));
    drop(one);
    let (_, answer) = when_there_is_room(&world, 70);
    let mut error = answer["error"]["data"].clone();
    error["message"] = answer["error"]["message"].clone();
    assert_eq!(checked(&error), "unsupported_protocol");
}

/// Says hello in this version to a daemon that has room for one, as soon as nobody else is there; its
/// answer.
fn when_there_is_room(world: &World, version: u32) -> (Socket, Value) {
    let protocol = json!({"min": version, "max": version});
    let params = json!({"protocol": protocol, "role": "mcp", "client": "test/1"});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "hello", "params": params}).to_string();
    let mut found = None;
    until("there is room", || {
        let mut socket = world.connect();
        socket.try_say(&hello);
        let line = socket.hear().expect("an answer or a complaint");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        found = (answer["id"] == 0).then_some((socket, answer));
        found.is_some()
    });
    found.expect("it is there")
}

#[test]
fn row_53_codes_of_the_store() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    let mut alice = world.agent("alice");
    // Names are free, mailboxes are not.
    let mut full = None;
    for round in 0..70 {
        let names: Vec<String> = (0..64).map(|n| format!("n{round}-{n}")).collect();
        let answer = alice.ok("send", json!({"to_id": names, "content": "x"}));
        let results = answer["results"].as_array().expect("results");
        full = results.iter().find_map(|result| result.get("error")).map(checked);
        if full.is_some() {
            break;
        }
    }
    assert_eq!(full.as_deref(), Some("store_full"));

    let store = world.state().join("ipcd.redb");
    let kept = std::fs::read(&store).unwrap();
    std::fs::rename(&store, world.state().join("aside")).unwrap();
    std::fs::write(&store, &kept).unwrap();
    let pid = world.noted_pid();
    assert_eq!(refused(&mut alice, "send", json!({"to_id": "n0-0", "content": "x"})), "store_failed");
    until("the daemon ends", || !crate::world::runs(pid));
    drop(alice);

    // Else it would be kept aside, and a new one made.
    std::fs::create_dir(world.state().join("ipcd.redb.new")).unwrap();
    for (text, code) in [(damaged(&kept), "store_damaged"), (of_schema(99), "store_too_new")] {
        world.run(&["stop"]);
        std::fs::write(&store, text).unwrap();
        std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(failed(&world.run(&["list", "--json"])), code);
    }
    for name in ["state", "run"] {
        let world = World::new();
        let folder = world.folder(name);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(failed(&world.run(&["list", "--json"])), "unsafe_directory", "{name}");
    }
}

fn damaged(store: &[u8]) -> Vec<u8> {
    let mut bytes = store.to_vec();
    for byte in bytes.iter_mut().skip(4096).step_by(64) {
        *byte ^= 0x55;
    }
    bytes
}

/// A store that says of itself that it has another schema; what else is in it does not matter.
fn of_schema(schema: u64) -> Vec<u8> {
    let meta = redb::TableDefinition::<&[u8], &[u8]>::new("meta");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let json = schema.to_string();
    let mut hasher = crc32fast::Hasher::new();
    // The row's place: its table and its key, each behind its length.
    for part in [&b"meta"[..], &b"schema"[..]] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(&[1]);
    hasher.update(json.as_bytes());
    let row = [&[1], &hasher.finalize().to_le_bytes()[..], json.as_bytes()].concat();
    let database = redb::Database::create(&path).expect("a store");
    let write = database.begin_write().expect("a transaction");
    write.open_table(meta).expect("a table").insert(&b"schema"[..], row.as_slice()).expect("a row");
    write.commit().expect("a commit");
    drop(database);
    std::fs::read(path).expect("the store")
}

#[test]
fn row_53_code_of_a_socket_that_somebody_else_listens_at() {
    if !is_root() {
        return skip("row 53, foreign_user", "only root can play another user");
    }
    let world = World::new();
    let run = world.folder("run");
    // The place is open to the other one, who listens there first; we are the one who connects.
    std::fs::set_permissions(world.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = world.socket();
    let mut other = std::process::Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "perl", "-MIO::Socket::UNIX", "-e"])
        .arg("my $s = IO::Socket::UNIX->new(Local => shift, Listen => 5) or die; sleep 60")
        .arg(&socket)
        .spawn()
        .expect("setpriv runs");
    let listens = || std::os::unix::net::UnixStream::connect(&socket).is_ok();
    until("the other one listens", || listens() || other.try_wait().expect("a child").is_some());
    if !listens() {
        return skip("row 53, foreign_user", "there is no perl to listen with");
    }
    assert_eq!(failed(&world.run(&["list", "--json"])), "foreign_user");
    kill(i32::try_from(other.id()).unwrap(), "KILL");
    other.wait().unwrap();
}

/// What no test here provokes, and why.
const ELSEWHERE: &[(&str, &str)] =
    &[("timeout", "a command that survives SIGKILL needs a broken file system")];

#[test]
fn row_53_no_code_is_forgotten() {
    let text = include_str!("codes.rs");
    let all: BTreeSet<&str> = RefusalCode::ALL.iter().map(|code| code.word()).collect();
    let provoked: BTreeSet<&str> =
        all.iter().copied().filter(|word| text.contains(&format!("\"{word}\""))).collect();
    assert_eq!(provoked, all, "each has a line above or a reason in `ELSEWHERE`");
    assert!(ELSEWHERE.iter().all(|(word, why)| all.contains(word) && !why.is_empty()));
}
