//! What a person types, or a client's configuration says, to connect agents and to keep the daemon.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};

use super::help;
use crate::agents::Program;
use crate::protocol::response::Wakes;

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
    #[command(flatten)]
    pub origin: Origin,
}

/// Where the agent is that a front end serves. Without a word of it, `SSH_CONNECTION` decides.
#[derive(Args, Clone, Debug)]
pub struct Origin {
    /// The agent is on another host: share no files and commands of this one
    #[arg(long, conflicts_with = "local_client")]
    pub remote_client: bool,
    /// The agent is on this host, in a login by ssh
    #[arg(long)]
    pub local_client: bool,
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

impl ToolSet {
    /// What `--tools` calls it.
    pub fn word(self) -> &'static str {
        match self {
            ToolSet::All => "all",
            ToolSet::Instances => "instances",
            ToolSet::Terminals => "terminals",
            ToolSet::Core => "core",
        }
    }
}

#[derive(Args, Debug)]
pub struct InstallArgs {
    /// Only these clients, whether they are found or not
    #[arg(long, value_name = "CLIENT", value_delimiter = ',', value_parser = any_client())]
    pub client: Vec<Program>,
    /// In the configuration of the project in this folder, not in yours
    #[arg(long)]
    pub project: bool,
    /// Which tools agents see; without it, what the configuration says, or all
    #[arg(long, value_enum)]
    pub tools: Option<ToolSet>,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args, Debug)]
#[command(after_help = help::UNINSTALL)]
pub struct UninstallArgs {
    /// Only from these clients
    #[arg(long, value_name = "CLIENT", value_delimiter = ',', value_parser = any_client())]
    pub client: Vec<Program>,
    /// Only from the configuration of the project in this folder
    #[arg(long)]
    pub project: bool,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Subcommand)]
#[command(after_help = help::SERVICE)]
pub enum ServiceVerb {
    /// Tell the service manager of ipcd, for you alone
    Install(ServiceArgs),
    /// Take that back. Names, mail and settings stay
    Uninstall(ServiceArgs),
    /// Whether it is a service, what is started, and what is wrong with it
    Status,
    /// The last lines that the daemon logged
    Logs(LogsArgs),
}

#[derive(Args, Debug)]
pub struct ServiceArgs {
    /// Show what would be written and run, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Of another system; with --dry-run
    #[arg(long, value_enum)]
    pub manager: Option<ManagerName>,
}

/// Service managers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ManagerName {
    /// Units for Linux
    Systemd,
    /// An agent for macOS
    Launchd,
    /// A task at logon for Windows
    Tasks,
}

impl From<ManagerName> for crate::service::Manager {
    fn from(name: ManagerName) -> Self {
        match name {
            ManagerName::Systemd => Self::Systemd,
            ManagerName::Launchd => Self::Launchd,
            ManagerName::Tasks => Self::Tasks,
        }
    }
}

#[derive(Args, Debug)]
pub struct LogsArgs {
    /// So many lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub lines: u32,
    /// Go on until interrupted, and print lines as they come
    #[arg(long)]
    pub follow: bool,
}

#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Only these clients
    #[arg(long, value_name = "CLIENT", value_delimiter = ',', value_parser = any_client())]
    pub client: Vec<Program>,
}

#[derive(Args, Debug)]
#[command(after_help = help::HOOK)]
pub struct HookArgs {
    /// The event, as the client names it: SessionStart, UserPromptSubmit, PostToolUse, Stop, …; or
    /// `wait` and `watch`, for hooks that stay in the background
    pub event: String,
    /// Whose hook it is; without it, the environment tells
    #[arg(long, value_parser = hooked())]
    pub client: Option<Program>,
}

/// The clients whose hooks ipcd can answer.
fn hooked() -> impl TypedValueParser<Value = Program> {
    clients(|program| program.hook().is_some() || program.watched() != Wakes::RewakeHook)
}

fn any_client() -> impl TypedValueParser<Value = Program> {
    clients(|_| true)
}

fn clients(of: impl Fn(Program) -> bool) -> impl TypedValueParser<Value = Program> {
    let words = Program::ALL.into_iter().filter(|program| of(*program)).map(Program::word);
    PossibleValuesParser::new(words)
        .map(|word| Program::of_word(&word).expect("the parser takes words of clients only"))
}
