//! What in a client's configuration is ours: the one place that says so.
//!
//! What always holds: an entry is ours when it runs a program called `ipcd` as MCP server, a hook when
//! it runs one for an event. Whatever else stands in a file belongs to somebody else.

use std::path::Path;

use serde_json::{Value, json};

/// The command line of a server's entry: `command` with `args`, or `command` as an array.
pub fn argv(entry: &Value) -> Option<Vec<String>> {
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    match entry.get("command")? {
        Value::String(program) => {
            let arguments = entry.get("args").map(words).unwrap_or_default();
            Some(std::iter::once(program.clone()).chain(arguments).collect())
        }
        array => Some(words(array)).filter(|argv| !argv.is_empty()),
    }
}

/// Whether an entry of a list of servers runs `ipcd mcp`.
pub fn is_server(entry: &Value) -> bool {
    argv(entry).is_some_and(|argv| is_ipcd(&argv[0]) && argv[1..].iter().any(|word| word == "mcp"))
}

/// Whether a command line is one that an install writes: `ipcd mcp` or `ipcd hook`, with options of theirs.
pub fn is_command(argv: &[String]) -> bool {
    argv.len() > 1 && is_ipcd(&argv[0]) && matches!(argv[1].as_str(), "mcp" | "hook")
}

/// The keys of an entry that have to change so that it runs what `wanted` runs. Arguments that the user
/// added stay.
pub fn renewed(found: &Value, wanted: &Value) -> Vec<(String, Value)> {
    let (Some(old), Some(new)) = (argv(found), argv(wanted)) else { return Vec::new() };
    let mut arguments = old[1..].to_vec();
    if let Some(tools) = tools(&new) {
        arguments = without_tools(&arguments);
        arguments.extend(["--tools".to_owned(), tools]);
    }
    let changed = old[0] != new[0];
    let renewed = if found.get("command").is_some_and(Value::is_array) {
        let argv: Vec<String> = std::iter::once(new[0].clone()).chain(arguments.iter().cloned()).collect();
        vec![("command".to_owned(), json!(argv))]
    } else {
        vec![("command".to_owned(), json!(new[0])), ("args".to_owned(), json!(arguments))]
    };
    renewed
        .into_iter()
        .filter(
            |(key, _)| if key == "args" { arguments != old[1..] } else { changed || arguments != old[1..] },
        )
        .filter(|(key, value)| found.get(key) != Some(value))
        .collect()
}

fn tools(argv: &[String]) -> Option<String> {
    let at = argv.iter().position(|word| word == "--tools")?;
    argv.get(at + 1).cloned()
}

fn without_tools(arguments: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--tools" {
            words.next();
        } else if !word.starts_with("--tools=") {
            kept.push(word.clone());
        }
    }
    kept
}

/// The lines of shell in a hook, or in a whole object of them.
pub fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::String(line) if words(line).is_some() => vec![line.clone()],
        Value::Array(values) => values.iter().flat_map(lines).collect(),
        Value::Object(map) => map.values().flat_map(lines).collect(),
        _ => Vec::new(),
    }
}

/// The command lines of our hooks in an object of hooks.
pub fn hooks(value: &Value) -> Vec<Vec<String>> {
    lines(value).iter().filter_map(|line| words(line)).collect()
}

/// Whether one hook, or one flat element of an event, runs `ipcd hook`.
pub fn is_hook(hook: &Value) -> bool {
    !lines(hook).is_empty()
}

/// Whether two lines answer the same event: `/a/ipcd hook Stop --client x` and `ipcd hook Stop`.
pub fn same_hook(one: &str, other: &str) -> bool {
    let event = |line: &str| words(line).and_then(|words| words.get(2).cloned());
    event(one).is_some_and(|event_of_one| Some(event_of_one) == event(other))
}

/// `found` with the program of `wanted`, and every other word as the user has it.
pub fn renewed_line(found: &str, wanted: &str) -> String {
    match (split_program(found), split_program(wanted)) {
        (Some((old, _, rest)), Some((new, program, _))) if old != new => format!("{program}{rest}"),
        _ => found.to_owned(),
    }
}

/// The program of a line, as it is and as it is written there, and what follows it.
fn split_program(line: &str) -> Option<(String, &str, &str)> {
    let line = line.trim_start();
    let program = words(line)?.swap_remove(0);
    let ends = line.char_indices().filter(|(_, char)| char.is_whitespace()).map(|(at, _)| at);
    // A space inside quotes leaves an open one before it, which is no line at all.
    let end =
        ends.into_iter().find(|at| shlex::split(&line[..*at]).is_some_and(|w| w == [program.as_str()]))?;
    Some((program, &line[..end], &line[end..]))
}

/// The words of a line that runs `ipcd hook`.
fn words(line: &str) -> Option<Vec<String>> {
    let words = shlex::split(line)?;
    (words.len() > 2 && is_ipcd(&words[0]) && words[1] == "hook").then_some(words)
}

fn is_ipcd(program: &str) -> bool {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    Path::new(name).file_stem().is_some_and(|stem| stem == "ipcd")
}
