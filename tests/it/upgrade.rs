//! Programs of different releases in one home: those that understand each other work together, others make
//! way for the newer one, and nothing is lost.

use serde_json::{Value, json};

use crate::world::{Said, World, runs, until};

/// Built with the tests: only a debug build can pretend to be of another release.
const OURS: &str = env!("CARGO_BIN_EXE_ipcd");

impl World {
    /// The same home, seen by the programs of another release: of this version and protocol (`2-3`).
    fn release(&self, version: &str, protocol: &str) -> World {
        let pretend = [("VERSION", version), ("PROTOCOL", protocol)];
        let variables =
            pretend.map(|(what, value)| (format!("IPCD_PRETEND_{what}"), value.to_owned())).into();
        World { dir: self.dir.clone(), program: OURS.into(), variables }
    }

    /// The same home with a program of its own, which can be replaced by [`World::replace_program`].
    fn with_own_program(&self) -> World {
        let world =
            World { dir: self.dir.clone(), program: self.folder("bin").join("ipcd"), variables: Vec::new() };
        world.replace_program();
        world
    }

    /// Puts another file in the program's place, in one step, as installers do.
    fn replace_program(&self) {
        let new = self.home().join("new-ipcd");
        std::fs::copy(OURS, &new).expect("a copy");
        std::fs::rename(new, &self.program).expect("it takes the place");
    }
}

fn refusal(said: &Said) -> (i32, String, String) {
    let error = &said.json()["error"];
    let text = |field: &str| error[field].as_str().expect("a text").to_owned();
    (said.code, text("code"), text("message") + "; " + &text("hint"))
}

fn first_of(check: &Value) -> &Value {
    &check["messages"][0]["content"]
}

#[test]
fn releases_that_understand_each_other_work_together() {
    let old = World::new();
    let mut alice = old.agent("alice");
    let pid = old.daemon_pid();
    let new = old.release("9.1.0", "1-2");
    let mut bob = new.agent("bob");
    assert_eq!(bob.ok("send", json!({"to_id": "alice", "content": "up"}))["recipient"]["state"], "live");
    assert_eq!(first_of(&alice.ok("check", json!({}))), "up");
    assert_eq!(new.daemon_pid(), pid, "nobody gave way");
    let page = new.run(&["status"]).out;
    let ours = env!("CARGO_PKG_VERSION");
    assert!(page.contains(&format!("this is ipcd 9.1.0, the daemon is {ours}")), "{page}");
    assert!(!page.contains("cannot talk"), "{page}");
    let page = old.run(&["status"]).out;
    assert!(page.contains("1 connection of ipcd 9.1.0: restart those agents"), "{page}");
}

#[test]
fn an_older_daemon_makes_way_and_no_call_is_lost() {
    let old = World::new();
    old.json(&["send", "carol", "from before"]);
    let pid = old.daemon_pid();
    // It speaks both, and waits over the change.
    let between = old.release("5.0.0", "1-2");
    let mut bob = between.agent("bob");
    let wait = bob.start("check", json!({"wait_seconds": 60}));
    let new = old.release("9.1.0", "2-3");
    assert_eq!(new.json(&["send", "bob", "from the future"])["stored"], true);
    assert_eq!(first_of(&bob.finish(wait).value), "from the future");
    assert!(!runs(pid), "the old daemon is gone");
    // Bob's front end starts the next one as well as the command does, if it is quicker.
    let status = new.json(&["status"]);
    assert!(status["daemon"]["protocol"]["max"].as_u64() >= Some(2), "{status}");
    assert_eq!(status["unclaimed"][0]["unread"], 1, "what was stored before: {status}");
    assert_eq!(old.daemons().len(), 1);
}

