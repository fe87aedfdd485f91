//! The command line: parses, dispatches one verb, and maps what became of it to an exit code.
//!
//! What always holds: stdout carries results only; each verb lives in the file of its noun and gets
//! a [`caller::Caller`]; nothing here decides what the daemon would decide.

mod admin;
mod args;
mod audit;
mod caller;
mod demo;
mod doctor;
mod exit;
mod forward;
mod hook;
mod install;
mod letter;
mod log;
mod mail;
mod names;
mod output;
#[cfg(test)]
mod pages;
mod policy;
mod roles;
mod service;
mod share;
mod skew;
mod status;
mod surroundings;
mod text;
mod trial;
mod units;

use std::ffi::OsString;
use std::io;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Global, Lazy, PolicyVerb, Verb};
use caller::Caller;
pub use exit::ExitCode;
use exit::Failure;
use output::{Format, Output};
use roles::Given;

/// Runs the command that `args` are, the program's own name first. `given` is for the daemon.
pub fn run(args: impl IntoIterator<Item = OsString>, given: Given) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // No verb for people, and each shared command waits for it: taken before anything is parsed.
    #[cfg(unix)]
    if args.get(1).is_some_and(|verb| verb == crate::share::supervisor::VERB) {
        return roles::supervise(&args[2..]);
    }
    let (json, outcome) = match parse(&args) {
        Ok(cli) => (cli.global.json, act(cli, given)),
        Err(error) => {
            let hook = is_hook(&args);
            // What a hook writes to stdout, its client may show to the agent.
            let json = !hook && args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
            let outcome = unparsed(&error, json);
            // To an agent, a hook that ends with 2 says "do not go on": a typing error must not.
            (json, if hook { Ok(ExitCode::Done) } else { outcome })
        }
    };
    outcome.unwrap_or_else(|failure| failure.report(json, &mut io::stdout(), &mut io::stderr()))
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(args);
    let cli = matches.and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches));
    let cli = cli.map_err(|error| error.format(&mut command));
    // Some hundred pieces, which the end of the process takes away all at once.
    std::mem::forget(command);
    cli
}

/// Whether the verb of a command line that did not parse is `hook`.
fn is_hook(args: &[OsString]) -> bool {
    let mut words = args.iter().skip(1);
    while let Some(word) = words.next() {
        match word.to_str() {
            // The one option before a verb that takes a word of its own.
            Some("--as") => drop(words.next()),
            Some(option) if option.starts_with('-') => {}
            verb => return verb == Some("hook"),
        }
    }
    false
}

/// Help and the version are results; everything else that clap has to say is a failure.
fn unparsed(error: &clap::Error, json: bool) -> Result<ExitCode, Failure> {
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let (message, hint) = text.split_once("\n\n").unwrap_or((&text, ""));
        return Err(Failure::usage(message.trim_start_matches("error: "), hint.trim()));
    }
    if error.use_stderr() {
        // It repeats words of the command line, which may come from a peer.
        let text = error.render().to_string();
        io::Write::write_all(&mut io::stderr(), text::block(&text).as_bytes()).map_err(Failure::Output)?;
        return Ok(ExitCode::Usage);
    }
    error.print().map_err(Failure::Output)?;
    Ok(ExitCode::Done)
}

fn act(cli: Cli, given: Given) -> Result<ExitCode, Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Daemon { detached } => roles::daemon(detached, given),
        Verb::Mcp(Lazy(args)) => roles::mcp(&global, args),
        Verb::Completions { shell } => completions(shell),
        Verb::Install(Lazy(args)) => install::install(&global, args),
        Verb::Uninstall(Lazy(args)) => install::uninstall(&global, args),
        Verb::Service(Lazy(verb)) => service::service(&global, verb),
        Verb::Hook(Lazy(args)) => block_on(async { Ok(hook::hook(&global, args).await) }),
        Verb::Log(Lazy(args)) => block_on(log::log(&global, args)),
        Verb::Doctor(Lazy(args)) => block_on(doctor::doctor(&global, args)),
        Verb::Demo => block_on(demo::demo(&global)),
        Verb::Policy(Lazy(PolicyVerb::Check { what, origin })) => policy::check(&global, what, &origin),
        verb => block_on(ask(&global, verb)),
    }
}

/// The verbs that ask the daemon.
async fn ask(global: &Global, verb: Verb) -> Result<ExitCode, Failure> {
    // A prompt's label and the end of a daemon have nothing to say where there is none.
    let launch = !global.no_spawn && !matches!(verb, Verb::Status { line: true } | Verb::Stop);
    let mut caller = match verb {
        Verb::Status { .. } | Verb::Stop => Caller::of_any_version(global, launch)?,
        _ => Caller::new(global, launch)?,
    };
    let outcome = match verb {
        Verb::Send(Lazy(args)) => mail::send(&mut caller, args).await,
        Verb::Check(Lazy(args)) => mail::check(&mut caller, args).await,
        Verb::Wait(Lazy(args)) => mail::wait(&mut caller, args).await,
        Verb::Broadcast(Lazy(args)) => mail::broadcast(&mut caller, args).await,
        Verb::Share(Lazy(verb)) => share::share(&mut caller, verb).await,
        Verb::List => names::list(&mut caller).await,
        Verb::Register(Lazy(args)) => names::register(&mut caller, args).await,
        Verb::Rename { new } => names::rename(&mut caller, new).await,
        Verb::Release { name } => names::release(&mut caller, name).await,
        Verb::Auto(Lazy(verb)) => names::auto(&mut caller, verb).await,
        Verb::Status { line: true } => status::status_line(&mut caller).await,
        Verb::Status { line: false } => status::status(&mut caller).await,
        Verb::Dead(Lazy(verb)) => admin::dead(&mut caller, verb).await,
        Verb::Stop => admin::stop(&mut caller).await,
        Verb::Daemon { .. }
        | Verb::Mcp(_)
        | Verb::Completions { .. }
        | Verb::Install(_)
        | Verb::Uninstall(_)
        | Verb::Service(_)
        | Verb::Doctor(_)
        | Verb::Hook(_)
        | Verb::Log(_)
        | Verb::Policy(_)
        | Verb::Demo => {
            unreachable!("`act` has taken the verbs that do not ask the daemon")
        }
    };
    caller.close().await;
    outcome
}

fn block_on(verb: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|e| Failure::Surroundings(anyhow::Error::new(e).context("cannot start")))?;
    let outcome = runtime.block_on(verb);
    // A read of stdin that never ends must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::described(), "ipcd", &mut script);
    Output::stdout(Format::People).verbatim(&script)?;
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_hook_blocks_no_agent() {
        for (line, code) in [
            ("hook Stop --client nosuch", ExitCode::Done),
            ("hook Stop --client nosuch --json", ExitCode::Done),
            ("--json hook Stop --client nosuch", ExitCode::Done),
            ("--as x hook Stop --nosuch", ExitCode::Done),
            ("--as=x --no-spawn hook", ExitCode::Done),
            ("hook --help", ExitCode::Done),
            ("nosuch hook", ExitCode::Usage),
            ("--as hook nosuch", ExitCode::Usage),
        ] {
            let args = format!("ipcd {line}");
            // Only a daemon looks at it.
            let given = Err(crate::transport::TransportError::Inherited("nothing".to_owned()));
            assert_eq!(run(args.split(' ').map(OsString::from), given), code, "{line}");
        }
    }
}
