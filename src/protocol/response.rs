//! What the daemon answers: one struct per method. These shapes are also what users see in `--json`
//! and in tool results, and are frozen: fields are added, never renamed or removed.

use serde::{Deserialize, Serialize};

use super::hello::VersionRange;
use super::message::{Mail, MessageId};
use super::name::Name;
use super::refusal::{Refusal, RefusalCode};
use super::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    pub name: Name,
    /// The name existed before and was taken up again.
    pub resumed: bool,
    /// Who held it before, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_holder: Option<String>,
    pub unread: u64,
    /// Other instances that are live now.
    pub peers: Vec<Name>,
    /// Of the `held` leases of the call, those that are this session's again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<MessageId>,
}

/// Whether somebody is behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    Live,
    Offline,
    /// Nobody ever held the name; the mail waits for whoever takes it.
    Unregistered,
}

/// How a recipient learns of mail: the best way that there is right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wakes {
    /// Not at all: it reads when it looks.
    #[default]
    None,
    /// A hook of its client tells it when its user says something next.
    PromptHook,
    /// A hook of its client tells it when it is about to end its turn.
    StopHook,
    /// A hook of its client waits in the background and wakes it.
    RewakeHook,
    /// An extension of Copilot CLI prompts it.
    CopilotExtension,
    /// A plugin of opencode prompts it.
    OpencodePrompt,
    /// Codex queues a prompt for its thread.
    CodexQueue,
    /// Its client, Claude Code, takes messages from other programs.
    InboxSocket,
    /// It waits for mail right now.
    Waiting,
    /// Some way that a later ipcd knows.
    #[serde(other)]
    Other,
}

impl Wakes {
    /// An idle agent is woken: it need not be about to do something anyway.
    pub fn rings(self) -> bool {
        self > Wakes::StopHook
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub state: Presence,
    /// Messages waiting there, this one included.
    pub unread: u64,
    /// Age of the oldest of them.
    pub oldest_seconds: u64,
    pub wakes: Wakes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    pub id: MessageId,
    /// Whose mailbox it went to.
    pub to: Name,
    /// The old name that was written, when it forwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_from: Option<Name>,
    /// Always true: it is on disk.
    pub stored: bool,
    /// This key had sent this message before; there is still one copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    pub recipient: Recipient,
    /// The caller's own waiting mail.
    pub unread: u64,
}

/// One recipient's outcome among several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SendOutcome {
    Sent(Sent),
    Refused { to: String, error: Failure },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMany {
    pub results: Vec<SendOutcome>,
    pub unread: u64,
}

/// A refusal as users see it in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: RefusalCode,
    pub message: String,
    pub hint: String,
    pub recoverable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub name: Name,
    pub code: RefusalCode,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broadcasted {
    /// Absent when nobody was there to get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    pub delivered: Vec<Name>,
    pub refused: Vec<Refused>,
    pub unread: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    pub messages: Vec<Mail>,
    /// Waiting messages that are not in this answer.
    pub remaining: u64,
    pub waited_seconds: f64,
    /// All messages that wait for the caller; what it was handed does not, until it comes back.
    pub unread: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Leases that were ended by this call.
    pub settled: u64,
    pub unread: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub name: Name,
    pub state: Presence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    pub since: Timestamp,
    pub last_seen: Timestamp,
    pub unread: u64,
    #[serde(default)]
    pub oldest_seconds: u64,
    pub wakes: Wakes,
    pub you: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub instances: Vec<Instance>,
    /// Instances that are left out, offline ones that were not seen for longest first: there are too many
    /// for one answer.
    #[serde(default, skip_serializing_if = "is_none")]
    pub omitted: u64,
    pub unread: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    pub name: Name,
    pub forwards_from: Name,
    pub forward_until: Timestamp,
    #[serde(default)]
    pub unread: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub name: Name,
    /// A live holder lost it.
    pub was_live: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoState {
    pub enabled: bool,
    pub interval_minutes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_check: Option<Timestamp>,
    /// When the next look is due, if there is one to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_check: Option<Timestamp>,
    /// A look is due now.
    pub due: bool,
    pub unread: u64,
}

/// What a hook is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooked {
    /// Now is a time to tell the agent that mail waits.
    pub speak: bool,
    /// How many messages do; the daemon's own notices are not counted.
    pub unread: u64,
    /// Of a hook that waits: it waits in vain, and is not to ask again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadReason {
    /// Handed out again and again to readers that ended without settling it.
    Poison,
    /// Nobody read it in time.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadInfo {
    pub reason: DeadReason,
    pub died_at: Timestamp,
    pub size_bytes: u64,
    pub message: Mail,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadListed {
    pub dead: Vec<DeadInfo>,
    /// Later ones that are left out: there are too many for one answer.
    #[serde(default, skip_serializing_if = "is_none")]
    pub omitted: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    pub from: Name,
    pub to: Name,
    pub until: Timestamp,
}

/// Mail that waits under a name that nobody ever held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unclaimed {
    pub name: Name,
    pub unread: u64,
    pub oldest_seconds: u64,
}

/// How often a limit was reached since the daemon started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReached {
    pub code: RefusalCode,
    pub times: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The caller's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub you: Option<Name>,
    pub unread: u64,
    pub instances: Vec<Instance>,
    /// Instances that are left out, as in [`Listed`].
    #[serde(default, skip_serializing_if = "is_none")]
    pub omitted: u64,
    pub unclaimed: Vec<Unclaimed>,
    pub forwards: Vec<Forward>,
    pub dead_letters: u64,
    pub backlog_messages: u64,
    pub backlog_bytes: u64,
    pub sessions: u64,
    /// The programs at the other ends of these, by name and version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientProgram>,
    pub limits_reached: Vec<LimitReached>,
    /// What the daemon knows of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon: Option<DaemonStatus>,
}

/// Connections from one version of one program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientProgram {
    /// As it names itself: `ipcd/0.1.0`.
    pub client: String,
    pub sessions: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    pub version: String,
    /// The versions of the wire that it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<VersionRange>,
    /// The file that it was started from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// Another file is there by now, or none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub program_replaced: bool,
    pub pid: u32,
    pub uptime_seconds: u64,
    /// Started by systemd or launchd, which keeps the socket.
    pub activated: bool,
    pub socket: String,
    pub store: String,
    pub store_bytes: u64,
    pub history: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// Of things that are left out: nothing is said where there are none.
fn is_none(count: &u64) -> bool {
    *count == 0
}

macro_rules! responses {
    ($($variant:ident($result:ty),)*) => {
        /// The answer to one call that was not refused.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Response { $($variant($result),)* }
    };
}

responses! {
    Registered(Registered),
    Sent(Sent),
    SentMany(SentMany),
    Broadcasted(Broadcasted),
    Checked(Checked),
    Settled(Settled),
    Listed(Listed),
    Renamed(Renamed),
    Released(Released),
    Auto(AutoState),
    Hooked(Hooked),
    Status(Box<Status>),
    DeadListed(DeadListed),
    Done(Done),
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Failure {
        Failure {
            code: refusal.code,
            message: refusal.message.clone(),
            hint: refusal.hint.clone(),
            recoverable: refusal.code.recoverable(),
        }
    }
}
