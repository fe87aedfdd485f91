//! Being somebody else: every way to say another's name, through every door. None may work.

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::socket::Socket;
use crate::world::{Said, World};

/// Alice lives, `old` forwards to her, and nobody can be one of the last.
const TAKEN: &[&str] = &["alice", "Alice", "ALICE", "aLiCe", "old", "OLD"];
const RESERVED: &[&str] = &[
    "system",
    "ipcd",
    "user",
    "human",
    "root",
    "admin",
    "all",
    "everyone",
    "broadcast",
    "self",
    "any",
    "none",
    "System",
    "USER",
    "Root",
    "IPCD",
];
/// What looks like her name, or like none.
const LOOK_ALIKES: &[&str] = &[
    "\u{430}lice",
    "al\u{131}ce",
    "ali\u{441}e",
    "\u{ff41}lice",
    "alice\u{200d}",
    "\u{202e}ecila",
    "alice\u{fe0f}",
    "alice\n",
    "alice\u{0}",
    "al ice",
    "alice/",
    "../alice",
    "-alice",
    "",
    "*",
    "alice,user",
    "alicealicealicealicealicealicealice",
    "alice\u{301}",
    "user\u{a0}",
    "syst\u{435}m",
];

/// What a refusal of these may say; anything else is a way round, or an attempt that proved nothing.
const FITTING: &[&str] =
    &["not_owner", "name_taken", "name_reserved", "invalid_name", "invalid_argument", "needs_human"];

fn all() -> impl Iterator<Item = &'static str> {
    TAKEN.iter().chain(RESERVED).chain(LOOK_ALIKES).copied()
}

#[derive(Default)]
struct Tally {
    attempts: u32,
    succeeded: Vec<String>,
}

impl Tally {
    /// `code`: of the refusal, if it was one.
    fn count(&mut self, what: impl std::fmt::Display, code: Option<&str>) {
        self.attempts += 1;
        if !code.is_some_and(|code| FITTING.contains(&code)) {
            self.succeeded.push(format!("{what}: {code:?}"));
        }
    }

    fn tool(&mut self, agent: &mut Agent, tool: &str, arguments: Value) {
        let outcome = agent.call(tool, arguments.clone());
        let code = outcome.value["error"]["code"].as_str().filter(|_| outcome.is_error);
        self.count(format_args!("{tool} {arguments}"), code);
    }

    fn wire(&mut self, socket: &mut Socket, method: &str, params: Value) {
        let answer = socket.call(i64::from(self.attempts) + 100, method, params.clone());
        self.count(format_args!("{method} {params}"), answer["error"]["data"]["code"].as_str());
    }

    fn command(&mut self, what: &str, said: &Said) {
        let error: Value = serde_json::from_str(said.out.trim()).unwrap_or_default();
        let code = error["error"]["code"].as_str().filter(|_| said.code == 1);
        self.count(format_args!("ipcd {what}"), code);
    }
}

/// In single quotes of a shell.
fn quoted(name: &str) -> String {
    format!("'{name}'")
}

#[test]
fn nobody_can_be_somebody_else() {
    // Without the limits that would refuse for another reason.
    let world = World::with_config("[limits]\nsends_per_minute = 0\nrename_cooldown_s = 0\n");
    let mut alice = world.agent("old");
    alice.ok("rename", json!({"new_id": "alice"}));
    let mut bob = world.agent("bob");
    bob.ok("send", json!({"to_id": "alice", "content": "for alice alone"}));
    let mut mallory = world.agent("mallory");
    let mut tally = Tally::default();

    through_mcp(&mut tally, &mut mallory);
    below_the_agent(&mut tally, &mut mallory);
    through_the_socket(&mut tally, &world);
    in_a_terminal(&mut tally, &world);

    // What everybody can see of it afterwards.
    let mail = alice.ok("check", json!({}));
    assert_eq!(mail["messages"][0]["content"], "for alice alone", "{mail}");
    assert_eq!(mail["messages"].as_array().map(Vec::len), Some(1), "{mail}");
    assert_eq!(bob.ok("check", json!({}))["messages"], json!([]), "nothing came in another's name");
    let list = alice.ok("list_instances", json!({}));
    let of = |name: &str| list["instances"].as_array().unwrap().iter().find(|i| i["name"] == name).cloned();
    assert_eq!(of("alice").expect("she is there")["pid"], alice.pid());
    assert_eq!(of("mallory").expect("still mallory")["pid"], mallory.pid());
    crate::gauge::figure(&format!(
        "impersonation: attempts={} succeeded={}",
        tally.attempts,
        tally.succeeded.len()
    ));
    assert!(tally.attempts > 400, "{}", tally.attempts);
    assert!(tally.succeeded.is_empty(), "{}", tally.succeeded.join("\n"));
}

