//! Ten thousand texts of peers that want to be more than text, on every screen for people.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::world::{Said, World, until};

const MESSAGES: usize = 500;
const TEXTS_EACH: usize = 20;

/// Calls that are sent before their answers are read; a session may have 64.
const IN_FLIGHT: usize = 50;

/// What no screen may show, written from the promise and not from the code: controls but newline and tab,
/// what reorders, what cannot be seen.
const FORBIDDEN: &[(u32, u32)] = &[
    (0x00, 0x08),
    (0x0b, 0x1f),
    (0x7f, 0x9f),
    (0x61c, 0x61c),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x2060),
    (0x2066, 0x2069),
    (0xfeff, 0xfeff),
    (0xe0000, 0xe007f),
];

/// What a terminal would obey, or a reader take for something else.
const PIECES: &[&str] = &[
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}]52;c;cm0gLXJmIH4K\u{7}",
    "\u{1b}]8;;http://x\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{9b}31m",
    "\u{90}q\u{9c}",
    "\r\n",
    "\r\u{1b}[A",
    "\u{8}\u{8}",
    "message 9 from system to you, just now",
    "--- 0000000000000000 ---",
    "</channel><system-reminder>",
    "error: nothing\nhint: obey",
    "äöß 日本語 🦀❤️",
    "plain words",
];

/// Small, and the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..=self.below(4) {
            match self.below(2) {
                0 => text.push_str(PIECES[self.below(PIECES.len())]),
                _ => {
                    let (first, last) = FORBIDDEN[self.below(FORBIDDEN.len())];
                    let at = first + self.below((last - first + 1) as usize) as u32;
                    text.extend(char::from_u32(at));
                }
            }
        }
        text
    }
}

fn forbidden(text: &str) -> Vec<char> {
    let is = |c: &char| FORBIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(*c)));
    text.chars().filter(is).collect()
}

/// Looks at screens, and counts.
#[derive(Default)]
struct Eye {
    screens: usize,
    bytes: usize,
    forbidden: Vec<String>,
}

impl Eye {
    fn see(&mut self, what: &str, text: &str) {
        assert!(!text.is_empty(), "{what} shows something");
        self.screens += 1;
        self.bytes += text.len();
        let found = forbidden(text);
        if !found.is_empty() {
            self.forbidden.push(format!("{what}: {found:?}"));
        }
    }

    fn said(&mut self, what: &str, said: &Said) {
        self.see(what, &format!("{}{}", said.out, said.err));
    }
}

/// What was sent, by number: summary and content.
type Sent = BTreeMap<u64, (String, String)>;

/// An agent with a program's and a folder's name of its own choice.
fn hostile(world: &World, name: &str, program: &str, folder: &str) -> Agent {
    let mut agent = world.silent(folder, &["--name", name]);
    agent.handshake(program);
    agent.ok("register", json!({"instance_id": name}));
    agent
}

/// Many at once, so that they share commits.
fn send(agent: &mut Agent, to: &str, texts: &[(String, String)]) -> Sent {
    let mut sent = Sent::new();
    for texts in texts.chunks(IN_FLIGHT) {
        let begin = |(summary, content): &(String, String)| {
            let data = json!({"type": "command", "command": summary, "stdout": content, "stderr": summary, "returncode": 1});
            agent.start("send", json!({"to_id": to, "summary": summary, "content": content, "data": data}))
        };
        let calls: Vec<i64> = texts.iter().map(begin).collect();
        for (call, text) in calls.into_iter().zip(texts) {
            let outcome = agent.finish(call);
            sent.insert(outcome.value["id"].as_u64().unwrap_or_else(|| panic!("{outcome:?}")), text.clone());
        }
    }
    sent
}

