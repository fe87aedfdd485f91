//! Clients: what their configuration says, and whether the command in it does what it should. The command
//! is run as it stands there, in a temporary home.
//!
//! What always holds: what a project's files say is whoever wrote the project, not the user: nothing of it is
//! run but this very program with arguments of ours.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Finding;
use crate::agents::Program;
use crate::cli::surroundings::{Surroundings, tilde};
use crate::cli::trial::{Agent, Home};
use crate::cli::units::{count, millis};
use crate::install::{self, Entry, Trouble};

/// For one hook. It answers within milliseconds, and clients wait no longer than this.
const HOOK_TIME: Duration = Duration::from_secs(10);

const OURS: &str = env!("CARGO_PKG_VERSION");

/// Whose word an entry is.
#[derive(Clone, Copy)]
enum Owner {
    User,
    Project,
}

pub(super) struct Clients<'a> {
    home: &'a Home,
    surroundings: &'a Surroundings,
    found: Vec<Program>,
    project: Option<PathBuf>,
    connected: usize,
    /// What became of commands that were tried: clients share them.
    tried: HashMap<Vec<String>, Result<String, String>>,
}

impl<'a> Clients<'a> {
    pub(super) fn new(home: &'a Home, surroundings: &'a Surroundings) -> Clients<'a> {
        let project = std::env::current_dir().ok().filter(|folder| *folder != surroundings.home);
        let found = surroundings.found();
        Clients { home, surroundings, found, project, connected: 0, tried: HashMap::new() }
    }

    /// How many have an entry.
    pub(super) fn connected(&self) -> usize {
        self.connected
    }

    pub(super) async fn look(&mut self, program: Program, asked: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (mut servers, mut hooks) = (Vec::new(), Vec::new());
        let mut connected = false;
        for (owner, entry) in self.entries(program) {
            match entry {
                Ok(Entry { file, server, hooks: lines }) => {
                    connected |= server.is_some();
                    let (server, lines) = match owner {
                        Owner::User => (server, lines),
                        Owner::Project => self.harmless(program, &file, server, lines, &mut findings),
                    };
                    servers.extend(server.map(|server| (file.clone(), server)));
                    // Those that wait in the background have nothing to say at once.
                    let waits =
                        |argv: &Vec<String>| argv[1..].iter().any(|word| word == "wait" || word == "watch");
                    hooks.extend(lines.into_iter().filter(|l| !waits(l)).map(|line| (file.clone(), line)));
                }
                Err(Trouble { file, refusal, .. }) => {
                    let says = format!("{}: {}", self.short(&file), refusal.message);
                    findings.push(Finding::bad(program.word(), says, refusal.hint));
                }
            }
        }
        if servers.is_empty() && findings.is_empty() && (asked || self.found.contains(&program)) {
            let says = format!("{} is here and does not know ipcd", program.title());
            let says =
                if self.found.contains(&program) { says } else { format!("no {} here", program.title()) };
            let cure = format!("`ipcd install --client {}` connects it", program.word());
            findings.push(Finding::note(program.word(), says, cure));
        }
        self.connected += usize::from(connected);
        for (file, argv) in servers {
            findings.push(self.server(program, &file, &argv).await);
        }
        findings.extend(self.hooks(program, hooks).await);
        findings
    }

    fn entries(&self, program: Program) -> Vec<(Owner, Result<Entry, Trouble>)> {
        let of = |project: Option<&Path>| {
            self.surroundings.with_places(project, |places| install::entries(program, places))
        };
        let user = of(None).into_iter().map(|entry| (Owner::User, entry));
        let project = self.project.as_deref().map(|project| of(Some(project))).unwrap_or_default();
        user.chain(project.into_iter().map(|entry| (Owner::Project, entry))).collect()
    }

    /// What of a project's entry may be run; the rest is told, and left alone.
    fn harmless(
        &self,
        program: Program,
        file: &Path,
        server: Option<Vec<String>>,
        hooks: Vec<Vec<String>>,
        findings: &mut Vec<Finding>,
    ) -> (Option<Vec<String>>, Vec<Vec<String>>) {
        let (server, strange) = server.into_iter().partition::<Vec<_>, _>(|argv| self.is_this(argv));
        let (hooks, strange_hooks) = hooks.into_iter().partition::<Vec<_>, _>(|argv| self.is_this(argv));
        for argv in strange.iter().chain(&strange_hooks) {
            let says = format!(
                "{}: {:?} was not tried: this project says so, and it is not this ipcd",
                self.short(file),
                argv.join(" ")
            );
            let cure = format!(
                "read it before you let {} run it; `ipcd install --client {} --project` names this ipcd there",
                program.title(),
                program.word()
            );
            findings.push(Finding::note(program.word(), says, cure));
        }
        (server.into_iter().next(), hooks)
    }

    /// Whether a command line runs this very program, with arguments of ours.
    fn is_this(&self, argv: &[String]) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        let this = std::env::current_exe().ok().and_then(|path| real(&path));
        let that = argv.first().and_then(|program| self.resolve(program)).and_then(|path| real(&path));
        this.is_some() && this == that && install::is_ours(argv)
    }

    async fn server(&mut self, program: Program, file: &Path, argv: &[String]) -> Finding {
        let file = self.short(file);
        if !self.tried.contains_key(argv) {
            let tried = self.round_trip(argv).await.map_err(|error| format!("{error:#}"));
            self.tried.insert(argv.to_vec(), tried);
        }
        let command = argv.join(" ");
        match &self.tried[argv] {
            Ok(says) => Finding::good(program.word(), format!("{file}: {says}")),
            Err(error) => {
                let install = format!("`ipcd install --client {}`", program.word());
                let cure = match install::is_ours(argv) {
                    true => format!("{install} gives it the path of this ipcd"),
                    false => {
                        format!("if that is another server, give its entry another name, then {install}")
                    }
                };
                Finding::bad(program.word(), format!("{file}: `{command}` does not work: {error}"), cure)
            }
        }
    }

    /// Shakes hands with a front end, lists its tools, and sends it a message of its own.
    async fn round_trip(&self, argv: &[String]) -> anyhow::Result<String> {
        let begun = Instant::now();
        let mut command = self.command(&argv[0])?;
        command.args(&argv[1..]).stderr(Stdio::null());
        let mut agent = Agent::start(command, "ipcd-doctor").await?;
        let version = agent.server()["version"].as_str().unwrap_or_default().to_owned();
        let tools = agent.tools().await?;
        let (send, check) = match () {
            () if tools.iter().any(|tool| tool == "send") => ("send", "check"),
            () => ("send_message", "get_messages"),
        };
        let name = format!("doctor-{}", self.tried.len());
        let text = "to myself";
        agent.tool("register", json!({ "name": name })).await?;
        agent.tool(send, message(send, &name, text)).await?;
        let mail = agent.tool(check, json!({})).await?;
        let read = mail["messages"][0]["content"].as_str();
        ensure!(read == Some(text), "a message to itself came back as {mail}");
        agent.end().await?;
        ensure!(version == OURS, "it is ipcd {version}, this is {OURS}");
        let (tools, took) = (count(tools.len() as u64, "tool"), millis(begun.elapsed()));
        Ok(format!("{tools}, and a message to itself and back, {took}"))
    }

    async fn hooks(&self, program: Program, hooks: Vec<(PathBuf, Vec<String>)>) -> Option<Finding> {
        if hooks.is_empty() {
            return None;
        }
        let (number, begun) = (hooks.len() as u64, Instant::now());
        for (file, argv) in &hooks {
            if let Err(error) = self.hook(argv).await {
                let says = format!("{}: `{}` does not work: {error:#}", self.short(file), argv.join(" "));
                let cure =
                    format!("`ipcd install --client {}` gives it the path of this ipcd", program.word());
                return Some(Finding::bad(program.word(), says, cure));
            }
        }
        let took = millis(begun.elapsed() / u32::try_from(number).unwrap_or(1));
        Some(Finding::good(program.word(), format!("{} run, {took} each", count(number, "hook"))))
    }

    /// Runs a hook as its client does, when nothing waits: it has to be silent.
    async fn hook(&self, argv: &[String]) -> anyhow::Result<()> {
        let mut command = self.command(&argv[0])?;
        command.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = timeout(HOOK_TIME, command.output()).await;
        let output = output.with_context(|| format!("it takes more than {} s", HOOK_TIME.as_secs()))?;
        let output = output.context("it cannot be started")?;
        ensure!(output.status.success(), "it ends with {}", output.status);
        let said = [output.stdout, output.stderr].concat();
        ensure!(said.is_empty(), "it says {:?}", String::from_utf8_lossy(&said));
        Ok(())
    }

    fn resolve(&self, program: &str) -> Option<PathBuf> {
        let path = PathBuf::from(program);
        match path.is_absolute() {
            true => Some(path).filter(|path| path.exists()),
            false => self.surroundings.on_path(program),
        }
    }

    fn command(&self, program: &str) -> anyhow::Result<tokio::process::Command> {
        let Some(path) = self.resolve(program) else {
            bail!("there is no such program{}", if program.contains('/') { "" } else { " on the PATH" })
        };
        Ok(self.home.program(&path))
    }

    fn short(&self, file: &Path) -> String {
        tilde(file, &self.surroundings.home)
    }
}

/// A message under the parameters of the tool that sends it.
fn message(tool: &str, to: &str, text: &str) -> Value {
    match tool {
        "send" => json!({ "to_id": to, "content": text }),
        _ => json!({ "to": to, "summary": "a trial", "content": text }),
    }
}
