//! The long-running roles of the binary: the daemon and the MCP front end.

use std::time::Duration;

use anyhow::anyhow;

use super::args::{Global, McpArgs, ToolSet};
use super::exit::{ExitCode, Failure};
use crate::config::Config;
use crate::paths::Paths;
use crate::protocol::refusal::Refusal;
#[cfg(unix)]
use crate::share;
use crate::share::Here;
use crate::transport::TransportError;
use crate::transport::activation::Inherited;
use crate::{daemon, mcp, telemetry};

/// What the service manager gave to this process, or what was wrong with it.
pub type Given = Result<Inherited, TransportError>;

pub fn daemon(detached: bool, given: Given) -> Result<ExitCode, Failure> {
    let inherited = given.map_err(|e| Failure::Surroundings(anyhow!("{}", e.in_full())))?;
    ended(daemon::run(daemon::Options { paths: Paths::from_env()?, detached, inherited }))
}

/// How long a tool call survives a restart of the daemon: less than the minute that most clients wait.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn mcp(global: &Global, args: McpArgs) -> Result<ExitCode, Failure> {
    telemetry::to_stderr(telemetry::Role::FrontEnd);
    let paths = Paths::from_env()?;
    let config = Config::load(&paths.config_file)?;
    let options = mcp::Options {
        naming: mcp::Naming {
            wanted: args.name.or(config.identity.name.map(|name| name.to_string())),
            manual: args.no_auto_register || !config.identity.auto_register,
        },
        tools: match args.tools {
            ToolSet::All => mcp::Toolset::All,
            ToolSet::Instances => mcp::Toolset::Instances,
            ToolSet::Terminals => mcp::Toolset::Terminals,
            ToolSet::Core => mcp::Toolset::Core,
        },
        dialing: mcp::Dialing {
            socket: paths.socket,
            spawn_lock: paths.spawn_lock,
            launch: !global.no_spawn,
            patience: PATIENCE,
        },
        wake: config.wake,
        sharing: mcp::Sharing {
            files: config.share_file,
            commands: config.share_command,
            here: Here { remote: args.origin.remote(), ..Here::current()? },
        },
    };
    super::block_on(async { ended(mcp::run(options).await) })
}

/// The process that watches over one shared command, for a front end.
#[cfg(unix)]
pub fn supervise(argv: &[std::ffi::OsString]) -> ExitCode {
    let argv = argv.strip_prefix(&["--".into()]).unwrap_or(argv);
    match share::supervisor::run(argv) {
        Ok(()) => ExitCode::Done,
        Err(_) => Failure::usage("`supervise` is for ipcd itself", "try `ipcd share command --help`").report(
            false,
            &mut std::io::stdout(),
            &mut std::io::stderr(),
        ),
    }
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
