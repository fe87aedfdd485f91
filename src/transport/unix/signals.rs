//! What tells a process to end from outside.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP: all of them mean an end in order.
pub struct Signals([Signal; 3]);

impl Signals {
    /// From here on the three do not end the process by themselves.
    pub fn listen() -> io::Result<Signals> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let [a, b, c] = kinds.map(signal);
        Ok(Signals([a?, b?, c?]))
    }

    /// Waits for one of them.
    pub async fn next(&mut self) {
        let [a, b, c] = &mut self.0;
        tokio::select! {
            _ = a.recv() => {}
            _ = b.recv() => {}
            _ = c.recv() => {}
        }
    }
}
