pub mod broker;
pub mod client;
pub(crate) mod files;
pub mod history;
pub mod protocol;
pub mod store;
