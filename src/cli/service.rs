//! `ipcd service`: has the user's service manager keep the socket and start the daemon, or no more. What is to
//! be done is decided in [`crate::service`]; here it is shown, done, and told.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::args::{Global, LogsArgs, ServiceArgs, ServiceVerb};
use super::exit::{ExitCode, Failure};
use super::output::{Format, Output};
use super::surroundings::Surroundings;
use super::text;
use crate::paths::Paths;
use crate::protocol::refusal::{Refusal, RefusalCode};
use crate::service::{Encoding, Manager, Place, Plan, Run, State, Step, text_of};

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

#[derive(Serialize)]
struct Lines<'a> {
    source: &'a str,
    lines: &'a [String],
}

struct Service {
    manager: Manager,
    place: Place,
    out: Output,
}

pub fn service(global: &Global, verb: ServiceVerb) -> Result<ExitCode, Failure> {
    let for_another = match &verb {
        ServiceVerb::Install(args) | ServiceVerb::Uninstall(args) => args.manager.map(Manager::from),
        ServiceVerb::Status | ServiceVerb::Logs(_) => None,
    };
    let dry = match &verb {
        ServiceVerb::Install(args) | ServiceVerb::Uninstall(args) => args.dry_run,
        ServiceVerb::Status | ServiceVerb::Logs(_) => false,
    };
    let format = if global.json { Format::Json } else { Format::People };
    if let ServiceVerb::Logs(args) = verb {
        return logs(Output::stdout(format), &args);
    }
    let manager = match for_another {
        Some(manager) if dry || Some(manager) == Manager::HERE => manager,
        Some(manager) => {
            let message = format!("{} is not the service manager of this system", manager.name());
            return Err(Failure::usage(message, "add --dry-run to see what it would be told"));
        }
        None => Manager::HERE.ok_or_else(|| nobody("this system has none that ipcd knows"))?,
    };
    if !dry {
        runs(manager)?;
    }
    let mut service = Service { manager, place: place()?, out: Output::stdout(format) };
    match verb {
        ServiceVerb::Install(ServiceArgs { dry_run, .. }) => {
            let plan = service.manager.install(&service.place, &read)?;
            service.carry_out(&plan, dry_run)?;
            if !dry_run && !service.out.is_json() {
                service.out.people(service.installed())?;
            }
        }
        ServiceVerb::Uninstall(ServiceArgs { dry_run, .. }) => {
            let plan = service.manager.uninstall(&service.place, &read);
            service.carry_out(&plan, dry_run)?;
            if !dry_run && !service.out.is_json() {
                let words = service.uninstalled();
                service.out.people(&words)?;
            }
        }
        ServiceVerb::Status => service.status()?,
        ServiceVerb::Logs(_) => unreachable!("logs were shown above"),
    }
    Ok(ExitCode::Done)
}

/// What `ipcd install` adds where a service manager is at work for this user and knows nothing of ipcd yet.
pub fn offer() -> Option<String> {
    let manager = Manager::HERE?;
    runs(manager).ok()?;
    let service = Service { manager, place: place().ok()?, out: Output::stdout(Format::People) };
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

/// Whether the manager is at work for this user, who is told if it is not.
fn runs(manager: Manager) -> Result<(), Refusal> {
    if manager != Manager::Systemd {
        return Ok(());
    }
    let there = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if there.is_some_and(|dir| dir.join("systemd/private").exists()) {
        return Ok(());
    }
    Err(nobody(
        "no systemd runs for this user (so it is in containers, in WSL without systemd, and after `su`)",
    ))
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
    fn carry_out(&mut self, plan: &Plan, dry: bool) -> Result<(), Failure> {
        for step in &plan.steps {
            if !self.out.is_json() {
                let words = if dry { shown(step) } else { told(step) };
                self.out.people(&words)?;
            }
            if !dry {
                act(step).map_err(Failure::Surroundings)?;
            }
        }
        if self.out.is_json() {
            let done = Done { manager: self.manager, dry_run: dry, steps: &plan.steps };
            self.out.json(&serde_json::to_string(&done).map_err(|e| Failure::Bug(e.into()))?)?;
        }
        Ok(())
    }

    fn state(&self) -> State {
        let said = self.manager.questions(&self.place).iter().find_map(|question| output_of(question));
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

/// A step as a dry run shows it.
fn shown(step: &Step) -> String {
    match step {
        Step::Folder(path) => format!("would make the folder {}", path.display()),
        Step::Write { path, text, .. } => {
            let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
            format!("would write {}\n{indented}", path.display())
        }
        Step::Remove(path) => format!("would remove {}", path.display()),
        Step::Run(run) => match &run.otherwise {
            None => format!("would run {}", joined(&run.command)),
            Some(otherwise) => format!("would run {}, or else {}", joined(&run.command), joined(otherwise)),
        },
    }
}

/// A step as it is told when it is done.
fn told(step: &Step) -> String {
    match step {
        Step::Folder(path) => format!("folder {}", path.display()),
        Step::Write { path, .. } => format!("writing {}", path.display()),
        Step::Remove(path) => format!("removing {}", path.display()),
        Step::Run(run) => format!("running {}", joined(&run.command)),
    }
}

fn joined(command: &[String]) -> String {
    shlex::try_join(command.iter().map(String::as_str)).unwrap_or_else(|_| command.join(" "))
}

fn act(step: &Step) -> anyhow::Result<()> {
    let named = |what: &str, path: &Path| format!("cannot {what} `{}`", path.display());
    match step {
        Step::Folder(path) => crate::files::create_dir(path).with_context(|| named("make", path)),
        Step::Write { path, text, encoding } => {
            write(path, text, *encoding).with_context(|| named("write", path))
        }
        Step::Remove(path) => match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| named("remove", path))
            }
            _ => Ok(()),
        },
        Step::Run(run) => run_command(run),
    }
}

