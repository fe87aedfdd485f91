//! The command line as data: what can be said, and the help that says so. Nothing here acts.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::protocol::message::{Data, MessageId};

#[derive(Debug, Parser)]
#[command(
    name = "ipcd",
    version,
    about = "A durable mailbox for the coding agents of one person on one machine",
    long_about = "A durable mailbox for the coding agents of one person on one machine.\n\n\
        Agents of any vendor get a name, send each other messages, share files and the output of commands, \
        and are told when mail waits. A daemon is started when it is needed; nothing leaves this machine.",
    after_help = EXIT_CODES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused, 2 usage, 3 no daemon, 4 nothing came (wait), 70 a bug in ipcd.
Who speaks: a command below an agent (its shell, its hooks) speaks as that agent, a shell that
registered speaks under its name, everything else is `user`.

Examples:
  ipcd demo                       watch a daemon and two agents work, in a home of their own
  ipcd status                     who is there, and what waits
  ipcd send webapp 'tests pass'   leave a message
  ipcd check                      read yours";

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
    Send(SendArgs),
    Check(CheckArgs),
    Wait(WaitArgs),
    Broadcast(BroadcastArgs),
    #[command(subcommand)]
    Share(ShareVerb),
    /// List the agents: who is there, since when, and what waits for them
    List,
    /// Show the daemon, the agents and everything that waits or went wrong
    #[command(after_help = STATUS_HELP)]
    Status {
        /// Only `name (unread)`, for a status line; silent when there is no daemon or no name
        #[arg(long)]
        line: bool,
    },
    #[command(after_help = REGISTER_HELP)]
    Register(RegisterArgs),
    /// Take another name; the old one forwards to it for a while
    #[command(after_help = "Example:\n  ipcd rename frontend")]
    Rename {
        /// 1 to 32 letters, digits, '_' or '-'
        new: String,
    },
    /// Take a name away from whoever holds it; its mail stays. For people
    #[command(after_help = "Example:\n  ipcd release webapp")]
    Release {
        name: String,
    },
    #[command(subcommand)]
    Auto(AutoVerb),
    Log(LogArgs),
    #[command(subcommand)]
    Dead(DeadVerb),
    /// Run the MCP server of one agent, on stdin and stdout
    #[command(after_help = MCP_HELP)]
    Mcp(McpArgs),
    #[command(after_help = HOOK_HELP)]
    Hook(HookArgs),
    /// Run the daemon in the foreground
    #[command(after_help = DAEMON_HELP)]
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
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        shell: clap_complete::Shell,
    },
}

/// Send a message
#[derive(Args, Debug)]
#[command(after_help = SEND_HELP)]
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
    /// Make it a dead letter when nobody reads it in time
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
}

const SEND_HELP: &str = "\
It says \"sent\" when the message is on disk, and never before.

Examples:
  ipcd send api the schema is in docs/schema.sql
  ipcd send api,web --summary 'build broken' -- --locked does not build any more
  git diff | ipcd send reviewer --summary 'please look at this' -
  ipcd send api --reply-to 41 --data '{\"port\":8080}' here is the port";

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

/// Send a message to every other agent that is there or was today
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ipcd broadcast main is frozen until 17:00")]
pub struct BroadcastArgs {
    /// The words of the message. `-`, or nothing when something is piped in, reads stdin
    #[arg(allow_negative_numbers = true)]
    pub text: Vec<String>,
    #[command(flatten)]
    pub more: More,
}

/// Read your messages
#[derive(Args, Debug)]
#[command(after_help = CHECK_HELP)]
pub struct CheckArgs {
    /// Look without taking: the messages stay unread
    #[arg(long)]
    pub peek: bool,
    /// Go on until interrupted, and print messages as they come
    #[arg(long, conflicts_with_all = ["peek", "id", "limit"])]
    pub follow: bool,
    /// At most so many messages
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// One message alone and whole, whether it was read or not
    #[arg(long, value_name = "ID", value_parser = message_id, conflicts_with = "limit")]
    pub id: Option<MessageId>,
    /// One piece of it: from this byte on
    #[arg(long, value_name = "N", requires = "id")]
    pub offset: Option<u64>,
}

