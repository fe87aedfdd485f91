//! What runs: the daemon, its store, and the service that starts it.

use std::path::Path;

use super::Finding;
use crate::cli::caller::{hello, link};
use crate::cli::surroundings::Surroundings;
use crate::cli::units::{count, size, span};
use crate::paths::Paths;
use crate::protocol::refusal::RefusalCode;
use crate::protocol::request::{Nothing, Request};
use crate::protocol::response::{DaemonStatus, Status};

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
    found.extend(super::service::look(paths, surroundings));
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
