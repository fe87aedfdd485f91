//! What one session is owed: calls that were read and not answered yet, and lines that answer no call.
//!
//! What always holds: whatever a peer sends, and however little it reads, what waits for the engine and
//! what waits to be written have a bound. A session at its bound is not read from until its peer takes
//! what it asked for; it holds up nobody else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::Request;
use crate::protocol::wire::CallId;

/// Calls in flight of one session: bounds its waits and its unread answers.
const CALLS_MAX: usize = 64;

/// Unwritten lines that answer no call: a peer that sends garbage and reads nothing is closed.
const COMPLAINTS_MAX: usize = 256;

/// Bytes that the calls in flight of one session take, in and out. Nothing more is read from it above
/// this: its next line may be as long as a line may be, and that is all. Whoever else speaks waits for
/// the commit of so much, from each session that floods.
const BYTES_MAX: usize = 512 << 10;

/// Bytes that an answer about all instances, or all dead letters, is taken to have: a few may be asked
/// for at one time.
const LONG_ANSWER_BYTES: usize = 128 << 10;

/// Bytes that an answer with mail is taken to have.
const MAIL_BYTES: usize = 64 << 10;

/// Shared by a session's reader and writer.
#[derive(Clone, Debug, Default)]
pub struct Owed(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    book: Mutex<Book>,
    /// An answer was taken by the writer.
    less: Notify,
}

#[derive(Debug, Default)]
struct Book {
    /// So few that looking through them costs less than a tree's node for each.
    calls: Vec<Call>,
    /// The weight of all calls.
    bytes: usize,
    complaints: usize,
}

#[derive(Debug)]
struct Call {
    id: CallId,
    bytes: usize,
    /// Its peer does not want the answer any more.
    given_up: bool,
}

impl Book {
    fn call(&mut self, id: &CallId) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.id == *id)
    }
}

impl Owed {
    /// A call was read.
    ///
    /// # Errors
    /// It is refused: too many are in flight, or one with this id is.
    pub fn begin(&self, call: &CallId) -> Result<(), Refusal> {
        let calls = &mut self.lock().calls;
        if calls.len() >= CALLS_MAX {
            return Err(Refusal::new(
                RefusalCode::Busy,
                format!("{CALLS_MAX} calls are in flight, which is the limit"),
            )
            .hint("wait for an answer first"));
        }
        if calls.iter().any(|other| other.id == *call) {
            return Err(Refusal::invalid_argument("a call with this id is in flight")
                .hint("give each call an id of its own"));
        }
        calls.push(Call { id: call.clone(), bytes: 0, given_up: false });
        Ok(())
    }

    /// The call is handed to the engine: what it takes until it is answered.
    pub fn weigh(&self, call: &CallId, request: &Request, line_bytes: usize) {
        let bytes = match request {
            Request::Send(_) | Request::Broadcast(_) => line_bytes,
            Request::List(_) | Request::Status(_) | Request::DeadList(_) => LONG_ANSWER_BYTES,
            Request::Check(check) if check.wait_ms == 0 => MAIL_BYTES,
            // A wait may be parked for an hour.
            _ => 0,
        };
        let book = &mut *self.lock();
        if let Some(call) = book.call(call) {
            call.bytes = bytes;
            book.bytes += bytes;
        }
    }

    /// Waits until another line may be read. Each call that weighs anything is answered by the next
    /// commit, so this ends.
    pub async fn room(&self) {
        loop {
            let less = self.0.less.notified();
            if self.lock().bytes < BYTES_MAX {
                return;
            }
            less.await;
        }
    }

    /// Whether the engine has to be told that the peer gave up on `call`: once, and only while the call
    /// is in flight. So the engine's queue has a bound, whatever a peer sends while a commit runs.
    pub fn give_up(&self, call: &CallId) -> bool {
        self.lock().call(call).is_some_and(|call| !std::mem::replace(&mut call.given_up, true))
    }

    /// The writer has the answer.
    pub fn end(&self, call: &CallId) {
        let book = &mut *self.lock();
        if let Some(at) = book.calls.iter().position(|other| other.id == *call) {
            book.bytes -= book.calls.swap_remove(at).bytes;
        }
        // A permit is kept for a reader that is about to wait.
        self.0.less.notify_one();
    }

    /// One more line that answers no call; false when the peer leaves too many of them unread.
    pub fn complain(&self) -> bool {
        let book = &mut self.lock();
        book.complaints += 1;
        book.complaints <= COMPLAINTS_MAX
    }

    /// Pushes are lines too, and are not counted: they are few and only the last one matters.
    pub fn line_taken(&self) {
        let book = &mut self.lock();
        book.complaints = book.complaints.saturating_sub(1);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request::Nothing;

    #[test]
    fn the_engine_hears_once_that_a_call_in_flight_is_given_up() {
        let (owed, call) = (Owed::default(), CallId::Number(1));
        assert!(!owed.give_up(&call), "no such call");
        owed.begin(&call).unwrap();
        assert_eq!([owed.give_up(&call), owed.give_up(&call)], [true, false]);
        owed.end(&call);
        assert!(!owed.give_up(&call), "answered");
        owed.begin(&call).unwrap();
        assert!(owed.give_up(&call), "another call by the same id");
    }

    #[tokio::test]
    async fn nothing_is_read_while_much_is_owed() {
        let owed = Owed::default();
        let list = Request::List(Nothing {});
        let fits = BYTES_MAX / LONG_ANSWER_BYTES;
        for number in 0..fits as i64 {
            owed.room().await;
            owed.begin(&CallId::Number(number)).unwrap();
            owed.weigh(&CallId::Number(number), &list, 50);
        }
        let mut room = std::pin::pin!(owed.room());
        assert!(futures_poll(room.as_mut()).is_pending(), "{fits} long answers are owed");
        owed.end(&CallId::Number(0));
        room.await;
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}
