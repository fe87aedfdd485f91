//! One life of a machine: front ends that do what front ends do, and a disk that fails now and then.

use std::time::Duration;

use super::book::{Book, name};
use super::front_end::FrontEnd;
use super::machine::{Cut, Machine};
use crate::protocol::request::{Rename, Request};
use crate::store::tests::disk::Rng;

const FRONT_ENDS: usize = 3;
/// Crashes while the last one is being recovered from, at most.
const CRASHES_AGAIN: u64 = 2;

/// By then everybody has read everything.
const ROUNDS: u32 = 100;

pub struct Play {
    pub machine: Machine,
    pub book: Book,
    ends: Vec<FrontEnd>,
    rng: Rng,
    last_letter: u64,
    last_session: u64,
    /// How the next failure of the disk ends the daemon.
    pub cut: Cut,
    /// Daemons that ended unasked.
    pub crashes: u64,
    /// Of these, before they answered anybody.
    pub crashes_again: u64,
    pub commits_seen: u64,
}

impl Play {
    pub fn new(seed: u64) -> Play {
        Play::with(seed, Rng(seed).below(4) == 0)
    }

    /// One whose store commits in this mode.
    pub fn with(seed: u64, two_phase: bool) -> Play {
        let mut rng = Rng(seed);
        rng.next();
        Play {
            machine: Machine::new(two_phase),
            book: Book::default(),
            ends: (0..FRONT_ENDS).map(FrontEnd::new).collect(),
            rng,
            last_letter: 0,
            last_session: 0,
            cut: Cut::Power,
            crashes: 0,
            crashes_again: 0,
            commits_seen: 0,
        }
    }

    /// Brings the daemon up, through as many crashes as it takes.
    pub fn start(&mut self) {
        while !self.machine.start() {
            self.crash();
        }
        self.check();
    }

    /// A few things happen at once, and the daemon takes them as one batch.
    pub fn step(&mut self) {
        self.act_together();
        self.turn();
    }

    fn act_together(&mut self) {
        for _ in 0..1 + self.rng.below(3) {
            let who = self.rng.below(FRONT_ENDS as u64) as usize;
            self.act(who);
        }
        self.machine.nudge();
    }

    fn turn(&mut self) {
        if self.machine.turn() {
            self.listen(true);
            self.check();
        } else {
            // Who was answered before the disk failed has heard it; a refusal only comes from a daemon
            // that lives to see the error.
            self.listen(self.cut == Cut::Error);
            self.crash_and_start();
        }
    }

    /// The disk will fail some calls from now.
    pub fn arm(&mut self, calls: u64) {
        let calls = 1 + self.rng.below(calls);
        self.cut = self.some_cut();
        self.machine.fail_after(calls);
    }

    /// The daemon has committed, and is gone before everybody has heard.
    pub fn crash_before_answers(&mut self) {
        self.cut = self.some_cut();
        self.act_together();
        let committed = self.machine.turn();
        for end in &mut self.ends {
            if committed && self.rng.below(2) == 0 {
                end.listen(&self.machine, &mut self.book, true);
            }
        }
        self.crash_and_start();
    }

    /// The daemon ends in order, and the next one begins.
    pub fn restart(&mut self) {
        let stopped = self.machine.stop();
        self.listen(stopped || self.cut == Cut::Error);
        if stopped {
            self.check();
        }
        self.machine.end(Cut::Kill, &mut self.rng);
        self.ends.iter_mut().for_each(FrontEnd::forget_connection);
        self.start();
    }

    /// Nothing fails any more: everybody reads all there is, and the book is closed.
    pub fn finish(mut self) -> Play {
        self.machine.fail_after(u64::MAX);
        for _ in 0..ROUNDS {
            let ready = self.ends.iter().all(FrontEnd::is_idle);
            for end in 0..FRONT_ENDS {
                self.connect_or(end, |end, machine, book| {
                    let hands = end.hands();
                    if !hands.is_empty() {
                        end.ack(machine, book, &hands);
                    }
                    end.check(machine, 20, 0);
                });
            }
            self.machine.nudge();
            self.turn();
            // Whoever waited for mail has waited long enough by then.
            self.pass(3_600_000);
            let idle = self.ends.iter().all(|end| end.is_idle() && end.hands().is_empty());
            if ready && idle {
                self.book.close(&self.machine.log.lock().unwrap().rows.mutations());
                return self;
            }
        }
        panic!("mail without end, or a call that is never answered")
    }

