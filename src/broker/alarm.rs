//! What every instance, and the person, must hear before they believe an empty mailbox: that the store
//! was damaged. Said once to each, when the daemon starts or when it registers, as long as the daemon is
//! told to say it.

use super::Broker;
use super::mutation::MailboxId;

impl Broker {
    /// From now on `text` is said to everyone; `None`: a person knows by now.
    pub fn set_alarm(&mut self, text: Option<String>) {
        self.alarm = text;
        if self.alarm.is_some() {
            let user = self.user_mailbox();
            let everyone = self.audience(user).into_iter().chain([user]);
            everyone.collect::<Vec<_>>().into_iter().for_each(|mailbox| self.sound_alarm(mailbox));
        }
    }

    pub fn has_alarm(&self) -> bool {
        self.alarm.is_some()
    }

    /// Not while the store takes no mail: a name is not refused for a notice's sake.
    pub(super) fn sound_alarm(&mut self, mailbox: MailboxId) {
        if self.resting {
            return;
        }
        let Some(text) = self.alarm.clone() else { return };
        let waits = |id| self.state.messages.get(id).is_some_and(|m| *m.row.content.0 == *text);
        let unsettled = self.state.mailboxes.get(&mailbox).into_iter().flat_map(|m| m.unsettled.keys());
        if self.alarmed.insert(mailbox) && !unsettled.into_iter().any(waits) {
            self.notify(vec![mailbox], &text);
        }
    }
}
