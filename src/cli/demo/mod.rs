//! `ipcd demo`: a real daemon and two real MCP front ends exchange mail before your eyes.
//!
//! What always holds: it lives in a temporary home and touches nothing of the user's; every answer
//! is checked; whatever happens, the processes are ended and the home is removed.

mod script;

use std::time::Instant;

use anyhow::anyhow;
use serde::Serialize;

use super::args::Global;
use super::exit::{ExitCode, Failure};
use super::output::{Format, Output};
use super::trial::Home;
use super::units;
use crate::transport::signals::Signals;

pub async fn demo(global: &Global) -> Result<ExitCode, Failure> {
    let mut out = Output::stdout(if global.json { Format::Json } else { Format::People });
    let mut home = Home::create("demo").map_err(Failure::Surroundings)?;
    let mut teller = Teller { out: &mut out, steps: 0, told: Ok(()) };
    let played = tokio::select! {
        played = script::play(&mut home, &mut teller) => played.map_err(Failure::Bug),
        () = interrupted() => Err(Failure::Surroundings(anyhow!("interrupted"))),
    };
    let Teller { steps, told, .. } = teller;
    let closed = home.close().await.map_err(Failure::Bug);
    played.and(closed).and(told)?;
    if !out.is_json() {
        out.people(&format!("\n{steps} steps, each as it should be; nothing is left behind"))?;
    }
    Ok(ExitCode::Done)
}

/// Ends when somebody wants the demo to end.
async fn interrupted() {
    match Signals::listen() {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}

/// Tells what happens, step by step, as it happens. Should nobody listen any more, the play goes on.
struct Teller<'a> {
    out: &'a mut Output,
    steps: usize,
    told: Result<(), Failure>,
}

impl Teller<'_> {
    fn title(&mut self, title: &str) {
        if !self.out.is_json() {
            self.told = self.out.people(&format!("{title}\n\n"));
        }
    }

    /// One step that is done: who did what, and since when.
    fn tell(&mut self, who: &str, begun: Instant, what: &str) {
        #[derive(Serialize)]
        struct Step<'a> {
            who: &'a str,
            ms: f64,
            what: &'a str,
        }
        let took = begun.elapsed();
        self.steps += 1;
        if self.told.is_err() {
            return;
        }
        self.told = if self.out.is_json() {
            let ms = (took.as_secs_f64() * 1e6).round() / 1e3;
            match serde_json::to_string(&Step { who, ms, what }) {
                Ok(step) => self.out.json(&step),
                Err(e) => Err(Failure::Bug(e.into())),
            }
        } else {
            self.out.people(&format!("{:>8}  {who:8}  {what}", units::millis(took)))
        };
    }
}
