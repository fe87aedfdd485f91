//! What holds between any two inputs, whatever came before.

use std::collections::BTreeMap;

use crate::broker::Broker;
use crate::broker::mutation::MailboxId;
use crate::broker::state::Share;
use crate::protocol::message::MessageId;

pub fn check(broker: &Broker) {
    check_deliveries(broker);
    check_names(broker);
    check_sessions(broker);
}

fn check_deliveries(broker: &Broker) {
    let state = &broker.state;
    let mut deliveries: BTreeMap<MessageId, usize> = BTreeMap::new();
    for (id, mailbox) in &state.mailboxes {
        let mut shares: BTreeMap<MailboxId, Share> = BTreeMap::new();
        for message in mailbox.unsettled.keys() {
            assert!(!mailbox.dead.contains_key(message), "{message} is dead and alive in {id:?}");
            let row = &state.messages[message].row;
            if let Some(sender) = row.from_mailbox {
                let share = shares.entry(sender).or_default();
                share.messages += 1;
                share.bytes += row.size();
            }
        }
        assert_eq!(mailbox.shares, shares, "what each sender has in {id:?}");
        for (message, row) in &mailbox.dead {
            let at = row.dead.expect("a dead letter says when it died").at;
            assert!(state.dead.contains(&(at, *id, *message)), "{message} is missing among the dead");
        }
        for message in mailbox.unsettled.keys().chain(mailbox.dead.keys()) {
            *deliveries.entry(*message).or_default() += 1;
        }
    }
    let counted: BTreeMap<MessageId, usize> =
        state.messages.iter().map(|(id, m)| (*id, m.deliveries)).collect();
    assert_eq!(counted, deliveries, "deliveries of each message");
    assert_eq!(state.dead.len(), state.mailboxes.values().map(|m| m.dead.len()).sum::<usize>());
    assert_eq!(state.bytes, state.messages.values().map(|m| m.row.size()).sum::<usize>());
}

fn check_names(broker: &Broker) {
    let state = &broker.state;
    for (id, mailbox) in &state.mailboxes {
        let row = state.names.get(&mailbox.row.name.key()).expect("a mailbox has a name");
        assert_eq!((row.mailbox, row.forward_until), (*id, None), "{}", mailbox.row.name);
        let unclaimed = mailbox.row.holder.is_none();
        assert!(!(unclaimed && mailbox.is_empty()), "{} is nobody's and empty", mailbox.row.name);
    }
    for (key, row) in &state.names {
        let mailbox = state.mailboxes.get(&row.mailbox).expect("a name points at a mailbox");
        let own = mailbox.row.name.key() == *key;
        assert_eq!(own, row.forward_until.is_none(), "{key:?} is a name or a forward");
    }
}

fn check_sessions(broker: &Broker) {
    let (presence, state) = (&broker.presence, &broker.state);
    for (id, session) in presence.sessions() {
        if let Some(mailbox) = session.mailbox {
            assert_eq!(presence.holder(mailbox), Some(*id), "both ends of who holds {mailbox:?}");
        }
    }
    for mailbox in state.mailboxes.keys() {
        if let Some(holder) = presence.holder(*mailbox) {
            assert_eq!(presence.sessions()[&holder].mailbox, Some(*mailbox), "both ends of {holder:?}");
        }
        let parked = broker.waiters.first(*mailbox).is_some();
        assert!(!(parked && broker.bell_count(*mailbox) > 0), "a wait goes on beside mail");
    }
    for session in broker.waiters.sessions() {
        assert!(presence.sessions().contains_key(&session), "a wait of a session that is gone");
    }
    for (mailbox, message) in presence.all_leases() {
        assert!(state.mailboxes[&mailbox].unsettled.contains_key(&message), "a lease on nothing");
        let reader = presence.leased_to(mailbox, message).expect("a lease has a reader");
        assert!(presence.sessions().contains_key(&reader), "a lease of a session that is gone");
    }
}
