//! What stands still: the program, the folders, the configuration.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::Finding;
use crate::cli::exit::Failure;
use crate::cli::surroundings::{Surroundings, tilde};
use crate::config::Config;
use crate::paths::Paths;
use crate::protocol::refusal::Refusal;
use crate::transport::directory;

/// For another program to say its version.
const VERSION_TIME: Duration = Duration::from_secs(5);

const OURS: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn look(surroundings: &Surroundings, paths: &Result<Paths, Refusal>) -> Vec<Finding> {
    let mut found = vec![binary(surroundings).await];
    match paths {
        Ok(paths) => {
            found.extend(home(paths));
            found.push(folders(paths, &surroundings.home));
            found.push(config(paths, &surroundings.home));
        }
        Err(refusal) => found.push(Finding::bad("folders", &refusal.message, &refusal.hint)),
    }
    found
}

async fn binary(surroundings: &Surroundings) -> Finding {
    let binary = match surroundings.binary() {
        Ok(binary) => PathBuf::from(binary),
        Err(Failure::Refused(refusal)) => return Finding::bad("binary", refusal.message, refusal.hint),
        Err(_) => {
            return Finding::bad("binary", "the system does not tell where this program is", "mount /proc");
        }
    };
    let here = tilde(&binary, &surroundings.home);
    let folder = binary.parent().unwrap_or(Path::new("/")).display().to_string();
    match surroundings.on_path("ipcd") {
        None => Finding::note(
            "binary",
            format!("ipcd {OURS} is {here}, which is not on the PATH; clients use the whole path"),
            format!("add {folder} to the PATH to type `ipcd` in shells"),
        ),
        Some(first) if first.canonicalize().ok() == binary.canonicalize().ok() => {
            Finding::good("binary", format!("ipcd {OURS}, {here}"))
        }
        Some(first) => {
            let other = version(&first).await;
            let (first, cure) =
                (first.display(), format!("remove one of the two, or put {folder} first on the PATH"));
            match other {
                Some(version) if version == OURS => Finding::note(
                    "binary",
                    format!("this is {here}, but the PATH finds another {OURS}, {first}"),
                    cure,
                ),
                Some(version) => Finding::bad(
                    "binary",
                    format!("this is ipcd {OURS}, {here}, but the PATH finds {version}, {first}"),
                    cure,
                ),
                None => Finding::bad(
                    "binary",
                    format!("this is {here}, but what the PATH finds first does not run: {first}"),
                    cure,
                ),
            }
        }
    }
}

/// What another ipcd says that it is.
pub(super) async fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = timeout(VERSION_TIME, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().strip_prefix("ipcd ")?.to_owned())
}

fn home(paths: &Paths) -> Option<Finding> {
    let home = paths.home.as_ref()?.display();
    let says = format!("IPCD_HOME is set: this is about the ipcd below {home}");
    Some(Finding::note("home", says, "clients find it only where they are given the same IPCD_HOME"))
}

fn folders(paths: &Paths, home: &Path) -> Finding {
    // What is missing is made when it is needed: looking must not make it.
    for folder in [&paths.state_dir, &paths.runtime_dir].into_iter().filter(|folder| folder.exists()) {
        if let Err(error) = directory::private_dir(folder) {
            return Finding::bad("folders", error.to_string(), error.hint());
        }
    }
    let (state, runtime) = (tilde(&paths.state_dir, home), tilde(&paths.runtime_dir, home));
    Finding::good("folders", format!("state in {state}, socket in {runtime}: yours alone"))
}

fn config(paths: &Paths, home: &Path) -> Finding {
    match Config::load(&paths.config_file) {
        Ok(_) if paths.config_file.exists() => {
            Finding::good("config", format!("{} can be read", tilde(&paths.config_file, home)))
        }
        Ok(_) => Finding::good("config", "none, and none is needed"),
        Err(refusal) => Finding::bad("config", refusal.message, refusal.hint),
    }
}
