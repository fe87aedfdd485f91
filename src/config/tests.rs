use super::*;
#[cfg(unix)]
use crate::share::policy::{CommandMode, FileMode};

fn parse(text: &str) -> Result<Config, Refusal> {
    Config::parse(text, Path::new("/c/config.toml"))
}

fn error(text: &str) -> String {
    parse(text).expect_err(text).message
}

/// The documented file with its settings put into force: `#key` is a setting, `# words` are prose.
fn uncommented() -> String {
    let lines = Config::documented_toml();
    let lines = lines.lines().map(|line| match line.strip_prefix('#') {
        // A continued list is indented by two.
        Some(setting) if !setting.starts_with(' ') || setting.starts_with("  ") => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_documented_file_is_the_default() {
    assert_eq!(parse(&Config::documented_toml()).unwrap(), Config::default());
    let named = Identity { name: Some(Name::parse("alice").unwrap()), ..Config::default().identity };
    assert_eq!(parse(&uncommented()).unwrap(), Config { identity: named, ..Config::default() });
}

#[test]
fn every_key_is_documented() {
    // The parser itself lists what it would have taken, quoted with backticks.
    let known = |text: &str| -> Vec<String> {
        error(text).split('`').skip(3).step_by(2).map(str::to_owned).take_while(|word| word != text).collect()
    };
    let sections = known("zzz = 1");
    assert!(sections.len() >= 8, "{sections:?}");
    for section in &sections {
        let header = format!("[{section}]");
        let rest = Config::documented_toml().split_once(&header).expect(section).1.to_owned();
        let body = rest.split("\n[").next().unwrap_or_default();
        let keys = known(&format!("{header}\nzzz = 1"));
        for key in keys.iter().filter(|key| *key != "zzz = 1") {
            assert!(body.contains(&format!("\n#{key} = ")), "{section}.{key} in {body}");
        }
        assert!(!keys.is_empty(), "{section}");
    }
}

#[cfg(unix)] // its roots are absolute there
#[test]
fn keys_reach_what_they_are_about() {
    let config = parse(
        "[limits]\nsends_per_minute = 0\nmailbox_messages = 7\nforward_s = 0.5\nsessions = 3\nhistory_s = 60\n\
         deliveries = 2\n[store]\ncommit = \"two-phase\"\n[identity]\nauto_register = false\nname = \"Bob\"\n\
         [share_file]\nmode = \"roots\"\nroots = [\"~/src\", \"/w\"]\ndeny = [\"**/x\"]\nscan_secrets = false\n\
         [share_command]\nmode = \"allowlist\"\nallow = [[\"git\", \"log\"]]\ntimeout_s = 0.3\n\
         max_output_bytes = 1000\n[wake]\ncodex = false\n[daemon]\nidle_exit_s = 0\n[audit]\nbodies = true\n",
    )
    .unwrap();
    let limits = config.limits();
    assert_eq!((limits.sends_per_minute, limits.mailbox_messages, limits.deliveries), (0, 7, 2));
    assert_eq!(limits.forward, Duration::from_millis(500));
    assert_eq!(limits.mailbox_bytes, Limits::default().mailbox_bytes);
    assert_eq!((config.sessions, config.history), (3, Duration::from_secs(60)));
    assert_eq!(config.commit, Commit::TwoPhase);
    assert_eq!(config.identity.name.unwrap().as_str(), "Bob");
    assert!(!config.identity.auto_register);
    assert_eq!((config.share_file.mode, config.share_file.deny.len()), (FileMode::Roots, 1));
    assert_eq!(config.share_command.mode, CommandMode::Allowlist);
    assert_eq!(config.share_command.timeout, Duration::from_millis(300));
    assert!(!config.wake.rings("codex") && config.wake.rings("claude") && config.wake.rings("zed"));
    assert_eq!(config.daemon.idle_exit, None);
    assert!(config.audit.bodies);
}

#[test]
fn a_mistake_is_told_with_its_place_and_its_key() {
    let message = error("[limits]\n  mailbox_mesages = 3\n");
    assert!(message.starts_with("/c/config.toml:2:3: unknown field `mailbox_mesages`"), "{message}");
    let message = error("# ü\n[limits]\nforward_s = -1\n");
    assert!(message.starts_with("/c/config.toml:3:13: "), "{message}");
    assert!(message.contains("forward_s") && message.contains("from 0 to"), "{message}");
    assert!(error("[limits\n").contains("/c/config.toml:1:"), "unparsable");
    assert!(error("[wake]\ncluade = false\n").contains("claude"));
}

#[test]
fn absurd_values_are_refused_by_name() {
    for (section, setting) in [
        ("limits", "forward_s = nan"),
        ("limits", "forward_s = inf"),
        ("limits", "history_s = 1e12"),
        ("limits", "unclaimed_s = \"7d\""),
        ("limits", "mailbox_messages = 0"),
        ("limits", "mailbox_bytes = -1"),
        ("limits", "sender_share_percent = 101"),
        ("limits", "sessions = 0"),
        ("limits", "deliveries = 1.5"),
        ("store", "commit = \"three-phase\""),
        ("identity", "name = \"a b\""),
        ("share_file", "mode = \"all\""),
        ("share_file", "deny = [\"x.pem\"]"),
        ("share_file", "roots = [\"src\"]"),
        ("share_command", "allow = [[]]"),
        ("share_command", "timeout_s = 0"),
        ("share_command", "max_output_bytes = 10"),
        ("daemon", "idle_exit_s = 0.01"),
    ] {
        let message = error(&format!("[{section}]\n{setting}\n"));
        let key = setting.split(' ').next().unwrap();
        assert!(message.contains(key), "{setting}: {message}");
    }
}

#[test]
fn the_environment_goes_before_the_file() {
    let file = || parse("[identity]\nname = \"bob\"").unwrap();
    let name = |value: &'static str| {
        let config = file().with_env(&move |name| (name == "IPCD_NAME").then(|| value.into()));
        config.map(|config| config.identity.name.unwrap().to_string())
    };
    assert_eq!(name("carol").unwrap(), "carol");
    assert_eq!(name("").unwrap(), "bob");
    let refusal = name("a b").unwrap_err();
    assert_eq!(refusal.code, RefusalCode::InvalidName);
    assert!(refusal.message.contains("IPCD_NAME"));
}

#[test]
fn no_file_is_the_default() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(read(&dir.path().join("none/config.toml")).unwrap(), "");
    assert_eq!(read(dir.path()).unwrap_err().code, RefusalCode::NotAFile);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_write_is_not_believed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, "[audit]\nbodies = true\n").unwrap();
    for (mode, believed) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false)] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        match read(&path) {
            Ok(text) => assert!(believed && text.contains("bodies"), "{mode:o}"),
            Err(refusal) => {
                assert!(!believed, "{mode:o}");
                assert_eq!(refusal.code, RefusalCode::UnsafeDirectory);
            }
        }
    }
}
