//! What becomes of a daemon whose store cannot be written to: what it did not store it refuses, and all
//! that was stored is there, with it or with the next one.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

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

/// All that was stored is there, and nothing else.
fn kept(world: &World, stored: &[u64]) {
    let unclaimed = world.json(&["list"]);
    assert!(unclaimed["instances"].is_array());
    let status = world.json(&["status"]);
    assert_eq!(status["backlog_messages"], stored.len(), "all that was stored, and nothing that was refused");
}

/// A daemon that ends with its test, wherever its note is.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_that_may_not_grow_refuses_sends_and_nothing_else() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    // A file size limit; its signal is ignored, so that writing fails as on a full disk.
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("trap '' XFSZ; ulimit -f 4096; exec \"$IPCD\" daemon");
    shell.env_clear().envs(world.environment()).env("IPCD", crate::world::program());
    let daemon = spawn(shell);
    let pid = i32::try_from(daemon.id()).unwrap();
    until("it serves", || world.run(&["status", "--no-spawn"]).code == 0);
    let (stored, code) = fill(&world);
    assert_eq!(code, "store_full");
    assert!(stored.len() > 3, "{stored:?}");
    kept(&world, &stored);
    assert_eq!(world.daemon_pid(), pid, "the same daemon");
    assert_eq!(world.run(&["stop"]).code, 0);
    let said = ended(daemon);
    assert!(said.code == 0, "{said:?}");
    kept(&world, &stored);
    assert_eq!(world.run(&["send", "more", "there is room again"]).code, 0);
}

