//! The binary: `ipcd daemon`, `ipcd mcp` and the commands are all it.

use std::panic;

use ipcd::cli::{self, ExitCode};

fn main() -> std::process::ExitCode {
    // A panic has said what it had to say on stderr; what is left is to end with the code for a bug.
    panic::catch_unwind(|| cli::run(std::env::args_os())).unwrap_or(ExitCode::Bug).into()
}
