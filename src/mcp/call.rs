//! One `tools/call` on its way: whose it is, when it is to stop, what it was handed.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{InputResponses, ProgressNotificationParam, ProgressToken};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::answer::to_value;
use super::backend::{Answer, Later};
use super::consent::Consents;
use super::session::Session;
use super::share::Sharing;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Check, Request};

/// How long the daemon may take to give up on a call.
const STOP_GRACE: Duration = Duration::from_millis(300);

pub struct Call {
    pub session: Arc<Session>,
    pub sharing: Arc<Sharing>,
    pub consents: Arc<Consents>,
    pub context: RequestContext<RoleServer>,
    /// Between two notifications of progress.
    pub progress_every: Duration,
    /// What the client brings along when it repeats a call that asked for something.
    pub brought: Option<(String, InputResponses)>,
}

impl Call {
    /// Makes a call to the daemon that goes on when no more input comes, but not when it is cancelled.
    pub async fn ask(&self, request: Request) -> Answer {
        self.session.named().await?;
        match self.ask_unnamed(request.clone()).await {
            // A daemon that restarted could not give the name back.
            Err(refusal) if refusal.code == RefusalCode::NotRegistered && self.session.unnamed() => {
                self.session.named().await?;
                self.ask_unnamed(request).await
            }
            answer => answer,
        }
    }

    /// [`Call::ask`] for what needs no name.
    pub async fn ask_unnamed(&self, request: Request) -> Answer {
        self.until(request, self.context.ct.cancelled(), drop).await
    }

    /// Reads mail. What is handed out is in the ledger before this returns; a wait ends with the input,
    /// as if its time were over.
    pub async fn check(&self, check: Check) -> Result<Value, Refusal> {
        self.session.named().await?;
        let leases = !check.peek && check.id.is_none();
        let wait = Duration::from_millis(check.wait_ms);
        let began = Instant::now();
        let answer = match self.with_progress(wait, self.look(check.clone(), leases)).await {
            Err(refusal) if refusal.code == RefusalCode::NotRegistered && self.session.unnamed() => {
                self.session.named().await?;
                // It waited for nothing yet; a second wait would be one that the client does not expect.
                self.look(Check { wait_ms: 0, ..check }, leases).await
            }
            answer => answer,
        };
        let mut answer = match answer {
            Err(refusal) if refusal.code == RefusalCode::Cancelled => return Ok(nothing_came(began)),
            answer => to_value(&answer?)?,
        };
        if let (true, Some(waited)) = (wait > Duration::ZERO, answer.get_mut("waited_seconds")) {
            // The daemon that answers need not be the one that the wait began with.
            *waited = json!(began.elapsed().as_millis() as f64 / 1e3);
        }
        if leases {
            self.session.leased(&self.context.id, messages(&answer), left(&answer));
        }
        Ok(answer)
    }

    /// One `check`, and no more.
    async fn look(&self, check: Check, leases: bool) -> Answer {
        let over = async {
            tokio::select! {
                () = self.context.ct.cancelled() => {}
                () = self.session.ended().cancelled(), if check.wait_ms > 0 => {}
            }
        };
        let late = |answer| {
            if leases {
                self.give_back(answer);
            }
        };
        self.until(Request::Check(check.clone()), over, late).await
    }

    /// Stops `request` when `over` ends first. Its answer is still waited for, so that mail that was on
    /// its way is known about; one that takes too long is left to `late`.
    async fn until(
        &self,
        request: Request,
        over: impl Future<Output = ()>,
        late: impl FnOnce(Later<Answer>),
    ) -> Answer {
        let stop = CancellationToken::new();
        let mut answer = self.session.call(request, stop.clone());
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = over => stop.cancel(),
        }
        match tokio::time::timeout(STOP_GRACE, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => {
                late(answer);
                Err(super::backend::cancelled())
            }
        }
    }

    /// Gives mail back that comes when nobody hears of it any more: it would stay with us, unread.
    fn give_back(&self, late: Later<Answer>) {
        let (session, id) = (Arc::clone(&self.session), self.context.id.clone());
        tokio::spawn(async move {
            if let Ok(answer) = late.await.and_then(|answer| to_value(&answer)) {
                session.leased(&id, messages(&answer), left(&answer));
            }
        });
    }

    /// Tells the client that the work goes on, if it asked to be told and `wait` is long enough.
    async fn with_progress<T>(&self, wait: Duration, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let Some(token) = self.context.meta.get_progress_token().filter(|_| wait > self.progress_every)
        else {
            return work.await;
        };
        let began = Instant::now();
        let mut ticks = interval_at(began + self.progress_every, self.progress_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = self.tell(&token, began.elapsed(), wait) => {}
            }
        }
    }

    async fn tell(&self, token: &ProgressToken, waited: Duration, wait: Duration) {
        let progress = ProgressNotificationParam::new(token.clone(), waited.as_secs_f64().round())
            .with_total(wait.as_secs_f64())
            .with_message("waiting for mail");
        if let Err(error) = self.context.peer.notify_progress(progress).await {
            tracing::debug!(%error, "no progress was told");
        }
    }
}

/// A wait that was given up on. Nothing was ready, else it would have been the answer.
fn nothing_came(began: Instant) -> Value {
    let waited = began.elapsed().as_millis() as f64 / 1000.0;
    json!({"messages": [], "remaining": 0, "waited_seconds": waited, "unread": 0})
}

/// The messages of an answer of `check`.
fn messages(answer: &Value) -> &[Value] {
    answer["messages"].as_array().map_or(&[], Vec::as_slice)
}

/// Messages that wait after an answer of `check`.
fn left(answer: &Value) -> u64 {
    answer["unread"].as_u64().unwrap_or_default()
}
