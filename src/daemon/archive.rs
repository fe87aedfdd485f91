//! What is kept beside the promise: the history of read mail and private copies of large messages.
//!
//! Its failures never fail a call; the last one is shown by `status` and all are logged.

use std::time::Duration;

use crate::broker::mutation::{MailboxId, MessageRow};
use crate::broker::view::whole_text;
use crate::broker::{Copy, Ended, EndedHow};
use crate::history::copies::Copies;
use crate::history::record::{HistoryRecord, Outcome};
use crate::history::writer::Writer;
use crate::paths::Paths;
use crate::protocol::message::{Body, Mail, MessageId};
use crate::protocol::refusal::Refusal;
use crate::protocol::response::{Checked, Response};
use crate::protocol::time::Timestamp;

pub struct Archive {
    writer: Writer,
    copies: Copies,
    keep: Duration,
    last_error: Option<String>,
    /// Pruned when it was opened and with the first record of each later day.
    pruned_day: u64,
}
