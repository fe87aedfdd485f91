//! What several inputs of one batch come to, which no conversation can show: there each line is a batch of
//! its own.

use super::world::{Actor, World};
use crate::broker::limits::Limits;
use crate::broker::{Effect, Input};
use crate::protocol::event::{Event, MailWaiting};
use crate::protocol::hello::Role;
use crate::protocol::message::Body;
use crate::protocol::request::{Check, Register, Request, Send};
use crate::protocol::wire::CallId;

fn hi() -> Request {
    Request::Send(Send {
        to: vec!["bob".to_owned()],
        content: Body("hi".into()),
        summary: None,
        data: None,
        reply_to: None,
        key: None,
        ttl_seconds: None,
        from: None,
    })
}

fn alice_and_bob() -> World {
    let mut world = World::new(Limits::default());
    for name in ["alice", "bob"] {
        world.actors.insert(name.to_owned(), Actor::new(Role::Mcp, name));
        world.open(name);
        world.call(name, Request::Register(Register { name: Some(name.to_owned()), ..Register::default() }));
    }
    world
}

#[test]
fn a_wait_that_was_cancelled_in_a_failed_batch_does_not_come_back_with_the_next() {
    let mut world = alice_and_bob();
    let (call, _) = world.call("bob", Request::Check(Check { wait_ms: 60_000, ..Check::default() }));
    let session = |name: &str| world.actors[name].session.expect("it is open");
    let (alice, bob) = (session("alice"), session("bob"));
    world.broker.handle(world.now, Input::Cancelled { session: bob, call: call.clone() });
    for number in [1000, 1001] {
        let send = Input::Call { session: alice, call: CallId::Number(number), request: hi() };
        world.broker.handle(world.now, send);
        world.fail_step();
        world.broker.confirm();
        assert!(!world.broker.waiters.holds(bob, &call), "it was answered, and waits for nothing");
    }
}

#[test]
fn other_mail_rings_again_though_it_is_as_much() {
    let mut world = alice_and_bob();
    world.call("alice", hi());
    let session = |name: &str| world.actors[name].session.expect("it is open");
    let calls = [(session("bob"), Request::Check(Check::default())), (session("alice"), hi())];
    for (number, (session, request)) in calls.into_iter().enumerate() {
        let call = CallId::Number(1000 + number as i64);
        world.broker.handle(world.now, Input::Call { session, call, request });
    }
    let bob = world.actors["bob"].session.expect("it is open");
    let told = world.broker.drain().effects.into_iter().filter_map(|effect| match effect {
        Effect::Push { session, event: Event::Mail(MailWaiting { unread }) } if session == bob => {
            Some(unread)
        }
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [1], "one was taken and one came, since one was told");
}
