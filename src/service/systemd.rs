//! Units of the user's systemd: those that are shipped in `packaging/systemd`, with the path of this program.

use std::path::{Path, PathBuf};

use super::{Encoding, MARK, Place, Plan, Read, State, plain, words};
use crate::protocol::refusal::Refusal;

const SOCKET: &str = "ipcd.socket";
const SERVICE: &str = "ipcd.service";

const SOCKET_TEXT: &str = include_str!("../../packaging/systemd/ipcd.socket");
const SERVICE_TEXT: &str = include_str!("../../packaging/systemd/ipcd.service");

/// Where packages put units for all users.
const SHIPPED: [&str; 3] = ["/usr/lib/systemd/user", "/usr/local/lib/systemd/user", "/etc/systemd/user"];

pub fn install(place: &Place, read: Read) -> Result<Plan, Refusal> {
    let mut plan = Plan::default();
    let start = format!("ExecStart={} daemon", word(plain(&place.program)?));
    // A package's units are the better ones, if they start this very program.
    let shipped = SHIPPED.iter().any(|folder| {
        let folder = Path::new(folder);
        let text = read(&folder.join(SERVICE)).unwrap_or_default();
        read(&folder.join(SOCKET)).is_some() && text.lines().any(|line| line == start)
    });
    if shipped {
        units(place).into_iter().for_each(|path| plan.remove(path, read));
    } else {
        let [socket, service] = units(place);
        plan.write(socket, marked(SOCKET_TEXT), Encoding::Utf8, read)?;
        let text = SERVICE_TEXT.replace("ExecStart=/usr/bin/ipcd daemon", &start);
        plan.write(service, marked(&text), Encoding::Utf8, read)?;
    }
    plan.run(&["systemctl", "--user", "daemon-reload"]);
    plan.run(&["systemctl", "--user", "enable", SOCKET]);
    plan.run(&["systemctl", "--user", "start", SOCKET]);
    // A daemon that runs from other units or another program gives way to the next, with all that it holds.
    plan.run(&["systemctl", "--user", "try-restart", SERVICE]);
    Ok(plan)
}

pub fn uninstall(place: &Place, read: Read) -> Plan {
    let mut plan = Plan::default();
    plan.try_to_run(&["systemctl", "--user", "disable", SOCKET]);
    plan.try_to_run(&["systemctl", "--user", "stop", SOCKET, SERVICE]);
    units(place).into_iter().for_each(|path| plan.remove(path, read));
    plan.run(&["systemctl", "--user", "daemon-reload"]);
    plan.try_to_run(&["systemctl", "--user", "reset-failed", SOCKET, SERVICE]);
    plan
}

pub fn service_unit(place: &Place) -> PathBuf {
    let [_, service] = units(place);
    service
}

fn units(place: &Place) -> [PathBuf; 2] {
    [SOCKET, SERVICE].map(|name| place.config.join("systemd/user").join(name))
}

fn marked(text: &str) -> String {
    format!("# {MARK}. What is to differ goes into a drop-in: systemctl --user edit {SERVICE}\n{text}")
}

/// One word of an `ExecStart=`, with nothing in it that systemd would expand.
fn word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    if escaped.contains([' ', '\'', '"', '\\', ';']) { format!("\"{escaped}\"") } else { escaped }
}

/// The program that the first `ExecStart=` of a unit starts, without systemd's prefixes: the way back of [`word`].
pub fn started(unit: &str) -> Option<PathBuf> {
    let line = unit.lines().find_map(|line| line.trim().strip_prefix("ExecStart="))?;
    let mut program = String::new();
    let mut quote = None;
    let mut rest = line.trim_start().chars();
    while let Some(char) = rest.next() {
        match char {
            '\\' => program.extend(rest.next()),
            _ if quote == Some(char) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(char),
            _ if quote.is_none() && char.is_whitespace() => break,
            _ => program.push(char),
        }
    }
    let program = program.trim_start_matches(['-', '@', ':', '+', '!', '|']).replace("%%", "%");
    (!program.is_empty()).then(|| PathBuf::from(program))
}

pub fn question() -> Vec<String> {
    const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,UnitFileState,FragmentPath,ExecStart";
    words(&["systemctl", "--user", "show", PROPERTIES, SOCKET, SERVICE])
}

/// Reads two blocks of `Name=value`, the socket's and the service's.
pub fn state(said: &str) -> State {
    let block = |id: &str| {
        let line = format!("Id={id}");
        said.split("\n\n").find(|block| block.lines().any(|found| found == line)).unwrap_or_default()
    };
    let value = |id: &str, name: &str| {
        let lines = block(id).lines();
        lines.filter_map(|line| line.split_once('=')).find(|(n, _)| *n == name).map(|(_, v)| v.to_owned())
    };
    let is = |id: &str, name: &str, wanted: &str| value(id, name).is_some_and(|found| found == wanted);
    let enabled = value(SOCKET, "UnitFileState").is_some_and(|state| state.starts_with("enabled"));
    let failed = [SOCKET, SERVICE].iter().any(|id| is(id, "ActiveState", "failed"));
    let start = value(SERVICE, "ExecStart").unwrap_or_default();
    let program = start.split("path=").nth(1).and_then(|rest| rest.split(" ;").next());
    State {
        installed: is(SOCKET, "LoadState", "loaded") && enabled,
        listening: is(SOCKET, "ActiveState", "active"),
        running: is(SERVICE, "ActiveState", "active"),
        file: value(SOCKET, "FragmentPath").filter(|path| !path.is_empty()),
        program: program.map(str::to_owned),
        cure: failed.then(|| {
            format!("systemctl --user reset-failed {SOCKET} {SERVICE} && systemctl --user start {SOCKET}")
        }),
    }
}

pub fn logs(lines: u32, follow: bool) -> Vec<String> {
    let count = lines.to_string();
    let mut command = words(&[
        "journalctl",
        "--user",
        "--no-pager",
        "--unit",
        SERVICE,
        "--unit",
        SOCKET,
        "--lines",
        &count,
    ]);
    command.extend(follow.then(|| "--follow".to_owned()));
    command
}
