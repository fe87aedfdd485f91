//! The command line as data: what can be said, and the help that says so. Nothing here acts.

mod help;
mod lazy;
mod setup;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use clap::{Args, Command, CommandFactory, Parser, Subcommand};

pub use self::lazy::Lazy;
pub use self::setup::{
    DoctorArgs, HookArgs, InstallArgs, LogsArgs, McpArgs, Origin, ServiceArgs, ServiceVerb, ToolSet,
    UninstallArgs,
};
use crate::protocol::message::{Data, MessageId};

#[derive(Debug, Parser)]
#[command(
    name = "ipcd",
    version,
    about = "A durable mailbox for the coding agents of one person on one machine",
    long_about = "A durable mailbox for the coding agents of one person on one machine.\n\n\
        Agents of any vendor get a name, send each other messages, share files and the output of commands, \
        and are told when mail waits. A daemon is started when it is needed; nothing leaves this machine.",
    after_help = help::EXIT_CODES,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// All that can be said, for who shows it.
    pub fn described() -> Command {
        lazy::with_everything(Cli::command)
    }
}

/// What holds for every verb.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Print results as JSON, one value a line, and failures as {"error":{…}}
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Which of several agents above this command is meant
    #[arg(long = "as", value_name = "NAME", global = true, help_heading = "Everywhere")]
    pub speak_as: Option<String>,
    /// Do not start a daemon when there is none: exit with 3
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub no_spawn: bool,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Send a message
    Send(Lazy<SendArgs>),
    /// Read your messages
    Check(Lazy<CheckArgs>),
    /// Wait for a message, and read it
    Wait(Lazy<WaitArgs>),
    /// Send a message to every other agent that is there or was today
    Broadcast(Lazy<BroadcastArgs>),
    /// Share a file, or the output of a command
    #[command(subcommand)]
    Share(Lazy<ShareVerb>),
    /// Ask what agents may share
    #[command(subcommand)]
    Policy(Lazy<PolicyVerb>),
    /// List the agents: who is there, since when, and what waits for them
    List,
    /// Show the daemon, the agents and everything that waits or went wrong
    #[command(after_help = help::STATUS)]
    Status {
        /// Only `name (unread)`, for a status line; silent when there is no daemon or no name
        #[arg(long)]
        line: bool,
    },
    /// Give this shell a name of its own
    #[command(after_help = help::REGISTER)]
    Register(Lazy<RegisterArgs>),
    /// Take another name; the old one forwards to it for a while
    #[command(after_help = "Example:\n  ipcd rename frontend")]
    Rename {
        /// 1 to 32 letters, digits, '_' or '-'
        new: String,
    },
    /// Take a name away from whoever holds it; its mail stays. For people
    #[command(after_help = "Example:\n  ipcd release webapp")]
    Release {
        /// As `ipcd list` shows it
        name: String,
    },
    /// How often the hooks of an agent look for mail during its work
    #[command(subcommand)]
    Auto(Lazy<AutoVerb>),
    /// Search the messages that were read
    Log(Lazy<LogArgs>),
    /// Messages that nobody could read
    #[command(subcommand)]
    Dead(Lazy<DeadVerb>),
    /// Connect the clients that are here: adds ipcd and its hooks to their configuration
    #[command(after_help = help::INSTALL)]
    Install(Lazy<InstallArgs>),
    /// Take ipcd out of the clients' configuration again
    Uninstall(Lazy<UninstallArgs>),
    /// Have the service manager keep the socket and start the daemon
    #[command(subcommand)]
    Service(Lazy<ServiceVerb>),
    /// Check everything from the binary to a message through each client's configured command
    #[command(after_help = help::DOCTOR)]
    Doctor(Lazy<DoctorArgs>),
    /// Run the MCP server of one agent, on stdin and stdout
    #[command(after_help = help::MCP)]
    Mcp(Lazy<McpArgs>),
    /// Tell an agent that mail waits; for its hooks
    #[command(after_help = help::HOOK)]
    Hook(Lazy<HookArgs>),
    /// Run the daemon in the foreground
    #[command(after_help = help::DAEMON)]
    Daemon {
        /// Started by a client: log to the file, end when idle
        #[arg(long, hide = true)]
        detached: bool,
    },
    /// End the daemon, and wait until it is gone. For people
    #[command(after_help = "What is stored stays stored. The next command that needs a daemon starts one.")]
    Stop,
    /// Watch a real daemon and two real MCP front ends exchange mail, in a temporary home
    #[command(after_help = "It touches nothing of yours, checks every answer, and leaves nothing behind.")]
    Demo,
    /// Print the completion script of a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// Whose script
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
#[command(after_help = help::SEND)]
pub struct SendArgs {
    /// Recipient, or several with commas between. A name that nobody has yet gets its mail later
    pub to: String,
    /// The words of the message. `-`, or nothing when something is piped in, reads stdin
    #[arg(allow_negative_numbers = true)]
    pub text: Vec<String>,
    #[command(flatten)]
    pub more: More,
    /// Number of the message that this one answers
    #[arg(long, value_name = "ID", value_parser = message_id)]
    pub reply_to: Option<MessageId>,
    /// Pass this message on, whole; words are welcome and not needed
    #[arg(long, value_name = "ID", value_parser = message_id, conflicts_with = "data")]
    pub forward: Option<MessageId>,
    /// Make it a dead letter when nobody reads it in time
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub ttl: Option<u64>,
}

