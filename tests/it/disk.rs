//! What becomes of a daemon whose store cannot be written to: what it did not store it refuses, it ends,
//! and the next one has all that was stored.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::machine::{ended, is_root, skip, spawn};
use crate::world::{World, runs, until};

#[test]
fn a_store_that_was_replaced_is_not_written_to() {
    let world = World::new();
    let mut alice = world.agent("alice");
    alice.ok("send", json!({"to_id": "bob", "content": "before"}));
    let (store, aside) = (world.state().join("ipcd.redb"), world.state().join("aside"));
    let pid = world.daemon_pid();
    std::fs::copy(&store, &aside).unwrap();
    std::fs::rename(&aside, &store).unwrap();
    let code = alice.refused("send", json!({"to_id": "bob", "content": "lost"}));
    assert_eq!(code, "store_failed");
    until("the daemon ends", || !runs(pid));
    assert_eq!(alice.ok("send", json!({"to_id": "bob", "content": "after"}))["stored"], true);
    let mut bob = world.agent("bob");
    let read = bob.ok("check", json!({}));
    let contents: Vec<&Value> = read["messages"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert_eq!(contents, ["before", "after"], "what was refused is not there, what was stored is");
}

/// Sends until the store refuses; what was stored until then, and the refusal's code.
fn fill(world: &World) -> (Vec<u64>, String) {
    let mut stored = Vec::new();
    loop {
        let number = stored.len();
        let said = world.run(&["send", &format!("n{number}"), &"x".repeat(100_000), "--json"]);
        if said.code != 0 {
            let code = said.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
            return (stored, code);
        }
        assert_eq!(said.json()["stored"], true);
        stored.push(said.json()["id"].as_u64().expect("an id"));
        assert!(number < 2_000, "no limit was met");
    }
}

/// What the next daemon has of what was stored.
fn kept(world: &World, stored: &[u64]) {
    let unclaimed = world.json(&["list"]);
    assert!(unclaimed["instances"].is_array());
    let status = world.json(&["status"]);
    assert_eq!(status["backlog_messages"], stored.len(), "all that was stored, and nothing that was refused");
}

#[test]
fn a_commit_that_fails_refuses_its_calls_and_ends_the_daemon() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    // A file size limit; its signal is ignored, so that writing fails as on a full disk.
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("trap '' XFSZ; ulimit -f 4096; exec \"$IPCD\" daemon");
    shell.env_clear().envs(world.environment()).env("IPCD", env!("CARGO_BIN_EXE_ipcd"));
    let daemon = spawn(shell);
    let pid = i32::try_from(daemon.id()).unwrap();
    until("it serves", || world.run(&["status"]).code == 0);
    let (stored, code) = fill(&world);
    assert!(["store_failed", "store_full"].contains(&code.as_str()), "{code}");
    assert!(stored.len() > 3, "{stored:?}");
    until("the daemon ends", || !runs(pid));
    let said = ended(daemon);
    assert!(said.code != 0 && said.err.contains("commit failed"), "{said:?}");
    kept(&world, &stored);
    assert_eq!(world.run(&["send", "more", "there is room again"]).code, 0);
}

#[test]
fn a_full_disk_is_said_and_nothing_is_lost_by_it() {
    if !is_root() {
        return skip("a full disk", "only root can mount a small one");
    }
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    let state = world.folder("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    // The small disk is there for the daemon alone, in a mount namespace of its own.
    let script = r#"
mount -t tmpfs -o size=6m,mode=0700 tmpfs "$IPCD_HOME/state" || exit 99
"$IPCD" daemon; echo "ended $?"
cp "$IPCD_HOME/state/ipcd.redb" "$IPCD_HOME/state/head" "$IPCD_HOME/" && chmod 600 "$IPCD_HOME/ipcd.redb"
"#;
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", script]);
    shell.env_clear().envs(world.environment()).env("IPCD", env!("CARGO_BIN_EXE_ipcd"));
    let mut namespace = spawn(shell);
    until("it serves, or there is no mounting here", || {
        world.run(&["status"]).code == 0 || namespace.try_wait().unwrap().is_some()
    });
    if let Some(status) = namespace.try_wait().unwrap() {
        return skip("a full disk", &format!("no mount namespace here ({status})"));
    }
    let (stored, code) = fill(&world);
    assert_eq!(code, "store_full");
    let said = ended(namespace);
    assert!(said.out.contains("ended 1"), "{said:?}");
    for name in ["ipcd.redb", "head"] {
        std::fs::rename(world.home().join(name), state.join(name)).unwrap();
    }
    kept(&world, &stored);
}
