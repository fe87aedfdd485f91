//! Nothing that was acknowledged is lost, whenever the power goes, the daemon is killed or the disk
//! fails, and whenever that happens again during recovery.

use std::hash::{BuildHasher, RandomState};

use super::machine::Cut;
use super::play::Play;

/// Crash images of one test run: what a few seconds hold. Each is a daemon that ended unasked.
const IMAGES: u64 = 400;
const STEPS: u64 = 40;
/// Steps of the play in which each call of the disk fails once.
const STEPS_OF_THE_LOOP: u64 = 6;

pub fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::print_stdout, reason = "a figure, and how to play a failure again, is what it is run for")]
pub fn say(line: &str) {
    println!("{line}");
}

/// Says how to play again what panics while this lives.
struct Confession(String);

impl Drop for Confession {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&self.0);
        }
    }
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    let first = from_env("IPCD_TEST_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let images = from_env("IPCD_TEST_IMAGES").unwrap_or(IMAGES);
    let (mut seed, mut crashes, mut again, mut letters, mut repeats) = (first, 0, 0, 0, 0);
    while crashes < images {
        let _confession = Confession(format!("IPCD_TEST_SEED={seed} IPCD_TEST_IMAGES=1"));
        let play = one_life(seed);
        crashes += play.crashes;
        again += play.crashes_again;
        letters += play.book.letters.len();
        repeats += play.book.repeats;
        seed = seed.wrapping_add(1);
    }
    say(&format!(
        "simulated: images={crashes} during_recovery={again} lives={} letters={letters} repeats_flagged={repeats} violations=0 first_seed={first}",
        seed.wrapping_sub(first)
    ));
}

fn one_life(seed: u64) -> Play {
    let mut play = Play::new(seed);
    play.start();
    for step in 0..STEPS {
        match seed.wrapping_add(step) % 10 {
            3 => play.arm(60),
            7 => play.crash_before_answers(),
            9 if step > 30 => play.restart(),
            _ => {}
        }
        play.step();
    }
    play.finish()
}

/// Runs the same play again and again, and each time the next call of the disk is the first to fail.
#[test]
fn whichever_call_of_the_disk_fails_nothing_acknowledged_is_lost() {
    let workloads = from_env("IPCD_TEST_WORKLOADS").unwrap_or(1);
    let seed = from_env("IPCD_TEST_SEED").unwrap_or(1);
    let mut failures = 0;
    for seed in seed..seed + workloads {
        for cut in [Cut::Power, Cut::Kill, Cut::Error] {
            failures += fail_each_call(seed, cut);
        }
    }
    assert!(failures > workloads * 100, "only {failures} calls failed");
    say(&format!(
        "each call of the disk failed once: workloads={workloads} failures={failures} violations=0"
    ));
}

/// How many calls there were to fail.
fn fail_each_call(seed: u64, cut: Cut) -> u64 {
    for call in 0.. {
        let _confession = Confession(format!("IPCD_TEST_SEED={seed} {cut:?} at call {call}"));
        let mut play = Play::new(seed);
        play.cut = cut;
        play.machine.fail_after(call);
        play.start();
        for _ in 0..STEPS_OF_THE_LOOP {
            play.step();
        }
        // What follows a crash may crash again; with none there was no such call.
        if play.finish().crashes == 0 {
            return call;
        }
    }
    unreachable!("a play has an end")
}