fn through_mcp(tally: &mut Tally, mallory: &mut Agent) {
    for name in all() {
        for argument in ["instance_id", "name"] {
            tally.tool(mallory, "register", json!({argument: name}));
        }
        tally.tool(mallory, "rename", json!({"new_id": name}));
        // Who acts on behalf of nobody acts as itself: an empty parameter is as good as none.
        if name.is_empty() {
            continue;
        }
        tally.tool(mallory, "rename", json!({"old_id": name, "new_id": "mallory-2"}));
        tally.tool(mallory, "send", json!({"from_id": name, "to_id": "bob", "content": "x"}));
        tally.tool(mallory, "broadcast", json!({"from_id": name, "content": "x"}));
        tally.tool(mallory, "check", json!({"instance_id": name}));
        tally.tool(
            mallory,
            "send_message",
            json!({"from": name, "to": "bob", "content": "x", "summary": "x"}),
        );
        tally.tool(mallory, "get_messages", json!({"terminal_name": name}));
        tally.tool(mallory, "watch_messages", json!({"terminal_name": name, "timeout": 1}));
        tally.tool(mallory, "auto_process", json!({"instance_id": name}));
        tally.tool(mallory, "share_command", json!({"from_id": name, "to_id": "bob", "command": "true"}));
    }
}

/// In its own shell, the agent is the agent.
fn below_the_agent(tally: &mut Tally, mallory: &mut Agent) {
    for name in all().filter(|name| !name.contains(['\0', '\n']) && !name.is_empty()) {
        let name = quoted(name);
        for command in [
            format!("send bob x --as={name} --json"),
            format!("check --as={name} --json"),
            format!("rename --json -- {name}"),
            format!("register --json -- {name}"),
            format!("release --json -- {name}"),
        ] {
            let said = mallory.shell(&command);
            tally.command(&command, &said);
        }
    }
}

fn through_the_socket(tally: &mut Tally, world: &World) {
    let mut socket = world.client();
    socket.call(1, "register", json!({"name": "raw"}));
    for name in all() {
        tally.wire(&mut socket, "register", json!({"name": name}));
        tally.wire(&mut socket, "rename", json!({"new": name}));
        tally.wire(&mut socket, "rename", json!({"old": name, "new": "raw-2"}));
        tally.wire(&mut socket, "send", json!({"to": ["bob"], "content": "x", "from": name}));
        tally.wire(&mut socket, "broadcast", json!({"content": "x", "from": name}));
        tally.wire(&mut socket, "check", json!({"from": name}));
        tally.wire(&mut socket, "auto", json!({"set": "status", "from": name}));
    }
    // Facts that only the daemon knows, said by a peer.
    for (field, value) in [
        ("sender", json!({"verified": "daemon"})),
        ("hops", json!(0)),
        ("verified", json!("full")),
        ("id", json!(1)),
        ("sent_at", json!("2020-01-01T00:00:00Z")),
        ("redelivered", json!(false)),
    ] {
        tally.wire(&mut socket, "send", json!({"to": ["bob"], "content": "x", field: value}));
    }
    for (method, params) in [
        ("release", json!({"name": "alice"})),
        ("dead_purge", json!({})),
        ("dead_requeue", json!({})),
        ("stop", json!({})),
    ] {
        tally.wire(&mut socket, method, params);
    }
    // The agent's own session number is a claim, and no key to a name that lives.
    let mut claims = world.connect();
    let hello = json!({"protocol": {"min": 1, "max": 1}, "role": "mcp", "client": "test/1", "program": "test-agent",
        "program_session": "alice's", "as": "alice"});
    claims.call(0, "hello", hello);
    let named = claims.call(1, "register", json!({}))["result"]["name"].clone();
    tally
        .count("register by a claim", Some("invalid_name").filter(|_| named.is_string() && named != "alice"));
}

/// A person's terminal may release a name, and not be one.
fn in_a_terminal(tally: &mut Tally, world: &World) {
    for name in all().filter(|name| !name.contains(['\0', '\n']) && !name.is_empty()) {
        // In its own name a person is `user`, which is no impersonation.
        if !name.eq_ignore_ascii_case("user") {
            tally.command("send --as", &world.run(&["send", "bob", "x", "--json", &format!("--as={name}")]));
        }
        tally.command("register", &world.run(&["register", "--json", "--", name]));
    }
}
