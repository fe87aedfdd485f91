//! `ipcd service`: has the user's service manager keep the socket and start the daemon, or no more. What is to
//! be done is decided in [`crate::service`]; here it is shown, done, and told.

mod logs;
mod steps;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{Global, ServiceArgs, ServiceVerb};
use super::exit::{ExitCode, Failure};
use super::output::{Format, Output};
use super::surroundings::Surroundings;
use super::text;
use crate::paths::Paths;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::service::{Manager, Place, Plan, State, Step, text_of};

/// What was done, or would be, in the form of `--json`.
#[derive(Serialize)]
struct Done<'a> {
    manager: Manager,
    dry_run: bool,
    steps: &'a [Step],
}

/// `service status` in the form of `--json`.
#[derive(Serialize)]
struct Standing<'a> {
    manager: Manager,
    #[serde(flatten)]
    state: &'a State,
    this_program: &'a Path,
}

struct Service {
    manager: Manager,
    place: Place,
    out: Output,
}

pub fn service(global: &Global, verb: ServiceVerb) -> Result<ExitCode, Failure> {
    let out = Output::stdout(if global.json { Format::Json } else { Format::People });
    match verb {
        ServiceVerb::Install(args) => Service::asked_for(&args, out)?.install(args.dry_run)?,
        ServiceVerb::Uninstall(args) => Service::asked_for(&args, out)?.uninstall(args.dry_run)?,
        ServiceVerb::Status => Service::of(at_work()?, out)?.status()?,
        ServiceVerb::Logs(args) => return logs::show(out, &args),
    }
    Ok(ExitCode::Done)
}

/// What `ipcd install` adds where a service manager is at work for this user and knows nothing of ipcd yet.
pub fn offer() -> Option<String> {
    let manager = at_work().ok()?;
    let service = Service::of(manager, Output::stdout(Format::People)).ok()?;
    let by_itself = "the daemon starts by itself when it is needed";
    let offer = format!("{by_itself}; `ipcd service install` leaves that to {}.", manager.name());
    (!service.state().installed).then_some(offer)
}

fn place() -> Result<Place, Failure> {
    let paths = Paths::from_env()?;
    if paths.home.is_some() {
        return Err(Refusal::invalid_argument(
            "IPCD_HOME names an isolated ipcd, and a service serves the user's own",
        )
        .hint("unset IPCD_HOME; an isolated ipcd is started by its first command")
        .into());
    }
    let surroundings = Surroundings::read()?;
    Ok(Place {
        program: surroundings.binary()?.into(),
        config: surroundings.config().to_owned(),
        home: surroundings.home,
        state: paths.state_dir,
        socket: paths.socket,
        log: paths.log,
        user: user(),
    })
}

#[cfg(unix)]
fn user() -> String {
    nix::unistd::Uid::current().to_string()
}

#[cfg(not(unix))]
fn user() -> String {
    let variable = |name| std::env::var(name).unwrap_or_default();
    format!("{}\\{}", variable("USERDOMAIN"), variable("USERNAME"))
}

fn nobody(why: &str) -> Refusal {
    Refusal::new(RefusalCode::InvalidArgument, format!("there is no service manager for you here: {why}")).hint(
        "nothing is amiss: the first command or agent that needs a daemon starts one, and it ends when nobody needs it",
    )
}

fn here() -> Result<Manager, Refusal> {
    Manager::HERE.ok_or_else(|| nobody("this system has none that ipcd knows"))
}

/// The manager that is at work for this user.
fn at_work() -> Result<Manager, Refusal> {
    let manager = here()?;
    let there = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if manager == Manager::Systemd && !there.is_some_and(|dir| dir.join("systemd/private").exists()) {
        return Err(nobody(
            "no systemd runs for this user (so it is in containers, in WSL without systemd, and after `su`)",
        ));
    }
    Ok(manager)
}

