//! Rows 32 to 34: files and the output of commands, shared from the agent's own process.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use base64::Engine;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::{World, runs, until};

/// The next message whole: its content and its data, from the private copy if it is large.
fn received(reader: &mut Agent) -> (String, Value) {
    let answer = reader.ok("check", json!({}));
    let mail = &answer["messages"][0];
    assert_eq!(answer["messages"].as_array().map(Vec::len), Some(1), "{answer}");
    let Some(path) = mail["path"].as_str() else {
        return (mail["content"].as_str().expect("content").to_owned(), mail["data"].clone());
    };
    let mode = std::fs::metadata(path).expect("the copy").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the copy is private");
    let whole: Value = serde_json::from_slice(&std::fs::read(path).expect("the copy")).expect("JSON");
    (whole["content"].as_str().expect("content").to_owned(), whole["data"].clone())
}

fn share(sender: &mut Agent, path: &str) -> Value {
    sender.ok("share_file", json!({"to_id": "bob", "filepath": path, "description": "have a look"}))
}

#[test]
fn row_32_share_file() {
    let world = World::new();
    let work = world.folder("work");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let text: String = (0..).map(|n| format!("line {n} äöü\n")).take(1_300).collect();
    assert!(text.len() > 20 << 10);
    std::fs::write(work.join("notes.txt"), &text).unwrap();
    assert_eq!(share(&mut alice, "notes.txt")["stored"], true);
    let (content, data) = received(&mut bob);
    let path = work.join("notes.txt").display().to_string();
    assert_eq!(content, format!("Shared file: {path}"));
    assert_eq!((&data["type"], &data["filepath"]), (&json!("file"), &json!(path)), "the path is absolute");
    assert_eq!((&data["content"], &data["description"]), (&json!(text), &json!("have a look")));

    let bytes: Vec<u8> = (0..=255).collect();
    std::fs::write(work.join("blob"), &bytes).unwrap();
    share(&mut alice, "blob");
    let (_, data) = received(&mut bob);
    assert_eq!(data["encoding"], "base64");
    let decoded = base64::engine::general_purpose::STANDARD.decode(data["content"].as_str().unwrap());
    assert_eq!(decoded.unwrap(), bytes);

    std::fs::write(work.join("mib"), "m".repeat(1 << 20)).unwrap();
    share(&mut alice, "mib");
    assert_eq!(received(&mut bob).1["content"].as_str().map(str::len), Some(1 << 20));
}

#[test]
fn row_32_what_is_no_file_or_a_secret_is_refused_at_once() {
    let world = World::new();
    let work = world.folder("work");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    std::fs::write(work.join("more"), "m".repeat((1 << 20) + 1)).unwrap();
    std::fs::create_dir(work.join("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(work.join("fifo")).status().unwrap().success());
    let keys = world.folder(".ssh");
    std::fs::write(keys.join("id_ed25519"), "a key").unwrap();
    symlink(keys.join("id_ed25519"), work.join("innocent.txt")).unwrap();
    // Put together here, so that no scanner takes this file for what it looks for.
    std::fs::write(work.join("token.txt"), format!("{}_{}", "ghp", "aB3dE5gH1jK2mN4pQ6sT8vW0xY7z12345678"))
        .unwrap();
    for (path, code) in [
        ("more", "too_large"),
        ("folder", "not_a_file"),
        ("fifo", "not_a_file"),
        ("/dev/zero", "not_a_file"),
        ("nowhere", "unreadable"),
        ("innocent.txt", "secret"),
        ("token.txt", "secret"),
        ("~/.ssh/id_ed25519", "secret"),
    ] {
        assert_eq!(alice.refused("share_file", json!({"to_id": "bob", "filepath": path})), code, "{path}");
    }
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]), "nothing was sent");
}

/// Shares what a command prints; the answer, and what the recipient got.
fn share_command(sender: &mut Agent, reader: &mut Agent, command: &str) -> (Value, Value) {
    let answer = sender.ok("share_command", json!({"to_id": "bob", "command": command}));
    let (content, data) = received(reader);
    assert_eq!((content, &data["command"]), (format!("Command output: {command}"), &json!(command)));
    assert_eq!(answer["returncode"], data["returncode"]);
    (answer, data)
}