#[test]
fn an_agent_of_an_older_release_is_told_what_to_restart() {
    let old = World::new();
    let mut alice = old.agent("alice");
    alice.ok("send", json!({"to_id": "alice", "content": "kept"}));
    let new = old.release("9.1.0", "2-3");
    let mut carol = new.agent("carol");
    let ours = env!("CARGO_PKG_VERSION");
    let refused = alice.call("check", json!({}));
    assert!(refused.is_error, "{refused:?}");
    let said = refused.value["error"].to_string();
    for words in ["unsupported_protocol", "ipcd/9.1.0", &format!("ipcd/{ours}"), "restart the agent"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Its mail waits for the agent's next front end.
    assert_eq!(carol.ok("send", json!({"to_id": "alice", "content": "more"}))["recipient"]["unread"], 2);
    let mut alice = {
        drop(alice);
        new.agent("alice")
    };
    assert_eq!(first_of(&alice.ok("check", json!({}))), "kept");
}

#[test]
fn a_newer_daemon_gives_way_to_nobody() {
    let old = World::new();
    let new = old.release("9.1.0", "2-3");
    new.json(&["send", "bob", "x"]);
    let pid = new.daemon_pid();
    let (code, word, words) = refusal(&old.run(&["send", "bob", "y", "--json"]));
    assert_eq!((code, word.as_str()), (1, "unsupported_protocol"));
    assert!(words.contains("ipcd/9.1.0 and speaks protocol 3") && words.contains("speaks 1 to 1"), "{words}");
    assert_eq!(old.daemon_pid(), pid, "`status` is for every release");
    let page = old.run(&["status"]).out;
    assert!(page.contains("cannot talk (protocol 1 to 1 here, 2 to 3 there)"), "{page}");
    assert_eq!(old.run(&["stop"]).code, 0, "and so is `stop`");
    assert!(!runs(pid));
    assert_eq!(old.json(&["send", "bob", "y"])["recipient"]["unread"], 2, "the store is the same");
}

#[test]
fn only_a_client_that_cannot_be_served_may_ask_a_daemon_to_make_way() {
    let world = World::new();
    let daemon = world.daemon();
    let mut socket = world.connect();
    let any = json!({"protocol": {"min": 0, "max": u32::MAX}, "role": "mcp", "client": "test/1"});
    assert_eq!(socket.call(0, "hello", any)["result"]["protocol"], 1);
    let answer = socket.call(1, "retire", json!({"protocol": {"min": 1, "max": 9}}));
    assert_eq!(answer["error"]["data"]["code"], "needs_human");
    assert_eq!(socket.call(2, "retire", json!({"protocol": {"min": 2, "max": 9}}))["result"], json!({}));
    assert_eq!(daemon.ends(), 0);
}

#[test]
fn a_daemon_without_autostart_is_left_alone() {
    let old = World::new();
    let daemon = old.daemon();
    let new = old.release("9.1.0", "2-3");
    let (_, word, _) = refusal(&new.run(&["send", "bob", "x", "--no-spawn", "--json"]));
    assert_eq!(word, "unsupported_protocol");
    assert_eq!(old.daemon_pid(), daemon.pid());
}

#[test]
fn a_replaced_program_is_told_of_and_followed() {
    let world = World::new().with_own_program();
    world.json(&["send", "later", "kept"]);
    let pid = world.daemon_pid();
    assert_eq!(world.json(&["status"])["daemon"]["program_replaced"], Value::Null);
    let mut alice = world.agent("alice");
    world.replace_program();
    assert_eq!(world.json(&["status"])["daemon"]["program_replaced"], true);
    let page = world.run(&["status"]).out;
    assert!(page.contains("program was replaced since it started"), "{page}");
    // With an agent there it stays; `stop` is enough, and the agent sees nothing of it.
    assert_eq!(world.run(&["stop"]).code, 0);
    alice.ok("send", json!({"to_id": "later", "content": "more"}));
    let status = world.json(&["status"]);
    assert_ne!(status["daemon"]["pid"], pid);
    assert_eq!(status["daemon"]["program"], world.program.display().to_string());
    assert_eq!(status["unclaimed"][0]["unread"], 2);
    // Without anybody it leaves by itself, long before it is idle for ten minutes.
    let pid = world.daemon_pid();
    world.replace_program();
    drop(alice);
    until("the daemon makes way for the new program", || !runs(pid));
}
