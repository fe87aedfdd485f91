//! What each answer means for the model, and whether it can be true.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{FORWARD, Letter, MAILBOX_MESSAGES, Mailbox, Model, SHARE};
use crate::protocol::message::{Body, MessageId};
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode as Code};
use crate::protocol::request::{Register, Rename, Request};
use crate::protocol::response::{Broadcasted, Checked, Registered, Renamed, Sent};

impl Model {
    /// The mailbox that a name points at now.
    pub(super) fn resolve(&mut self, name: &str) -> Option<(usize, bool)> {
        let now = self.world.wall();
        self.names.retain(|_, (_, until)| until.is_none_or(|until| until > now));
        self.names.get(name).map(|(mailbox, until)| (*mailbox, until.is_some()))
    }

    fn new_mailbox(&mut self, name: &str) -> usize {
        self.last_mailbox += 1;
        self.mailboxes.insert(self.last_mailbox, Mailbox::default());
        self.names.insert(name.to_owned(), (self.last_mailbox, None));
        self.last_mailbox
    }

    pub(super) fn user(&mut self) -> usize {
        let user = self.resolve("user").map(|(mailbox, _)| mailbox);
        let user = user.unwrap_or_else(|| self.new_mailbox("user"));
        self.mailboxes.get_mut(&user).expect("just made").registered = true;
        user
    }

    pub(super) fn name_of(&self, mailbox: usize) -> String {
        let own = self.names.iter().find(|(_, (m, until))| *m == mailbox && until.is_none());
        own.expect("a mailbox has a name").0.clone()
    }

    fn merge(&mut self, from: usize, into: usize) {
        let gone = self.mailboxes.remove(&from).expect("it was found by name");
        let kept = self.mailboxes.get_mut(&into).expect("it was found by name");
        for (id, letter) in gone.letters {
            kept.dead.remove(&id);
            let there = kept.letters.entry(id).or_insert_with(|| letter.clone());
            there.shown |= letter.shown;
            there.reader = letter.reader.or(there.reader);
        }
        kept.dead.extend(gone.dead.iter().filter(|id| !kept.letters.contains_key(id)));
        self.names.values_mut().filter(|(m, _)| *m == from).for_each(|(m, _)| *m = into);
        self.speaks.values_mut().filter(|m| **m == from).for_each(|m| *m = into);
        let moved: Vec<_> =
            self.keys.iter().filter(|((m, _), _)| *m == from).map(|(k, v)| (*k, *v)).collect();
        for ((_, key), value) in moved {
            self.keys.remove(&(from, key));
            self.keys.insert((into, key), value);
        }
    }

    fn point(&mut self, mailbox: usize, new: &str) {
        let old = self.name_of(mailbox);
        self.names.insert(new.to_owned(), (mailbox, None));
        self.names.insert(old, (mailbox, Some(self.world.wall().plus(FORWARD))));
    }

