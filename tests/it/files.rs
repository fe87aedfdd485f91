//! `share_file` against whoever plays with the file meanwhile, against planted secrets, and for ordinary
//! files.
//!
//! `cargo test` swaps 1,000 times, `IPCD_TEST_SWAPS=10000` so often. The last line of each test is its
//! figure.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ipcd::share::Here;
use ipcd::share::file::OpenFile;
use ipcd::share::policy::FilePolicy;
use serde_json::json;

use crate::world::World;

/// A call that takes longer hangs.
const CALL_MAX: Duration = Duration::from_secs(3);

/// Limits that a test of sharing is not about.
const WITHOUT_LIMITS: &str = "[limits]\nsends_per_minute = 0\nmailbox_messages = 1000000\n";

fn swaps_wanted() -> u32 {
    std::env::var("IPCD_TEST_SWAPS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

/// Puts one thing after another in the place of `path`, as long as it is wanted.
fn swap(path: &Path, targets: &[&dyn Fn(&Path)], wanted: &AtomicBool, swaps: &AtomicU32) {
    let spare = path.with_extension("spare");
    while wanted.load(Ordering::Relaxed) {
        for make in targets {
            make(&spare);
            if std::fs::rename(&spare, path).is_err() {
                // Nothing but a folder goes into a folder's place, and a folder into no other.
                let _ = std::fs::remove_dir(path).or_else(|_| std::fs::remove_file(path));
                std::fs::rename(&spare, path).expect("the swap");
            }
            swaps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_file_that_is_swapped_leaks_nothing_and_holds_nothing_up() {
    let world = World::with_config(WITHOUT_LIMITS);
    let work = world.folder("work");
    let secret = world.folder(".ssh").join("config");
    std::fs::write(&secret, "inner").expect("a file");
    std::fs::write(work.join("outer.txt"), "outer").expect("a file");
    let (mut alice, mut bob) = (world.agent("alice"), world.agent("bob"));
    let link = work.join("link");
    symlink("outer.txt", &link).expect("a link");
    let folder = world.home().join("there");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("config"), "outer").expect("a file");
    let through = work.join("through");
    symlink(&folder, &through).expect("a link");

    let to = |target: PathBuf| move |spare: &Path| symlink(&target, spare).expect("a link");
    let (inner, outer, device) = (to(secret.clone()), to("outer.txt".into()), to("/dev/zero".into()));
    let fifo = |spare: &Path| {
        nix::unistd::mkfifo(spare, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR)
            .expect("a FIFO");
    };
    let hidden = |spare: &Path| std::fs::create_dir(spare).expect("a folder");
    let copy = |spare: &Path| std::fs::write(spare, "outer").expect("a file");
    let (keys, open) = (to(secret.parent().expect("a folder").to_owned()), to(folder.clone()));

    let (wanted, swaps) = (AtomicBool::new(true), AtomicU32::new(0));
    let (mut calls, mut sent, mut refused, mut leaks, mut hangs) = (0, 0, 0, 0, 0);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            swap(&link, &[&inner, &outer, &device, &outer, &fifo, &copy, &hidden], &wanted, &swaps)
        });
        scope.spawn(|| swap(&through, &[&keys, &open], &wanted, &swaps));
        while swaps.load(Ordering::Relaxed) < swaps_wanted()
            || sent == 0
            || refused == 0
            || calls < 200.max(swaps_wanted() / 10)
        {
            for path in ["link", "through/config"] {
                let begun = Instant::now();
                let call = alice.start("share_file", json!({"to_id": "bob", "filepath": path}));
                let answer = alice.answer_within(call, CALL_MAX);
                slowest = slowest.max(begun.elapsed());
                calls += 1;
                match answer {
                    None => hangs += 1,
                    Some(answer) if answer["result"]["isError"] == true => refused += 1,
                    Some(_) => sent += 1,
                }
            }
            if hangs > 0 {
                break;
            }
        }
        wanted.store(false, Ordering::Relaxed);
    });
    loop {
        let page = bob.ok("check", json!({}));
        let mail = page["messages"].as_array().expect("messages");
        leaks += mail.iter().filter(|mail| mail["data"]["content"] != "outer").count();
        if mail.is_empty() {
            break;
        }
    }
    say(&format!(
        "swaps={} leaks={leaks} hangs={hangs} calls={calls} sent={sent} refused={refused} slowest_ms={}",
        swaps.load(Ordering::Relaxed),
        slowest.as_millis()
    ));
    assert_eq!((leaks, hangs), (0, 0));
}

