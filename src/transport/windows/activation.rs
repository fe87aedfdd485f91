//! Windows has no service manager that opens a pipe for a user's program: nothing is ever inherited.

use std::time::Duration;

use super::super::TransportError;

/// Nobody hands one over.
#[derive(Debug)]
pub enum InheritedSocket {}

/// No service manager holds a service back.
pub const HELD_BACK: Duration = Duration::ZERO;

/// No service manager counts how often a service ends.
pub const IDLE_EXIT_MIN: Duration = Duration::ZERO;

/// What a service manager gave to this process.
#[derive(Debug)]
pub struct Inherited {
    /// `None`: nobody listens for us, we bind.
    pub socket: Option<InheritedSocket>,
    pub notifier: Notifier,
}

/// Tells nobody anything.
#[derive(Clone, Debug, Default)]
pub struct Notifier;

/// Takes what the service manager gave: nothing.
pub fn take() -> Result<Inherited, TransportError> {
    Ok(Inherited { socket: None, notifier: Notifier })
}

impl Notifier {
    pub fn ready(&self) {}

    pub fn stopping(&self) {}

    /// One line for people.
    pub fn status(&self, _text: &str) {}
}