const CHECK_HELP: &str = "\
A message counts as read when it was printed: one that could not be written comes again.
No mail is no failure: the exit code is 0.

Examples:
  ipcd check
  ipcd check --peek --json | jq -r '.messages[].summary'
  ipcd check --id 41 > all-of-it.txt
  ipcd check --follow --json | while read -r page; do …; done";

/// Wait for a message, and read it
#[derive(Args, Debug)]
#[command(after_help = WAIT_HELP)]
pub struct WaitArgs {
    /// Give up after so many seconds, with exit code 4; without it, wait for ever
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// At most so many messages
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

const WAIT_HELP: &str = "\
Mail that waits already is printed at once.

Examples:
  ipcd wait --timeout 300 || echo 'nobody wrote'
  ipcd wait --json | jq -r '.messages[0].content'";

/// Share a file, or the output of a command
#[derive(Debug, Subcommand)]
#[command(after_help = SHARE_HELP)]
pub enum ShareVerb {
    /// Send what is in a file: regular, at most 1 MiB, no known kind of secret
    #[command(after_help = "Example:\n  ipcd share file target/report.html reviewer")]
    File {
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

const SHARE_HELP: &str = "\
Both run here, with your rights and in this folder, never in the daemon.";

const STATUS_HELP: &str = "\
It never starts a daemon: without one, the exit code is 3.

For a status line or a prompt:
  ipcd status --line";

/// Give this shell a name of its own
#[derive(Args, Debug)]
#[command(after_help = REGISTER_HELP)]
pub struct RegisterArgs {
    /// 1 to 32 letters, digits, '_' or '-'
    pub name: String,
}

const REGISTER_HELP: &str = "\
For programs without MCP. The name lasts as long as the shell that ran this; every ipcd command
below that shell then speaks under it.

Example:
  ipcd register builder && ipcd wait";

/// How often the hooks of an agent look for mail during its work
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

/// Search the messages that were read
#[derive(Args, Debug)]
#[command(after_help = LOG_HELP)]
pub struct LogArgs {
    /// Only messages with these words in sender, recipient, summary or text
    #[arg(long, value_name = "WORDS")]
    pub search: Option<String>,
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

const LOG_HELP: &str = "\
Works without a daemon. Messages stay here for the history time of the configuration (7 days).

Examples:
  ipcd log --search 'schema'
  ipcd log --limit 1000 --json | jq -r '.from' | sort | uniq -c";

/// Messages that nobody could read
#[derive(Debug, Subcommand)]
#[command(after_help = "A message dies when five readers in a row ended without settling it, or when its \
    time was over.\n\nExamples:\n  ipcd dead list\n  ipcd dead requeue 41\n  ipcd dead purge --all")]
pub enum DeadVerb {
    /// List them
    List,
    /// Show one whole
    Show {
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
    #[arg(value_name = "ID", value_parser = message_id)]
    pub ids: Vec<MessageId>,
    /// All of them
    #[arg(long)]
    pub all: bool,
}

#[derive(Args, Clone, Debug)]
pub struct McpArgs {
    /// Register under this name
    #[arg(long)]
    pub name: Option<String>,
    /// Have no name until the agent registers
    #[arg(long)]
    pub no_auto_register: bool,
    /// Which tools to offer
    #[arg(long, value_enum, default_value_t = ToolSet::All)]
    pub tools: ToolSet,
}

/// Which tools an agent sees: each costs room in its context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ToolSet {
    /// All thirteen
    #[default]
    All,
    /// The nine that speak of instances
    Instances,
    /// register and the four that speak of terminals
    Terminals,
    /// register, send, check, list_instances
    Core,
}

const MCP_HELP: &str = "\
This is what an agent's configuration names; it is not for typing. Without --name the name comes
from the folder: `webapp`, `webapp-2`.

Examples:
  claude mcp add ipcd --scope user -- ipcd mcp
  codex mcp add ipcd -- ipcd mcp";

/// Tell an agent that mail waits; for its hooks
#[derive(Args, Debug)]
#[command(after_help = HOOK_HELP)]
pub struct HookArgs {
    /// The event, as the client names it: SessionStart, UserPromptSubmit, PostToolUse, Stop, …
    pub event: String,
    /// Whose hook it is
    #[arg(long, value_enum)]
    pub client: HookClient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookClient {
    Claude,
    Codex,
    Copilot,
    Cursor,
    Gemini,
}

const HOOK_HELP: &str = "\
Says how many messages wait, in the client's own form, and nothing that a peer wrote. Silent when
nothing waits, when there is no daemon, and when anything goes wrong; the exit code is always 0.
After a tool call it speaks only when `ipcd auto` is on and a look is due.

Example, in ~/.claude/settings.json:
  {\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"ipcd hook Stop --client claude\"}]}]}}";

const DAEMON_HELP: &str = "\
Nobody needs to run this: the first command that needs a daemon starts one, or systemd does.
IPCD_HOME=DIR keeps everything of one isolated ipcd below DIR; IPCD_LOG=debug tells more.";

const COMPLETIONS_HELP: &str = "\
Examples:
  ipcd completions bash > ~/.local/share/bash-completion/completions/ipcd
  ipcd completions fish > ~/.config/fish/completions/ipcd.fish";

fn message_id(text: &str) -> Result<MessageId, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map(MessageId).map_err(|_| "a message's number is needed, such as 41".to_owned())
}

fn json(text: &str) -> Result<Data, String> {
    serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from([&["ipcd"], words].concat())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_help_of_its_own() {
        for verb in Cli::command().get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about:?}", verb.get_name());
        }
    }

    #[test]
    fn a_message_may_hold_flags_of_its_own_after_the_dashes() {
        let cli =
            parse(&["send", "a,b", "--summary", "s", "--json", "--", "--locked", "is", "broken"]).unwrap();
        let Verb::Send(send) = cli.verb else { panic!() };
        assert_eq!((send.to.as_str(), send.text.join(" ").as_str()), ("a,b", "--locked is broken"));
        assert!(cli.global.json);
    }

    #[test]
    fn globals_stand_before_or_after_the_verb() {
        for words in [["--json", "list", "--no-spawn"], ["list", "--json", "--no-spawn"]] {
            let global = parse(&words).unwrap().global;
            assert!(global.json && global.no_spawn && global.speak_as.is_none());
        }
        let cli = parse(&["list", "--as", "webapp"]).unwrap();
        assert_eq!(cli.global.speak_as.as_deref(), Some("webapp"));
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        let cases: &[&[&str]] = &[
            &[],
            &["send"],
            &["send", "bob", "hi", "--data", "{"],
            &["send", "bob", "hi", "--reply-to", "x"],
            &["check", "--offset", "3"],
            &["check", "--follow", "--peek"],
            &["wait", "--timeout", "-1"],
            &["share", "command", "bob"],
            &["dead", "purge"],
            &["dead", "purge", "7", "--all"],
            &["auto", "start", "abc"],
            &["hook", "Stop"],
            &["frobnicate"],
        ];
        for words in cases {
            let error = parse(words).expect_err(&words.join(" "));
            assert_eq!(error.exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn data_goes_along_as_it_was_written() {
        let cli =
            parse(&["send", "bob", "hi", "--data", r#"{"big": 123456789012345678901234567890}"#]).unwrap();
        let Verb::Send(send) = cli.verb else { panic!() };
        assert_eq!(send.more.data.unwrap().get(), r#"{"big": 123456789012345678901234567890}"#);
    }

    #[test]
    fn a_shared_command_keeps_its_own_flags() {
        let cli =
            parse(&["share", "command", "bob", "--description", "d", "--", "ls", "--json", "-a"]).unwrap();
        let Verb::Share(ShareVerb::Command { to, argv, description }) = cli.verb else { panic!() };
        assert_eq!((to.as_str(), argv.join(" ").as_str()), ("bob", "ls --json -a"));
        assert_eq!(description.as_deref(), Some("d"));
        assert!(!cli.global.json);
    }
}
