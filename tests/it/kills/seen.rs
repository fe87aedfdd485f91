//! What a reader saw, held against the promises about repeats and order.

use std::collections::BTreeMap;

use serde_json::{Value, json};

#[derive(Default)]
pub struct Seen {
    /// Texts and their ids.
    pub ids: BTreeMap<String, u64>,
    last: BTreeMap<usize, u64>,
    pub repeats_unflagged: u64,
    pub repeats: u64,
    pub second_ids: u64,
    pub reordered: u64,
}

impl Seen {
    /// Takes one message, whose text is `sender.number`.
    pub fn see(&mut self, mail: &Value) {
        let text = mail["content"].as_str().expect("a text").to_owned();
        let id = mail["id"].as_u64().expect("an id");
        if let Some(known) = self.ids.get(&text) {
            self.repeats += 1;
            self.repeats_unflagged += u64::from(mail["redelivered"] != json!(true));
            self.second_ids += u64::from(*known != id);
            return;
        }
        let (sender, number) = text.split_once('.').expect("sender.number");
        let (sender, number) = (sender.parse().expect("a sender"), number.parse().expect("a number"));
        let last = self.last.insert(sender, number);
        self.reordered += u64::from(last.is_some_and(|last| last >= number));
        self.ids.insert(text, id);
    }

    /// No repeat came unflagged or under a second number, and nothing came out of order.
    pub fn is_faultless(&self) -> bool {
        (self.repeats_unflagged, self.second_ids, self.reordered) == (0, 0, 0)
    }
}
