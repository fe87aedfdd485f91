//! `share_file` and `share_command`: done here, with the agent's own rights, after a person's yes where
//! the policy wants one. The daemon only carries the message.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::InputRequiredResult;
use serde_json::json;
use serde_json::value::RawValue;

use super::answer::{to_json, to_value};
use super::backend::Answer;
use super::call::Call;
use super::consent::{Consent, plain};
use super::params::{Args, to_data};
use crate::protocol::message::Body;
use crate::protocol::name::Name;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::protocol::request::{Auto, AutoSet, Report, ReportedAct, Request, Send, Verdict as Decided};
use crate::share::command::Command;
use crate::share::file::OpenFile;
use crate::share::policy::{CommandPolicy, FilePolicy};
use crate::share::{self, Here, Shared, Verdict, declined, unasked};

/// How long a file system may take to open a file or to read it: one that hangs holds no call for ever.
const FILE_WAIT: Duration = Duration::from_secs(10);

/// What may be shared, and from where.
pub struct Sharing {
    pub files: FilePolicy,
    pub commands: CommandPolicy,
    pub here: Here,
}

/// What a tool came to.
#[derive(Debug)]
pub enum Outcome {
    /// With this answer, as the client is shown it.
    Done(Box<RawValue>),
    /// The client is to ask its person, and to call again.
    Asked(InputRequiredResult),
}

/// To whom a share goes, and in whose name.
struct Envelope {
    to: Vec<String>,
    from: Option<String>,
    description: Option<String>,
}

impl Envelope {
    fn take(args: &mut Args) -> Result<Envelope, Refusal> {
        let to = args.names("to_id")?;
        if to.is_empty() {
            return Err(Refusal::invalid_argument("`to_id` names nobody")
                .hint("`list_instances` shows whom you can write to"));
        }
        for name in &to {
            Name::parse(name)?;
        }
        let description = args.text("description")?;
        share::fits(description.as_deref())?;
        Ok(Envelope { to, from: args.own("from_id")?, description })
    }

    /// The recipients, as a question shows them.
    fn shown(&self) -> String {
        plain(&self.to.join(", "))
    }
}

pub async fn file(call: &Call, mut args: Args) -> Result<Outcome, Refusal> {
    let envelope = Envelope::take(&mut args)?;
    let path = PathBuf::from(args.required("filepath")?);
    call.session.named().await?;
    let sharing = Arc::clone(&call.sharing);
    let file = blocking(call, move || OpenFile::open(&path, &sharing.here)).await?;
    let verdict = file.verdict(&call.sharing.files, &call.sharing.here);
    let question = || {
        let shown = plain(&file.resolved().display().to_string());
        format!("Send the content of this file to {}?\n\n{shown}", envelope.shown())
    };
    let told = Told {
        act: ReportedAct::ShareFile,
        subject: file.resolved().display().to_string(),
        to: envelope.to.clone(),
    };
    let rule = match permitted(call, &told, verdict, question).await? {
        Permit::Given { rule } => rule,
        Permit::Asked(asked) => return Ok(Outcome::Asked(asked)),
    };
    let sharing = Arc::clone(&call.sharing);
    let description = envelope.description.clone();
    let shared = blocking(call, move || file.read(&sharing.files, description.as_deref())).await;
    match &shared {
        Ok(_) => told.tell(call, Decided::Done, &rule).await,
        Err(refusal) => told.tell(call, Decided::Refused, refusal.code.word()).await,
    }
    let shared = shared?;
    Ok(Outcome::Done(send(call, envelope, shared).await?))
}