/// In one step, so that a manager never reads half a file.
fn write(path: &Path, text: &str, encoding: Encoding) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, encoding.bytes(text))?;
    fs::rename(&new, path)
}

fn run_command(run: &Run) -> anyhow::Result<()> {
    let outcome = once(&run.command).or_else(|error| run.otherwise.as_deref().map_or(Err(error), once));
    if run.may_fail { Ok(()) } else { outcome }
}

fn once(command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let named = || format!("`{}` failed", joined(command));
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().with_context(named)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(anyhow!("{} ({}): {}", named(), output.status, said.trim()))
}

/// What a command printed; `None` if it failed.
fn output_of(command: &[String]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The journal, where systemd runs the daemon; else the file that a daemon of its own writes.
fn logs(mut out: Output, args: &LogsArgs) -> Result<ExitCode, Failure> {
    let paths = Paths::from_env()?;
    let manager = Manager::HERE.filter(|manager| runs(*manager).is_ok() && paths.home.is_none());
    let command = manager.and_then(|manager| manager.logs(args.lines, args.follow && !out.is_json()));
    if let Some((program, arguments)) = command.as_deref().and_then(|command| command.split_first()) {
        if args.follow && !out.is_json() {
            let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
            let status =
                status.with_context(|| format!("cannot run {program}")).map_err(Failure::Surroundings)?;
            return Ok(if status.success() { ExitCode::Done } else { ExitCode::Refused });
        }
        // A journal without a line of ours says so in a line of its own, between two dashes.
        let said = output_of(command.as_deref().unwrap_or_default()).unwrap_or_default();
        let lines: Vec<String> = said.lines().filter(|l| !l.starts_with("-- ")).map(str::to_owned).collect();
        if !lines.is_empty() {
            return print(&mut out, "journal", &lines);
        }
    }
    if args.follow {
        let hint = format!("run `tail -f {}`", paths.log.display());
        return Err(Failure::usage("only a journal is followed, and there is none here", hint));
    }
    let file = paths.log.display().to_string();
    match fs::File::open(&paths.log) {
        Ok(log) => print(&mut out, &file, &last(BufReader::new(log), args.lines as usize)),
        Err(error) if error.kind() == ErrorKind::NotFound => print(&mut out, &file, &[]),
        Err(error) => {
            Err(Failure::Surroundings(anyhow::Error::new(error).context(format!("cannot read `{file}`"))))
        }
    }
}

fn last(log: impl BufRead, most: usize) -> Vec<String> {
    let mut lines = std::collections::VecDeque::new();
    for line in log.split(b'\n').map_while(Result::ok) {
        if lines.len() == most {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&line).into_owned());
    }
    lines.into()
}

fn print(out: &mut Output, source: &str, lines: &[String]) -> Result<ExitCode, Failure> {
    if out.is_json() {
        out.json(&serde_json::to_string(&Lines { source, lines }).map_err(|e| Failure::Bug(e.into()))?)?;
    } else if lines.is_empty() {
        out.people(&format!("{source}: nothing was logged"))?;
    } else {
        out.people(&lines.join("\n"))?;
    }
    Ok(ExitCode::Done)
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

    #[test]
    fn the_last_lines_of_a_log() {
        assert_eq!(last(&b"a\nb\n\xff\n"[..], 2), ["b", "\u{fffd}"]);
        assert!(last(&b""[..], 2).is_empty());
    }

    #[cfg(unix)] // for the programs alone
    #[test]
    fn a_step_that_fails_says_how() {
        let run = |command: &[&str], may_fail| Run {
            command: command.iter().map(|w| (*w).to_owned()).collect(),
            otherwise: None,
            may_fail,
        };
        let error = run_command(&run(&["sh", "-c", "echo no bus >&2; exit 3"], false)).unwrap_err();
        assert!(format!("{error:#}").contains("3): no bus"), "{error:#}");
        assert!(run_command(&run(&["false"], true)).is_ok());
        assert!(run_command(&run(&["/nonexistent/program"], false)).is_err());
        let otherwise = Some(vec!["true".to_owned()]);
        assert!(run_command(&Run { otherwise, ..run(&["false"], false) }).is_ok());
    }
}