    pub(super) fn registered(&mut self, who: &'static str, request: &Request, r: &Registered) {
        let Request::Register(call) = request else { panic!("{request:?}") };
        let name = r.name.as_str().to_ascii_lowercase();
        let current = self.speaks.get(who).copied();
        let current_auto = current.is_some_and(|m| self.mailboxes[&m].auto);
        let mut found = self.resolve(&name);
        if found.is_some_and(|(m, forwards)| Some(m) == current && forwards) {
            self.names.remove(&name);
            found = None;
        }
        let mailbox = match (found, current) {
            (Some((m, _)), Some(current)) if m == current => m,
            (Some((m, forwards)), _) => {
                assert!(!forwards, "{who} took {name}, which forwards");
                let holder = self.mailboxes[&m].process;
                assert!(holder.is_none_or(|holder| holder == who), "{who} took {name} from {holder:?}");
                match current.filter(|_| current_auto) {
                    Some(current) if self.mailboxes[&m].registered => {
                        let old = self.name_of(current);
                        self.merge(current, m);
                        self.names.insert(old, (m, Some(self.world.wall().plus(FORWARD))));
                        m
                    }
                    Some(current) => {
                        self.merge(m, current);
                        self.names.remove(&name);
                        self.point(current, &name);
                        current
                    }
                    None => m,
                }
            }
            (None, Some(current)) if current_auto => {
                self.point(current, &name);
                current
            }
            (None, _) => self.new_mailbox(&name),
        };
        if current.is_some_and(|current| current != mailbox) && !current_auto {
            self.give_back(who, false);
            self.free(current, who);
        }
        let holder = self.mailboxes.get_mut(&mailbox).expect("found or made");
        holder.auto = call.name.is_none() && (holder.auto || !holder.registered);
        (holder.registered, holder.process) = (true, Some(who));
        self.speaks.insert(who, mailbox);
        let held: BTreeSet<u64> = r.held.iter().map(|id| id.0).collect();
        for id in &held {
            let letter = holder.letters.get_mut(id).expect("held mail is unsettled");
            assert!(letter.reader.is_none_or(|reader| reader == who), "{id} is in other hands");
            // It saw the message, be it as a broadcast in another mailbox.
            (letter.shown, letter.reader) = (true, Some(who));
        }
        let asked = call.held.iter().filter(|id| {
            let letter = holder.letters.get(&id.0);
            letter.is_some_and(|l| l.reader.is_none_or(|reader| reader == who))
        });
        assert_eq!(asked.map(|id| id.0).collect::<BTreeSet<_>>(), held, "what {who} holds");
        let elsewhere = |id: &u64| {
            let mut letters = self.mailboxes.values().filter_map(|m| m.letters.get(id));
            letters.any(|letter| letter.reader == Some(who))
        };
        let hands: BTreeSet<u64> = call.held.iter().map(|id| id.0).filter(elsewhere).collect();
        self.hands.insert(who, hands);
    }

    pub(super) fn renamed(&mut self, who: &'static str, r: &Renamed) {
        let mailbox = self.speaks[who];
        let new = r.name.as_str();
        let found = self.resolve(new);
        if found == Some((mailbox, false)) {
            return;
        }
        if let Some((other, forwards)) = found.filter(|(m, _)| *m != mailbox) {
            assert!(!forwards && !self.mailboxes[&other].registered, "{who} renamed onto {new}");
            self.merge(other, mailbox);
            self.names.remove(new);
        }
        self.point(mailbox, new);
        self.mailboxes.get_mut(&mailbox).expect("it speaks for it").auto = false;
    }

    fn put(&mut self, from: usize, to: &str, id: u64, content: &Body, ttl: Option<u64>) -> usize {
        let found = self.resolve(to).map(|(mailbox, _)| mailbox);
        let mailbox = match found {
            None if to == "user" => self.user(),
            found => found.unwrap_or_else(|| self.new_mailbox(to)),
        };
        let expires = ttl.map(|ttl| self.world.wall().plus(Duration::from_secs(ttl)));
        let letter = Letter { content: content.0.to_string(), from, expires, ..Letter::default() };
        self.mailboxes.get_mut(&mailbox).expect("found or made").letters.insert(id, letter);
        mailbox
    }

    pub(super) fn accepted(&mut self, who: &'static str, request: &Request, sent: &Sent) {
        let Request::Send(call) = request else { panic!("{request:?}") };
        let from = self.speaks[who];
        let now = self.world.wall();
        let key = call.key.as_ref().map(|key| (from, key.parse().expect("a digit")));
        let known = key.and_then(|key| self.keys.get(&key)).copied();
        let known = known.filter(|(_, at)| now.since(*at) < Duration::from_secs(86_400));
        assert_eq!(known.map(|(id, _)| id), sent.repeated.then_some(sent.id.0), "one message a key");
        if sent.repeated {
            return;
        }
        self.number(sent.id);
        if let Some(key) = key {
            self.keys.insert(key, (sent.id.0, now));
        }
        let mailbox = self.put(from, &call.to[0], sent.id.0, &call.content, call.ttl_seconds);
        assert_eq!(sent.to.as_str(), self.name_of(mailbox));
    }

    /// A new message has a new number, higher than all before.
    fn number(&mut self, id: MessageId) {
        assert!(id.0 > self.last_message, "{id} after {}", self.last_message);
        self.last_message = id.0;
    }

