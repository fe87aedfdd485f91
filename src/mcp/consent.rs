//! Asking a person, through the client's own form: with an empty one, since yes or no is all that is
//! needed and some clients choke on more.
//!
//! Up to 2025-11-25 the server asks in the middle of a call. From 2026-07-28 on the call ends with a
//! question, and the client repeats it with the answer: the question is remembered here, and an answer
//! counts once and for that question only.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ElicitRequest, ElicitRequestParams, ElicitationSchema, InputRequest, InputRequiredResult};

use super::call::Call;
use super::waits::survivable;
use crate::protocol::refusal::{Refusal, RefusalCode};

/// How long a person may take, where the client lasts as long.
const ANSWER_WAIT: Duration = Duration::from_secs(300);

/// Questions that wait for a repeated call; the oldest is forgotten, and asked again.
const OPEN_QUESTIONS_MAX: usize = 16;

/// The name of our one question in a call that ends with it.
const QUESTION: &str = "consent";

/// What came of asking.
pub enum Consent {
    Yes,
    No,
    /// This client has no way to ask.
    Unable,
    /// The call ends with this, and comes again.
    Asked(InputRequiredResult),
}

/// Questions that calls ended with: the token that their repetition brings, and the question.
#[derive(Default)]
pub struct Consents(Mutex<VecDeque<(String, String)>>);

impl Consents {
    fn remember(&self, token: String, question: &str) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() == OPEN_QUESTIONS_MAX {
            open.pop_front();
        }
        open.push_back((token, question.to_owned()));
    }

    /// Whether `token` stands for this very question. It does so once.
    fn redeem(&self, token: &str, question: &str) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|(known, asked)| known == token && asked == question);
        found.and_then(|index| open.remove(index)).is_some()
    }
}

impl Call {
    /// Asks the person behind the client.
    ///
    /// # Errors
    /// `timeout`: nobody answered; `cancelled`; `retry`: the client broke off.
    pub async fn consent(&self, question: &str) -> Result<Consent, Refusal> {
        let able = self.context.client_capabilities().and_then(|all| all.elicitation);
        // Neither mode named means the one that there was first.
        if !able.is_some_and(|able| able.form.is_some() || able.url.is_none()) {
            return Ok(Consent::Unable);
        }
        if self.context.protocol_version().is_some_and(|version| version.has_initialize()) {
            return self.ask_now(question).await;
        }
        if let Some((token, answers)) = &self.brought
            && self.consents.redeem(token, question)
        {
            let action = answers.get(QUESTION).and_then(|answer| answer["action"].as_str());
            return Ok(if action == Some("accept") { Consent::Yes } else { Consent::No });
        }
        let token = self.session.next_key();
        self.consents.remember(token.clone(), question);
        let form = InputRequest::Elicitation(ElicitRequest::new(form(question)));
        let requests = BTreeMap::from([(QUESTION.to_owned(), form)]);
        Ok(Consent::Asked(InputRequiredResult::new(Some(requests), Some(token))))
    }

    async fn ask_now(&self, question: &str) -> Result<Consent, Refusal> {
        let wait = survivable(self.session.client(), ANSWER_WAIT);
        let asked = tokio::select! {
            asked = self.context.peer.create_elicitation_with_timeout(form(question), Some(wait)) => asked,
            () = self.context.ct.cancelled() => return Err(super::backend::cancelled()),
            () = self.session.ended().cancelled() => return Err(super::backend::cancelled()),
        };
        match asked {
            Ok(answer) if answer.action == rmcp::model::ElicitationAction::Accept => Ok(Consent::Yes),
            Ok(_) => Ok(Consent::No),
            Err(rmcp::service::ServiceError::Timeout { .. }) => {
                Err(Refusal::new(RefusalCode::Timeout, "nobody answered the question in time")
                    .hint("ask your user, then try again"))
            }
            Err(error) => Err(Refusal::new(RefusalCode::Retry, format!("the question failed: {error}"))),
        }
    }
}

fn form(question: &str) -> ElicitRequestParams {
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question.to_owned(),
        requested_schema: ElicitationSchema::new(BTreeMap::new()),
    }
}

/// An agent's text inside a question: on one line, with nothing that moves a cursor or hides a part.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// Marks that turn the direction of text, or that have no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_and_for_its_question() {
        let consents = Consents::default();
        consents.remember("t1".to_owned(), "rm?");
        assert!(!consents.redeem("t1", "rm -rf?"));
        assert!(!consents.redeem("t2", "rm?"));
        assert!(consents.redeem("t1", "rm?"));
        assert!(!consents.redeem("t1", "rm?"));
        for number in 0..=OPEN_QUESTIONS_MAX {
            consents.remember(number.to_string(), "q");
        }
        assert!(!consents.redeem("0", "q") && consents.redeem("1", "q"));
    }

    #[test]
    fn a_question_shows_all_of_the_text() {
        assert_eq!(plain("echo a\n\u{1b}[2K\u{202e}b ä"), "echo a\u{fffd}\u{fffd}[2K\u{fffd}b ä");
    }
}
