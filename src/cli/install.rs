//! `ipcd install` and `ipcd uninstall`: connects the clients of this user, and shows what that means.
//!
//! What always holds: what will change is shown before it is done; a client that cannot be set up keeps
//! no other from it, and is in the exit code; no client is run.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{Global, InstallArgs, UninstallArgs};
use super::exit::{ExitCode, Failure};
use super::output::{Format, Output};
use super::surroundings::{Surroundings, tilde};
use super::units::count;
use crate::agents::Program;
use crate::agents::setup::Command;
use crate::install::{self, Plan, Plans, Receipt, Trouble};
use crate::paths::Paths;
use crate::protocol::refusal::{Refusal, RefusalCode};

/// One file, in the form of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    client: &'a str,
    file: &'a Path,
    change: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<&'a Path>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Refusal>,
}

/// What a run has done so far.
struct Run {
    out: Output,
    home: PathBuf,
    dry: bool,
    /// The client whose heading stands last.
    shown: Option<Program>,
    changed: u64,
    /// The client of each file that was left alone.
    troubles: Vec<Program>,
}

pub fn install(global: &Global, args: InstallArgs) -> Result<ExitCode, Failure> {
    let surroundings = Surroundings::read()?;
    let programs = if args.client.is_empty() { surroundings.found() } else { args.client.clone() };
    if programs.is_empty() {
        let words: Vec<&str> = Program::ALL.into_iter().map(Program::word).collect();
        let refusal = Refusal::new(RefusalCode::InvalidArgument, "no client program was found here");
        return Err(refusal.hint(format!("name one with --client: {}", words.join(", "))).into());
    }
    let project = args.project.then(project).transpose()?;
    let binary = surroundings.binary()?;
    let program = match &project {
        // Files of a project may be shared: a path of this machine has no place in them.
        Some(_) if surroundings.on_path("ipcd").is_some() => "ipcd".to_owned(),
        _ => binary,
    };
    let tools = args.tools.map(|tools| tools.word().to_owned());
    let command = Command { program: program.clone(), tools };
    let plans =
        surroundings.with_places(project.as_deref(), |places| install::plan(&programs, places, &command));
    let state = Paths::from_env()?.state_dir;
    let mut run = Run::new(global, &surroundings, args.dry_run);
    let mut receipt = if args.dry_run { Receipt::look(&state)? } else { Receipt::open(&state)? };
    for plan in plans {
        run.one(plan, |plan| install::install(plan, &mut receipt))?;
    }
    receipt.close();
    run.close_install(&programs, &program, project.is_some())
}

pub fn uninstall(global: &Global, args: UninstallArgs) -> Result<ExitCode, Failure> {
    let surroundings = Surroundings::read()?;
    let programs = if args.client.is_empty() { Program::ALL.to_vec() } else { args.client };
    let project = args.project.then(project).transpose()?;
    let state = Paths::from_env()?.state_dir;
    let mut receipt =
        if args.dry_run || !state.exists() { Receipt::look(&state)? } else { Receipt::open(&state)? };
    let plans: Plans = surroundings
        .with_places(project.as_deref(), |places| install::plan_removal(&programs, places, &receipt));
    let mut run = Run::new(global, &surroundings, args.dry_run);
    for plan in plans {
        run.one(plan, |plan| install::uninstall(plan, &mut receipt).map(|()| None))?;
    }
    receipt.close();
    run.close_uninstall()
}

fn project() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|e| {
        Failure::Surroundings(anyhow::Error::new(e).context("cannot tell the folder of the project"))
    })
}

impl Run {
    fn new(global: &Global, surroundings: &Surroundings, dry: bool) -> Run {
        let format = if global.json { Format::Json } else { Format::People };
        let (out, home) = (Output::stdout(format), surroundings.home.clone());
        Run { out, home, dry, shown: None, changed: 0, troubles: Vec::new() }
    }

    /// Shows a plan, and does it.
    fn one(
        &mut self,
        plan: Result<Plan, Trouble>,
        act: impl FnOnce(&Plan) -> Result<Option<PathBuf>, Trouble>,
    ) -> Result<(), Failure> {
        let plan = match plan {
            Ok(plan) => plan,
            Err(trouble) => return self.trouble(&trouble),
        };
        if !plan.changes() {
            // Also what has been undone by hand is forgotten.
            let done = if self.dry { Ok(None) } else { act(&plan) };
            return match done {
                Ok(_) => self.unchanged(&plan),
                Err(trouble) => self.trouble(&trouble),
            };
        }
        self.changed += 1;
        self.heading(plan.program)?;
        if !self.out.is_json() {
            self.out.people(&format!("{}\n", plan.diff()))?;
        }
        let done = if self.dry { Ok(None) } else { act(&plan) };
        match done {
            Ok(backup) => self.changed(&plan, backup.as_deref()),
            Err(trouble) => {
                self.changed -= 1;
                self.trouble(&trouble)
            }
        }
    }

