//! How a command ends: its exit code, and the two lines that say why.
//!
//! What always holds: results go to stdout, failures to stderr as `error: …` and `hint: …`; with
//! `--json` the failure is an object on stdout, with the same exit code.

use std::io::{self, Write};

use serde::Serialize;

use super::text;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::response;

/// What the caller's shell sees. The numbers are documented and frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    Done = 0,
    /// Understood, and not done.
    Refused = 1,
    /// The command line makes no sense. From a hook that waited: its client is to wake the agent.
    Usage = 2,
    /// There is no daemon, and none could be started.
    NoDaemon = 3,
    /// A wait ended without anything.
    Nothing = 4,
    /// A fault of ipcd itself.
    Bug = 70,
}

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The daemon said no, or could not be asked.
    Refused(Refusal),
    /// The command line parsed, and still makes no sense.
    Usage { message: String, hint: String },
    /// Nobody reads the results any more, or they cannot be written.
    Output(io::Error),
    /// Something around ipcd does not work: a directory, a process, a file.
    Surroundings(anyhow::Error),
    /// Something in ipcd does not work.
    Bug(anyhow::Error),
}

impl Failure {
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::Usage { message: message.into(), hint: hint.into() }
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Refused(refusal) if refusal.code == RefusalCode::Retry => ExitCode::NoDaemon,
            Failure::Refused(_) | Failure::Surroundings(_) => ExitCode::Refused,
            Failure::Usage { .. } => ExitCode::Usage,
            // A pipe into `head`: the reader has what it wanted.
            Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
            Failure::Output(_) => ExitCode::Refused,
            Failure::Bug(_) => ExitCode::Bug,
        }
    }

    fn message(&self) -> String {
        match self {
            Failure::Refused(refusal) => refusal.message.clone(),
            Failure::Usage { message, .. } => message.clone(),
            Failure::Output(e) => format!("cannot write the result: {e}"),
            Failure::Surroundings(e) | Failure::Bug(e) => format!("{e:#}"),
        }
    }

    fn hint(&self) -> &str {
        match self {
            Failure::Refused(Refusal { hint, .. }) | Failure::Usage { hint, .. } => hint,
            Failure::Bug(_) => "this is a bug in ipcd; please report it with the lines above",
            Failure::Output(_) | Failure::Surroundings(_) => "",
        }
    }

    /// The words of `--json`: those of the wire where there are any.
    fn code(&self) -> &'static str {
        match self {
            Failure::Refused(refusal) => refusal.code.word(),
            Failure::Usage { .. } => "usage",
            Failure::Output(_) => "output",
            Failure::Surroundings(_) => "failed",
            Failure::Bug(_) => "bug",
        }
    }

    /// Says it, and tells with which code to end. `out` gets the object of `--json`, `err` the lines.
    pub fn report(&self, json: bool, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
        let code = self.exit_code();
        if code == ExitCode::Done {
            return code;
        }
        // There is nowhere left to complain if these fail.
        let _ = if json { self.write_json(out) } else { self.write_lines(err) };
        code
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Error<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            code: &'a str,
            message: String,
            hint: &'a str,
            recoverable: bool,
        }
        let recoverable = match self {
            Failure::Refused(refusal) => refusal.code.recoverable(),
            Failure::Usage { .. } => true,
            _ => false,
        };
        let error = Inner { code: self.code(), message: self.message(), hint: self.hint(), recoverable };
        serde_json::to_writer(&mut *out, &Error { error })?;
        writeln!(out)?;
        out.flush()
    }

    fn write_lines(&self, err: &mut dyn Write) -> io::Result<()> {
        writeln!(err, "error: {}", text::block(self.message().trim_end()))?;
        if !self.hint().is_empty() {
            writeln!(err, "hint: {}", text::block(self.hint()))?;
        }
        err.flush()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<response::Failure> for Failure {
    fn from(failure: response::Failure) -> Failure {
        let response::Failure { code, message, hint, .. } = failure;
        Failure::Refused(Refusal { code, message, hint })
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> std::process::ExitCode {
        std::process::ExitCode::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(failure: &Failure, json: bool) -> (ExitCode, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = failure.report(json, &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_refusal_is_two_lines_on_stderr_and_one_object_on_stdout_with_json() {
        let refusal = Refusal::new(RefusalCode::MailboxFull, "`bob\u{1b}` has 100 unread messages");
        let failure = Failure::from(refusal.hint("try again when bob has read some"));
        let lines = "error: `bob\\u{1b}` has 100 unread messages\nhint: try again when bob has read some\n";
        assert_eq!(said(&failure, false), (ExitCode::Refused, String::new(), lines.to_owned()));
        let object = concat!(
            r#"{"error":{"code":"mailbox_full","message":"`bob\u001b` has 100 unread messages","#,
            r#""hint":"try again when bob has read some","recoverable":true}}"#,
            "\n"
        );
        assert_eq!(said(&failure, true), (ExitCode::Refused, object.to_owned(), String::new()));
    }

    #[test]
    fn each_failure_has_its_exit_code() {
        let refused = |code| Failure::from(Refusal::new(code, "no")).exit_code();
        assert_eq!(refused(RefusalCode::Retry), ExitCode::NoDaemon);
        for code in RefusalCode::ALL.iter().filter(|code| **code != RefusalCode::Retry) {
            assert_eq!(refused(*code), ExitCode::Refused);
        }
        assert_eq!(Failure::usage("a", "b").exit_code(), ExitCode::Usage);
        assert_eq!(Failure::Output(io::ErrorKind::StorageFull.into()).exit_code(), ExitCode::Refused);
        assert_eq!(Failure::Bug(anyhow::anyhow!("x")).exit_code() as u8, 70);
    }

    #[test]
    fn a_closed_pipe_is_success_without_a_word() {
        let closed = Failure::Output(io::ErrorKind::BrokenPipe.into());
        assert_eq!(said(&closed, false), (ExitCode::Done, String::new(), String::new()));
        assert_eq!(said(&closed, true), (ExitCode::Done, String::new(), String::new()));
    }
}
