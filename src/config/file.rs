//! The config file as it is written: its sections and keys. The shape is frozen; a key is added, never
//! renamed. Each field is documented for people in `default.toml`.

use serde::Deserialize;

use super::value::{Seconds, Within};
use super::{Commit, Config, Daemon, Identity};
use crate::broker::limits::Limits;
use crate::protocol::name::Name;
use crate::share::policy::{ArgvPrefix, CommandMode, CommandPolicy, FilePolicy};

/// A whole file. A section or key that is missing has its default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    limits: LimitsKeys,
    store: StoreKeys,
    identity: IdentityKeys,
    share_file: FilePolicy,
    share_command: ShareCommandKeys,
    wake: super::Wake,
    daemon: DaemonKeys,
    audit: super::Audit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsKeys {
    /// Sends a minute and instance; 0 = no limit.
    sends_per_minute: Option<Within<0, 1_000_000>>,
    /// Unread messages in one mailbox.
    mailbox_messages: Option<Within<1, 1_000_000>>,
    /// Bytes of unread mail in one mailbox. At most what the whole store holds.
    mailbox_bytes: Option<Within<1024, { 256 << 20 }>>,
    /// Part of a mailbox that one sender may fill, in percent.
    sender_share_percent: Option<Within<1, 100>>,
    /// Bytes of one message's content. More would not fit a line of the wire once it is escaped.
    content_bytes: Option<Within<1, { 4 << 20 }>>,
    /// Between two renames of one instance; 0 = none.
    rename_cooldown_s: Option<Seconds>,
    /// How long an old name forwards; 0 = not at all.
    forward_s: Option<Seconds>,
    /// How long mail waits under a name that nobody ever held; 0 = for ever.
    unclaimed_s: Option<Seconds>,
    /// How long read mail stays in the history; 0 = none is kept.
    history_s: Option<Seconds>,
    /// Clients connected at once.
    sessions: Option<Within<1, 65_536>>,
    /// Readers that may die over one message; 0 = any number.
    deliveries: Option<Within<0, 1_000>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoreKeys {
    commit: Commit,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct IdentityKeys {
    /// Register at start under a name from the folder.
    auto_register: Option<bool>,
    /// The name to take.
    name: Option<Name>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ShareCommandKeys {
    /// Whether commands run, and after whose yes.
    mode: Option<CommandMode>,
    /// For mode `allowlist`.
    allow: Option<Vec<ArgvPrefix>>,
    /// After so long the command is ended.
    timeout_s: Option<Seconds>,
    /// Bytes of output sent. So much fits into a message even where every byte has to be escaped.
    max_output_bytes: Option<Within<256, { 256 << 10 }>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DaemonKeys {
    /// The daemon ends when nobody was connected for so long; 0 = never.
    idle_exit_s: Option<Seconds>,
}

impl File {
    pub(super) fn config(self) -> Config {
        let default = Config::default();
        Config {
            sessions: self.limits.sessions.map_or(default.sessions, |n| n.0),
            history: self.limits.history_s.map_or(default.history, |s| s.0),
            limits: self.limits.over(default.limits),
            commit: self.store.commit,
            identity: Identity {
                auto_register: self.identity.auto_register.unwrap_or(default.identity.auto_register),
                name: self.identity.name,
            },
            share_file: self.share_file,
            share_command: self.share_command.over(default.share_command),
            wake: self.wake,
            daemon: match self.daemon.idle_exit_s {
                None => default.daemon,
                Some(Seconds(idle)) => Daemon { idle_exit: (!idle.is_zero()).then_some(idle) },
            },
            audit: self.audit,
        }
    }
}

impl LimitsKeys {
    fn over(self, mut limits: Limits) -> Limits {
        set(&mut limits.sends_per_minute, self.sends_per_minute.map(|n| n.0));
        set(&mut limits.mailbox_messages, self.mailbox_messages.map(|n| n.0));
        set(&mut limits.mailbox_bytes, self.mailbox_bytes.map(|n| n.0));
        set(&mut limits.sender_share_percent, self.sender_share_percent.map(|n| n.0));
        set(&mut limits.content_bytes, self.content_bytes.map(|n| n.0));
        set(&mut limits.rename_cooldown, self.rename_cooldown_s.map(|s| s.0));
        set(&mut limits.forward, self.forward_s.map(|s| s.0));
        set(&mut limits.unclaimed, self.unclaimed_s.map(|s| s.0));
        set(&mut limits.deliveries, self.deliveries.map(|n| n.0 as u32));
        limits
    }
}

impl ShareCommandKeys {
    fn over(self, mut policy: CommandPolicy) -> CommandPolicy {
        set(&mut policy.mode, self.mode);
        set(&mut policy.allow, self.allow);
        set(&mut policy.timeout, self.timeout_s.map(|s| s.0));
        set(&mut policy.max_output_bytes, self.max_output_bytes.map(|n| n.0));
        policy
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