    fn heading(&mut self, program: Program) -> Result<(), Failure> {
        if self.shown == Some(program) || self.out.is_json() {
            return Ok(());
        }
        self.shown = Some(program);
        self.out.people(&format!("{}\n", program.title()))
    }

    fn changed(&mut self, plan: &Plan, backup: Option<&Path>) -> Result<(), Failure> {
        if self.out.is_json() {
            let change = match () {
                () if plan.removes() => "removed",
                () if plan.restores => "restored",
                () if plan.creates() => "created",
                () => "changed",
            };
            let (client, file) = (plan.program.word(), plan.file.as_path());
            let diff = plan.diff();
            return self.line(&Line { client, file, change, backup, diff, dry_run: self.dry, error: None });
        }
        match backup {
            Some(backup) => self.out.people(&format!("  as it was: {}\n\n", tilde(backup, &self.home))),
            None => Ok(()),
        }
    }

    fn unchanged(&mut self, plan: &Plan) -> Result<(), Failure> {
        let (client, file) = (plan.program.word(), plan.file.as_path());
        let diff = String::new();
        if self.out.is_json() {
            let change = "none";
            return self.line(&Line {
                client,
                file,
                change,
                backup: None,
                diff,
                dry_run: self.dry,
                error: None,
            });
        }
        Ok(())
    }

    fn trouble(&mut self, trouble: &Trouble) -> Result<(), Failure> {
        let Trouble { program, file, refusal } = trouble;
        self.troubles.push(*program);
        if self.out.is_json() {
            let (client, diff, error) = (program.word(), String::new(), Some(refusal));
            let change = "refused";
            return self.line(&Line { client, file, change, backup: None, diff, dry_run: self.dry, error });
        }
        self.heading(*program)?;
        let hint = if refusal.hint.is_empty() { String::new() } else { format!("\n  {}", refusal.hint) };
        let file = tilde(file, &self.home);
        self.out.people(&format!("  {file} was left alone: {}{hint}\n\n", refusal.message))
    }

    fn line(&mut self, line: &Line) -> Result<(), Failure> {
        let line = serde_json::to_string(line).map_err(|e| Failure::Bug(e.into()))?;
        self.out.json(&line)
    }

    fn close_install(
        mut self,
        programs: &[Program],
        program: &str,
        project: bool,
    ) -> Result<ExitCode, Failure> {
        if !self.out.is_json() {
            let files = count(self.changed, "file");
            let (half, whole): (Vec<Program>, Vec<Program>) =
                programs.iter().partition(|program| self.troubles.contains(program));
            let names = |programs: &[Program]| {
                programs.iter().map(|program| program.title()).collect::<Vec<_>>().join(", ")
            };
            let mut lines = match (self.changed, self.dry) {
                (0, _) if half.is_empty() => {
                    vec![format!("Nothing to do: {} know {program}.", names(&whole))]
                }
                (_, true) => vec![format!("{files} would change. Nothing was written.")],
                _ if whole.is_empty() => vec![format!("{files} changed.")],
                _ => vec![
                    format!("{files} changed. New sessions of {} find {program}.", names(&whole)),
                    "`ipcd doctor` tries it; `ipcd uninstall` undoes it.".to_owned(),
                ],
            };
            if !half.is_empty() {
                lines.push(format!("Not set up, or not all of it, as said above: {}.", names(&half)));
            }
            if !self.dry && self.changed > 0 {
                let notes = whole.iter().map(|program| program.note()).filter(|note| !note.is_empty());
                lines.extend(notes.map(|note| format!("{note}.")));
                lines.extend(super::service::offer());
                if project {
                    lines.push("Clients ask before they use the configuration of a project.".to_owned());
                }
            }
            self.out.people(&format!("{}\n", lines.join("\n")))?;
        }
        Ok(self.code())
    }

    fn close_uninstall(mut self) -> Result<ExitCode, Failure> {
        if !self.out.is_json() {
            let files = count(self.changed, "file");
            let line = match (self.changed, self.dry) {
                (0, _) if self.troubles.is_empty() => "Nothing to do: no client knows ipcd.".to_owned(),
                (_, true) => format!("{files} would change. Nothing was written."),
                _ => format!(
                    "{files} changed. Mail and names stay where they are; `ipcd stop` ends the daemon."
                ),
            };
            self.out.people(&format!("{line}\n"))?;
        }
        Ok(self.code())
    }

    fn code(&self) -> ExitCode {
        if self.troubles.is_empty() { ExitCode::Done } else { ExitCode::Refused }
    }
}
