//! Versions that differ: of the daemon, of its program on disk, of those who are connected. After an
//! upgrade, what runs is older than what is installed, and the page of `ipcd status` says what to do.

use std::fmt::Write as _;

use super::{text, units};
use crate::protocol::response::{ClientProgram, DaemonStatus};
use crate::release;

/// What to know about versions; nothing where all is of one.
pub fn about(daemon: &DaemonStatus, clients: &[ClientProgram]) -> String {
    let mut said = String::new();
    let ours = release::version();
    let next = if daemon.activated { "the service manager starts" } else { "the next command starts" };
    if daemon.version != ours {
        let _ = write!(said, "this is ipcd {ours}, the daemon is {}", text::line(&daemon.version));
        if let Some(theirs) = daemon.protocol.filter(|theirs| theirs.common(release::protocol()).is_err()) {
            let we = release::protocol();
            let _ = write!(
                said,
                ", and they cannot talk (protocol {} to {} here, {} to {} there)",
                we.min, we.max, theirs.min, theirs.max
            );
        }
        let program = text::line(&daemon.program);
        let _ = match program.is_empty() {
            true => writeln!(said),
            false => writeln!(said, "; its program: {program}"),
        };
    }
    if daemon.program_replaced {
        said.push_str("the daemon's program was replaced since it started\n");
    }
    if !said.is_empty() {
        let _ = writeln!(said, "after `ipcd stop` {next} the program that is installed now; nothing is lost");
    }
    for ClientProgram { client, sessions } in others(clients, &daemon.version) {
        let client = text::line(client).replace('/', " ");
        let _ = writeln!(
            said,
            "{} of {client}: restart those agents to bring them to the daemon's version",
            units::count(*sessions, "connection")
        );
    }
    said
}

/// Programs of ours that are of another version than the daemon. A command that asks is gone in a moment.
fn others<'a>(clients: &'a [ClientProgram], version: &'a str) -> impl Iterator<Item = &'a ClientProgram> {
    clients.iter().filter(move |found| {
        let theirs = found.client.strip_prefix("ipcd/");
        theirs.is_some_and(|theirs| theirs != version && theirs != release::version())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::hello::VersionRange;

    fn daemon(version: &str) -> DaemonStatus {
        DaemonStatus { version: version.to_owned(), ..DaemonStatus::default() }
    }

    fn clients(of: &[(&str, u64)]) -> Vec<ClientProgram> {
        of.iter()
            .map(|(client, sessions)| ClientProgram { client: (*client).to_owned(), sessions: *sessions })
            .collect()
    }

    #[test]
    fn one_version_is_no_news() {
        let ours = release::program();
        assert_eq!(about(&daemon(release::version()), &clients(&[(&ours, 4), ("doc/1", 1)])), "");
    }

    #[test]
    fn an_upgrade_is_told_from_all_sides() {
        let ours = release::version();
        let mut daemon = daemon("9.0.0");
        daemon.program = "/opt/ipcd\n".to_owned();
        daemon.protocol = Some(VersionRange { min: 1, max: 7 });
        let said = about(&daemon, &clients(&[("ipcd/0.0.1", 2), ("ipcd/9.0.0", 1)]));
        let expected = format!(
            "this is ipcd {ours}, the daemon is 9.0.0; its program: /opt/ipcd\\u{{a}}\n\
            after `ipcd stop` the next command starts the program that is installed now; nothing is lost\n\
            2 connections of ipcd 0.0.1: restart those agents to bring them to the daemon's version\n"
        );
        assert_eq!(said, expected);
        daemon.protocol = Some(VersionRange { min: 6, max: 7 });
        assert!(about(&daemon, &[]).contains("cannot talk (protocol 1 to 1 here, 6 to 7 there)"));
    }

    #[test]
    fn a_replaced_program_is_told_of() {
        let mut daemon = daemon(release::version());
        daemon.program_replaced = true;
        daemon.activated = true;
        let expected = "the daemon's program was replaced since it started\n\
            after `ipcd stop` the service manager starts the program that is installed now; nothing is lost\n";
        assert_eq!(about(&daemon, &[]), expected);
    }
}
