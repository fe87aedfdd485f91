//! The one integration-test binary: it drives the real program in homes of its own.
//!
//! A test reads like a conversation and waits for facts (a line, an answer, the end of a process),
//! each with a deadline; a failure prints the daemon's log.
#![cfg(unix)] // `tests/windows.rs` is the one for Windows

mod activation;
mod agent;
mod armour;
mod audit;
mod bad_input;
mod bells;
mod commands;
mod conversations;
mod daemon;
mod disk;
mod doctor;
mod echo;
mod files;
mod footprint;
mod gauge;
mod hostility;
mod impersonation;
mod install;
mod kills;
mod launchd;
mod layering;
mod leaks;
mod machine;
mod once;
mod packages;
mod parity;
mod patience;
mod places;
mod planted;
mod policies;
mod provenance;
mod screens;
mod service;
mod socket;
mod survivors;
mod syncs;
mod transcripts;
mod upgrade;
mod world;
