//! `ipcd share`: a file, or what a command prints, as a message. It happens in this process, with
//! the rights and the folder of whoever runs it.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::args::ShareVerb;
use super::caller::{Caller, fresh_key};
use super::exit::{ExitCode, Failure};
use super::mail::Outcomes;
use super::text;
use crate::config::Config;
use crate::paths::Paths;
use crate::protocol::message::{Body, Data};
use crate::protocol::request::{Report, ReportedAct, Request, Send, Verdict as Decided};
use crate::protocol::response::Done;
use crate::share::command::Command;
use crate::share::file::OpenFile;
use crate::share::{Here, Shared, Verdict, declined, fits, unasked};

pub async fn share(caller: &mut Caller, verb: ShareVerb) -> Result<ExitCode, Failure> {
    let config = Config::load(&Paths::from_env()?.config_file)?;
    let here = Here::current()?;
    match verb {
        ShareVerb::File { path, to, description } => {
            fits(description.as_deref())?;
            let file = OpenFile::open(&path, &here)?;
            let what = format!("the file {}", file.resolved().display());
            let told = Told {
                act: ReportedAct::ShareFile,
                subject: file.resolved().display().to_string(),
                to: to.clone(),
            };
            let verdict = file.verdict(&config.share_file, &here);
            let rule = verdict.rule().to_owned();
            if let Err(failure) = permitted(verdict, &what) {
                told.tell(caller, Decided::Refused, &rule).await;
                return Err(failure);
            }
            let shared = file.read(&config.share_file, description.as_deref());
            match &shared {
                Ok(_) => told.tell(caller, Decided::Done, &rule).await,
                Err(refusal) => told.tell(caller, Decided::Refused, refusal.code.word()).await,
            }
            let shared = shared?;
            let request = message(to, shared)?;
            Ok(caller.show(request, Outcomes::to_string).await?.exit_code())
        }
        ShareVerb::Command { to, argv, description } => {
            fits(description.as_deref())?;
            let command = Command::parse(&line(&argv)?)?;
            let told =
                Told { act: ReportedAct::ShareCommand, subject: command.argv().join(" "), to: to.clone() };
            let verdict = command.verdict(&config.share_command, &here);
            let rule = verdict.rule().to_owned();
            let permit = permitted(verdict, &format!("`{}` and its output", argv.join(" ")));
            let decided = if permit.is_ok() { Decided::Done } else { Decided::Refused };
            told.tell(caller, decided, &rule).await;
            permit?;
            let ran = command.run(&config.share_command, &here, description.as_deref()).await?;
            let end = End {
                returncode: ran.exit.code,
                signal: ran.exit.signal,
                timed_out: ran.timed_out,
                left_running: ran.left_running,
            };
            let (raw, outcomes) = caller.call::<Outcomes>(message(to, ran.shared)?).await?;
            caller.print(&end.beside(&raw)?, || format!("{end}\n{outcomes}"))?;
            Ok(outcomes.exit_code())
        }
    }
}

/// What the audit log is told of a share.
struct Told {
    act: ReportedAct,
    subject: String,
    to: String,
}

impl Told {
    /// A log that hears nothing stops no share: the daemon may be an older one.
    async fn tell(&self, caller: &Caller, verdict: Decided, rule: &str) {
        let (subject, to, rule) = (self.subject.clone(), vec![self.to.clone()], rule.to_owned());
        let report = Report { act: self.act, subject, to, verdict, rule };
        if caller.call::<Done>(Request::Report(report)).await.is_err() {
            tracing::debug!("the audit log was not told");
        }
    }
}

/// How a shared command ended.
#[derive(Serialize)]
struct End {
    returncode: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    timed_out: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left_running: bool,
}

impl End {
    /// The daemon's answer and this, as one object.
    fn beside(&self, answer: &RawValue) -> Result<Box<RawValue>, Failure> {
        let merged = || {
            let mut fields: Map<String, Value> = serde_json::from_str(answer.get())?;
            let Value::Object(end) = serde_json::to_value(self)? else {
                unreachable!("a struct is an object")
            };
            fields.extend(end);
            serde_json::value::to_raw_value(&fields)
        };
        merged().map_err(|e: serde_json::Error| Failure::Bug(e.into()))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signal {
            _ if self.timed_out => f.write_str("the command took too long and was ended"),
            Some(signal) => write!(f, "the command was ended by {signal}"),
            None => write!(f, "the command ended with exit code {}", self.returncode),
        }?;
        let left = "; something that it started could not be ended";
        if self.left_running { f.write_str(left) } else { Ok(()) }
    }
}

/// The command line that has these words.
pub fn line(argv: &[String]) -> Result<String, Failure> {
    shlex::try_join(argv.iter().map(String::as_str))
        .map_err(|_| Failure::usage("an argument holds a NUL character", "leave it out"))
}

fn message(to: String, shared: Shared) -> Result<Request, Failure> {
    let data = serde_json::value::to_raw_value(&shared.data).map_err(|e| Failure::Bug(e.into()))?;
    Ok(Request::Send(Send {
        to: vec![to],
        content: Body(shared.content.into()),
        summary: None,
        data: Some(Data(Arc::from(data))),
        reply_to: None,
        key: Some(fresh_key()),
        ttl_seconds: None,
        from: None,
    }))
}

/// Asks the person at the terminal where the policy wants that. Who typed the command has said yes to
/// what the policy leaves open.
fn permitted(verdict: Verdict, what: &str) -> Result<(), Failure> {
    match verdict {
        Verdict::Allow { .. } | Verdict::AskIfAble { .. } => Ok(()),
        Verdict::Deny { refusal, .. } => Err(refusal.into()),
        Verdict::Ask { rule } if !io::stdin().is_terminal() || !io::stderr().is_terminal() => {
            Err(unasked(&rule).into())
        }
        Verdict::Ask { rule } => {
            let mut answer = String::new();
            write!(io::stderr(), "share {}? [y/N] ", text::line(what)).map_err(Failure::Output)?;
            io::stdin().lock().read_line(&mut answer).map_err(Failure::Output)?;
            let yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
            if yes { Ok(()) } else { Err(declined(&rule).into()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_the_way_through_a_command_line() {
        let argv = ["sh", "-c", "ps aux | head -n '3'", "a b", ""].map(str::to_owned);
        let command = Command::parse(&line(&argv).unwrap()).unwrap();
        assert_eq!(command.argv(), argv);
    }

    #[test]
    fn a_command_s_end_stands_beside_the_answer() {
        let end = End { returncode: 3, signal: None, timed_out: false, left_running: false };
        let answer = RawValue::from_string(r#"{"id":7,"to":"bob"}"#.to_owned()).unwrap();
        let expected = r#"{"id":7,"to":"bob","returncode":3,"timed_out":false}"#;
        assert_eq!(end.beside(&answer).unwrap().get(), expected);
        assert_eq!(end.to_string(), "the command ended with exit code 3");
    }
}