#[test]
fn row_33_share_command() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let (answer, data) = share_command(&mut alice, &mut bob, "echo 'two  words' and more");
    assert_eq!((&answer["returncode"], &answer["timed_out"]), (&json!(0), &json!(false)));
    assert_eq!((&data["stdout"], &data["stderr"]), (&json!("two  words and more\n"), &json!("")));

    let (_, data) = share_command(&mut alice, &mut bob, "ls /nonexistent");
    assert_eq!((&data["returncode"], &data["stdout"]), (&json!(2), &json!("")));
    assert!(data["stderr"].as_str().unwrap().contains("/nonexistent"), "{data}");

    // The seed's child read the client's requests from the server's stdin, and mailed them.
    let sharing = alice.start("share_command", json!({"to_id": "bob", "command": "head -n 1"}));
    let ping = alice.send("ping", json!({}));
    assert_eq!(alice.answer(ping)["result"], json!({}));
    assert_eq!(alice.finish(sharing).value["returncode"], 0);
    assert_eq!(received(&mut bob).1["stdout"], "");

    let (_, data) = share_command(&mut alice, &mut bob, "seq 1 200000");
    let stdout = data["stdout"].as_str().unwrap();
    assert_eq!(data["truncated"], true);
    assert!(stdout.len() <= 64 << 10 && stdout.starts_with("1\n2\n") && stdout.ends_with("200000\n"));
    assert_eq!(
        alice.refused("share_command", json!({"to_id": "bob", "command": "no-such-program"})),
        "invalid_argument"
    );
}

/// A command that starts a child, says its pid in a file, and takes long.
const LONG: &str = "sh -c 'sleep 1000 & echo $! >child.new; mv child.new child; wait'";

fn child_of_long(world: &World) -> i32 {
    let mut child = 0;
    until("the command runs", || {
        let note = std::fs::read_to_string(world.home().join("work/child")).unwrap_or_default();
        child = note.trim().parse().unwrap_or(0);
        child > 0
    });
    child
}

#[test]
fn row_33_a_command_that_takes_too_long_is_ended_with_all_that_it_started() {
    let world = World::with_config("[share_command]\ntimeout_s = 1.0\n");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let sharing = alice.start("share_command", json!({"to_id": "bob", "command": LONG}));
    let child = child_of_long(&world);
    let ping = alice.send("ping", json!({}));
    assert!(alice.answer(ping)["result"].is_object(), "answered while the command ran");
    alice.ok("list_instances", json!({}));
    let outcome = alice.finish(sharing);
    assert!(!outcome.is_error && outcome.value["timed_out"] == true, "{outcome:?}");
    until("the whole group is gone", || !runs(child));
    let (_, data) = received(&mut bob);
    assert_eq!((&data["timed_out"], &data["signal"]), (&json!(true), &json!("SIGTERM")));
}

#[test]
fn row_33_a_command_ends_with_its_call_and_sends_nothing() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let sharing = alice.start("share_command", json!({"to_id": "bob", "command": LONG}));
    let child = child_of_long(&world);
    alice.cancel(sharing);
    until("the command is gone", || !runs(child));
    alice.ok("send", json!({"to_id": "bob", "content": "after it"}));
    assert_eq!(received(&mut bob).0, "after it");
    std::fs::remove_file(world.home().join("work/child")).unwrap();

    let alone = "sh -c 'echo $$ >child.new; mv child.new child; exec sleep 1000'";
    alice.start("share_command", json!({"to_id": "bob", "command": alone}));
    let child = child_of_long(&world);
    alice.dies();
    until("the command is gone with its front end", || !runs(child));
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]));
}

#[test]
fn row_34_pipes_are_refused_unless_a_shell_is_named() {
    let world = World::new();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    for command in ["echo a | wc -l", "echo a > f", "ls && ls", "echo $HOME", "sleep 9 &"] {
        let code = alice.refused("share_command", json!({"to_id": "bob", "command": command}));
        assert_eq!(code, "shell_syntax", "{command}");
    }
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]));
    let (_, data) = share_command(&mut alice, &mut bob, "sh -c 'echo a | wc -l'");
    assert_eq!(data["stdout"].as_str().map(str::trim), Some("1"));
    let (_, data) = share_command(&mut alice, &mut bob, "echo 'a | wc -l'");
    assert_eq!(data["stdout"], "a | wc -l\n");
}
