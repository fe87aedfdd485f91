//! How this session's agent is woken when mail comes, and what the daemon was told of that.
//!
//! What always holds: the daemon hears of it when it is news, on each connection.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::backend::Backend;
use super::bell::{Bell, Ringer};
use super::ring::Ringers;
use crate::protocol::request::{self, Request};
use crate::protocol::response::Wakes;

pub struct Waking {
    pub bell: Arc<Bell>,
    ringers: Ringers,
    ringer: OnceLock<Arc<dyn Ringer>>,
    said: Mutex<Said>,
}

/// As the daemon was told.
#[derive(Clone, Copy, Default)]
struct Said {
    in_hello: Wakes,
    last: Wakes,
}

impl Waking {
    pub fn new(ringers: Ringers) -> Waking {
        Waking { bell: Arc::new(Bell::new()), ringers, ringer: OnceLock::new(), said: Mutex::default() }
    }

    /// Rings the agent of this client when mail comes, and `tell`s by what means; for ever.
    pub fn ring<T: Fn(Wakes)>(&self, client: &str, tell: T) -> impl Future<Output = ()> + use<T> {
        let ringer = self.ringer.get_or_init(|| (self.ringers)(client));
        Arc::clone(&self.bell).serve(Arc::clone(ringer), tell)
    }

    /// The means that the first connection's `hello` names.
    pub fn in_hello(&self) -> Wakes {
        let wakes = self.ringer.get().map_or(Wakes::None, |ringer| ringer.means());
        *self.said() = Said { in_hello: wakes, last: wakes };
        wakes
    }

    /// Tells the daemon how the agent is woken, if that is news. Without one `hello` will say it.
    pub fn say(&self, backend: Option<&dyn Backend>, wakes: Wakes) {
        let before = std::mem::replace(&mut self.said().last, wakes);
        if let Some(backend) = backend
            && before != wakes
        {
            backend.post(Request::Bell(request::Bell { wakes }));
        }
    }

    /// Tells a new connection, whose `hello` said again what was true at first.
    pub fn say_again(&self, backend: &dyn Backend) {
        let Said { in_hello, last: wakes } = *self.said();
        if wakes != in_hello {
            backend.post(Request::Bell(request::Bell { wakes }));
        }
    }

    /// The client named its own conversation: that may be a way to ring it.
    pub fn thread(&self, backend: Option<&dyn Backend>, thread: &str) {
        if let Some(ringer) = self.ringer.get().filter(|ringer| ringer.thread(thread)) {
            self.say(backend, ringer.means());
            self.bell.able();
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Each change is one assignment.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
