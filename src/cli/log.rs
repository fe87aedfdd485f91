//! `ipcd log`: the messages that were read, from the history files.

use super::args::{Global, LogArgs};
use super::exit::{ExitCode, Failure};

pub async fn log(_global: &Global, _args: LogArgs) -> Result<ExitCode, Failure> {
    Err(Failure::Bug(anyhow::anyhow!("no history in this build")))
}
