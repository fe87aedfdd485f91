//! Which programs only pass another program on.
//!
//! An agent's command runs below `sh -c`, `timeout` and the like; who speaks is the agent above them.
//! An interactive shell and a shell script are programs in their own right.

/// Programs that run the command in their arguments and do nothing else, and the first processes of a
/// system or session, which adopt what others left.
const ALWAYS: &[&str] = &[
    "bwrap",
    "chrt",
    "doas",
    "env",
    "flock",
    "ionice",
    "nice",
    "nohup",
    "setpriv",
    "setsid",
    "stdbuf",
    "sudo",
    "time",
    "timeout",
    "unshare",
    "uvx", // and those that adopt:
    "catatonit",
    "docker-init",
    "dumb-init",
    "init",
    "launchd",
    "systemd",
    "tini",
];

const SHELLS: &[&str] = &["ash", "bash", "dash", "fish", "ksh", "mksh", "sh", "zsh"];

/// Options of shells that take the next argument.
const SHELL_OPTIONS_WITH_VALUE: &[&str] = &["--init-command", "--init-file", "--rcfile", "-C"];

/// Whether a process with this executable and these arguments only passes another program on. They are asked for
/// where its name alone does not tell.
pub(super) fn passes_on(exe: Option<&str>, arguments: impl FnOnce() -> Vec<String>) -> bool {
    if let Some(name) = exe.map(base_name).filter(|name| !depends_on_arguments(name)) {
        return is_wrapper(name, &[]);
    }
    let arguments = arguments();
    let first = arguments.first().map(String::as_str).unwrap_or_default();
    let (rest, called) = (arguments.get(1..).unwrap_or_default(), base_name(first));
    // npm writes its command line anew, as one argument.
    if ["npm exec ", "npm x ", "npx "].iter().any(|title| first.starts_with(title)) {
        return true;
    }
    match base_name(exe.unwrap_or(first)) {
        // One file with many names.
        "busybox" | "coreutils" | "toybox" => is_wrapper(called, rest),
        // Scripts: the interpreter's first argument is the program.
        "node" | "bun" | "python3" | "python" => {
            rest.split_first().is_some_and(|(script, rest)| is_wrapper(base_name(script), rest))
        }
        name => is_wrapper(name, rest),
    }
}

fn depends_on_arguments(name: &str) -> bool {
    // Node comes as `nodejs` and `node-22`, too, and runs what npm wrote its title over.
    let runs_scripts = ["node", "bun", "python"].iter().any(|begin| name.starts_with(begin));
    runs_scripts
        || SHELLS.contains(&name)
        || matches!(name, "busybox" | "coreutils" | "toybox" | "npm" | "npm-cli.js" | "uv")
}

fn is_wrapper(name: &str, rest: &[String]) -> bool {
    let next = |at: usize| rest.get(at).map(String::as_str).unwrap_or_default();
    match name {
        "npx" | "npx-cli.js" => true,
        "npm" | "npm-cli.js" => matches!(next(0), "exec" | "x"),
        "uv" => next(0) == "run" || (next(0) == "tool" && next(1) == "run"),
        name if SHELLS.contains(&name) => has_command(rest),
        name => ALWAYS.contains(&name),
    }
}

/// Whether a shell with these arguments was given its program with `-c`.
fn has_command(arguments: &[String]) -> bool {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let option = argument.as_str();
        if option == "--command" || option.starts_with("--command=") {
            return true;
        }
        if SHELL_OPTIONS_WITH_VALUE.contains(&option) {
            arguments.next();
        } else if let Some(letters) =
            option.strip_prefix(['-', '+']).filter(|l| !l.is_empty() && !l.starts_with('-'))
        {
            if option.starts_with('-') && letters.contains('c') {
                return true;
            }
            if letters.ends_with(['o', 'O']) {
                arguments.next();
            }
        } else if !option.starts_with("--") || option == "--" {
            return false; // a script, or the end of the options
        }
    }
    false
}

fn base_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    name.strip_prefix('-').unwrap_or(name) // a login shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_on_and_what_does_not() {
        for (wrapper, exe, line) in [
            (true, "/usr/bin/dash", "sh|-c|ipcd check"),
            (true, "/bin/bash", "/bin/bash|-lc|ipcd check"),
            (true, "/bin/bash", "bash|-o|pipefail|-c|x"),
            (true, "/bin/bash", "bash|--norc|-euo|pipefail|-c|x"),
            (true, "/bin/bash", "bash|--rcfile|file|-c|x"),
            (true, "/usr/bin/zsh", "zsh|-c|-l|source x"),
            (true, "/usr/bin/fish", "fish|--command=x"),
            (true, "/bin/busybox", "sh|-c|x"),
            (true, "/bin/busybox", "timeout|5|x"),
            (false, "/bin/busybox", "httpd|-c|x"),
            (false, "/bin/bash", "-bash"),
            (false, "/bin/bash", "bash|-i"),
            (false, "/bin/bash", "bash|script.sh|-c"),
            (false, "/bin/bash", "bash|-e|script.sh|-c"),
            (false, "/bin/bash", "bash|--|-c"),
            (false, "/bin/bash", "bash|-"),
            (false, "/bin/bash", "bash|--rcfile|-c"),
            (true, "/usr/bin/env", "env|A=b|ipcd"),
            (true, "/usr/bin/timeout (deleted)", "timeout|5|ipcd"),
            (true, "/usr/bin/node", "npm exec @x/y"),
            (true, "/usr/bin/node", "node|/usr/lib/npm/bin/npx-cli.js|-y|x"),
            (true, "/usr/bin/node", "node|/usr/bin/npm|exec|x"),
            (false, "/usr/bin/node", "node|/usr/bin/npm|run|x"),
            (false, "/usr/bin/node", "node|server.js|npx"),
            (false, "/usr/bin/node", "claude"),
            (true, "/home/u/.local/bin/uv", "uv|tool|run|x"),
            (true, "/home/u/.local/bin/uv", "uv|run|x"),
            (false, "/home/u/.local/bin/uv", "uv|sync"),
            (true, "/home/u/.local/bin/uvx", "uvx|x"),
            (true, "/usr/lib/systemd/systemd", "/usr/lib/systemd/systemd|--user"),
            (false, "/usr/bin/tmux", "tmux|new"),
            (false, "/opt/codex", "codex"),
        ] {
            let arguments: Vec<String> = line.split('|').map(str::to_owned).collect();
            assert_eq!(passes_on(Some(exe), || arguments), wrapper, "{exe}: {line}");
        }
        assert!(passes_on(None, || vec!["sudo".to_owned(), "ipcd".to_owned()]));
        assert!(!passes_on(None, Vec::new));
    }
}