pub async fn command(call: &Call, mut args: Args) -> Result<Outcome, Refusal> {
    let envelope = Envelope::take(&mut args)?;
    let command = Command::parse(&args.required("command")?)?;
    // Nothing is run whose output could not be sent: the caller has a name, and it is the one it says.
    let from = envelope.from.clone();
    call.ask(Request::Auto(Auto { set: AutoSet::Status, minutes: None, from })).await?;
    let verdict = command.verdict(&call.sharing.commands, &call.sharing.here);
    let question = || {
        let folder = plain(&call.sharing.here.cwd.display().to_string());
        let words: Vec<String> = command.argv().iter().map(|word| plain(word)).collect();
        let shown = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ");
        format!("Run this command in {folder} and send its output to {}?\n\n{shown}", envelope.shown())
    };
    let told =
        Told { act: ReportedAct::ShareCommand, subject: command.argv().join(" "), to: envelope.to.clone() };
    match permitted(call, &told, verdict, question).await? {
        Permit::Given { rule } => told.tell(call, Decided::Done, &rule).await,
        Permit::Asked(asked) => return Ok(Outcome::Asked(asked)),
    }
    let running = command.run(&call.sharing.commands, &call.sharing.here, envelope.description.as_deref());
    let ran = stoppable(call, running).await?;
    let mut answer = to_value(&send(call, envelope, ran.shared).await?)?;
    answer["returncode"] = json!(ran.exit.code);
    if let Some(signal) = ran.exit.signal {
        answer["signal"] = json!(signal);
    }
    answer["timed_out"] = json!(ran.timed_out);
    if ran.left_running {
        answer["left_running"] = json!(true);
    }
    Ok(Outcome::Done(to_json(&answer)))
}

/// What the audit log is told of a share.
struct Told {
    act: ReportedAct,
    subject: String,
    to: Vec<String>,
}

impl Told {
    /// A log that hears nothing stops no share: the daemon may be an older one.
    async fn tell(&self, call: &Call, verdict: Decided, rule: &str) {
        let (subject, to, rule) = (self.subject.clone(), self.to.clone(), rule.to_owned());
        let report = Report { act: self.act, subject, to, verdict, rule };
        if let Err(refusal) = call.ask(Request::Report(report)).await {
            tracing::debug!(%refusal, "the audit log was not told");
        }
    }
}

enum Permit {
    /// Go ahead.
    Given {
        rule: String,
    },
    Asked(InputRequiredResult),
}

async fn permitted(
    call: &Call,
    told: &Told,
    verdict: Verdict,
    question: impl FnOnce() -> String,
) -> Result<Permit, Refusal> {
    let (rule, outcome) = match verdict {
        Verdict::Allow { rule } => return Ok(Permit::Given { rule }),
        Verdict::Deny { rule, refusal } => (rule, Err(refusal)),
        Verdict::AskIfAble { rule } => {
            let consent = call.consent(&question()).await?;
            (rule, Ok((consent, false)))
        }
        Verdict::Ask { rule } => {
            let consent = call.consent(&question()).await?;
            (rule, Ok((consent, true)))
        }
    };
    let refusal = match outcome {
        Ok((Consent::Asked(asked), _)) => return Ok(Permit::Asked(asked)),
        Ok((Consent::Yes, _) | (Consent::Unable, false)) => return Ok(Permit::Given { rule }),
        Ok((Consent::No, _)) => declined(&rule),
        Ok((Consent::Unable, true)) => unasked(&rule),
        Err(refusal) => refusal,
    };
    told.tell(call, Decided::Refused, &rule).await;
    Err(refusal)
}

async fn send(call: &Call, envelope: Envelope, shared: Shared) -> Answer {
    let send = Send {
        to: envelope.to,
        content: Body(Arc::from(shared.content)),
        summary: None,
        data: Some(to_data(&shared.data)),
        reply_to: None,
        key: Some(call.session.next_key()),
        ttl_seconds: None,
        from: envelope.from,
    };
    call.ask(Request::Send(send)).await
}

/// Does what blocks on another thread, and leaves it there when the call is over or it takes too long.
async fn blocking<T: std::marker::Send + 'static>(
    call: &Call,
    work: impl FnOnce() -> Result<T, Refusal> + std::marker::Send + 'static,
) -> Result<T, Refusal> {
    let work = tokio::task::spawn_blocking(work);
    let work = async {
        match tokio::time::timeout(FILE_WAIT, work).await {
            Ok(Ok(outcome)) => outcome,
            // A panic there is a panic of this call.
            Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {
                let message = format!("the file system did not answer within {} s", FILE_WAIT.as_secs());
                Err(Refusal::new(RefusalCode::Timeout, message).hint("try again when it does"))
            }
        }
    };
    stoppable(call, work).await
}

/// Drops `work` when the call is cancelled or nobody can hear of its result any more.
async fn stoppable<T>(call: &Call, work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    tokio::select! {
        outcome = work => outcome,
        () = call.context.ct.cancelled() => Err(super::backend::cancelled()),
        () = call.session.ended().cancelled() => Err(super::backend::cancelled()),
    }
}
