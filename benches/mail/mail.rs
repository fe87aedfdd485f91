//! Mailboxes that are filled, and read until they are empty.

use crate::load::{Client, run};
use crate::world::{STORED, World, send};

pub const CHECK: &str = r#"{"jsonrpc":"2.0","id":3,"method":"check","params":{}}"#;
pub const ACK: &str = r#"{"jsonrpc":"2.0","id":4,"method":"ack","params":{}}"#;

/// Puts messages into a mailbox, 64 at once.
pub fn fill(world: &World, to: &str, count: usize) {
    let mut senders: Vec<Client> =
        (0..64).map(|number| world.client(&format!("fill-{number}")).asks(send(to), STORED)).collect();
    let each = count / senders.len();
    if each > 0 {
        run(&mut senders, each);
    }
    run(&mut senders[..1], count - each * 64);
}

/// Reads and settles all there is; how much it was.
pub fn drain(reader: &mut Client) -> usize {
    let mut messages = 0;
    loop {
        let answer = answer(reader, CHECK, "\"id\":3");
        let found = answer.matches("\"sent_at\"").count();
        if found == 0 {
            return messages;
        }
        messages += found;
        self::answer(reader, ACK, "\"id\":4");
    }
}

/// The answer to a call, among what the daemon says unasked.
fn answer(client: &mut Client, line: &str, id: &str) -> String {
    client.write(format!("{line}\n").as_bytes());
    loop {
        let heard = client.hear();
        if let Some(line) = heard.lines().find(|line| line.contains(id)) {
            return line.to_owned();
        }
    }
}
