//! The binary. `ipcd daemon`, `ipcd mcp` and every command are this one program; what it does is in
//! the library, for tests to reach.

use std::panic;

use ipcd::cli::{self, ExitCode};
use ipcd::transport::activation;

fn main() -> std::process::ExitCode {
    // First of all: while there is one thread, what a service manager gave can be taken safely.
    let inherited = activation::take();
    let run = panic::AssertUnwindSafe(|| cli::run(std::env::args_os(), inherited));
    // A panic has said what it had to say on stderr; what is left is to end with the code for a bug.
    panic::catch_unwind(run).unwrap_or(ExitCode::Bug).into()
}
