//! One line of the audit log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::protocol::hello::Role;
use crate::protocol::message::{Body, MessageId, SharedSender};
use crate::protocol::name::Name;
pub use crate::protocol::request::Verdict;
use crate::protocol::time::Timestamp;

/// What somebody wanted, and what became of it. Fields are added as optional ones, none is renamed or
/// removed: old files stay readable, and scripts read them too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    pub at: Timestamp,
    /// A method of the wire, `share_file`, `share_command`, or `connect` for who was turned away at the door.
    pub act: Cow<'static, str>,
    /// In whose name; absent while it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What the daemon knows of the process, as a message shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<SharedSender>,
    /// Who it was, where that is another user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Whom it was for or about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The messages that it was about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<MessageId>,
    /// Size of content, summary and data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The name, the file or the command that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub verdict: Verdict,
    /// The rule that decided: the code of a refusal, or a rule of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Said by the process itself about what it decided, not found by the daemon.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reported: bool,
    /// How often, where one record stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What was sent; only if the configuration asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Records before this one that could not be kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl AuditRecord {
    pub fn new(at: Timestamp, act: &'static str, verdict: Verdict) -> AuditRecord {
        AuditRecord {
            at,
            act: act.into(),
            by: None,
            role: None,
            sender: None,
            uid: None,
            to: Vec::new(),
            ids: Vec::new(),
            bytes: None,
            subject: None,
            verdict,
            rule: None,
            reported: false,
            times: None,
            body: None,
            lost: 0,
        }
    }

    /// What it takes of memory while it waits to be written, roughly.
    pub(super) fn weight(&self) -> usize {
        const FACTS: usize = 512;
        FACTS + self.body.as_ref().map_or(0, |body| body.0.len())
    }
}
