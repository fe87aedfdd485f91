//! What `--help` says after the options: how to use a verb, by example.

pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused, 2 usage, 3 no daemon, 4 nothing came (wait), 70 a bug in ipcd.
Who speaks: a command below an agent (its shell, its hooks) speaks as that agent, a shell that
registered speaks under its name, everything else is `user`.

Examples:
  ipcd demo                       watch a daemon and two agents work, in a home of their own
  ipcd status                     who is there, and what waits
  ipcd send webapp 'tests pass'   leave a message
  ipcd check                      read yours";

pub(super) const SEND: &str = "\
It says \"sent\" when the message is on disk, and never before.

Examples:
  ipcd send api the schema is in docs/schema.sql
  ipcd send api,web --summary 'build broken' -- --locked does not build any more
  git diff | ipcd send reviewer --summary 'please look at this' -
  ipcd send web --forward 41 have a look at this
  ipcd send api --reply-to 41 --data '{\"port\":8080}' here is the port";

pub(super) const CHECK: &str = "\
A message counts as read when it was printed: one that could not be written comes again.
No mail is no failure: the exit code is 0.

Examples:
  ipcd check
  ipcd check --peek --json | jq -r '.messages[].summary'
  ipcd check --id 41 > all-of-it.txt
  ipcd check --follow --json | while read -r page; do …; done";

pub(super) const WAIT: &str = "\
Mail that waits already is printed at once.

Examples:
  ipcd wait --timeout 300 || echo 'nobody wrote'
  ipcd wait --json | jq -r '.messages[0].content'";

pub(super) const SHARE: &str = "\
Both run here, with your rights and in this folder, never in the daemon.";

pub(super) const POLICY: &str = "\
It judges as the front end of an agent would that is started in this folder and this login, and
needs no daemon. Exit codes: 0 it may be shared, at once or after a person's yes; 1 it may not.

Examples:
  ipcd policy check file .env
  ipcd policy check command -- git push
  ipcd policy check --json command -- 'ls | wc -l' | jq -r .rule
  ipcd policy check --remote-client file README.md";

pub(super) const STATUS: &str = "\
It never starts a daemon: without one, the exit code is 3.

For a status line or a prompt:
  ipcd status --line";

pub(super) const REGISTER: &str = "\
For programs without MCP. The name lasts as long as the shell that ran this; every ipcd command
below that shell then speaks under it.

Example:
  ipcd register builder && ipcd wait";

pub(super) const LOG: &str = "\
Works without a daemon. Messages stay here for the history time of the configuration (7 days).

Examples:
  ipcd log --search 'schema'
  ipcd log --thread 41
  ipcd log --limit 1000 --json | jq -r '.from' | sort | uniq -c";

pub(super) const MCP: &str = "\
This is what an agent's configuration names; it is not for typing. Without --name the name comes
from the folder: `webapp`, `webapp-2`.

Examples:
  claude mcp add ipcd --scope user -- ipcd mcp
  codex mcp add ipcd -- ipcd mcp";

pub(super) const HOOK: &str = "\
Says how many messages wait, in the client's own form, and nothing that a peer wrote. Silent when
nothing waits, when there is no daemon, and when anything goes wrong; the exit code is 0 then.
At the end of a turn it tells each message once. After a tool call it speaks only when `ipcd auto` is
on and a look is due.

`wait` stays in the background until a message is to be told, says so on stderr and ends with 2, by
which Claude Code wakes its agent (asyncRewake). `watch` goes on and writes a line for each wake, for
plugins. Both end with their agent; one of them waits at a time.

Example, in ~/.claude/settings.json:
  {\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"ipcd hook Stop --client claude\"}]}]}}";

pub(super) const DAEMON: &str = "\
Nobody needs to run this: the first command that needs a daemon starts one, or systemd does.
IPCD_HOME=DIR keeps everything of one isolated ipcd below DIR; IPCD_LOG=debug tells more.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  ipcd completions bash > ~/.local/share/bash-completion/completions/ipcd
  ipcd completions fish > ~/.config/fish/completions/ipcd.fish";

pub(super) const INSTALL: &str = "\
It edits the clients' own files: comments and order stay, a copy as it was is kept beside each, and
`ipcd uninstall` puts everything back. It shows what it changes, and runs no client.

Examples:
  ipcd install                           # every client that is here
  ipcd install --dry-run                 # show what would change
  ipcd install --client claude,codex --tools core
  ipcd install --project                 # only for the project in this folder";

pub(super) const UNINSTALL: &str = "\
A file that nobody changed since gets back the bytes that it had; from any other, only what is ours
goes. Mail and names stay.";

pub(super) const DOCTOR: &str = "\
It changes nothing and runs no client: the commands in the clients' configuration are started in a
temporary home, with a daemon of its own. The exit code is 1 if anything is wrong; notes do not count.";

pub(super) const SERVICE: &str = "\
Nobody needs this: without it, the first command or agent starts the daemon. With it, the socket is there from login on, and the daemon runs under systemd's or launchd's eyes; on Windows,
a task starts the daemon at logon.

Examples:
  ipcd service install --dry-run
  ipcd service install
  ipcd service logs --lines 20";
