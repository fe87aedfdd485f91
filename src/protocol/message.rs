//! A message as its reader sees it, and the parts it is made of.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::name::Name;
use super::time::Timestamp;

/// Number of a message: given once, in the order in which messages were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text of a message. Shared, never copied on its way through the daemon; its `Debug` shows
/// only the length, so that no log holds mail.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Body(pub Arc<str>);

/// By hand, since a text goes through a `String` otherwise and is copied once more.
impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Body, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Body;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Body, E> {
                Ok(Body(text.into()))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl Default for Body {
    fn default() -> Body {
        Body("".into())
    }
}

/// The `data` of a message: JSON that the daemon carries as it was written. What a caller may put there
/// is decided in [`data`](super::data).
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(pub Arc<RawValue>);

impl Data {
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Data) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Data {}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.get().len())
    }
}

/// Who sent a message, as far as the daemon itself knows. Nothing in here was said by the sender,
/// but for `client`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// How much the kernel vouched for.
    pub verified: Verified,
    /// The program, as it names itself: a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The process lives in other namespaces than the daemon.
    #[serde(default)]
    pub sandboxed: bool,
    /// A terminal, and so perhaps a person, is behind it.
    #[serde(default)]
    pub interactive: bool,
}

/// A [`Sender`] as its messages and the audit log have it: shared by all of them, and put into JSON once.
/// In full it is longer than most messages.
#[derive(Clone, Debug, Default)]
pub struct SharedSender(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    sender: Sender,
    json: OnceLock<Box<RawValue>>,
}

impl From<Sender> for SharedSender {
    fn from(sender: Sender) -> SharedSender {
        SharedSender(Arc::new(Told { sender, json: OnceLock::new() }))
    }
}

impl Deref for SharedSender {
    type Target = Sender;

    fn deref(&self) -> &Sender {
        &self.0.sender
    }
}

impl PartialEq for SharedSender {
    fn eq(&self, other: &SharedSender) -> bool {
        **self == **other
    }
}

impl Eq for SharedSender {}

impl Serialize for SharedSender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = || to_raw_value(&self.0.sender).expect("texts, numbers and flags have a JSON form");
        self.0.json.get_or_init(json).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SharedSender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SharedSender, D::Error> {
        Sender::deserialize(deserializer).map(SharedSender::from)
    }
}

/// What the kernel said of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// The daemon itself wrote this message.
    Daemon,
    /// User and process.
    Full,
    /// The user alone: the process was gone, or lives where the daemon cannot see.
    #[default]
    Uid,
}

/// A message as `check` answers it. See `docs/protocol.md` for the field's meanings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub id: MessageId,
    pub from: Name,
    pub to: Name,
    pub sent_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The whole text, or one piece of it when `offset` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Body>,
    /// What the whole takes, in bytes, when it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Private copy of the whole, when it is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the copy and the pieces hold, when the whole is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<WholeFormat>,
    /// Where in the whole this piece begins, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Where the next piece begins; absent in the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<MessageId>,
    pub hops: u32,
    /// It may have been shown before: a reader or the daemon ended unexpectedly.
    pub redelivered: bool,
    /// How often it was handed out to a reader that died with it, and this time.
    pub delivery: u32,
    pub sender: SharedSender,
}

/// Form of a message that is too large to be shown at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WholeFormat {
    /// The content.
    Text,
    /// `{"content":…,"data":…}`.
    Json,
}
