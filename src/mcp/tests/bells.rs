//! The bell: when it rings, when it does not any more, and what the daemon is told of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::super::bell::{Begin, Rang, Ringer};
use super::*;
use crate::protocol::event::{ClientSession, MailWaiting};
use crate::protocol::request::Bell;
use crate::protocol::response::{Registered, Wakes};

/// A client that nothing wakes.
pub struct Mute;

impl Ringer for Mute {
    fn means(&self) -> Wakes {
        Wakes::None
    }

    fn ring(&self, _begin: Begin) -> Later<Rang> {
        Box::pin(async { Rang::Unable })
    }

    fn thread(&self, _thread: &str) -> bool {
        false
    }
}

/// A client that writes down how it was rung.
#[derive(Default)]
struct Bellman {
    rings: AtomicU64,
    /// The last count that was rung.
    unread: AtomicU64,
    rang: Notify,
    /// Turns that other tasks get between the look for a means and the ring.
    slow: AtomicU64,
    broken: AtomicBool,
    threads: Mutex<Vec<String>>,
}

struct Bellmans(Arc<Bellman>);

impl Ringer for Bellmans {
    fn means(&self) -> Wakes {
        if self.0.broken.load(Ordering::SeqCst) { Wakes::None } else { Wakes::InboxSocket }
    }

    fn ring(&self, begin: Begin) -> Later<Rang> {
        let bellman = Arc::clone(&self.0);
        Box::pin(async move {
            if bellman.broken.load(Ordering::SeqCst) {
                return Rang::Unable;
            }
            for _ in 0..bellman.slow.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            if let Some(ring) = begin() {
                bellman.rings.fetch_add(1, Ordering::SeqCst);
                bellman.unread.store(ring.unread, Ordering::SeqCst);
                bellman.rang.notify_one();
            }
            Rang::By(Wakes::InboxSocket)
        })
    }

    fn thread(&self, thread: &str) -> bool {
        let mut threads = self.0.threads.lock().unwrap();
        let news = threads.last().is_none_or(|last| last != thread);
        if news {
            threads.push(thread.to_owned());
        }
        news
    }
}

impl Bellman {
    fn rings(&self) -> u64 {
        self.rings.load(Ordering::SeqCst)
    }

    async fn rung(&self) -> u64 {
        timeout(DEADLINE, self.rang.notified()).await.expect("it rings");
        self.unread.load(Ordering::SeqCst)
    }
}

/// A client whose bell is heard, and that has a name.
async fn with_bell(
    script: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static,
) -> (Client, Arc<Bellman>) {
    let bellman = Arc::new(Bellman::default());
    let setup = Setup { ringer: Arc::new(Bellmans(Arc::clone(&bellman))), ..Setup::default() };
    let mut client = Client::with(Daemon::new(script), setup);
    client.initialize("claude-code", json!({})).await;
    client.daemon.logged(|log| log.iter().any(Seen::registers)).await;
    (client, bellman)
}

fn waits(client: &Client, unread: u64) {
    client.daemon.events.send(Event::Mail(MailWaiting { unread })).expect("the front end listens");
}

#[tokio::test]
async fn an_idle_agent_is_rung_when_mail_comes_and_its_means_is_told() {
    let (client, bellman) = with_bell(|_| None).await;
    let hello = client.daemon.hello.lock().unwrap().clone().expect("it was dialled");
    assert_eq!(hello.wakes, Some(Wakes::InboxSocket));
    waits(&client, 2);
    assert_eq!(bellman.rung().await, 2);
    client.finish().await;
}

#[tokio::test]
async fn in_a_thousand_races_no_ring_begins_once_the_mail_is_known_to_be_read() {
    let next = Mutex::new(0);
    let script = move |request: &Request| match request {
        Request::Check(_) => {
            let mut next = next.lock().unwrap();
            *next += 1;
            let message =
                json!({"id": *next, "from": "bob", "content": "hi", "sender": {"verified": "full"}});
            let read = json!({"messages": [message], "remaining": 0, "waited_seconds": 0.0, "unread": 0});
            Some(Reply::Now(answer(read)))
        }
        _ => None,
    };
    let (mut client, bellman) = with_bell(script).await;
    for race in 0..1000 {
        bellman.slow.store(race % 40, Ordering::SeqCst);
        let params = json!({"name": "check"});
        let check = json!({"jsonrpc": "2.0", "id": race, "method": "tools/call", "params": params});
        // Now the mail is ahead, now the agent that looks by itself.
        if race % 2 == 0 {
            waits(&client, 1);
            client.say(check).await;
        } else {
            client.say(check).await;
            waits(&client, 1);
            waits(&client, 0);
        }
        client.hear().await;
        let known = bellman.rings();
        // Whoever was about to ring has had its turns by then.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        client.ping(race + 10_000).await;
        assert_eq!(bellman.rings(), known, "race {race}");
    }
    let rings = bellman.rings();
    assert!(0 < rings && rings < 1000, "both won some of them: {rings}");
    client.finish().await;
}

#[tokio::test]
async fn a_means_that_fails_is_taken_back_until_it_works_again() {
    let (client, bellman) = with_bell(|_| None).await;
    bellman.broken.store(true, Ordering::SeqCst);
    waits(&client, 1);
    let told = |wakes| Seen::Post(Request::Bell(Bell { wakes }));
    client.daemon.logged(|log| log.contains(&told(Wakes::None))).await;
    bellman.broken.store(false, Ordering::SeqCst);
    waits(&client, 2);
    assert_eq!(bellman.rung().await, 2);
    client.daemon.logged(|log| log.last() == Some(&told(Wakes::InboxSocket))).await;
    client.finish().await;
}

#[tokio::test]
async fn a_thread_that_a_call_names_is_rung_for_what_waits_already() {
    let (mut client, bellman) = with_bell(|_| None).await;
    bellman.broken.store(true, Ordering::SeqCst);
    waits(&client, 3);
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Post(Request::Bell(_))))).await;
    bellman.broken.store(false, Ordering::SeqCst);
    let params = json!({"name": "list_instances", "_meta": {"threadId": "t-1"}});
    client.request(1, "tools/call", params).await;
    assert_eq!(bellman.rung().await, 3);
    assert_eq!(*bellman.threads.lock().unwrap(), ["t-1"]);
    client.finish().await;
}

#[tokio::test]
async fn a_thread_that_a_hook_names_is_as_good() {
    let (client, bellman) = with_bell(|_| None).await;
    bellman.broken.store(true, Ordering::SeqCst);
    waits(&client, 1);
    client.daemon.logged(|log| matches!(log.last(), Some(Seen::Post(Request::Bell(_))))).await;
    bellman.broken.store(false, Ordering::SeqCst);
    let named = ClientSession { session: "t-2".to_owned() };
    client.daemon.events.send(Event::Session(named)).expect("the front end listens");
    assert_eq!(bellman.rung().await, 1);
    assert_eq!(*bellman.threads.lock().unwrap(), ["t-2"]);
    client.finish().await;
}

#[tokio::test]
async fn what_was_read_while_no_daemon_could_say_so_does_not_ring_later() {
    let (client, bellman) = with_bell(|_| None).await;
    waits(&client, 1);
    assert_eq!(bellman.rung().await, 1);
    let now: Registered =
        serde_json::from_value(json!({"name": "webapp", "resumed": true, "unread": 0, "peers": []})).unwrap();
    client.daemon.resumed.send_replace(Some(Ok(now)));
    // As after any silence, the next message rings at once.
    tokio::task::yield_now().await;
    waits(&client, 1);
    assert_eq!(bellman.rung().await, 1);
    client.finish().await;
}