#[test]
fn what_never_answers_holds_no_call() {
    let world = World::new();
    let work = world.folder("work");
    assert!(Command::new("mkfifo").arg(work.join("fifo")).status().is_ok_and(|status| status.success()));
    let mut alice = world.agent("alice");
    let begun = Instant::now();
    for path in ["fifo", "/dev/zero", "/dev/random", "/dev/tty", "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"]
    {
        let call = alice.start("share_file", json!({"to_id": "bob", "filepath": path}));
        let answer = alice.answer_within(call, CALL_MAX).unwrap_or_else(|| panic!("{path} holds the call"));
        assert_eq!(answer["result"]["isError"], true, "{path}: {answer}");
    }
    assert!(begun.elapsed() < CALL_MAX);
}

/// Letters and digits that nobody has seen before, and that are the same in every run.
struct Letters(u64);

impl Letters {
    fn next(&mut self) -> usize {
        // A step of splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize
    }

    fn of(&mut self, alphabet: &str, length: usize) -> String {
        (0..length).map(|_| char::from(alphabet.as_bytes()[self.next() % alphabet.len()])).collect()
    }
}

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const HEX: &str = "0123456789abcdef";
const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// One secret of each kind: private keys, tokens of clouds, forges and chats, web tokens. Put together
/// here, so that no scanner takes this file for what it looks for.
fn secrets(r: &mut Letters) -> Vec<(&'static str, String)> {
    let mut pem = |label: &str, lines: usize| {
        let body: String = (0..lines).map(|_| r.of(BASE64, 64) + "\n").collect();
        format!("-----BEGIN {label}-----\n{body}-----END {label}-----")
    };
    let keys = vec![
        ("RSA key", pem(concat!("RSA PRIV", "ATE KEY"), 25)),
        ("EC key", pem(concat!("EC PRIV", "ATE KEY"), 3)),
        ("PKCS 8 key", pem(concat!("PRIV", "ATE KEY"), 26)),
        ("locked PKCS 8 key", pem(concat!("ENCRYPTED PRIV", "ATE KEY"), 28)),
        ("OpenSSH key", pem(concat!("OPENSSH PRIV", "ATE KEY"), 6)),
        ("PGP key", pem(concat!("PGP PRIV", "ATE KEY BLOCK"), 30)),
    ];
    let jwt = |r: &mut Letters| format!("eyJ{}.eyJ{}.{}", r.of(URL, 33), r.of(URL, 80), r.of(URL, 43));
    let tokens = vec![
        ("AWS id", format!("AKIA{}", r.of(UPPER, 16))),
        ("AWS session id", format!("ASIA{}", r.of(UPPER, 16))),
        ("AWS secret", format!("aws_secret_access_key = {}", r.of(BASE64, 40))),
        ("Google key", format!("AIza{}", r.of(URL, 35))),
        ("Google client", format!("GOCSPX-{}", r.of(URL, 28))),
        ("Azure storage", format!("AccountKey={}==", r.of(BASE64, 86))),
        ("DigitalOcean", format!("dop_v1_{}", r.of(HEX, 64))),
        ("Vault", format!("hvs.{}", r.of(ALNUM, 90))),
        ("GitHub classic", format!("ghp_{}", r.of(ALNUM, 36))),
        ("GitHub app", format!("ghs_{}", r.of(ALNUM, 36))),
        ("GitHub fine", format!("github_pat_{}_{}", r.of(ALNUM, 22), r.of(ALNUM, 59))),
        ("GitLab", format!("glpat-{}", r.of(ALNUM, 20))),
        ("npm", format!("npm_{}", r.of(ALNUM, 36))),
        ("PyPI", format!("pypi-AgEIcHlwaS5vcmc{}", r.of(URL, 150))),
        ("Slack bot", format!("xoxb-{}-{}", r.of("123456789", 12), r.of(ALNUM, 24))),
        ("Slack user", format!("xoxp-{}-{}", r.of("123456789", 12), r.of(HEX, 32))),
        (
            "Slack hook",
            format!(
                "https://hooks.slack.com/services/T{}/B{}/{}",
                r.of(UPPER, 8),
                r.of(UPPER, 8),
                r.of(ALNUM, 24)
            ),
        ),
        (
            "Discord hook",
            format!("https://discord.com/api/webhooks/{}/{}", r.of("123456789", 18), r.of(URL, 68)),
        ),
        ("Telegram", format!("{}:AA{}", r.of("123456789", 9), r.of(URL, 33))),
        ("Anthropic", format!("sk-ant-api03-{}AA", r.of(URL, 93))),
        ("OpenAI", format!("sk-proj-{}", r.of(ALNUM, 74))),
        ("Stripe", format!("sk_live_{}", r.of(ALNUM, 24))),
        ("web token", jwt(r)),
        ("another web token", jwt(r)),
    ];
    [keys, tokens].concat()
}