/// The daemon that `script` becomes, whose state is on a disk of its own, `size` large, that nobody else
/// sees. `None` where there is no such thing.
fn on_a_small_disk(world: &World, size: &str, script: &str) -> Option<Guarded> {
    if !is_root() {
        skip("a small disk", "only root can mount one");
        return None;
    }
    let state = world.folder("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).expect("our folder");
    let script =
        format!("mount -t tmpfs -o size={size},mode=0700 tmpfs \"$IPCD_HOME/state\" || exit 99\n{script}");
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", &script]);
    shell.env_clear().envs(world.environment()).env("IPCD", crate::world::program());
    let mut daemon = Guarded(spawn(shell));
    let pid = json!(daemon.0.id());
    until("it serves, or there is no mounting here", || {
        let said = world.run(&["status", "--no-spawn", "--json"]);
        let serves = said.code == 0 && said.json()["daemon"]["pid"] == pid;
        serves || daemon.0.try_wait().expect("a child").is_some()
    });
    if let Some(status) = daemon.0.try_wait().expect("a child") {
        // Of `unshare` itself, or of the script where nothing can be mounted.
        assert!(matches!(status.code(), Some(1 | 99)), "{status}");
        skip("a small disk", &format!("no mount namespace here ({status})"));
        return None;
    }
    Some(daemon)
}

#[test]
fn on_a_full_disk_sends_are_refused_the_rest_goes_on_and_all_resumes() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    let Some(daemon) = on_a_small_disk(&world, "8m", "exec \"$IPCD\" daemon") else { return };
    let pid = i32::try_from(daemon.0.id()).unwrap();
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    for number in 0..5 {
        alice.ok("send", json!({"to_id": "bob", "content": format!("before {number}")}));
    }
    // What fills a disk is seldom the store.
    let filler = format!("/proc/{pid}/root{}/filler", world.state().display());
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    drop(file);
    let (stored, code) = fill(&world);
    assert_eq!(code, "store_full");
    assert_eq!(alice.refused("send", json!({"to_id": "bob", "content": "x".repeat(100_000)})), "store_full");
    // Looking and reading go on, with the sessions that were there before.
    let unread = |world: &World| world.json(&["status"])["backlog_messages"].as_u64().unwrap();
    assert_eq!(unread(&world), stored.len() as u64 + 5);
    let error = world.json(&["status"])["daemon"]["last_error"].clone();
    assert!(error.as_str().unwrap().contains("no room left"), "{error}");
    let read = bob.ok("check", json!({}));
    let contents: Vec<String> = read["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(contents, (0..5).map(|n| format!("before {n}")).collect::<Vec<_>>());
    // Settling what was read takes a few pages, for which some room is held in reserve. Where a first try
    // finds the disk full, it is made again with the next call.
    until("what was read is settled", || {
        bob.ok("list_instances", json!({}));
        unread(&world) == stored.len() as u64
    });
    std::fs::remove_file(&filler).unwrap();
    let freed = Instant::now();
    until("a send goes through", || world.run(&["send", "n", &"x".repeat(100_000)]).code == 0);
    assert!(freed.elapsed() < Duration::from_secs(5), "{:?} until the first send", freed.elapsed());
    alice.ok("send", json!({"to_id": "bob", "content": "after"}));
    until("a send and what came after", || unread(&world) == stored.len() as u64 + 2);
    assert_eq!(world.daemon_pid(), pid, "the same daemon");
    let read = bob.ok("check", json!({}));
    assert_eq!(read["messages"].as_array().unwrap().len(), 1, "{read}");
}

#[test]
fn a_daemon_starts_on_a_disk_without_room_and_mail_is_read_there() {
    let world = World::with_config("[limits]\nsends_per_minute = 0\n");
    // One daemon is killed, the disk is filled to its last byte, and the next one starts.
    let before = r#"
        for n in 1 2 3; do "$IPCD" send bob "before $n" >/dev/null || exit 1; done
        kill -9 $(head -n 1 "$IPCD_HOME/state/ipcd.lock")
        cat /dev/zero >"$IPCD_HOME/state/filler" 2>/dev/null
        exec "$IPCD" daemon"#;
    let Some(daemon) = on_a_small_disk(&world, "8m", before) else { return };
    let pid = i32::try_from(daemon.0.id()).unwrap();
    let filler = format!("/proc/{pid}/root{}/filler", world.state().display());
    assert!(std::fs::metadata(&filler).unwrap().len() > 1 << 20, "the disk was filled");
    let mut bob = world.agent("bob");
    let read = bob.ok("check", json!({}));
    assert_eq!(read["messages"].as_array().unwrap().len(), 3, "{read}");
    assert_eq!(read["messages"][0]["redelivered"], true, "the last daemon was killed: {read}");
    let unread = || world.json(&["status"])["backlog_messages"].as_u64().unwrap();
    until("what was read is settled", || {
        bob.ok("list_instances", json!({}));
        unread() == 0
    });
    assert_eq!(bob.refused("send", json!({"to_id": "n", "content": "x".repeat(300_000)})), "store_full");
    std::fs::remove_file(&filler).unwrap();
    until("a send goes through", || world.run(&["send", "n", "there is room"]).code == 0);
    assert_eq!(world.daemon_pid(), pid, "the same daemon");
    let reserve = format!("/proc/{pid}/root{}/ipcd.redb.reserve", world.state().display());
    assert_eq!(std::fs::metadata(reserve).unwrap().len(), 1536 << 10, "the room is held again");
}

/// The notes beside the store.
fn notes(world: &World) -> Vec<std::path::PathBuf> {
    let all =
        std::fs::read_dir(world.state()).expect("a folder").map(|entry| entry.expect("an entry").path());
    all.filter(|path| {
        path.to_string_lossy().contains(".damaged-") && path.extension() == Some("txt".as_ref())
    })
    .collect()
}

#[test]
fn a_damaged_store_is_said_everywhere_until_a_person_takes_the_note_away() {
    let world = World::new();
    world.agent("alice").ok("send", json!({"to_id": "bob", "content": "before"}));
    assert_eq!(world.run(&["stop"]).code, 0);
    // What a bad cable leaves: the first bytes are a store's, the rest is not.
    let store = world.state().join("ipcd.redb");
    let mut bytes = std::fs::read(&store).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&store, &bytes).unwrap();
    let mut bob = world.agent("bob");
    let read = bob.ok("check", json!({}));
    let [saved, notice] = read["messages"].as_array().unwrap().as_slice() else { panic!("{read}") };
    assert_eq!(notice["from"], "system", "{read}");
    assert!(notice["content"].as_str().unwrap().contains("the store is damaged"), "{read}");
    // Nothing is left of the tables, and in the journal is what came last.
    assert_eq!((&saved["content"], &saved["redelivered"]), (&json!("before"), &json!(true)), "{read}");
    let said = world.json(&["status"])["daemon"]["last_error"].as_str().unwrap().to_owned();
    assert!(said.contains("unread mail may be lost") && said.contains("is removed"), "{said}");
    assert!(world.run(&["check"]).out.contains("the store is damaged"), "the person hears of it, too");
    assert!(world.log().contains("the store is damaged"));
    let evidence = std::fs::read_dir(world.state()).unwrap().map(|entry| entry.unwrap().path());
    let mut evidence = evidence.filter(|path| std::fs::read(path).is_ok_and(|found| found == bytes));
    assert!(evidence.next().is_some(), "the damaged file is kept as it was");
    // A new daemon says it again, and a person can end that.
    assert_eq!(world.run(&["stop"]).code, 0);
    world.json(&["list"]);
    assert_eq!(world.json(&["status"])["daemon"]["last_error"].as_str().unwrap(), said);
    notes(&world).iter().for_each(|note| std::fs::remove_file(note).unwrap());
    assert!(world.json(&["status"])["daemon"]["last_error"].is_null());
}