    fn connect_or(&mut self, who: usize, act: impl FnOnce(&mut FrontEnd, &Machine, &mut Book)) {
        let end = &mut self.ends[who];
        if end.is_connected() {
            act(end, &self.machine, &mut self.book);
        } else {
            self.last_session += 1;
            end.connect(&self.machine, self.last_session);
        }
    }

    fn act(&mut self, who: usize) {
        let what = self.rng.below(100);
        let dice = self.rng.next();
        let to: Vec<(usize, String)> = self.ends.iter().map(|end| (end.number, end.name.clone())).collect();
        let number = self.last_letter + 1;
        match what {
            // Time passes for everybody; a step has something to take all the same.
            0..=7 => {
                let millis = [1, 1_000, 60_000, 3_600_000][(dice % 4) as usize];
                return self.pass(millis);
            }
            8..=9 => return self.set_back(dice % 100_000_000),
            10..=12 => return self.ends[who].leave(&self.machine, dice.is_multiple_of(2)),
            13..=16 => return self.ends[who].disconnect(&self.machine, false),
            _ => {}
        }
        self.last_letter = number;
        self.connect_or(who, |end, machine, book| match what {
            17..=50 => {
                let first = (dice % FRONT_ENDS as u64) as usize;
                let second = (first + 1) % FRONT_ENDS;
                let to = match dice >> 8 & 3 {
                    0 => vec![to[first].clone(), to[second].clone()],
                    _ => vec![to[first].clone()],
                };
                let ttl = (dice >> 16 & 7 == 0).then_some(1 + (dice >> 24) % 100);
                end.send(machine, book, number, &to, ttl);
            }
            51..=54 => end.broadcast(machine, book, number, FRONT_ENDS),
            55..=75 => {
                let wait = if dice & 3 == 0 { 1 + (dice >> 8) % 90_000 } else { 0 };
                end.check(machine, 1 + (dice >> 32) as usize % 6, wait);
            }
            76..=90 => {
                let mut hands = end.hands();
                hands.retain(|id| dice >> (id % 7) & 1 == 0);
                if !hands.is_empty() {
                    end.ack(machine, book, &hands);
                }
            }
            91..=93 => {
                let hands = end.hands();
                if !hands.is_empty() {
                    end.nack(machine, &hands);
                }
            }
            94..=96 => {
                let new = name(end.number, dice % 3);
                if end.is_idle() {
                    end.call(machine, Request::Rename(Rename { new, old: None }));
                }
            }
            _ => end.cancel(machine),
        });
    }

    fn pass(&mut self, millis: u64) {
        let mut now = self.machine.now.lock().unwrap();
        let span = Duration::from_millis(millis);
        (now.wall, now.tick) = (now.wall.plus(span), now.tick.plus(span));
    }

    fn set_back(&mut self, millis: u64) {
        let mut now = self.machine.now.lock().unwrap();
        now.wall.0 -= millis;
    }

    fn listen(&mut self, refusals: bool) {
        for end in &mut self.ends {
            end.listen(&self.machine, &mut self.book, refusals);
        }
    }

    fn check(&mut self) {
        self.commits_seen += 1;
        self.book.check(&self.machine.log.lock().unwrap().rows.mutations());
    }

    fn some_cut(&mut self) -> Cut {
        [Cut::Power, Cut::Power, Cut::Kill, Cut::Error][self.rng.below(4) as usize]
    }

    /// The daemon is gone; with the power, everybody is.
    fn crash(&mut self) {
        self.crashes += 1;
        self.machine.end(self.cut, &mut self.rng);
        for end in &mut self.ends {
            match self.cut {
                Cut::Power => end.die(&self.machine),
                Cut::Kill | Cut::Error => end.forget_connection(),
            }
        }
    }

    fn crash_and_start(&mut self) {
        self.crash();
        for _ in 0..self.rng.below(CRASHES_AGAIN + 1) {
            self.arm(24);
            if self.machine.start() {
                // It came up and will fail a little later.
                return self.check();
            }
            self.crashes_again += 1;
            self.crash();
        }
        self.start();
    }
}