    pub(super) fn broadcasted(&mut self, who: &'static str, request: &Request, cast: &Broadcasted) {
        let Request::Broadcast(call) = request else { panic!("{request:?}") };
        let from = self.speaks[who];
        let named: BTreeSet<&str> =
            cast.delivered.iter().chain(cast.refused.iter().map(|r| &r.name)).map(Name::as_str).collect();
        for (id, mailbox) in &self.mailboxes {
            let name = self.name_of(*id);
            let said = named.contains(name.as_str());
            assert!(!said || *id != from && mailbox.registered && name != "user", "a broadcast to {name}");
            assert!(said || *id == from || mailbox.process.is_none(), "{name} is live and not told");
        }
        let Some(id) = cast.id else { return };
        self.number(id);
        for name in &cast.delivered {
            self.put(from, name.as_str(), id.0, &call.content, None);
        }
    }

    pub(super) fn handed(&mut self, who: &'static str, checked: &Checked) {
        let Some(mailbox) = self.speaks.get(who).and_then(|m| self.mailboxes.get_mut(m)) else {
            assert!(checked.messages.is_empty(), "mail for {who}, who is nobody");
            return;
        };
        let ready: Vec<u64> =
            mailbox.letters.iter().filter(|(_, l)| l.reader.is_none()).map(|(id, _)| *id).collect();
        let mail = checked.messages.iter().filter(|m| m.from.as_str() != "system");
        let got: Vec<u64> = mail.clone().map(|m| m.id.0).collect();
        assert!(ready.starts_with(&got), "{who} got {got:?} of {ready:?}");
        if checked.remaining == 0 && !checked.messages.is_empty() {
            assert_eq!(got, ready, "nothing remains");
        }
        for mail in mail {
            let letter = mailbox.letters.get_mut(&mail.id.0).expect("it is ready");
            assert_eq!(mail.content.as_ref().map(|c| &*c.0), Some(letter.content.as_str()));
            assert!(mail.redelivered || !letter.shown, "{} came again without a flag", mail.id);
            assert!(
                !mail.redelivered || letter.shown || mail.id.0 <= self.repeat_until,
                "{} is new",
                mail.id
            );
            (letter.shown, letter.reader) = (true, Some(who));
            self.hands.entry(who).or_default().insert(mail.id.0);
        }
    }

    pub(super) fn settled(&mut self, who: &'static str, request: &Request) {
        match request {
            Request::Nack(_) => self.give_back(who, false),
            _ => {
                for mailbox in self.mailboxes.values_mut() {
                    mailbox.letters.retain(|_, letter| letter.reader != Some(who));
                }
            }
        }
        self.hands.remove(who);
    }

    pub(super) fn refused(&mut self, who: &'static str, request: &Request, refusal: &Refusal) {
        let speaks = self.speaks.get(who).copied();
        match (request, refusal.code) {
            (_, Code::NotRegistered) => assert!(speaks.is_none(), "{who} has a name"),
            (_, Code::Retry | Code::Cancelled | Code::StoreFailed) => {}
            (Request::Send(_) | Request::Broadcast(_), Code::Loop) => {}
            (Request::Send(send), code @ (Code::MailboxFull | Code::ShareFull)) => {
                let (mailbox, _) = self.resolve(&send.to[0]).expect("a name that nobody uses is not full");
                let letters = &self.mailboxes[&mailbox].letters;
                let own = letters.values().filter(|letter| Some(letter.from) == speaks).count();
                match code {
                    Code::MailboxFull => assert!(letters.len() >= MAILBOX_MESSAGES, "{} fit", letters.len()),
                    _ => assert!(own >= SHARE, "{own} are no full share"),
                }
            }
            (
                Request::Register(Register { name: Some(name), .. })
                | Request::Rename(Rename { new: name, .. }),
                code,
            ) => {
                let found = self.resolve(name);
                match code {
                    Code::NameReserved if name == "user" => {}
                    Code::NameReserved => {
                        assert!(
                            found.is_some_and(|(m, forwards)| forwards && Some(m) != speaks),
                            "{name} is free"
                        );
                    }
                    Code::NameTaken => {
                        let mailbox = &self.mailboxes[&found.expect("somebody has it").0];
                        let live = mailbox.process.is_some_and(|process| process != who);
                        let rename = matches!(request, Request::Rename(_));
                        assert!(live || rename && mailbox.registered, "{name} is free");
                    }
                    code => panic!("{code}: {refusal}"),
                }
            }
            (request, code) => panic!("{request:?}: {code}"),
        }
    }
}
