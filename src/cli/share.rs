//! `ipcd share`: a file, or what a command prints, as a message. It happens in this process, with
//! the rights and the folder of whoever runs it.

use super::args::ShareVerb;
use super::caller::Caller;
use super::exit::{ExitCode, Failure};

pub async fn share(_caller: &mut Caller, _verb: ShareVerb) -> Result<ExitCode, Failure> {
    Err(Failure::Bug(anyhow::anyhow!("no sharing in this build")))
}