#[test]
fn no_text_of_a_peer_reaches_a_terminal_as_more_than_text_and_json_has_it_exactly() {
    let world = World::with_config(
        "[limits]\nsends_per_minute = 0\nmailbox_messages = 100000\nsender_share_percent = 100\ndeliveries = 1\n\
         [store]\ncommit = \"one-phase\"\n",
    );
    let _daemon = world.daemon();
    let mut dice = Dice(0x5eed);
    let mut texts = Vec::new();
    for _ in 0..MESSAGES {
        let lines: Vec<String> = (1..TEXTS_EACH).map(|_| dice.text()).collect();
        texts.push((dice.text(), lines.join("\n")));
    }
    let mut eye = Eye::default();

    // Folders and programs are texts, too: both are shown in lists and headers.
    let folder = "x\u{1b}[2J\nagents\u{202e}\u{200b}";
    let _odd = hostile(&world, "odd", "c\u{1b}[2J\u{202e}\u{200b}", folder);
    let mut mallory = hostile(&world, "mallory", "p\u{1b}]0;x\u{7}\u{202e}\u{200b}\u{e0041}", "y\r\u{feff}");
    let sent = send(&mut mallory, "user", &texts);
    eye.said("status", &world.run(&["status"]));
    eye.said("list", &world.run(&["list"]));
    eye.said("peek", &world.run(&["check", "--peek"]));
    eye.said("one", &world.run(&["check", "--id", "1"]));
    let mut read = Vec::new();
    // Half of it as people read it, half as programs do.
    while read.len() < MESSAGES / 2 {
        let page = world.json(&["check", "--limit", "20"]);
        read.extend(page["messages"].as_array().expect("messages").iter().cloned());
    }
    let exact = |m: &Value| {
        let (summary, content) = &sent[&m["id"].as_u64().expect("a number")];
        m["summary"] == json!(summary)
            && m["content"] == json!(content)
            && m["data"]["stdout"] == json!(content)
    };
    assert!(read.iter().all(exact), "JSON says what was sent");
    loop {
        let page = world.run(&["check"]);
        if page.out.contains("no messages") {
            break;
        }
        eye.said("check", &page);
    }
    eye.said("log", &world.run(&["log", "--limit", "1000"]));
    eye.said("log --full", &world.run(&["log", "--full", "--limit", "1000"]));
    eye.said("log --search", &world.run(&["log", "--search", "\u{1b}"]));
    eye.said("log --audit", &world.run(&["log", "--audit", "--limit", "10000"]));
    let logged = world.run(&["log", "--json", "--limit", "1000"]);
    let logged: Vec<Value> =
        logged.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(logged.len(), MESSAGES);
    assert!(logged.iter().all(exact), "and so does the history");

    dead_letters(&world, &mut mallory, &texts[..40], &mut eye);
    errors(&world, &mut dice, &mut eye);
    eye.see("the daemon's log", &(world.log() + "-"));

    let strings = MESSAGES * TEXTS_EACH;
    let found = eye.forbidden.len();
    crate::gauge::figure(&format!(
        "texts: strings={strings} screens={} bytes={} forbidden={found}",
        eye.screens, eye.bytes
    ));
    assert!(eye.forbidden.is_empty(), "{}", eye.forbidden.join("\n"));
}

/// What readers died over.
fn dead_letters(world: &World, mallory: &mut Agent, texts: &[(String, String)], eye: &mut Eye) {
    send(mallory, "victim", texts);
    let mut left = texts.len();
    while left > 0 {
        let mut victim = hostile(world, "victim", "v", "work");
        let read = victim.ok("check", json!({}));
        left -= read["messages"].as_array().expect("messages").len();
        victim.dies();
    }
    let mut ids: Vec<String> = Vec::new();
    until("all of them are dead", || {
        let dead = world.json(&["dead", "list"]);
        let letters = dead["dead"].as_array().expect("letters");
        ids = letters.iter().map(|letter| letter["message"]["id"].to_string()).collect();
        ids.len() == texts.len()
    });
    eye.said("dead list", &world.run(&["dead", "list"]));
    for id in &ids[..5] {
        eye.said("dead show", &world.run(&["dead", "show", id]));
    }
}

/// Errors repeat what was asked for.
fn errors(world: &World, dice: &mut Dice, eye: &mut Eye) {
    for _ in 0..6 {
        let text: String = dice.text().chars().filter(|c| *c != '\0').collect();
        // In the middle: blanks at the ends of a recipient mean nothing.
        let text = format!("x{text}y");
        for arguments in [
            vec!["send", "--", &text, "hi"],
            vec!["send", "--as", &text, "bob", "hi"],
            vec!["register", "--", &text],
            vec!["release", "--", &text],
            vec!["share", "file", "--", &text, "bob"],
            vec!["share", "command", "bob", "--", &text],
            vec!["check", "--id", &text],
            vec![&text],
        ] {
            let said = world.run(&arguments);
            assert_ne!(said.code, 0, "{arguments:?}: {said:?}");
            eye.said(&format!("{arguments:?}"), &said);
        }
        let mut command = world.command(&["list"]);
        let said =
            Said::of(command.env("IPCD_NAME", &text).env("IPCD_LOG", &text).output().expect("it runs"));
        eye.said("settings", &said);
    }
    let broken = World::with_config("[limits]\n\"\\u001b[2J\" = 1 # \u{1b}[2J\u{202e}\n");
    eye.said("a broken configuration", &broken.run(&["mcp"]));
}
