//! `ipcd service logs`: what the daemon has to say, from where it was kept.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Command, Stdio};

use anyhow::Context;
use serde::Serialize;

use super::at_work;
use super::steps::output_of;
use crate::cli::args::LogsArgs;
use crate::cli::exit::{ExitCode, Failure};
use crate::cli::output::Output;
use crate::paths::Paths;

#[derive(Serialize)]
struct Lines<'a> {
    source: &'a str,
    lines: &'a [String],
}

/// The journal, where systemd runs the daemon; else the file that a daemon of its own writes.
pub(super) fn show(mut out: Output, args: &LogsArgs) -> Result<ExitCode, Failure> {
    let paths = Paths::from_env()?;
    let manager = at_work().ok().filter(|_| paths.home.is_none());
    let command = manager.and_then(|manager| manager.logs(args.lines, args.follow && !out.is_json()));
    if let Some((program, arguments)) = command.as_deref().and_then(|command| command.split_first()) {
        if args.follow && !out.is_json() {
            let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
            let status =
                status.with_context(|| format!("cannot run {program}")).map_err(Failure::Surroundings)?;
            return Ok(if status.success() { ExitCode::Done } else { ExitCode::Refused });
        }
        // A journal without a line of ours says so in a line of its own, between two dashes.
        let said = output_of(command.as_deref().unwrap_or_default()).unwrap_or_default();
        let lines: Vec<String> = said.lines().filter(|l| !l.starts_with("-- ")).map(str::to_owned).collect();
        if !lines.is_empty() {
            return print(&mut out, "journal", &lines);
        }
    }
    if args.follow {
        let hint = format!("run `tail -f {}`", paths.log.display());
        return Err(Failure::usage("only a journal is followed, and there is none here", hint));
    }
    let file = paths.log.display().to_string();
    match fs::File::open(&paths.log) {
        Ok(log) => print(&mut out, &file, &last(BufReader::new(log), args.lines as usize)),
        Err(error) if error.kind() == ErrorKind::NotFound => print(&mut out, &file, &[]),
        Err(error) => {
            Err(Failure::Surroundings(anyhow::Error::new(error).context(format!("cannot read `{file}`"))))
        }
    }
}

fn last(log: impl BufRead, most: usize) -> Vec<String> {
    let mut lines = std::collections::VecDeque::new();
    for line in log.split(b'\n').map_while(Result::ok) {
        if lines.len() == most {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    lines.into()
}

fn print(out: &mut Output, source: &str, lines: &[String]) -> Result<ExitCode, Failure> {
    if out.is_json() {
        out.json(&serde_json::to_string(&Lines { source, lines }).map_err(|e| Failure::Bug(e.into()))?)?;
    } else if lines.is_empty() {
        out.people(&format!("{source}: nothing was logged"))?;
    } else {
        out.people(&lines.join("\n"))?;
    }
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log() {
        assert_eq!(last(&b"a\nb\n\xff\n"[..], 2), ["b", "\u{fffd}"]);
        assert!(last(&b""[..], 2).is_empty());
    }
}
