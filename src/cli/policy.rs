//! `ipcd policy check`: what an agent may share, and which rule says so.
//!
//! What always holds: the verdict is that of the same code which judges a share; nothing is sent, run or
//! started for it.

use serde::Serialize;

use super::args::{Global, Origin, Shareable};
use super::exit::{ExitCode, Failure};
use super::output::{Format, Output};
use super::share::line;
use crate::config::Config;
use crate::paths::Paths;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::share::command::Command;
use crate::share::file::OpenFile;
use crate::share::{Here, Remote, Verdict};

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Finding {
    /// `allow`, `ask` or `deny`.
    verdict: &'static str,
    /// With `ask`: what happens where nobody can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    otherwise: Option<&'static str>,
    rule: String,
    /// What was judged: the file free of links, or the words of the command.
    #[serde(flatten)]
    judged: Judged,
    /// With `deny`: what the agent is told.
    #[serde(flatten)]
    refusal: Option<Told>,
    /// Where a person changes the rules.
    config: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Judged {
    Path(String),
    Argv(Vec<String>),
}

#[derive(Debug, Serialize)]
struct Told {
    code: &'static str,
    message: String,
    hint: String,
}

impl Origin {
    /// Whether the agent is on another host. A flag goes before what the environment says.
    pub fn remote(&self) -> Option<Remote> {
        let ssh = std::env::var_os("SSH_CONNECTION").is_some_and(|value| !value.is_empty());
        match (self.remote_client, self.local_client) {
            (true, _) => Some(Remote::Said),
            (false, true) => None,
            (false, false) => ssh.then_some(Remote::Ssh),
        }
    }
}

pub fn check(global: &Global, what: Shareable, origin: &Origin) -> Result<ExitCode, Failure> {
    let paths = Paths::from_env()?;
    let config = Config::load(&paths.config_file)?;
    let here = Here { remote: origin.remote(), ..Here::current()? };
    let (judged, verdict) = match what {
        Shareable::File { path } => {
            let shown = here.absolute(&path);
            match OpenFile::open(&path, &here) {
                Ok(file) => {
                    (Judged::Path(file.resolved().display().to_string()), file_verdict(file, &config, &here)?)
                }
                Err(refusal) => (Judged::Path(shown.display().to_string()), unfit(refusal)?),
            }
        }
        Shareable::Command { argv } => {
            let text = match &argv[..] {
                [text] => text.clone(),
                words => line(words)?,
            };
            match Command::parse(&text) {
                Ok(command) => {
                    let verdict = command.verdict(&config.share_command, &here);
                    (Judged::Argv(command.argv().to_vec()), verdict)
                }
                Err(refusal) => (Judged::Argv(argv), unfit(refusal)?),
            }
        }
    };
    let finding = Finding::new(judged, verdict, paths.config_file.display().to_string());
    let mut out = Output::stdout(if global.json { Format::Json } else { Format::People });
    if out.is_json() {
        out.json(&serde_json::to_string(&finding).map_err(|e| Failure::Bug(e.into()))?)?;
    } else {
        out.people(&finding.to_string())?;
    }
    Ok(if finding.verdict == "deny" { ExitCode::Refused } else { ExitCode::Done })
}

/// By its place, then by its content.
fn file_verdict(file: OpenFile, config: &Config, here: &Here) -> Result<Verdict, Refusal> {
    let verdict = file.verdict(&config.share_file, here);
    if matches!(verdict, Verdict::Deny { .. }) {
        return Ok(verdict);
    }
    match file.read(&config.share_file, None) {
        Ok(_) => Ok(verdict),
        Err(refusal) => unfit(refusal),
    }
}

/// The verdict on what no mode could allow. What is wrong with the question itself stays a failure.
fn unfit(refusal: Refusal) -> Result<Verdict, Refusal> {
    let rule = match refusal.code {
        RefusalCode::Secret => "share_file.scan_secrets = true",
        RefusalCode::NotAFile => "a shared file is a regular file",
        RefusalCode::TooLarge => "a shared file has at most 1 MiB, and a command line 32 KiB",
        RefusalCode::ShellSyntax => "a shared command runs without a shell",
        _ => return Err(refusal),
    };
    Ok(Verdict::Deny { rule: rule.to_owned(), refusal })
}

impl Finding {
    fn new(judged: Judged, verdict: Verdict, config: String) -> Finding {
        let (word, otherwise, rule, refusal) = match verdict {
            Verdict::Allow { rule } => ("allow", None, rule, None),
            Verdict::AskIfAble { rule } => ("ask", Some("allow"), rule, None),
            Verdict::Ask { rule } => ("ask", Some("deny"), rule, None),
            Verdict::Deny { rule, refusal } => ("deny", None, rule, Some(refusal)),
        };
        let refusal = refusal.map(|refusal| Told {
            code: refusal.code.word(),
            message: refusal.message,
            hint: refusal.hint,
        });
        Finding { verdict: word, otherwise, rule, judged, refusal, config }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.verdict)?;
        match (&self.judged, &self.refusal) {
            (_, Some(told)) => f.write_str(&told.message)?,
            (Judged::Path(path), None) => f.write_str(path)?,
            (Judged::Argv(argv), None) => f.write_str(&argv.join(" "))?,
        }
        match self.otherwise {
            Some("allow") => f.write_str("\na person is asked where the agent can ask one; else it runs")?,
            Some(_) => f.write_str("\na person is asked; where nobody can be, it is refused")?,
            None => {}
        }
        write!(f, "\nrule: {}\nrules are in: {}", self.rule, self.config)
    }
}
