//! A task of Windows' scheduler, for the user alone: it starts a daemon at logon. Nobody keeps a pipe there as
//! systemd and launchd keep a socket, so a daemon that ended for want of work is started by the next command.

use std::path::PathBuf;

use super::{Encoding, Place, Plan, Read, State, element, plain, words, xml};
use crate::protocol::refusal::Refusal;

const NAME: &str = "ipcd";

/// Names between two @ stand for the user and the program.
const TEMPLATE: &str = include_str!("../../packaging/windows/ipcd-task.xml");

/// First line of the template, and what it is in the file that is registered.
const HEAD: [&str; 2] = [r#"<?xml version="1.0"?>"#, r#"<?xml version="1.0" encoding="UTF-16"?>"#];

pub fn install(place: &Place, read: Read) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    let text = TEMPLATE.replacen(HEAD[0], HEAD[1], 1);
    let text = text.replace("@PROGRAM@", &xml(plain(&place.program)?)).replace("@USER@", &xml(&place.user));
    let path = file(place);
    plan.write(path.clone(), text, Encoding::Utf16, read)?;
    plan.run(&["schtasks", "/Create", "/F", "/TN", NAME, "/XML", plain(&path)?]);
    Ok(plan)
}

pub fn uninstall(place: &Place, read: Read) -> Plan {
    let mut plan = Plan::default();
    plan.try_to_run(&["schtasks", "/Delete", "/F", "/TN", NAME]);
    plan.remove(file(place), read);
    plan
}

pub fn file(place: &Place) -> PathBuf {
    place.state.join("ipcd-task.xml")
}

pub fn question() -> Vec<String> {
    words(&["schtasks", "/Query", "/TN", NAME, "/XML"])
}

/// The program that a task starts.
pub fn started(task: &str) -> Option<PathBuf> {
    element(task, "Command").map(PathBuf::from)
}

/// The scheduler answers in the code page of the console. What has no letter there comes as one that no path
/// here can hold, and then `registered`, the file that was registered, tells the program.
pub fn state(said: Option<&str>, registered: impl Fn() -> Option<String>) -> State {
    let Some(said) = said else { return State::default() };
    let whole = |program: &String| !program.contains([char::REPLACEMENT_CHARACTER, '?']);
    let program = element(said, "Command").filter(whole);
    let program = program.or_else(|| element(&registered()?, "Command"));
    State { installed: true, program, ..State::default() }
}
