//! What a client can ask of the daemon: one struct per method.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::hello::VersionRange;
use super::message::{Body, Data, MessageId};
use super::refusal::{Refusal, RefusalCode};
use super::response::Wakes;

/// A recipient's name as the caller wrote it, or several.
pub type Recipients = Vec<String>;

/// Take a name, or get one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Without a name the daemon picks one from the caller's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `name` was picked by a daemon before, and is to stay such an automatic name.
    #[serde(default)]
    pub auto: bool,
    /// Mail that this client was handed before it lost its connection and has not given back.
    #[serde(default)]
    pub held: Vec<MessageId>,
}

/// Put one message into each recipient's mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Empty: the sender of `reply_to`, or of the last message that the caller read.
    #[serde(default)]
    pub to: Recipients,
    pub content: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::data::from_caller")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Same key, same message: it is stored once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Unread for so long, it becomes a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// Whom the caller believes to be; another is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Put one message into the mailbox of every other instance that is live or was seen in the last day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    pub content: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "super::data::from_caller")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Read mail. What is handed out is leased to this connection until it is acked or the connection ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// With nothing to read, wait for so long.
    #[serde(default)]
    pub wait_ms: u64,
    /// Look without taking: nothing is leased.
    #[serde(default)]
    pub peek: bool,
    /// Most messages in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// This one message alone, in pieces, whether it still waits or was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<MessageId>,
    /// Where in its whole the piece begins, in bytes.
    #[serde(default)]
    pub offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Which of the caller's leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    /// Absent: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<MessageId>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    pub new: String,
    /// Whom the caller believes to be; another is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub name: String,
}

/// Change or ask how often an instance's hooks look for mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auto {
    pub set: AutoSet,
    /// Minutes between two looks, 1 to 60; with `start` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoSet {
    Start,
    Stop,
    Status,
    /// A look happened now.
    Looked,
}

/// End in order, for a client that speaks a newer protocol only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retire {
    /// What that client speaks.
    pub protocol: VersionRange,
}

/// How this session's agent is woken when mail comes, from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bell {
    pub wakes: Wakes,
}

/// A hook of the agent's client runs: is there something to say?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    pub moment: Moment,
    /// With `wait` only: how long it waits.
    #[serde(default)]
    pub wait_ms: u64,
    /// With `wait` only: how it wakes the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes: Option<Wakes>,
}

/// What is going on in an agent, as its client tells a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Its session begins.
    Start,
    /// Its user said something.
    Prompt,
    /// A tool call ended.
    Tool,
    /// It is about to end its turn.
    Stop,
    /// Nothing: the hook runs in the background until there is something to say.
    Wait,
}

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetter {
    pub id: MessageId,
}

/// Some dead letters, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<MessageId>>,
}

/// What a front end decided by its policy, for the audit log. The daemon adds who it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub act: ReportedAct,
    /// The file, or the command.
    pub subject: String,
    /// Who was to get it.
    #[serde(default)]
    pub to: Recipients,
    pub verdict: Verdict,
    /// The rule of the policy that decided.
    pub rule: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedAct {
    ShareFile,
    ShareCommand,
}

impl ReportedAct {
    pub fn word(self) -> &'static str {
        match self {
            ReportedAct::ShareFile => "share_file",
            ReportedAct::ShareCommand => "share_command",
        }
    }
}

/// What became of something that somebody wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Done,
    Refused,
}

/// A method without parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

macro_rules! requests {
    ($($(#[$doc:meta])* $variant:ident($params:ty) = $method:literal;)*) => {
        /// One call of a client.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request { $($(#[$doc])* $variant($params),)* }

        impl Request {
            pub const METHODS: &'static [&'static str] = &[$($method,)*];

            pub fn method(&self) -> &'static str {
                match self { $(Request::$variant(_) => $method,)* }
            }

            /// The call that `method` and `params` stand for; a refusal says what is wrong with them.
            pub fn decode(method: &str, params: Option<&RawValue>) -> Result<Request, Refusal> {
                let params = params.map_or("{}", RawValue::get);
                match method {
                    $($method => serde_json::from_str(params).map(Request::$variant).map_err(|e| bad_params(method, &e)),)*
                    _ => Err(Refusal::invalid_argument(format!("no method `{}`", method.escape_debug()))
                        .hint(format!("the methods are {}", Request::METHODS.join(", ")))),
                }
            }
        }

        /// The parameters alone, as they go onto the wire.
        impl Serialize for Request {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Request::$variant(params) => params.serialize(serializer),)* }
            }
        }
    };
}

requests! {
    Register(Register) = "register";
    Send(Send) = "send";
    Broadcast(Broadcast) = "broadcast";
    Check(Check) = "check";
    /// Settle leases: the mail was read.
    Ack(Leases) = "ack";
    /// Give leases back: the mail was not read.
    Nack(Leases) = "nack";
    List(Nothing) = "list";
    Rename(Rename) = "rename";
    /// Take a name from whoever holds it. For people.
    Release(Release) = "release";
    Auto(Auto) = "auto";
    /// Tell the audit log what a policy decided.
    Report(Report) = "report";
    /// Say how this session's agent is woken.
    Bell(Bell) = "bell";
    /// Ask, as a hook of an agent, whether there is something to say.
    Hook(Hook) = "hook";
    Status(Nothing) = "status";
    DeadList(Nothing) = "dead_list";
    DeadShow(DeadLetter) = "dead_show";
    /// Put dead letters back into their mailboxes. For people.
    DeadRequeue(DeadLetters) = "dead_requeue";
    /// Forget dead letters. For people.
    DeadPurge(DeadLetters) = "dead_purge";
    /// End the daemon after its calls are answered. For people.
    Stop(Nothing) = "stop";
    /// End the daemon likewise, to make way for one that speaks a newer protocol.
    Retire(Retire) = "retire";
}

fn bad_params(method: &str, error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    Refusal::new(RefusalCode::InvalidArgument, format!("bad parameters for `{method}`: {text}"))
        .hint("docs/protocol.md lists the parameters of each method")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(method: &str, params: &str) -> Result<Request, Refusal> {
        let params = RawValue::from_string(params.to_owned()).unwrap();
        Request::decode(method, Some(&params))
    }

    #[test]
    fn a_call_survives_the_wire() {
        let send =
            r#"{"to":["bob"],"content":"hi\u0000","data":{"big":123456789012345678901234567890, "n": null}}"#;
        let call = decode("send", send).unwrap();
        let Request::Send(Send { data: Some(data), .. }) = &call else { panic!("{call:?}") };
        assert_eq!(data.get(), r#"{"big":123456789012345678901234567890, "n": null}"#);
        assert_eq!(decode(call.method(), &serde_json::to_string(&call).unwrap()).unwrap(), call);
    }

    #[test]
    fn wrong_calls_are_refused_by_name() {
        let deep = format!(r#"{{"content":"a","data":{}0{}}}"#, "[".repeat(200), "]".repeat(200));
        for (method, params, said) in [
            ("send", "{}", "missing field `content`"),
            ("send", r#"{"content":"a","to":7}"#, "invalid type"),
            ("send", r#"{"content":"a","too":[]}"#, "unknown field `too`"),
            ("send", &deep, "nested deeper"),
            ("broadcast", &deep, "nested deeper"),
            ("check", r#"{"wait_ms":-1}"#, "`check`"),
            ("check", r#"{"peek":true,"peek":false}"#, "duplicate field `peek`"),
            ("nothing\n", "{}", "no method"),
        ] {
            let refusal = decode(method, params).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::InvalidArgument);
            assert!(refusal.message.contains(said), "{}", refusal.message);
        }
    }
}
