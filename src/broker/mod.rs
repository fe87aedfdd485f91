//! The core.

pub mod limits;
pub mod mutation;
