pub mod broker;
pub mod cli;
pub mod client;
pub mod config;
pub mod paths;
pub mod protocol;
pub mod share;
pub mod telemetry;