/// The text of a file that a service manager reads.
pub fn read(path: &Path) -> Option<String> {
    match fs::read(path) {
        Ok(bytes) => Some(text_of(&bytes).unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // It is there, and nothing in it can be ours.
        Err(_) => Some(String::new()),
    }
}

impl Service {
    fn of(manager: Manager, out: Output) -> Result<Service, Failure> {
        Ok(Service { manager, place: place()?, out })
    }

    /// Of the manager that was named, or that of this system. What is only shown may be of another one.
    fn asked_for(args: &ServiceArgs, out: Output) -> Result<Service, Failure> {
        let manager = match args.manager.map(Manager::from) {
            Some(manager) if args.dry_run => manager,
            None if args.dry_run => here()?,
            Some(manager) if Some(manager) != Manager::HERE => {
                let message = format!("{} is not the service manager of this system", manager.name());
                return Err(Failure::usage(message, "add --dry-run to see what it would be told"));
            }
            _ => at_work()?,
        };
        Service::of(manager, out)
    }

    fn install(&mut self, dry: bool) -> Result<(), Failure> {
        let plan = self.manager.install(&self.place, &read)?;
        self.carry_out(&plan, dry)?;
        if dry || self.out.is_json() {
            return Ok(());
        }
        self.out.people(self.installed())
    }

    fn uninstall(&mut self, dry: bool) -> Result<(), Failure> {
        let plan = self.manager.uninstall(&self.place, &read);
        self.carry_out(&plan, dry)?;
        if dry || self.out.is_json() {
            return Ok(());
        }
        let words = self.uninstalled();
        self.out.people(&words)
    }

    fn carry_out(&mut self, plan: &Plan, dry: bool) -> Result<(), Failure> {
        for step in &plan.steps {
            if !self.out.is_json() {
                let words = if dry { steps::shown(step) } else { steps::told(step) };
                self.out.people(&words)?;
            }
            if !dry {
                steps::take(step).map_err(Failure::Surroundings)?;
            }
        }
        if self.out.is_json() {
            let done = Done { manager: self.manager, dry_run: dry, steps: &plan.steps };
            self.out.json(&serde_json::to_string(&done).map_err(|e| Failure::Bug(e.into()))?)?;
        }
        Ok(())
    }

    fn state(&self) -> State {
        let said = self.manager.questions(&self.place).iter().find_map(|question| steps::output_of(question));
        self.manager.state(said.as_deref(), &self.place, &read)
    }

    fn installed(&self) -> &'static str {
        match self.manager {
            Manager::Systemd => {
                "systemd keeps the socket now, and starts the daemon with the first connection"
            }
            Manager::Launchd => {
                "launchd keeps the socket now, and starts the daemon with the first connection"
            }
            Manager::Tasks => "the daemon starts when you log on, and with the first command",
        }
    }

    fn uninstalled(&self) -> String {
        let after =
            "the first command or agent starts a daemon from now on; names, mail and settings are untouched";
        let enabled = self.manager == Manager::Systemd && self.state().installed;
        let for_all =
            "\na package enables it for every user: `systemctl --user mask ipcd.socket` keeps it off for you";
        format!("{after}{}", if enabled { for_all } else { "" })
    }

    fn status(&mut self) -> Result<(), Failure> {
        let state = self.state();
        if self.out.is_json() {
            let this_program = &self.place.program;
            let standing = Standing { manager: self.manager, state: &state, this_program };
            return self.out.json(&serde_json::to_string(&standing).map_err(|e| Failure::Bug(e.into()))?);
        }
        let words = page(self.manager, &state, &self.place.program);
        self.out.people(&words)
    }
}

fn page(manager: Manager, state: &State, this: &Path) -> String {
    let name = manager.name();
    if !state.installed {
        return format!(
            "{name} does not start ipcd: the first command or agent does\n`ipcd service install` makes it a service"
        );
    }
    let socket = match (manager, state.listening) {
        (Manager::Tasks, _) => "starts the daemon when you log on",
        (_, true) => "keeps the socket",
        (_, false) => "is to keep the socket, and does not",
    };
    let daemon = if state.running { "the daemon runs" } else { "no daemon of it runs now" };
    let mut page = format!("{name} {socket}; {daemon}\n");
    if let Some(file) = &state.file {
        page.push_str(&format!("  file     {}\n", text::line(file)));
    }
    if let Some(program) = &state.program {
        page.push_str(&format!("  program  {}\n", text::line(program)));
        if Path::new(program) != this {
            let this = this.display().to_string();
            page.push_str(&format!(
                "this is {}: `ipcd service install` has the service start it\n",
                text::line(&this)
            ));
        }
    }
    if let Some(cure) = &state.cure {
        page.push_str(&format!("{name} has given it up; to bring it back: {cure}\n"));
    } else if !state.listening && manager == Manager::Systemd {
        page.push_str("to start it: systemctl --user start ipcd.socket\n");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_is_and_what_to_do() {
        let this = Path::new("/usr/bin/ipcd");
        let none = page(Manager::Systemd, &State::default(), this);
        assert!(none.contains("the first command or agent does"), "{none}");
        let mut state = State {
            installed: true,
            listening: true,
            running: true,
            file: Some("/u/ipcd.socket".into()),
            program: Some("/usr/bin/ipcd".into()),
            cure: None,
        };
        let well = "systemd keeps the socket; the daemon runs\n  file     /u/ipcd.socket\n  program  /usr/bin/ipcd\n";
        assert_eq!(page(Manager::Systemd, &state, this), well);
        state.program = Some("/old/ipcd".into());
        assert!(
            page(Manager::Systemd, &state, this)
                .ends_with("this is /usr/bin/ipcd: `ipcd service install` has the service start it\n")
        );
        (state.listening, state.cure) = (false, Some("do this".into()));
        let ill = page(Manager::Systemd, &state, this);
        assert!(
            ill.contains("and does not") && ill.ends_with("has given it up; to bring it back: do this\n"),
            "{ill}"
        );
    }
}
