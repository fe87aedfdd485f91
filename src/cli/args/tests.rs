use clap::CommandFactory;

use super::*;

fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["ipcd"], words].concat())
}

#[test]
fn the_definition_is_sound() {
    Cli::described().debug_assert();
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
fn every_argument_says_what_it_is() {
    fn check(command: &clap::Command) {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let named = format!("{} {}", command.get_name(), argument.get_id());
            assert!(argument.get_help().is_some(), "{named}");
        }
        command.get_subcommands().for_each(check);
    }
    let mut command = Cli::described();
    command.build();
    check(&command);
}

#[test]
fn a_message_may_hold_flags_of_its_own_after_the_dashes() {
    let cli = parse(&["send", "a,b", "--summary", "s", "--json", "--", "--locked", "is", "broken"]).unwrap();
    let Verb::Send(Lazy(send)) = cli.verb else { panic!() };
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
        &["send", "bob", "hi", "--ttl", "0"],
        &["check", "--limit", "0"],
        &["wait", "--limit", "0"],
        &["check", "--offset", "3"],
        &["check", "--follow", "--peek"],
        &["wait", "--timeout", "-1"],
        &["share", "command", "bob"],
        &["dead", "purge"],
        &["dead", "purge", "7", "--all"],
        &["auto", "start", "abc"],
        &["hook"],
        &["hook", "Stop", "--client", "zed"],
        &["frobnicate"],
    ];
    for words in cases {
        let error = parse(words).expect_err(&words.join(" "));
        assert_eq!(error.exit_code(), 2, "{words:?}");
    }
}

#[test]
fn data_goes_along_as_it_was_written() {
    let cli = parse(&["send", "bob", "hi", "--data", r#"{"big": 123456789012345678901234567890}"#]).unwrap();
    let Verb::Send(Lazy(send)) = cli.verb else { panic!() };
    assert_eq!(send.more.data.unwrap().get(), r#"{"big": 123456789012345678901234567890}"#);
}

#[test]
fn a_shared_command_keeps_its_own_flags() {
    let cli = parse(&["share", "command", "bob", "--description", "d", "--", "ls", "--json", "-a"]).unwrap();
    let Verb::Share(Lazy(ShareVerb::Command { to, argv, description })) = cli.verb else { panic!() };
    assert_eq!((to.as_str(), argv.join(" ").as_str()), ("bob", "ls --json -a"));
    assert_eq!(description.as_deref(), Some("d"));
    assert!(!cli.global.json);
}
