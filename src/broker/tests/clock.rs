//! Clocks that jump, stop and sleep, at random: order stays, time never goes back, and no jump kills mail
//! before somebody had a while to read it. All mail dies in the end all the same.
//!
//! `IPCD_TEST_WALKS` asks for more walks.

use std::time::Duration;

use super::world::{Actor, World};
use crate::broker::limits::Limits;
use crate::protocol::hello::Role;
use crate::protocol::message::Body;
use crate::protocol::request::{Register, Request, Send};
use crate::protocol::time::{Tick, Timestamp};
use crate::store::tests::disk::Rng;

const WALKS: u64 = 300;
const STEPS: u64 = 40;
const HOUR: Duration = Duration::from_secs(3600);
/// Longest time to live of a letter in these walks.
const TTL_SECONDS: u64 = 36_000;

struct Walk {
    world: World,
    rng: Rng,
    /// The steady clock when mail may die again after the last leap.
    spared_until: Option<Tick>,
    sent: u64,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let limits = Limits { sends_per_minute: 0, mailbox_messages: 0, ..Limits::default() };
        let mut walk = Walk { world: World::new(limits), rng: Rng(seed), spared_until: None, sent: 0 };
        walk.world.actors.insert("ann".to_owned(), Actor::new(Role::Mcp, "ann"));
        walk.connect();
        walk
    }

    fn connect(&mut self) {
        self.world.open("ann");
        let register = Register { name: Some("ann".to_owned()), ..Register::default() };
        self.world.call("ann", Request::Register(register));
    }

    fn send(&mut self) {
        self.sent += 1;
        let send = Send {
            to: vec!["ann".to_owned()],
            content: Body(self.sent.to_string().into()),
            summary: None,
            data: None,
            reply_to: None,
            key: None,
            ttl_seconds: Some(60 + self.rng.below(TTL_SECONDS - 60)),
            from: None,
        };
        self.world.call("ann", Request::Send(send));
    }

    fn dead(&self) -> usize {
        self.world.broker.state.dead.len()
    }

    fn span(&mut self) -> Duration {
        let most = [60, 3_600, 86_400, 400 * 86_400][self.rng.below(4) as usize];
        Duration::from_secs(self.rng.below(most))
    }

    /// The wall clock is ahead of the steady one by `span` more than before.
    fn leapt(&mut self, span: Duration) {
        if span > HOUR {
            self.spared_until = Some(self.world.now.tick.plus(HOUR));
        }
    }

    fn step(&mut self) {
        let (dead, before) = (self.dead(), self.world.wall());
        let mut jump = None;
        match self.rng.below(10) {
            0..=3 => self.send(),
            4..=5 => {
                let span = Duration::from_secs(self.rng.below(1_800));
                self.world.pass(span);
            }
            // The clock is set ahead, or the machine sleeps: its steady clock stops.
            6..=7 => {
                let span = self.span();
                jump = Some(span);
                let shown = self.world.now.wall.max(before);
                self.leapt(span);
                self.world.jump_to(shown.plus(span));
            }
            8 => {
                let back = Timestamp(self.world.now.wall.0 - self.span().as_millis() as u64);
                self.world.jump_to(back);
            }
            // The machine is off for a while, and its steady clock begins anew.
            _ => {
                let span = self.span();
                jump = Some(span);
                self.world.now.wall = self.world.now.wall.max(before).plus(span);
                self.world.now.tick = Tick(0);
                self.spared_until = None;
                // By what the store knows of the time, which is older still.
                let known = self.world.broker.state.counters.wall;
                self.leapt(self.world.now.wall.since(known));
                self.world.start_again();
                self.connect();
            }
        }
        assert!(self.world.wall() >= before, "time went back");
        let spared = self.spared_until.is_some_and(|until| self.world.now.tick < until);
        assert!(!spared || self.dead() == dead, "mail died of a jump of {jump:?}");
    }
}

/// Numbers of unread mail, in the order in which it would be read.
fn unread(walk: &Walk) -> Vec<u64> {
    let mailboxes = walk.world.broker.state.mailboxes.values();
    mailboxes.flat_map(|mailbox| mailbox.unsettled.keys().map(|id| id.0)).collect()
}

#[test]
fn no_walk_of_the_clocks_kills_mail_at_once_or_keeps_it_for_ever() {
    let walks = std::env::var("IPCD_TEST_WALKS").ok().and_then(|text| text.parse().ok()).unwrap_or(WALKS);
    let mut sent = 0;
    for seed in 0..walks {
        let mut walk = Walk::new(seed);
        for _ in 0..STEPS {
            walk.step();
        }
        let left = unread(&walk);
        assert!(
            left.is_sorted() && left.len() as u64 + walk.dead() as u64 == walk.sent,
            "seed {seed}: {left:?}"
        );
        // An hour of grace, and the longest life.
        walk.world.pass(HOUR);
        walk.world.pass(Duration::from_secs(TTL_SECONDS));
        assert_eq!((unread(&walk).len(), walk.dead() as u64), (0, walk.sent), "seed {seed}");
        sent += walk.sent;
    }
    assert!(sent > walks, "next to nothing was sent");
}
