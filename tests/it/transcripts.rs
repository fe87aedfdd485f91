//! The conversations of `docs/protocol.md`, played against a real daemon: the specification cannot rot.

use std::collections::BTreeMap;

use crate::socket::Socket;
use crate::world::World;

#[test]
fn transcripts_of_the_specification_are_true() {
    let text = include_str!("../../docs/protocol.md");
    let blocks: Vec<&str> =
        text.split("```transcript\n").skip(1).filter_map(|b| b.split("```").next()).collect();
    assert!(blocks.len() >= 6, "the specification has conversations");
    for block in blocks {
        play(block);
    }
}

fn play(transcript: &str) {
    let world = World::new();
    let _daemon = world.daemon();
    let mut sockets: BTreeMap<&str, Socket> = BTreeMap::new();
    let title = transcript.lines().next().unwrap_or_default();
    for line in transcript.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (Some(who), Some(arrow), Some(rest)) = (words.next(), words.next(), words.next()) else {
            panic!("{title}: not a line of a transcript: {line}");
        };
        let socket = sockets.entry(who).or_insert_with(|| world.connect());
        match arrow {
            "→" => socket.say(rest),
            "←" => {
                let heard = socket.hear().unwrap_or_else(|| "end".to_owned());
                assert!(fits(rest, &heard), "{title}\nexpected {rest}\nheard    {heard}");
            }
            _ => panic!("{title}: no arrow: {line}"),
        }
    }
}

/// Whether `heard` is `expected`, where `…` stands for anything.
fn fits(expected: &str, heard: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = heard.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[test]
fn a_transcript_that_is_wrong_is_noticed() {
    assert!(fits("a…c", "abc") && fits("abc", "abc") && fits("a…", "a") && fits("a…b…c", "axbxc"));
    assert!(!fits("a…c", "abd") && !fits("abc", "abcd") && !fits("b…", "abc") && !fits("a…b…c", "axc"));
}
