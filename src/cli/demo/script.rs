//! What the two agents say to each other, and what must come of it.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::Teller;
use crate::cli::trial::{Agent, Home};

const QUESTION: &str = "The tests fail since your last commit. Can you look?";
const ANSWER: &str = "Found it: an off-by-one in the parser. Fixed.";
const NOTES: &str = "# Release notes\n\n- the parser counts from zero now\n";
const TO_THE_OLD_NAME: &str = "Thanks! This goes to the name I knew.";
const TO_ALL: &str = "I review from now on.";

/// How long one agent waits for the other, in seconds: longer than any step takes.
const WAIT_S: u64 = 20;

/// Plays the whole piece.
pub async fn play(home: &mut Home, teller: &mut Teller<'_>) -> Result<()> {
    teller.title(&format!("a daemon and two agents, in {}", home.work().display()));
    let begun = Instant::now();
    let daemon = home.start_daemon().await?;
    teller.tell("daemon", begun, &format!("ipcd {} answers, pid {}", daemon.version, daemon.pid));
    let alice = enter(home, teller, "alice").await.context("alice could not enter")?;
    let bob = enter(home, teller, "bob").await.context("bob could not enter")?;
    let mut stage = Stage { alice, bob, teller };
    stage.ask().await.context("alice asks and bob hears")?;
    stage.share(home).await.context("alice shares and bob reads")?;
    stage.rename().await.context("bob gets another name")?;
    stage.all_is_read().await.context("all is read")?;
    stage.alice.end().await?;
    stage.bob.end().await
}

async fn enter(home: &Home, teller: &mut Teller<'_>, name: &str) -> Result<Agent> {
    let begun = Instant::now();
    let mut command = home.command("mcp");
    command.arg("--no-auto-register").stderr(Stdio::inherit());
    let mut agent = Agent::start(command, "ipcd-demo").await?;
    let answer = agent.tool("register", json!({ "instance_id": name })).await?;
    expect(answer["name"] == name && answer["unread"] == 0, &answer)?;
    teller.tell(name, begun, "starts an MCP front end and registers");
    Ok(agent)
}

struct Stage<'a, 'b> {
    alice: Agent,
    bob: Agent,
    teller: &'a mut Teller<'b>,
}

impl Stage<'_, '_> {
    async fn ask(&mut self) -> Result<()> {
        let data = json!({ "commit": "4f2a9c1", "failed": [3, 5] });
        let question = json!({ "to_id": "bob", "content": QUESTION, "data": data });
        let waiting = self.bob.tool("check", json!({ "wait_seconds": WAIT_S }));
        let asking = async {
            until_waiting(&mut self.alice, "bob").await?;
            let begun = Instant::now();
            Ok((begun, self.alice.tool("send", question).await?))
        };
        let (heard, (begun, sent)) = tokio::try_join!(waiting, asking)?;
        self.teller.tell("alice", begun, &format!("asks bob, who waits for mail: {QUESTION}"));
        let message = only(&heard)?;
        expect(sent["stored"] == true && message["id"] == sent["id"] && message["from"] == "alice", &heard)?;
        expect(message["content"] == QUESTION && message["data"] == data, &heard)?;
        let sender = &message["sender"];
        let pid = self.alice.pid().map(u64::from);
        expect(sender["verified"] == "full" && sender["pid"].as_u64() == pid, &heard)?;
        self.teller.tell(
            "bob",
            begun,
            &format!("has it; the kernel vouches for the sender, pid {}", sender["pid"]),
        );

        let begun = Instant::now();
        let reply = json!({ "content": ANSWER, "reply_to": message["id"] });
        let sent = self.bob.tool("send", reply).await?;
        expect(sent["to"] == "alice" && sent["recipient"]["state"] == "live", &sent)?;
        self.teller.tell("bob", begun, &format!("answers: {ANSWER}"));
        let begun = Instant::now();
        let heard = self.alice.tool("check", json!({})).await?;
        let answer = only(&heard)?;
        expect(answer["content"] == ANSWER && answer["reply_to"] == message["id"], &heard)?;
        self.teller.tell("alice", begun, "reads it, and sees which question it answers");
        Ok(())
    }

