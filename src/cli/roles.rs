//! The long-running roles of the binary: the daemon and the MCP front end.

use super::args::{Global, McpArgs};
use super::exit::{ExitCode, Failure};

pub fn daemon(_detached: bool) -> Result<ExitCode, Failure> {
    Err(Failure::Bug(anyhow::anyhow!("no daemon in this build")))
}

pub fn mcp(_global: &Global, _args: McpArgs) -> Result<ExitCode, Failure> {
    Err(Failure::Bug(anyhow::anyhow!("no MCP front end in this build")))
}
