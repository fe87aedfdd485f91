//! How long each recovery took, and what went on during the slowest.
//!
//! `IPCD_TEST_SLOWEST` says of how many of them the story is told. A recovery is mostly syncs: how long one
//! takes of a file that is nobody else's is measured beside it, for on a busy disk that is what is seen.

use std::collections::VecDeque;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::gauge::{figure, from_env, quantile};

/// Events that are kept: those of the last few kills.
const EVENTS: usize = 64;

/// Of a recovery's story, what happened so long before the kill.
const BEFORE: Duration = Duration::from_millis(120);

/// Between two syncs of a bare file.
const SYNC_PACE: Duration = Duration::from_millis(50);

/// A bare sync that takes so long is noted.
const SLOW_SYNC: Duration = Duration::from_millis(50);

pub struct Diary {
    pub start: Instant,
    events: Mutex<VecDeque<(Duration, String)>>,
}

/// From the kill of a daemon to the answer to a send that was made after it.
pub struct Recovery {
    began: Duration,
    took: Duration,
    story: Vec<(Duration, String)>,
}

impl Diary {
    pub fn new() -> Diary {
        Diary { start: Instant::now(), events: Mutex::default() }
    }

    pub fn note(&self, event: impl Into<String>) {
        let mut events = self.events.lock().expect("sound");
        if events.len() == EVENTS {
            events.pop_front();
        }
        events.push_back((self.start.elapsed(), event.into()));
    }

    /// Syncs a page of a file in `folder` again and again; how long that took each time.
    pub fn sync_until(&self, stop: &AtomicBool, folder: &Path) -> Vec<Duration> {
        let mut file = std::fs::File::create(folder.join("bare")).expect("a file");
        let mut times = Vec::new();
        while !stop.load(Ordering::SeqCst) {
            let begun = Instant::now();
            file.rewind().and_then(|()| file.write_all(&[7; 4096])).expect("it is written");
            file.sync_data().expect("it is synced");
            let took = begun.elapsed();
            if took >= SLOW_SYNC {
                self.note(format!("a bare sync has taken {} ms", took.as_millis()));
            }
            times.push(took);
            std::thread::sleep(SYNC_PACE);
        }
        times
    }

    /// A recovery that ends now.
    pub fn recovery(&self, began: Duration) -> Recovery {
        let took = self.start.elapsed().saturating_sub(began);
        let events = self.events.lock().expect("sound");
        let story = events.iter().filter(|(at, _)| *at + BEFORE >= began).cloned().collect();
        Recovery { began, took, story }
    }
}

/// Of recoveries: [`quantiles`].
pub fn recovered_in(recoveries: &[Recovery]) -> String {
    quantiles(recoveries.iter().map(|recovery| recovery.took).collect())
}

/// `p50 p90 p99 max` in milliseconds.
pub fn quantiles(mut times: Vec<Duration>) -> String {
    let ms = [50, 90, 99, 100].map(|percent| quantile(&mut times, percent).as_millis().to_string());
    ms.join(" ")
}

/// Tells what happened during the slowest recoveries, of as many as are asked for.
pub fn tell_slowest(recoveries: &mut [Recovery]) {
    let many = usize::try_from(from_env("IPCD_TEST_SLOWEST", 0)).expect("a small number");
    recoveries.sort_by_key(|recovery| std::cmp::Reverse(recovery.took));
    for Recovery { began, took, story } in recoveries.iter().take(many) {
        figure(&format!(
            "a recovery of {} ms, {:.3} s after the start:",
            took.as_millis(),
            began.as_secs_f64()
        ));
        for (at, event) in story {
            figure(&format!("  {:+8.1} ms  {event}", (at.as_secs_f64() - began.as_secs_f64()) * 1e3));
        }
    }
}
