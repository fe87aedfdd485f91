//! The man pages and completion scripts that packages ship, made from the command line's definition.
//!
//! They are checked in, so that a package builder needs no program that runs on the builder's machine. What
//! always holds: they are what the definition makes, or this test is red. Renew them with
//!
//! ```sh
//! IPCD_RENEW=1 cargo test --locked --lib pages
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::args::Cli;

const RENEW: &str = "IPCD_RENEW=1 cargo test --locked --lib pages";

type Pages = BTreeMap<PathBuf, Vec<u8>>;

/// What each shell's own folder expects a script for `ipcd` to be called.
const SCRIPTS: [(Shell, &str); 5] = [
    (Shell::Bash, "ipcd.bash"),
    (Shell::Elvish, "ipcd.elv"),
    (Shell::Fish, "ipcd.fish"),
    (Shell::PowerShell, "_ipcd.ps1"),
    (Shell::Zsh, "_ipcd"),
];

/// One page a verb, and one for each of a verb's own verbs: `ipcd-share-file.1`.
fn man(command: &Command) -> Pages {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    let mut pages = Pages::new();
    add_man(&mut pages, &command);
    pages
}

fn add_man(pages: &mut Pages, command: &Command) {
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).for_each(|verb| add_man(pages, verb));
    let source = concat!("ipcd ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).manual("User Commands").source(source);
    pages.insert(man.get_filename().into(), page(&man, command).expect("memory takes it"));
}

fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|verb| !verb.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    if let Some(help) = command.get_after_help() {
        // Examples: each line stays a line.
        text.extend_from_slice(b".SH NOTES\n.nf\n");
        for line in help.to_string().lines() {
            text.extend_from_slice(literal(line).as_bytes());
        }
        text.extend_from_slice(b".fi\n");
    }
    Ok(text)
}

/// A line as it is, whatever roff would make of it.
fn literal(line: &str) -> String {
    let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    format!("\\&{escaped}\n")
}

fn completions(command: &Command) -> Pages {
    let script = |(shell, name): &(Shell, &str)| {
        let mut text = Vec::new();
        clap_complete::generate(*shell, &mut command.clone(), "ipcd", &mut text);
        (PathBuf::from(name), text)
    };
    SCRIPTS.iter().map(script).collect()
}

/// The files of a folder that holds no other folders.
fn there(folder: &Path) -> Pages {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry"));
    entries.map(|entry| (entry.file_name().into(), fs::read(entry.path()).expect("a file"))).collect()
}

fn renew(folder: &Path, pages: &Pages) {
    for name in there(folder).keys().filter(|name| !pages.contains_key(*name)) {
        fs::remove_file(folder.join(name)).expect("it can be removed");
    }
    fs::create_dir_all(folder).expect("a folder");
    for (name, text) in pages {
        fs::write(folder.join(name), text).expect("it can be written");
    }
}

fn stale(folder: &Path, pages: &Pages) -> Vec<String> {
    let there = there(folder);
    let names = pages.keys().chain(there.keys()).collect::<std::collections::BTreeSet<_>>();
    let differs = names.into_iter().filter(|name| there.get(*name) != pages.get(*name));
    differs.map(|name| folder.join(name).display().to_string()).collect()
}

#[test]
fn the_pages_are_those_of_the_command_line() {
    let command = Cli::described();
    let folders = [("man", man(&command)), ("completions", completions(&command))];
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    if std::env::var_os("IPCD_RENEW").is_some() {
        folders.iter().for_each(|(folder, pages)| renew(&packaging.join(folder), pages));
    }
    let stale: Vec<String> =
        folders.iter().flat_map(|(folder, pages)| stale(&packaging.join(folder), pages)).collect();
    assert!(stale.is_empty(), "the command line has changed; renew with: {RENEW}\nstale: {stale:#?}");
}

#[test]
fn a_stale_page_is_seen_and_renewed() {
    let home = tempfile::tempdir().unwrap();
    let page = |name: &str, text: &str| (PathBuf::from(name), text.as_bytes().to_vec());
    fs::write(home.path().join("same"), "1").unwrap();
    fs::write(home.path().join("gone"), "1").unwrap();
    fs::write(home.path().join("other"), "1").unwrap();
    let pages: Pages = [page("same", "1"), page("other", "2"), page("new", "3")].into();
    assert_eq!(literal(r".x 'y' -z \w"), "\\&.x \\(aqy\\(aq \\-z \\ew\n");
    let named = |names: [&str; 3]| names.map(|name| home.path().join(name).display().to_string()).to_vec();
    assert_eq!(stale(home.path(), &pages), named(["gone", "new", "other"]));
    renew(home.path(), &pages);
    assert_eq!(stale(home.path(), &pages), Vec::<String>::new());
    assert_eq!(there(home.path()), pages);
}