#[test]
fn a_store_that_was_put_back_from_yesterday_is_noticed() {
    let world = World::new();
    let mut alice = world.agent("alice");
    alice.ok("send", json!({"to_id": "bob", "content": "old"}));
    assert_eq!(world.run(&["stop"]).code, 0);
    let (store, old) = (world.state().join("ipcd.redb"), world.state().join("old"));
    std::fs::copy(&store, &old).unwrap();
    alice.ok("send", json!({"to_id": "bob", "content": "new"}));
    assert_eq!(world.run(&["stop"]).code, 0);
    // Its journal has gone on without it.
    std::fs::copy(&old, &store).unwrap();
    world.json(&["list"]);
    let said = world.json(&["status"])["daemon"]["last_error"].as_str().unwrap().to_owned();
    assert!(said.contains("between it and its journal") && notes(&world).len() == 1, "{said}");
    let read = world.agent("bob").ok("check", json!({}));
    let contents: Vec<&Value> = read["messages"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert!(contents.contains(&&json!("old")) && contents.contains(&&json!("new")), "{read}");
    notes(&world).iter().for_each(|note| std::fs::remove_file(note).unwrap());
    assert_eq!(world.run(&["stop"]).code, 0);
    // Without it nothing has.
    std::fs::rename(&old, &store).unwrap();
    std::fs::remove_file(world.state().join("ipcd.redb.journal")).unwrap();
    world.json(&["list"]);
    let said = world.json(&["status"])["daemon"]["last_error"].as_str().unwrap().to_owned();
    assert!(said.contains("rolled back") && notes(&world).len() == 1, "{said}");
}

#[test]
fn a_place_that_cannot_be_written_to_is_one_clear_error() {
    let world = World::new();
    let state = world.folder("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    if !is_root() {
        return skip("a read-only disk", "only root can mount one");
    }
    let script =
        "mount -t tmpfs -o ro,mode=0700 tmpfs \"$IPCD_HOME/state\" || exit 99\nexec \"$IPCD\" daemon";
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", script]);
    shell.env_clear().envs(world.environment()).env("IPCD", crate::world::program());
    let said = ended(spawn(shell));
    if said.code == 99 || said.err.contains("unshare") {
        return skip("a read-only disk", "no mount namespace here");
    }
    assert_eq!(said.code, 1, "{said:?}");
    let errors: Vec<&str> = said.err.lines().filter(|line| line.starts_with("error:")).collect();
    assert!(errors.len() == 1 && errors[0].contains("Read-only") && errors[0].contains("state"), "{said:?}");
}
