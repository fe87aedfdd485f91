//! Whose calls share a commit: those who have spoken, and those who are about to.
//!
//! What always holds: nobody is waited for by the clock. Others are let go ahead only as long as there is
//! something for them to do.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::yield_now;

use super::command::Command;

/// Commands in one batch: bounds what one commit holds, and how long the first of them waits for it.
const BATCH_COMMANDS_MAX: usize = 256;

/// Turns of the other tasks that may bring nothing while fewer have spoken than took part in the last
/// batch: whoever was answered a moment ago is likely to speak again, and each turn costs a look at the
/// sockets, a fiftieth of a commit.
const EMPTY_TURNS_MAX: u32 = 16;

/// Who else may join a batch.
pub(super) enum Company {
    /// On a full disk each call is for itself.
    Nobody,
    /// Those of so many sessions.
    Of { sessions: usize },
}

/// Puts batches together, one after the other.
#[derive(Default)]
pub(super) struct Gatherer {
    /// Commands in the last batch.
    last: usize,
}

impl Gatherer {
    /// One batch: `first` and what else is there. Others that are about to speak are let go ahead, as long
    /// as turns of theirs bring something: a commit alone costs each of them more than that.
    pub(super) async fn gather(
        &mut self,
        first: Option<Command>,
        commands: &mut UnboundedReceiver<Command>,
        company: Company,
    ) -> Vec<Command> {
        let mut batch = Vec::with_capacity(self.last.max(1));
        batch.extend(first);
        let Company::Of { sessions } = company else {
            self.last = batch.len();
            return batch;
        };
        let mut empty_turns = 0;
        loop {
            let before = batch.len();
            while batch.len() < BATCH_COMMANDS_MAX
                && let Ok(command) = commands.try_recv()
            {
                batch.push(command);
            }
            if batch.len() > before {
                empty_turns = 0;
            }
            if batch.len() == BATCH_COMMANDS_MAX || empty_turns >= self.patience(batch.len(), sessions) {
                self.last = batch.len();
                return batch;
            }
            empty_turns += 1;
            yield_now().await;
        }
    }

    /// How many turns of the others in a row may bring nothing, with so many commands in hand.
    fn patience(&self, commands: usize, sessions: usize) -> u32 {
        match commands {
            // There is nobody else, or nobody spoke: a deadline came.
            _ if commands == 0 || sessions < 2 => 0,
            _ if commands < self.last => EMPTY_TURNS_MAX,
            _ => 1,
        }
    }
}
