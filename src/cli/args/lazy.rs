//! What a verb takes, described only when that verb was said: to describe what all of them take costs a command
//! more time than most of them need for what they do.
//!
//! What always holds: what the list of verbs shows of one stands beside it, and is there from the start.

use std::sync::atomic::{AtomicUsize, Ordering};

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};

/// The arguments `T` of a verb.
#[derive(Debug)]
pub struct Lazy<T>(pub T);

/// How many want everything at this moment.
static EVERYTHING: AtomicUsize = AtomicUsize::new(0);

/// What `describe` makes has everything in it from the start: completions and pages go through all of it, and clap
/// describes `help VERB` by what it knows at first.
pub fn with_everything(describe: impl FnOnce() -> Command) -> Command {
    EVERYTHING.fetch_add(1, Ordering::SeqCst);
    let command = describe();
    EVERYTHING.fetch_sub(1, Ordering::SeqCst);
    command
}

fn later(command: Command, arguments: fn(Command) -> Command) -> Command {
    match EVERYTHING.load(Ordering::SeqCst) {
        0 => command.defer(arguments),
        _ => arguments(command),
    }
}

/// What the list shows stays, whatever the arguments, or those that are flattened into them, say of themselves.
fn keeping_about(command: Command, arguments: fn(Command) -> Command) -> Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    let command = arguments(command).about(Resettable::from(about));
    command.long_about(Resettable::from(long_about))
}

impl<T: Args> Args for Lazy<T> {
    fn augment_args(command: Command) -> Command {
        later(command, |command| keeping_about(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        later(command, |command| keeping_about(command, T::augment_args_for_update))
    }
}

impl<T: Subcommand> Subcommand for Lazy<T> {
    fn augment_subcommands(command: Command) -> Command {
        later(command, |command| keeping_about(command, T::augment_subcommands))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        later(command, |command| keeping_about(command, T::augment_subcommands_for_update))
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

impl<T: FromArgMatches> FromArgMatches for Lazy<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Lazy<T>, Error> {
        T::from_arg_matches(matches).map(Lazy)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Lazy<T>, Error> {
        T::from_arg_matches_mut(matches).map(Lazy)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