/// Where a secret can stand in a file.
fn hidden(secret: &str, place: usize) -> Vec<u8> {
    let prose = "The build writes its report here; nothing in it is of interest.\n".repeat(200);
    let text = match place % 7 {
        0 => format!("{secret}\n"),
        1 => format!("{prose}export TOKEN=\"{secret}\"\n{prose}"),
        2 => json!({"a": [1, 2], "credentials": {"value": secret}}).to_string(),
        3 => format!("token:\r\n  value: '{}'\r\n", secret.replace('\n', "\r\n    ")),
        4 => format!("{prose}2026-11-26 03:14:15 INFO using {secret} to log in\n{prose}"),
        5 => format!("    // {}\n    let x = 1;", secret.replace('\n', "\n    // ")),
        _ => {
            let wide = format!("\u{feff}token = {secret}\r\n");
            return wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
    };
    text.into_bytes()
}

#[test]
fn planted_secrets_are_refused() {
    let world = World::with_config(WITHOUT_LIMITS);
    let work = world.folder("work");
    world.agent("bob");
    let mut alice = world.agent("alice");
    let mut letters = Letters(7);
    let (mut planted, mut missed) = (0, Vec::new());
    for place in 0..7 {
        for (kind, secret) in secrets(&mut letters) {
            std::fs::write(work.join("notes.txt"), hidden(&secret, place)).expect("a file");
            let outcome = alice.call("share_file", json!({"to_id": "bob", "filepath": "notes.txt"}));
            planted += 1;
            if outcome.value["error"]["code"] != "secret" {
                missed.push(format!("{kind} in place {place}"));
            }
            assert!(!outcome.value.to_string().contains(&secret), "a refusal quotes nothing");
        }
    }
    say(&format!("secrets={planted} secrets_missed={}", missed.len()));
    assert!(planted >= 200 && missed.is_empty(), "{missed:?}");
}

/// Sources and documentation that are on every machine which builds ipcd: the crates that it is built
/// from, as cargo unpacked them, and its own tree.
fn ordinary_files() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let mut folders: Vec<PathBuf> =
        ["src", "tests", "docs", "benches", "packaging", "contrib"].map(|f| own.join(f)).into();
    folders.extend(cargo.map(|cargo| cargo.join("registry/src")));
    let kinds = ["rs", "md", "toml", "txt", "json", "yml", "yaml", "c", "h", "py", "sh", "html", "css", "js"];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = path.extension().and_then(|kind| kind.to_str());
            match entry.file_type() {
                Ok(found) if found.is_dir() => folders.push(path),
                Ok(found) if found.is_file() && kind.is_some_and(|kind| kinds.contains(&kind)) => {
                    files.push(path)
                }
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Taken evenly from all of them; judged by the library itself, as two thousand messages would say no more.
#[test]
fn ordinary_files_are_not_taken_for_secrets() {
    const WANTED: usize = 2_000;
    let all = ordinary_files();
    if all.len() < WANTED {
        return say(&format!("skipped: only {} sources are on this machine", all.len()));
    }
    let here = Here::current().expect("a folder");
    let policy = FilePolicy::default();
    let mut refused = Vec::new();
    for path in all.iter().step_by(all.len() / WANTED).take(WANTED) {
        let shared = OpenFile::open(path, &here).and_then(|file| match file.verdict(&policy, &here) {
            ipcd::share::Verdict::Deny { refusal, .. } => Err(refusal),
            _ => file.read(&policy, None),
        });
        match shared {
            Err(refusal) if refusal.code.word() != "too_large" => refused.push(refusal.message),
            _ => {}
        }
    }
    say(&format!("ordinary={WANTED} of={} refused={}", all.len(), refused.len()));
    assert!(refused.len() * 100 <= WANTED, "{}", refused.join("\n"));
}

#[expect(clippy::print_stdout, reason = "the figure that a test is for")]
fn say(figure: &str) {
    println!("{figure}");
}
