//! `ipcd doctor`: looks at everything from the binary to a real message through each client's configured
//! command, and says in words what is wrong and what to do.
//!
//! What always holds: it changes nothing of the user's. It starts no daemon but one of its own, in a
//! temporary home, through which the commands are tried; no client is run. What is wrong is in the exit code.

mod clients;
mod machine;
mod running;
mod service;

use serde::Serialize;

use super::args::{DoctorArgs, Global};
use super::exit::{ExitCode, Failure};
use super::output::{Format, Output};
use super::surroundings::Surroundings;
use super::trial::Home;
use super::units::count;
use crate::agents::Program;
use crate::paths::Paths;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// Worth knowing. It works.
    Note,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// `binary`, `daemon`, or the word of a client.
    subject: &'static str,
    state: State,
    says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty", rename = "do")]
    cure: String,
}

impl Finding {
    fn good(subject: &'static str, says: impl Into<String>) -> Finding {
        Finding { subject, state: State::Good, says: says.into(), cure: String::new() }
    }

    fn note(subject: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding { subject, state: State::Note, says: says.into(), cure: cure.into() }
    }

    fn bad(subject: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Finding {
        Finding { subject, state: State::Bad, says: says.into(), cure: cure.into() }
    }
}

/// Shows findings as they come.
struct Chart {
    out: Output,
    bad: u64,
    notes: u64,
}

impl Chart {
    fn add(&mut self, finding: Finding) -> Result<(), Failure> {
        let mark = match finding.state {
            State::Good => "ok   ",
            State::Note => "note ",
            State::Bad => "WRONG",
        };
        self.notes += u64::from(finding.state == State::Note);
        self.bad += u64::from(finding.state == State::Bad);
        if self.out.is_json() {
            let line = serde_json::to_string(&finding).map_err(|e| Failure::Bug(e.into()))?;
            return self.out.json(&line);
        }
        let Finding { subject, says, cure, .. } = finding;
        let cure = if cure.is_empty() { String::new() } else { format!("\n{:23}do: {cure}", "") };
        self.out.people(&format!("{mark}  {subject:16}{says}{cure}\n"))
    }
}

pub async fn doctor(global: &Global, args: DoctorArgs) -> Result<ExitCode, Failure> {
    let format = if global.json { Format::Json } else { Format::People };
    let mut chart = Chart { out: Output::stdout(format), bad: 0, notes: 0 };
    let surroundings = Surroundings::read()?;
    let paths = Paths::from_env();
    for finding in machine::look(&surroundings, &paths).await {
        chart.add(finding)?;
    }
    if let Ok(paths) = &paths {
        for finding in running::look(paths, &surroundings).await {
            chart.add(finding)?;
        }
    }
    let mut home = Home::create("doctor").map_err(Failure::Surroundings)?;
    let tried = try_clients(&mut home, &mut chart, &surroundings, &args.client).await;
    let closed = home.close().await;
    tried?;
    if let Err(error) = closed {
        chart.add(Finding::bad("trial", format!("the trial did not end in order: {error:#}"), REPORT))?;
    }
    close(chart)
}

const REPORT: &str = "this is a bug in ipcd: please report it with the lines above";

async fn try_clients(
    home: &mut Home,
    chart: &mut Chart,
    surroundings: &Surroundings,
    wanted: &[Program],
) -> Result<(), Failure> {
    match home.start_daemon().await {
        Ok(_) => {
            chart.add(Finding::good("trial", "a daemon of this ipcd starts in an empty home and answers"))?
        }
        Err(error) => {
            return chart.add(Finding::bad("trial", format!("no daemon can be started: {error:#}"), REPORT));
        }
    }
    let mut clients = clients::Clients::new(home, surroundings);
    for program in Program::ALL.into_iter().filter(|program| wanted.is_empty() || wanted.contains(program)) {
        for finding in clients.look(program, !wanted.is_empty()).await {
            chart.add(finding)?;
        }
    }
    if clients.connected() == 0 && wanted.is_empty() {
        chart.add(Finding::note("clients", "no client is connected to ipcd", "run `ipcd install`"))?;
    }
    Ok(())
}

fn close(mut chart: Chart) -> Result<ExitCode, Failure> {
    let Chart { bad, notes, .. } = chart;
    if !chart.out.is_json() {
        let summary = match (bad, notes) {
            (0, 0) => "All is well.".to_owned(),
            (0, notes) => format!("All works; {} above.", count(notes, "note")),
            (1, _) => "One thing is wrong.".to_owned(),
            (bad, _) => format!("{} are wrong.", count(bad, "thing")),
        };
        chart.out.people(&format!("\n{summary}\n"))?;
    }
    Ok(if bad == 0 { ExitCode::Done } else { ExitCode::Refused })
}
