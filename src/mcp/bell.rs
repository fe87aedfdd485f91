//! The bell of this session's agent: the [`Doorbell`] behind a lock, and the task that rings.
//!
//! What always holds: whatever is learnt of the mail goes into the doorbell at once, in the order in
//! which it was learnt; a ring begins under its lock, so none begins after the mail was known to be read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::backend::Later;
use super::doorbell::{Doorbell, Ring};
use crate::protocol::response::Wakes;
use crate::protocol::time::Tick;

/// Asked in the moment before the first byte of a ring leaves: what it is about, or that there is nothing
/// to ring about any more.
pub type Begin = Arc<dyn Fn() -> Option<Ring> + Send + Sync>;

/// What became of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rang {
    /// It went out, or was not wanted any more.
    By(Wakes),
    /// There is no way to ring now.
    Unable,
}

/// Wakes one agent.
pub trait Ringer: Send + Sync {
    /// The means that there seems to be right now.
    fn means(&self) -> Wakes;

    /// Rings, by the best means that works.
    fn ring(&self, begin: Begin) -> Later<Rang>;

    /// The client's own conversation, as a call named it. True if that is news.
    fn thread(&self, thread: &str) -> bool;
}

pub struct Bell {
    doorbell: Mutex<Doorbell>,
    changed: Notify,
    counts: watch::Sender<u64>,
    began: Instant,
}

impl Bell {
    pub fn new() -> Bell {
        Bell {
            doorbell: Mutex::default(),
            changed: Notify::new(),
            counts: watch::channel(0).0,
            began: Instant::now(),
        }
    }

    /// The daemon says how many messages wait.
    pub fn mail(&self, unread: u64) {
        self.tell(|doorbell, now| doorbell.mail(now, unread));
        self.counts.send_replace(unread);
    }

    /// See [`Doorbell::registered`].
    pub fn registered(&self, unread: u64) {
        self.tell(|doorbell, now| doorbell.registered(now, unread));
    }

    /// See [`Doorbell::resumed`].
    pub fn resumed(&self, unread: u64) {
        self.tell(|doorbell, _| doorbell.resumed(unread));
    }

    /// The agent was handed mail, and `left` wait after it at most.
    pub fn read(&self, left: u64) {
        self.tell(|doorbell, now| doorbell.read(now, left));
    }

    /// The daemon's count, whenever it says one.
    pub fn counts(&self) -> watch::Receiver<u64> {
        self.counts.subscribe()
    }

    /// There may be a way to ring again.
    pub fn able(&self) {
        self.tell(|doorbell, now| doorbell.able(now));
    }

    /// Messages that wait, as far as is known.
    pub fn unread(&self) -> u64 {
        self.lock().unread()
    }

    /// See [`Doorbell::begin`].
    pub fn begin(&self) -> Option<Ring> {
        let now = self.now();
        self.lock().begin(now)
    }

    /// Waits until it is time to ring.
    pub async fn due(&self) {
        loop {
            let changed = self.changed.notified();
            let next = self.lock().next();
            match next {
                Some(due) if due <= self.now() => return,
                Some(due) => {
                    let at = self.began + Duration::from_millis(due.0);
                    tokio::select! {
                        () = sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Rings whenever it is time, and `tell`s by what means when that changes; for ever.
    pub async fn serve(self: Arc<Bell>, ringer: Arc<dyn Ringer>, tell: impl Fn(Wakes)) {
        loop {
            self.due().await;
            let (bell, begun) = (Arc::clone(&self), Arc::new(AtomicBool::new(false)));
            let begins = Arc::clone(&begun);
            let begin = move || bell.begin().inspect(|_| begins.store(true, Ordering::SeqCst));
            match ringer.ring(Arc::new(begin)).await {
                Rang::By(wakes) => tell(wakes),
                Rang::Unable => {
                    let begun = begun.load(Ordering::SeqCst);
                    self.tell(|doorbell, now| doorbell.unable(now, begun));
                    tell(Wakes::None);
                }
            }
        }
    }

    fn tell(&self, news: impl FnOnce(&mut Doorbell, Tick)) {
        let now = self.now();
        news(&mut self.lock(), now);
        self.changed.notify_one();
    }

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, Doorbell> {
        // Each change is one call, and none of them stops half way.
        self.doorbell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::mpsc;

    use super::*;

    /// Gets through with none: it fails in the middle of a ring, or finds no way to begin one.
    struct Deaf {
        begins: bool,
    }

    impl Ringer for Deaf {
        fn means(&self) -> Wakes {
            Wakes::InboxSocket
        }

        fn ring(&self, begin: Begin) -> Later<Rang> {
            assert!(!self.begins || begin().is_some());
            Box::pin(std::future::ready(Rang::Unable))
        }

        fn thread(&self, _: &str) -> bool {
            false
        }
    }

    /// A bell that was tried for one message, and failed.
    async fn failed(begins: bool) -> Arc<Bell> {
        let (bell, (tell, mut told)) = (Arc::new(Bell::new()), mpsc::unbounded_channel());
        bell.mail(1);
        let ringer = Arc::new(Deaf { begins });
        tokio::spawn(Arc::clone(&bell).serve(ringer, move |wakes| {
            let _ = tell.send(wakes);
        }));
        assert_eq!(told.recv().await, Some(Wakes::None));
        bell
    }

    #[tokio::test]
    async fn a_ring_that_failed_after_it_began_is_none_and_is_tried_again_as_soon_as_it_can_be() {
        let bell = failed(true).await;
        assert!(bell.lock().next().is_some_and(|due| due > bell.now()), "not at once by itself");
        bell.able();
        assert!(bell.lock().next().is_some_and(|due| due <= bell.now()));
    }

    #[tokio::test]
    async fn where_no_ring_can_begin_the_next_try_is_that_of_a_reminder() {
        let bell = failed(false).await;
        assert!(bell.lock().next().is_some_and(|due| due > bell.now()), "it would spin");
    }

    /// Two threads race a thousand times: one learns that the mail was read, one rings. The reader notes
    /// that it knows after it told the bell; a ring that saw the note had begun too late.
    #[test]
    fn no_ring_begins_after_the_mail_was_known_to_be_read() {
        let mut rings = 0;
        for race in 0..1000 {
            let (bell, known, there) = (Bell::new(), AtomicBool::new(false), AtomicBool::new(false));
            bell.mail(1);
            let late = thread::scope(|scope| {
                scope.spawn(|| {
                    // Now the one, now the other is ahead, whoever is started first.
                    while race % 2 == 0 && !there.load(Ordering::SeqCst) {
                        thread::yield_now();
                    }
                    (0..race % 50).for_each(|_| std::hint::spin_loop());
                    bell.read(0);
                    known.store(true, Ordering::SeqCst);
                });
                let ringer = scope.spawn(|| {
                    there.store(true, Ordering::SeqCst);
                    (0..race % 70).for_each(|_| std::hint::spin_loop());
                    let knew = known.load(Ordering::SeqCst);
                    let rang = bell.begin().is_some();
                    (knew && rang, rang)
                });
                let (late, rang) = ringer.join().expect("no panic");
                rings += u32::from(rang);
                late
            });
            assert!(!late, "race {race}");
            assert_eq!(bell.begin(), None, "race {race}");
        }
        assert!(rings > 0, "the ringer won some of them");
    }
}
