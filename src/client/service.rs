//! The daemon as a service of systemd's user manager: where a socket unit is installed, it is started
//! rather than a daemon of our own. It would take the path away from one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

const UNIT: &str = "ipcd.socket";

/// For the manager to start a socket unit, which starts no process.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the socket unit if it is the one that serves `socket`. True if the manager says that it
/// listens now.
pub async fn start_socket_unit(socket: &Path) -> bool {
    if !serves(socket, |name| std::env::var_os(name)) {
        return false;
    }
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["--user", "start", UNIT]);
    systemctl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match timeout(START_TIMEOUT, systemctl.status()).await {
        Ok(Ok(status)) if status.success() => true,
        outcome => {
            tracing::debug!(?outcome, "{UNIT} cannot be started");
            false
        }
    }
}

/// Whether a user manager runs and knows a unit for this very socket.
fn serves(socket: &Path, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let Some(runtime) = variable("XDG_RUNTIME_DIR").map(PathBuf::from) else { return false };
    variable("IPCD_HOME").is_none()
        && socket == runtime.join("ipcd/ipcd.sock")
        && runtime.join("systemd/private").exists()
        && unit_folders(&runtime, variable).iter().any(|folder| is_unit(&folder.join(UNIT)))
}

/// Where user units are, those that win first.
fn unit_folders(runtime: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let below = |name: &str, otherwise: &str| {
        variable(name).map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(otherwise)))
    };
    let own = [
        below("XDG_CONFIG_HOME", ".config"),
        Some("/etc".into()),
        Some(runtime.to_owned()),
        Some("/run".into()),
        below("XDG_DATA_HOME", ".local/share"),
    ];
    let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    let shared: Vec<PathBuf> = std::env::split_paths(&shared).collect();
    let fixed = ["/usr/local/lib", "/usr/lib"].map(PathBuf::from);
    own.into_iter().flatten().chain(shared).chain(fixed).map(|folder| folder.join("systemd/user")).collect()
}

/// A unit, and not a masked one.
fn is_unit(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_an_installed_unit_of_a_running_manager_for_this_path_counts() {
        let home = tempfile::tempdir().unwrap();
        let runtime = home.path().join("run");
        let units = home.path().join(".config/systemd/user");
        fs::create_dir_all(runtime.join("systemd")).unwrap();
        fs::create_dir_all(&units).unwrap();
        let variable = |name: &str| match name {
            "HOME" => Some(home.path().into()),
            "XDG_RUNTIME_DIR" => Some(runtime.clone().into()),
            "XDG_DATA_DIRS" => Some("/nonexistent".into()),
            _ => None,
        };
        let socket = runtime.join("ipcd/ipcd.sock");
        assert!(!serves(&socket, variable), "no manager");
        fs::write(runtime.join("systemd/private"), "").unwrap();
        fs::write(units.join(UNIT), "").unwrap();
        assert!(serves(&socket, variable));
        assert!(!serves(&home.path().join("ipcd.sock"), variable));
        assert!(!serves(&socket, |name| if name == "IPCD_HOME" {
            Some("/x".into())
        } else {
            variable(name)
        }));
        fs::remove_file(units.join(UNIT)).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/null", units.join(UNIT)).unwrap();
        assert!(!serves(&socket, variable), "masked");
    }
}
