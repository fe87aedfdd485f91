//! Automatic looking for mail: each instance has its own switch and interval, which its hooks follow.

use std::time::Duration;

use super::mutation::{AutoCheck, MailboxId};
use super::{Broker, SessionId};
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Auto, AutoSet};
use crate::protocol::response::{AutoState, Response};

/// The seed's default, in minutes.
const MINUTES_DEFAULT: i64 = 5;

impl Broker {
    pub(super) fn auto(&mut self, session: SessionId, auto: &Auto) -> Result<Response, Refusal> {
        let mailbox = self.speaking_mailbox(session, auto.from.as_deref())?;
        if self.is_user(mailbox) {
            return Err(Refusal::new(RefusalCode::NotRegistered, "only an instance looks by itself")
                .hint("run it below an agent, or `ipcd register NAME` first"));
        }
        match auto.set {
            AutoSet::Start => {
                let minutes = auto.minutes.unwrap_or(MINUTES_DEFAULT);
                let minutes =
                    u64::try_from(minutes).ok().filter(|m| (1..=60).contains(m)).ok_or_else(|| {
                        Refusal::invalid_argument(format!("an interval of {minutes} minutes"))
                            .hint("use 1 to 60 whole minutes")
                    })?;
                self.update_holder(mailbox, |h| h.auto_check = Some(AutoCheck { minutes, last: None }));
            }
            AutoSet::Stop => self.update_holder(mailbox, |h| h.auto_check = None),
            AutoSet::Looked => self.looked(mailbox),
            AutoSet::Status => {}
        }
        let check = self.holder_of(mailbox).and_then(|h| h.auto_check);
        Ok(Response::Auto(AutoState {
            enabled: check.is_some(),
            interval_minutes: check.map_or(0, |c| c.minutes),
            last_check: check.and_then(|c| c.last),
            next_check: check.and_then(|c| Some(c.last?.plus(c.interval()))),
            due: self.look_is_due(mailbox),
            unread: self.unread(mailbox),
        }))
    }

    /// An automatic look at this mailbox is wanted, and the last one is long enough ago.
    pub(super) fn look_is_due(&self, mailbox: MailboxId) -> bool {
        let due = |c: AutoCheck| c.last.is_none_or(|last| self.wall().since(last) >= c.interval());
        self.holder_of(mailbox).and_then(|h| h.auto_check).is_some_and(due)
    }

    /// The mailbox's instance looks now.
    pub(super) fn looked(&mut self, mailbox: MailboxId) {
        let now = self.wall();
        self.update_holder(mailbox, |h| {
            if let Some(check) = h.auto_check.as_mut() {
                check.last = Some(now);
            }
        });
    }
}

impl AutoCheck {
    fn interval(self) -> Duration {
        Duration::from_secs(self.minutes * 60)
    }
}
