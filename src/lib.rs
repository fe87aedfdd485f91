//! ipcd: a durable mailbox for the coding agents of one person on one machine.
//!
//! A tour for a new reader, in reading order (`docs/architecture.md` is the map):
//!
//! 1. [`protocol`]: the vocabulary. What travels between a client and the daemon, as plain data.
//! 2. [`broker`]: the core. A state machine that decides who has which name, what waits where and who
//!    was handed what. No I/O, no clock.
//! 3. [`store`] makes its decisions durable; [`history`] keeps what was read, beside the promise.
//! 4. [`transport`]: sockets, peers, locks, inherited listeners. Where operating systems differ.
//! 5. [`daemon`]: the shell around the core: one thread for sockets, one for broker and store.
//! 6. [`client`]: a connection that outlives daemons and starts one when a call needs it.
//! 7. [`mcp`]: the front end of one agent, and [`share`], what agents hand each other.
//! 8. [`agents`]: the client programs, one file each; [`install`] edits their configuration.
//! 9. [`cli`]: everything a person types. [`config`], [`paths`] and [`telemetry`] serve all of them.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop where it stands")
)]

pub mod agents;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod client;
pub mod config;
pub mod daemon;
pub(crate) mod files;
pub mod history;
pub mod install;
pub(crate) mod json;
pub mod mcp;
pub mod paths;
mod planted;
pub mod protocol;
pub(crate) mod release;
pub mod service;
pub mod share;
pub mod store;
pub mod telemetry;
pub mod transport;
