//! What runs: the daemon, its store, and the service that starts it.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::cli::caller::{hello, link};
use crate::cli::surroundings::{Surroundings, tilde};
use crate::cli::units::{count, size, span};
use crate::paths::Paths;
use crate::protocol::refusal::RefusalCode;
use crate::protocol::request::{Nothing, Request};
use crate::protocol::response::{DaemonStatus, Status};
use crate::service;

const OURS: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn look(paths: &Paths, surroundings: &Surroundings) -> Vec<Finding> {
    let link = link(paths, false, hello(None, None));
    let status = link.ask::<Status>(Request::Status(Nothing {})).await;
    link.close().await;
    let mut found = match status {
        Ok(status) => {
            let daemon = status.daemon.clone().unwrap_or_default();
            let mut found = vec![daemon_of(&daemon, &status)];
            if Path::new(&daemon.store) != paths.store {
                let says = format!("its store is {}, not {}", daemon.store, paths.store.display());
                let cure =
                    "HOME or XDG_STATE_HOME differ between it and this shell; mail is where the daemon is";
                found.push(Finding::note("daemon", says, cure));
            }
            found.extend(store(&daemon, &status));
            found
        }
        Err(refusal) if refusal.code == RefusalCode::Retry => {
            vec![Finding::good("daemon", "none runs; the first agent or command that needs one starts it")]
        }
        Err(refusal) => vec![Finding::bad("daemon", refusal.message, refusal.hint)],
    };
    found.extend(unit(surroundings));
    found
}

fn daemon_of(daemon: &DaemonStatus, status: &Status) -> Finding {
    let DaemonStatus { version, pid, uptime_seconds, .. } = daemon;
    if version != OURS {
        let says = format!("the daemon is ipcd {version}, pid {pid}; this is {OURS}");
        return Finding::bad(
            "daemon",
            says,
            "run `ipcd stop`: the next command starts the new one, and no mail is lost",
        );
    }
    let sessions = count(status.sessions, "connection");
    Finding::good("daemon", format!("ipcd {version}, pid {pid}, up {}, {sessions}", span(*uptime_seconds)))
}

fn store(daemon: &DaemonStatus, status: &Status) -> Vec<Finding> {
    let held = format!("{} unread", count(status.backlog_messages, "message"));
    let store = format!("{}, {}, {held}", daemon.store, size(daemon.store_bytes));
    let mut found = match &daemon.last_error {
        None => vec![Finding::good("store", store)],
        Some(error) => vec![Finding::bad(
            "store",
            format!("{store}; the last trouble: {error}"),
            "see docs/reliability.md for what it means; `ipcd status` shows when it is over",
        )],
    };
    if status.dead_letters > 0 {
        let letters = count(status.dead_letters, "dead letter");
        found.push(Finding::note(
            "store",
            format!("{letters}: nobody could read them"),
            "see `ipcd dead list`",
        ));
    }
    found
}

/// The unit of a user manager, if one is installed: it must start a program that is there.
fn unit(surroundings: &Surroundings) -> Option<Finding> {
    let unit = surroundings.config().join("systemd/user/ipcd.service");
    let text = std::fs::read_to_string(&unit).ok()?;
    let unit = tilde(&unit, &surroundings.home);
    let Some(program) = service::started(&text) else {
        return Some(Finding::bad(
            "service",
            format!("{unit} says no program to start"),
            "install the units anew",
        ));
    };
    let same = |path: &Path| path.canonicalize().ok();
    let ours = surroundings.binary().ok().map(PathBuf::from);
    Some(if !program.exists() {
        let says = format!("{unit} starts {}, which is not there", program.display());
        Finding::bad("service", says, "install the units anew, then `systemctl --user daemon-reload`")
    } else if ours.is_some_and(|ours| same(&ours) != same(&program)) {
        let says = format!("{unit} starts another ipcd: {}", program.display());
        Finding::note("service", says, "install the units anew if this one is meant")
    } else {
        Finding::good("service", format!("{unit} starts this ipcd"))
    })
}
