//! A task of Windows' scheduler, for the user alone: it starts a daemon at logon. Nobody keeps a pipe there as
//! systemd and launchd keep a socket, so a daemon that ended for want of work is started by the next command.

use std::path::PathBuf;

use super::{Place, Plan, Read, State, plain, words, xml};
use crate::protocol::refusal::Refusal;

const NAME: &str = "ipcd";

/// Names between two @ stand for the user and the program.
const TEMPLATE: &str = include_str!("../../packaging/windows/ipcd-task.xml");

pub fn install(place: &Place, read: Read) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    let text =
        TEMPLATE.replace("@PROGRAM@", &xml(plain(&place.program)?)).replace("@USER@", &xml(&place.user));
    let path = file(place);
    plan.write(path.clone(), text, read)?;
    plan.run(&["schtasks", "/Create", "/F", "/TN", NAME, "/XML", plain(&path)?]);
    Ok(plan)
}

pub fn uninstall(place: &Place, read: Read) -> Plan {
    let mut plan = Plan::default();
    plan.try_to_run(&["schtasks", "/Delete", "/F", "/TN", NAME]);
    plan.remove(file(place), read);
    plan
}

fn file(place: &Place) -> PathBuf {
    place.state.join("ipcd-task.xml")
}

pub fn question() -> Vec<String> {
    words(&["schtasks", "/Query", "/TN", NAME, "/XML"])
}

pub fn state(said: Option<&str>) -> State {
    let Some(said) = said else { return State::default() };
    let program = said.split("<Command>").nth(1).and_then(|rest| rest.split("</Command>").next());
    State { installed: true, program: program.map(str::to_owned), ..State::default() }
}
