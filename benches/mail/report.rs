//! What was measured: as a table for people, or as JSON.

#![expect(clippy::print_stdout, reason = "what it is for")]

use std::time::Duration;

use serde_json::{Value, json};

use crate::load::Run;

/// Samples of one thing over all rounds.
#[derive(Default)]
pub struct Samples {
    times: Vec<Duration>,
    rates: Vec<f64>,
}

impl Samples {
    pub fn add(&mut self, run: Run) {
        self.times.extend(run.times);
        self.rates.push(run.rate);
    }

    pub fn push(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// In milliseconds.
    pub fn percentile(&self, part: f64) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(((times.len().max(1) - 1) as f64 * part) as usize).map_or(0.0, |time| millis(*time))
    }

    pub fn p50(&self) -> f64 {
        self.percentile(0.5)
    }

    /// The median of the rounds.
    pub fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_else(|| 1e3 / self.p50())
    }
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[derive(Default)]
pub struct Report {
    json: bool,
    figures: serde_json::Map<String, Value>,
}

impl Report {
    pub fn new(json: bool) -> Report {
        Report { json, ..Report::default() }
    }

    pub fn title(&self, text: &str) {
        if !self.json {
            println!("\n{text}");
        }
    }

    pub fn head(&self) {
        if !self.json {
            println!("{:34} {:>9} {:>9} {:>9} {:>9}", "", "p50 ms", "p99 ms", "p99.9 ms", "per s");
        }
    }

    pub fn row(&mut self, name: &str, samples: &Samples) {
        if samples.is_empty() {
            return;
        }
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| samples.percentile(part));
        let rate = samples.rate();
        if !self.json {
            println!("{name:34} {p50:9.3} {p99:9.3} {p999:9.3} {rate:9.0}");
        }
        let figures = json!({"p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "per_s": rate});
        self.figures.insert(name.to_owned(), figures);
    }

    /// One number, with what it should be, if anything is said of that.
    pub fn number(&mut self, name: &str, number: f64, unit: &str, goal: &str) {
        if !self.json {
            let goal = if goal.is_empty() { String::new() } else { format!("   (goal {goal})") };
            println!("{name:44} {number:9.2} {unit}{goal}");
        }
        self.figures.insert(name.to_owned(), json!({"value": number, "unit": unit, "goal": goal}));
    }

    /// Why something was not measured.
    pub fn skipped(&mut self, name: &str, why: &str) {
        if !self.json {
            println!("{name}: skipped, {why}");
        }
        self.figures.insert(name.to_owned(), json!({"skipped": why}));
    }

    pub fn end(self) {
        if self.json {
            println!("{}", Value::Object(self.figures));
        }
    }
}
