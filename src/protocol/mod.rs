//! The vocabulary: what travels between a client and the daemon, as plain data.
//!
//! The wire is JSON-RPC 2.0, one object per line (`docs/protocol.md` is the specification; its
//! transcripts run as tests). A client says `hello` first, then calls methods; the daemon answers
//! each call once and pushes [`event::Event`]s unasked.
//!
//! What always holds:
//! - This module imports nothing of ours but `json`, and does no I/O.
//! - Names in requests are as the caller wrote them; the broker parses them, so that a bad one is
//!   refused with `invalid_name` on that call and not with a decoding error.
//! - Fields are added as optional ones; none is renamed or removed without a new [`PROTOCOL`].

pub mod data;
pub mod event;
pub mod hello;
pub mod message;
pub mod name;
pub mod peer;
pub mod refusal;
pub mod request;
pub mod response;
pub mod startup;
pub mod time;
pub mod wire;

/// Versions of the wire that this build speaks: the lowest and the highest.
pub const PROTOCOL: hello::VersionRange = hello::VersionRange { min: 1, max: 1 };

/// Longest line on either side of the socket, in bytes: 1 MiB of content, 1.5 MiB of data and
/// their JSON escapes fit; a hostile line does not fill the memory.
pub const LINE_BYTES_MAX: usize = 8 << 20;
