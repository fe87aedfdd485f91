//! An MCP client of the smallest kind: starts a front end and calls its tools, one at a time.
//!
//! What always holds: each call ends, with an answer or at its deadline; a front end does not
//! outlive its [`Agent`].

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long one answer may take. They take milliseconds; a busy machine must not fail a trial.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// The newest revision that begins with `initialize`.
const MCP_REVISION: &str = "2025-11-25";

pub struct Agent {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    calls: u64,
    /// What it says that it is.
    server: Value,
}

impl Agent {
    /// Starts `command`, a front end, and shakes hands as `client`.
    pub async fn start(mut command: Command, client: &str) -> anyhow::Result<Agent> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a front end")?;
        let input = child.stdin.take().context("a front end without stdin")?;
        let output = child.stdout.take().context("a front end without stdout")?;
        let mut agent =
            Agent { child, input, output: BufReader::new(output).lines(), calls: 0, server: Value::Null };
        let client = json!({ "name": client, "version": env!("CARGO_PKG_VERSION") });
        let params = json!({ "protocolVersion": MCP_REVISION, "capabilities": {}, "clientInfo": client });
        let mut answer = agent.request("initialize", params).await?;
        ensure!(answer["serverInfo"]["name"] == "ipcd", "another server than ipcd: {answer}");
        agent.server = answer["serverInfo"].take();
        agent.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(agent)
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Name and version of the server.
    pub fn server(&self) -> &Value {
        &self.server
    }

    /// The names of its tools.
    pub async fn tools(&mut self) -> anyhow::Result<Vec<String>> {
        let answer = self.request("tools/list", json!({})).await?;
        let tools = answer["tools"].as_array().with_context(|| format!("no list of tools: {answer}"))?;
        Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
    }

    /// Calls a tool. A refusal is an error here.
    pub async fn tool(&mut self, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let mut answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await?;
        let result = answer["structuredContent"].take();
        ensure!(answer["isError"] != true, "{tool} was refused: {result}");
        let text = answer["content"][0]["text"].as_str().unwrap_or_default();
        let text: Value =
            serde_json::from_str(text).with_context(|| format!("the text of {tool} is no JSON"))?;
        ensure!(text == result, "{tool} says one thing as text and another as structured content");
        Ok(result)
    }

    /// Closes its input, as a client does that ends, and waits for it to end.
    pub async fn end(mut self) -> anyhow::Result<()> {
        drop(self.input);
        let status =
            timeout(ANSWER_TIME, self.child.wait()).await.context("a front end outlived its input")?;
        let status = status.context("cannot look after a front end")?;
        ensure!(status.success(), "a front end ended with {status}");
        Ok(())
    }

    async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let id = self.calls;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        let answer = timeout(ANSWER_TIME, self.answer(id)).await;
        answer.with_context(|| format!("no answer to {method} in {} s", ANSWER_TIME.as_secs()))?
    }

    /// The answer with this id. What the server says unasked is none.
    async fn answer(&mut self, id: u64) -> anyhow::Result<Value> {
        loop {
            let line = self.output.next_line().await.context("cannot read from a front end")?;
            let line = line.context("a front end ended without an answer")?;
            let mut answer: Value = serde_json::from_str(&line).context("a front end wrote no JSON")?;
            if answer["id"] != id {
                continue;
            }
            if answer.get("error").is_some() {
                bail!("the front end answered {}", answer["error"]);
            }
            return Ok(answer["result"].take());
        }
    }

    async fn write(&mut self, message: &Value) -> anyhow::Result<()> {
        let line = format!("{message}\n");
        self.input.write_all(line.as_bytes()).await.context("cannot write to a front end")
    }
}
