//! What is kept beside the promise: the history of read mail and private copies of large messages.
//!
//! Its failures never fail a call; the last one is shown by `status` and all are logged.

use std::time::Duration;

use crate::broker::mutation::MailboxId;
use crate::broker::{Copy, Ended};
use crate::paths::Paths;
use crate::protocol::message::MessageId;
use crate::protocol::refusal::Refusal;
use crate::protocol::response::Response;
use crate::protocol::time::Timestamp;

pub struct Archive {
    last_error: Option<String>,
}

impl Archive {
    pub fn open(_paths: &Paths, _keep: Duration, _now: Timestamp, warnings: Vec<String>) -> Archive {
        Archive { last_error: warnings.into_iter().next_back() }
    }
    pub fn make_copies(&mut self, _response: &mut Response, _copies: &[Copy]) {}
    pub fn read_copy(
        &mut self,
        _m: MailboxId,
        id: MessageId,
        _o: u64,
        _unread: u64,
    ) -> Result<Response, Refusal> {
        Err(Refusal::unknown_message(id.0))
    }
    pub fn remember(&mut self, _ended: &[Ended]) {}
    pub fn last_error(&self) -> Option<String> {
        self.last_error.clone()
    }
}
