//! What became of settled mail: for people who look back, and outside of the promise.
//!
//! One line of JSON for each delivery that ended, in one file a day (UTC), and private copies of
//! messages that were too large to be shown at once. The daemon appends and never reads; `ipcd log`
//! reads the files without the daemon.
//!
//! What always holds:
//! - Nothing here is synced, opened at start, or waited for by mail; a failure is told and mail goes on.
//! - Files are their owner's alone. They are removed whole, once all in them is old.
//! - A reader takes any bytes: a line that is damaged is counted and passed over.

mod copies;
mod day;
mod reader;
mod record;
mod writer;

#[cfg(test)]
mod tests;

pub use self::copies::{Copies, Piece};
pub use self::reader::{Filter, Records};
pub use self::record::{HistoryRecord, Outcome};
pub use self::writer::HistoryWriter;
