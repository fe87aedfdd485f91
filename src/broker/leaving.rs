//! The ends of sessions, of processes that held names, and of the daemon.
//!
//! What always holds: nothing that was handed out is settled by an end; it goes back, and says that it may
//! have been seen wherever that is not known.

use super::mutation::{Counters, MailboxId, Mutation};
use super::presence::Session;
use super::{Broker, SessionId, the_daemon_ends};
use crate::planted::{Bug, planted};
use crate::protocol::peer::ProcessId;

impl Broker {
    /// The daemon ends in order: what is leased may be seen again, and says so.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
        for waiter in self.waiters.take_all() {
            self.reply(waiter.session, waiter.call, Err(the_daemon_ends()));
        }
        for (mailbox, id) in self.presence.all_leases() {
            self.return_lease(mailbox, id, true);
        }
        let before = self.state.counters;
        let repeat_until = before.repeat_until.max(self.repeat_until);
        let counters = Counters { clean: true, repeat_until, wall: self.wall(), ..before };
        self.change(Mutation::PutCounters(counters));
    }

    /// Closes the connection by which a process that is gone still holds a mailbox's name.
    pub(super) fn hang_up(&mut self, mailbox: MailboxId, process: &ProcessId) {
        let Some(session) = self.presence.holder(mailbox) else { return };
        let of_process = |s: &Session| s.peer.process.as_ref() == Some(process);
        if self.presence.sessions().get(&session).is_some_and(of_process) {
            self.close(session, false);
        }
    }

    pub(super) fn close(&mut self, session: SessionId, polite: bool) {
        if !planted(Bug::WaiterLeak) {
            self.waiters.take_session(session);
        }
        self.end_hook(session, polite);
        for (mailbox, id) in self.presence.leases_of(session) {
            self.return_lease(mailbox, id, polite);
        }
        let held = self.presence.sessions().get(&session).and_then(|s| s.mailbox);
        if let Some(mailbox) = held {
            self.presence.let_go(mailbox);
            self.end_bell(mailbox);
            self.seen(mailbox);
            let known = self.holder_of(mailbox).is_some_and(|h| h.process.is_some());
            if polite || !known {
                self.departed(mailbox);
            }
            if polite {
                // Its agent let it go: the name waits for no other front end of that agent.
                self.update_holder(mailbox, |h| h.host = None);
            }
        }
        self.presence.close(session);
    }
}