/// What a message can carry besides its text.
#[derive(Args, Debug, Default)]
pub struct More {
    /// What a reader sees first, at most 500 bytes
    #[arg(long, value_name = "TEXT")]
    pub summary: Option<String>,
    /// JSON that goes along unchanged
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub data: Option<Data>,
    /// Same key, same message: however often it is sent, it is stored once
    #[arg(long)]
    pub key: Option<String>,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ipcd broadcast main is frozen until 17:00")]
pub struct BroadcastArgs {
    /// The words of the message. `-`, or nothing when something is piped in, reads stdin
    #[arg(allow_negative_numbers = true)]
    pub text: Vec<String>,
    #[command(flatten)]
    pub more: More,
}

#[derive(Args, Debug)]
#[command(after_help = help::CHECK)]
pub struct CheckArgs {
    /// Look without taking: the messages stay unread
    #[arg(long)]
    pub peek: bool,
    /// Go on until interrupted, and print messages as they come
    #[arg(long, conflicts_with_all = ["peek", "id", "limit"])]
    pub follow: bool,
    /// At most so many messages
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// One message alone and whole, whether it was read or not
    #[arg(long, value_name = "ID", value_parser = message_id, conflicts_with = "limit")]
    pub id: Option<MessageId>,
    /// One piece of it: from this byte on
    #[arg(long, value_name = "N", requires = "id")]
    pub offset: Option<u64>,
}

#[derive(Args, Debug)]
#[command(after_help = help::WAIT)]
pub struct WaitArgs {
    /// Give up after so many seconds, with exit code 4; without it, wait for ever
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// At most so many messages
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = help::SHARE)]
pub enum ShareVerb {
    /// Send what is in a file: regular, at most 1 MiB, no known kind of secret
    #[command(after_help = "Example:\n  ipcd share file target/report.html reviewer")]
    File {
        /// The file, in this folder or anywhere
        path: std::path::PathBuf,
        /// Recipient, or several with commas between
        to: String,
        /// What it is, for the reader
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
    /// Run a command here, without a shell, and send what it prints
    #[command(after_help = "Examples:\n  ipcd share command api -- cargo test --locked\n  \
        ipcd share command api -- sh -c 'ps aux | head'")]
    Command {
        /// Recipient, or several with commas between
        to: String,
        /// The command and its arguments
        #[arg(last = true, required = true, value_name = "ARGV")]
        argv: Vec<String>,
        /// What it is, for the reader
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Tell the verdict on a file or a command, and the rule that says so
    #[command(after_help = help::POLICY)]
    Check {
        #[command(subcommand)]
        what: Shareable,
        #[command(flatten)]
        origin: Origin,
    },
}

/// What could be shared.
#[derive(Debug, Subcommand)]
pub enum Shareable {
    /// A file, by its place and its content. Nothing is sent
    File {
        /// The file, seen from this folder
        path: std::path::PathBuf,
    },
    /// A command. Nothing is run
    Command {
        /// The command line in one word, as an agent gives it, or its words one by one
        #[arg(last = true, required = true, value_name = "ARGV")]
        argv: Vec<String>,
    },
}

#[derive(Args, Debug)]
#[command(after_help = help::REGISTER)]
pub struct RegisterArgs {
    /// 1 to 32 letters, digits, '_' or '-'
    pub name: String,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  ipcd auto start 10\n  ipcd auto status")]
pub enum AutoVerb {
    /// Look every so many minutes
    Start {
        /// 1 to 60
        #[arg(allow_negative_numbers = true)]
        minutes: Option<i64>,
    },
    /// Do not look by itself any more
    Stop,
    /// Whether it looks, how often, and when it did
    Status,
}

#[derive(Args, Debug)]
#[command(after_help = help::LOG)]
pub struct LogArgs {
    /// Only messages with these words in sender, recipient, summary or text
    #[arg(long, value_name = "WORDS")]
    pub search: Option<String>,
    /// Who did what to whom, and what was refused by which rule, instead of the messages
    #[arg(long, conflicts_with = "full")]
    pub audit: bool,
    /// Only the conversation that this message began
    #[arg(long, value_name = "ID", value_parser = message_id, conflicts_with = "audit")]
    pub thread: Option<MessageId>,
    /// The whole of each message, not only its beginning
    #[arg(long)]
    pub full: bool,
    /// Go on until interrupted, and print messages as they are read
    #[arg(long)]
    pub follow: bool,
    /// The last so many messages
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "A message dies when five readers in a row ended without settling it, or when its \
    time was over.\n\nExamples:\n  ipcd dead list\n  ipcd dead requeue 41\n  ipcd dead purge --all")]
pub enum DeadVerb {
    /// List them
    List,
    /// Show one whole
    Show {
        /// Number of the message
        #[arg(value_parser = message_id)]
        id: MessageId,
    },
    /// Put some back into their mailboxes. For people
    Requeue(Which),
    /// Forget some. For people
    Purge(Which),
}

/// Some dead letters, or all of them.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Numbers of messages
    #[arg(value_name = "ID", value_parser = message_id)]
    pub ids: Vec<MessageId>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse::<NonZeroUsize>().map(NonZeroUsize::get).map_err(|e| e.to_string())
}

fn message_id(text: &str) -> Result<MessageId, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map(MessageId).map_err(|_| "a message's number is needed, such as 41".to_owned())
}

fn json(text: &str) -> Result<Data, String> {
    serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))
}
