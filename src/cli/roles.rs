//! The long-running roles of the binary: the daemon and the MCP front end.

use anyhow::anyhow;

use super::args::{Global, McpArgs};
use super::exit::{ExitCode, Failure};
use crate::daemon;
use crate::paths::Paths;
use crate::protocol::refusal::Refusal;
use crate::transport::TransportError;
use crate::transport::activation::Inherited;

/// What the service manager gave to this process, or what was wrong with it.
pub type Given = Result<Inherited, TransportError>;

pub fn daemon(detached: bool, given: Given) -> Result<ExitCode, Failure> {
    let inherited = given.map_err(|e| Failure::Surroundings(anyhow!("{}", e.in_full())))?;
    ended(daemon::run(daemon::Options { paths: Paths::from_env()?, detached, inherited }))
}

pub fn mcp(_global: &Global, _args: McpArgs) -> Result<ExitCode, Failure> {
    Err(Failure::Bug(anyhow!("no MCP front end in this build")))
}

/// What became of a role: a refusal somewhere in the chain tells best what to do.
fn ended(outcome: anyhow::Result<()>) -> Result<ExitCode, Failure> {
    match outcome {
        Ok(()) => Ok(ExitCode::Done),
        Err(error) => Err(match error.downcast::<Refusal>() {
            Ok(refusal) => Failure::Refused(refusal),
            Err(error) => Failure::Surroundings(error),
        }),
    }
}