    async fn share(&mut self, home: &Home) -> Result<()> {
        let path = home.work().join("notes.md");
        std::fs::write(&path, NOTES).context("cannot write the file")?;
        let begun = Instant::now();
        let file = json!({ "to_id": "bob", "filepath": path, "description": "for the release" });
        self.alice.tool("share_file", file).await?;
        self.teller.tell("alice", begun, "shares the file notes.md");

        let begun = Instant::now();
        let program = home.exe().to_str().context("the program's own path is not UTF-8")?;
        let command = format!("{} --version", shlex::try_quote(program)?);
        let shared = self.alice.tool("share_command", json!({ "to_id": "bob", "command": command })).await?;
        expect(shared["returncode"] == 0, &shared)?;
        self.teller.tell("alice", begun, "runs `ipcd --version` and shares what it prints");

        let begun = Instant::now();
        let heard = self.bob.tool("check", json!({})).await?;
        let [file, command] = messages(&heard) else { bail!("two messages were expected: {heard}") };
        let version = concat!("ipcd ", env!("CARGO_PKG_VERSION"), "\n");
        expect(file["data"]["content"] == NOTES && command["data"]["stdout"] == version, &heard)?;
        self.teller.tell("bob", begun, "reads both: byte by byte what was shared");
        Ok(())
    }

    async fn rename(&mut self) -> Result<()> {
        let begun = Instant::now();
        let renamed = self.bob.tool("rename", json!({ "new_id": "reviewer" })).await?;
        expect(renamed["name"] == "reviewer" && renamed["forwards_from"] == "bob", &renamed)?;
        self.teller.tell("bob", begun, "is reviewer now; the old name forwards");

        let begun = Instant::now();
        let late = json!({ "to_id": "bob", "content": TO_THE_OLD_NAME });
        let sent = self.alice.tool("send", late).await?;
        expect(sent["to"] == "reviewer" && sent["forwarded_from"] == "bob", &sent)?;
        self.teller.tell("alice", begun, "writes to bob, and is told that reviewer gets it");
        let begun = Instant::now();
        let heard = self.bob.tool("check", json!({})).await?;
        expect(only(&heard)?["content"] == TO_THE_OLD_NAME, &heard)?;
        self.teller.tell("reviewer", begun, &format!("reads: {TO_THE_OLD_NAME}"));

        let begun = Instant::now();
        let sent = self.bob.tool("broadcast", json!({ "content": TO_ALL })).await?;
        expect(sent["delivered"] == json!(["alice"]), &sent)?;
        self.teller.tell("reviewer", begun, &format!("tells everybody: {TO_ALL}"));
        let begun = Instant::now();
        let heard = self.alice.tool("check", json!({})).await?;
        let from: Vec<&Value> = messages(&heard).iter().map(|message| &message["from"]).collect();
        expect(from == ["system", "reviewer"], &heard)?;
        self.teller.tell("alice", begun, "reads that bob is reviewer, and what reviewer told everybody");
        Ok(())
    }

    async fn all_is_read(&mut self) -> Result<()> {
        let begun = Instant::now();
        // The next call of each settles what it read last.
        self.bob.tool("list_instances", json!({})).await?;
        let listed = self.alice.tool("list_instances", json!({})).await?;
        let instances = listed["instances"].as_array().context("no list of instances")?;
        let quiet = instances.iter().all(|instance| instance["unread"] == 0);
        expect(instances.len() == 2 && quiet, &listed)?;
        self.teller.tell("daemon", begun, "holds no unread mail: all was read, nothing was lost");
        Ok(())
    }
}

/// Asks who is there until `name` waits for mail.
async fn until_waiting(agent: &mut Agent, name: &str) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed().as_secs() < WAIT_S {
        let listed = agent.tool("list_instances", json!({})).await?;
        let instances = listed["instances"].as_array().context("no list of instances")?;
        if instances.iter().any(|instance| instance["name"] == name && instance["wakes"] == "waiting") {
            return Ok(());
        }
    }
    bail!("{name} does not wait for mail")
}

fn messages(answer: &Value) -> &[Value] {
    answer["messages"].as_array().map_or(&[], Vec::as_slice)
}

fn only(answer: &Value) -> Result<&Value> {
    let [message] = messages(answer) else { bail!("one message was expected, and this came: {answer}") };
    Ok(message)
}

fn expect(as_it_should_be: bool, answer: &Value) -> Result<()> {
    ensure!(as_it_should_be, "this is wrong: {answer}");
    Ok(())
}
