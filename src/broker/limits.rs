//! Every bound of the broker in one place, each with its unit and its reason.

use std::time::Duration;

/// What the broker allows. The defaults are the documented ones; `config.toml` changes those that
/// say "config".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sends a minute and instance; 0 = no limit. Stops a model in a loop. Config.
    pub sends_per_minute: usize,
    /// Unsettled messages in one mailbox. A reader catches up with so many. Config.
    pub mailbox_messages: usize,
    /// Bytes of unsettled mail in one mailbox. Config.
    pub mailbox_bytes: usize,
    /// Part of a mailbox that one sender may fill, in percent of both limits above: a flood leaves
    /// room for others. Config.
    pub sender_share_percent: usize,
    /// Bytes of `content`. Config.
    pub content_bytes: usize,
    /// Bytes of `summary`: a line or two.
    pub summary_bytes: usize,
    /// Bytes of `data`: one file of 1 MiB in base64 and its description fit.
    pub data_bytes: usize,
    /// Bytes of a sender's key.
    pub key_bytes: usize,
    /// Recipients of one call: more is a broadcast.
    pub recipients: usize,
    /// Between two renames of one instance; zero = none. Peers should be able to follow. Config.
    pub rename_cooldown: Duration,
    /// How long an old name forwards; zero = not at all. Config.
    pub forward: Duration,
    /// How long mail waits under a name that nobody ever held; zero = for ever. Config.
    pub unclaimed: Duration,
    /// How recently an offline instance must have been seen to get broadcasts and notices.
    pub recently_seen: Duration,
    /// Leases that end without being settled by a reader that died; then the message is a dead
    /// letter; 0 = never. Config.
    pub deliveries: u32,
    /// Bytes of instances, or of dead letters, in one answer: a line must hold it twice, as tools give it.
    pub list_bytes: usize,
    /// Messages in one answer of `check`: what a model reads in one go.
    pub check_messages: usize,
    /// Bytes of messages in one answer of `check`.
    pub check_bytes: usize,
    /// A message above so many bytes is shown as its summary, and read in pieces or from its copy.
    pub inline_bytes: usize,
    /// Bytes of one piece of a large message.
    pub piece_bytes: usize,
    /// Longest wait of one `check`.
    pub wait: Duration,
    /// How long a key is remembered.
    pub key_age: Duration,
    /// Keys remembered for one sender.
    pub keys_per_sender: usize,
    /// Read messages that a mailbox remembers, so that they can be replied to.
    pub receipts_per_mailbox: usize,
    /// Dead letters in the whole store; the oldest moves to the history first.
    pub dead_letters: usize,
    /// Bytes of messages in the whole store: they are in memory too.
    pub backlog_bytes: usize,
    /// Mailboxes in the whole store: names are free, rows are not.
    pub mailboxes: usize,
    /// A message that would have gone so far is refused.
    pub hops: u32,
    /// A message that would have gone so far within [`Limits::hops_fast_window`] is refused.
    pub hops_fast: u32,
    pub hops_fast_window: Duration,
    /// Quiet for so long, a conversation starts over.
    pub hops_memory: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        const HOUR: Duration = Duration::from_secs(3600);
        Limits {
            sends_per_minute: 100,
            mailbox_messages: 100,
            mailbox_bytes: 16 << 20,
            sender_share_percent: 80,
            content_bytes: 1 << 20,
            summary_bytes: 500,
            data_bytes: 3 << 19,
            key_bytes: 128,
            recipients: 64,
            rename_cooldown: HOUR,
            forward: 2 * HOUR,
            unclaimed: 7 * 24 * HOUR,
            recently_seen: 24 * HOUR,
            deliveries: 5,
            list_bytes: 2 << 20,
            check_messages: 20,
            check_bytes: 32 << 10,
            inline_bytes: 10 << 10,
            piece_bytes: 32 << 10,
            wait: HOUR,
            key_age: 24 * HOUR,
            keys_per_sender: 10_000,
            receipts_per_mailbox: 100,
            dead_letters: 1_000,
            backlog_bytes: 256 << 20,
            mailboxes: 4_096,
            hops: 32,
            hops_fast: 8,
            hops_fast_window: Duration::from_secs(60),
            hops_memory: Duration::from_secs(600),
        }
    }
}
