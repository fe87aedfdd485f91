//! The steps of a plan: shown, told and taken.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};

use crate::service::{Encoding, Run, Step};

/// A step as a dry run shows it.
pub(super) fn shown(step: &Step) -> String {
    match step {
        Step::Folder(path) => format!("would make the folder {}", path.display()),
        Step::Write { path, text, .. } => {
            let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
            format!("would write {}\n{indented}", path.display())
        }
        Step::Remove(path) => format!("would remove {}", path.display()),
        Step::Run(run) => match &run.otherwise {
            None => format!("would run {}", joined(&run.command)),
            Some(otherwise) => format!("would run {}, or else {}", joined(&run.command), joined(otherwise)),
        },
    }
}

/// A step as it is told when it is done.
pub(super) fn told(step: &Step) -> String {
    match step {
        Step::Folder(path) => format!("folder {}", path.display()),
        Step::Write { path, .. } => format!("writing {}", path.display()),
        Step::Remove(path) => format!("removing {}", path.display()),
        Step::Run(run) => format!("running {}", joined(&run.command)),
    }
}

fn joined(command: &[String]) -> String {
    shlex::try_join(command.iter().map(String::as_str)).unwrap_or_else(|_| command.join(" "))
}

/// Takes a step.
pub(super) fn take(step: &Step) -> anyhow::Result<()> {
    let named = |what: &str, path: &Path| format!("cannot {what} `{}`", path.display());
    match step {
        Step::Folder(path) => crate::files::create_dir(path).with_context(|| named("make", path)),
        Step::Write { path, text, encoding } => {
            write(path, text, *encoding).with_context(|| named("write", path))
        }
        Step::Remove(path) => match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| named("remove", path))
            }
            _ => Ok(()),
        },
        Step::Run(run) => run_command(run),
    }
}

/// In one step, so that a manager never reads half a file.
fn write(path: &Path, text: &str, encoding: Encoding) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, encoding.bytes(text))?;
    fs::rename(&new, path)
}

fn run_command(run: &Run) -> anyhow::Result<()> {
    let outcome = once(&run.command).or_else(|error| run.otherwise.as_deref().map_or(Err(error), once));
    if run.may_fail { Ok(()) } else { outcome }
}

fn once(command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let named = || format!("`{}` failed", joined(command));
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().with_context(named)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(anyhow!("{} ({}): {}", named(), output.status, said.trim()))
}

/// What a command printed; `None` if it failed.
pub(super) fn output_of(command: &[String]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(all(test, unix))] // for the programs alone
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_says_how() {
        let run = |command: &[&str], may_fail| Run {
            command: command.iter().map(|w| (*w).to_owned()).collect(),
            otherwise: None,
            may_fail,
        };
        let error = run_command(&run(&["sh", "-c", "echo no bus >&2; exit 3"], false)).unwrap_err();
        assert!(format!("{error:#}").contains("3): no bus"), "{error:#}");
        assert!(run_command(&run(&["false"], true)).is_ok());
        assert!(run_command(&run(&["/nonexistent/program"], false)).is_err());
        let otherwise = Some(vec!["true".to_owned()]);
        assert!(run_command(&Run { otherwise, ..run(&["false"], false) }).is_ok());
    }
}
