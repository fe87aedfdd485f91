//! A world for a trial, and clients in it: what `ipcd demo` shows and `ipcd doctor` tries.
//!
//! What always holds: nothing of it touches what is the user's, and nothing is left behind.

mod agent;
mod home;

pub use agent::Agent;
pub use home::Home;
