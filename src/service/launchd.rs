//! An agent of the user's launchd: the property list of `packaging/launchd`, with absolute paths.

use std::path::PathBuf;

use super::{Encoding, MARK, Place, Plan, Read, Run, State, Step, element, plain, words, xml};
use crate::protocol::refusal::Refusal;

const LABEL: &str = "dev.ipcd.ipcd";

const TEMPLATE: &str = include_str!("../../packaging/launchd/dev.ipcd.ipcd.plist");

pub fn install(place: &Place, read: Read) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    // launchd makes no folder for a socket.
    for folder in [place.socket.parent(), place.log.parent()].into_iter().flatten() {
        plan.steps.push(Step::Folder(folder.to_owned()));
    }
    let list = list(place);
    plan.write(list.clone(), filled(place)?, Encoding::Utf8, read)?;
    let path = plain(&list)?;
    plan.try_to_run(&["launchctl", "bootout", &target(place, "gui")]);
    plan.try_to_run(&["launchctl", "bootout", &target(place, "user")]);
    // In a login without a screen there is no gui domain.
    let bootstrap =
        |domain: &str| words(&["launchctl", "bootstrap", &format!("{domain}/{}", place.user), path]);
    let otherwise = Some(bootstrap("user"));
    plan.steps.push(Step::Run(Run { command: bootstrap("gui"), otherwise, may_fail: false }));
    Ok(plan)
}

pub fn uninstall(place: &Place, read: Read) -> Plan {
    let mut plan = Plan::default();
    plan.try_to_run(&["launchctl", "bootout", &target(place, "gui")]);
    plan.try_to_run(&["launchctl", "bootout", &target(place, "user")]);
    plan.remove(list(place), read);
    plan
}

pub fn list(place: &Place) -> PathBuf {
    place.home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"))
}

fn target(place: &Place, domain: &str) -> String {
    format!("{domain}/{}/{LABEL}", place.user)
}

fn filled(place: &Place) -> Result<String, Refusal> {
    // The comment of the template is about the template.
    let (head, rest) = TEMPLATE.split_once("<!--").unwrap_or((TEMPLATE, ""));
    let body = rest.split_once("-->").map_or(rest, |(_, body)| body);
    let text = format!("{head}<!-- {MARK}. -->{body}");
    Ok(text
        .replace("@PROGRAM@", &xml(plain(&place.program)?))
        .replace("@SOCKET@", &xml(plain(&place.socket)?))
        .replace("@LOG@", &xml(plain(&place.log)?)))
}

/// The program that a property list starts.
pub fn started(list: &str) -> Option<PathBuf> {
    let (_, arguments) = list.split_once("<key>ProgramArguments</key>")?;
    element(arguments, "string").map(PathBuf::from)
}

/// Of each domain that [`install`] may have put it in.
pub fn questions(place: &Place) -> [Vec<String>; 2] {
    ["gui", "user"].map(|domain| words(&["launchctl", "print", &target(place, domain)]))
}

pub fn state(said: Option<&str>) -> State {
    let Some(said) = said else { return State::default() };
    let value = |name: &str| {
        let lines = said.lines().map(str::trim);
        lines.filter_map(|line| line.split_once(" = ")).find(|(n, _)| *n == name).map(|(_, v)| v.to_owned())
    };
    State {
        installed: true,
        listening: true,
        running: value("state").is_some_and(|state| state == "running"),
        file: value("path"),
        program: value("program"),
        cure: None,
    }
}
