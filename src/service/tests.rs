//! Plans, as data.

use super::*;

fn place() -> Place {
    Place {
        program: "/opt/my 50% & \"co\"/ipcd".into(),
        home: "/home/ada".into(),
        config: "/home/ada/.config".into(),
        state: "/home/ada/.local/state/ipcd".into(),
        socket: "/home/ada/Library/ipcd/run/ipcd.sock".into(),
        log: "/home/ada/Library/ipcd/daemon.log".into(),
        user: "501".into(),
    }
}

fn nothing(_: &Path) -> Option<String> {
    None
}

fn written(plan: &Plan) -> Vec<(&Path, &str)> {
    let mut written = Vec::new();
    for step in &plan.steps {
        if let Step::Write { path, text, .. } = step {
            written.push((path.as_path(), text.as_str()));
        }
    }
    written
}

fn commands(plan: &Plan) -> Vec<String> {
    let command = |step: &Step| match step {
        Step::Run(run) => Some(run.command.join(" ")),
        _ => None,
    };
    plan.steps.iter().filter_map(command).collect()
}

fn state(manager: Manager, said: Option<&str>) -> State {
    manager.state(said, &place(), &nothing)
}

/// What is there after the plan, on top of nothing.
fn after(plan: &Plan) -> impl Fn(&Path) -> Option<String> {
    let files: Vec<(PathBuf, String)> =
        written(plan).into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    move |path| files.iter().find(|(there, _)| there == path).map(|(_, text)| text.clone())
}

#[test]
fn systemd_gets_the_units_of_the_package_with_this_program() {
    let plan = Manager::Systemd.install(&place(), &nothing).unwrap();
    let files = written(&plan);
    let names: Vec<&Path> = files.iter().map(|(path, _)| *path).collect();
    let folder = Path::new("/home/ada/.config/systemd/user");
    assert_eq!(names, [folder.join("ipcd.socket"), folder.join("ipcd.service")]);
    let start = r#"ExecStart="/opt/my 50%% & \"co\"/ipcd" daemon"#;
    assert!(files[1].1.lines().any(|line| line == start), "{}", files[1].1);
    assert_eq!(Manager::Systemd.started(files[1].1).unwrap(), place().program);
    for (line, program) in [
        ("-/usr/bin/ipcd daemon", "/usr/bin/ipcd"),
        ("\"@/a b/ipcd\" daemon", "/a b/ipcd"),
        ("'/a \"b/ipcd' daemon", "/a \"b/ipcd"),
        (r"/a\\b%%/ipcd", r"/a\b%/ipcd"),
    ] {
        assert_eq!(
            Manager::Systemd.started(&format!("[Service]\nExecStart={line}\n")).unwrap(),
            Path::new(program),
            "{line}"
        );
    }
    assert_eq!(Manager::Systemd.started("[Service]\nExecStart=\n"), None);
    assert!(!files[1].1.contains("/usr/bin/ipcd"));
    let shipped = include_str!("../../packaging/systemd/ipcd.socket");
    assert_eq!(files[0].1.split_once('\n').unwrap().1, shipped);
    assert_eq!(
        commands(&plan)[..3],
        [
            "systemctl --user daemon-reload",
            "systemctl --user enable ipcd.socket",
            "systemctl --user start ipcd.socket"
        ]
    );
}

#[test]
fn a_second_time_writes_nothing_and_the_end_removes_what_was_written() {
    for manager in [Manager::Systemd, Manager::Launchd, Manager::Tasks] {
        let first = manager.install(&place(), &nothing).unwrap();
        assert!(!written(&first).is_empty(), "{manager:?}");
        let there = after(&first);
        assert!(written(&manager.install(&place(), &there).unwrap()).is_empty(), "{manager:?}");
        let gone: Vec<Step> =
            written(&first).iter().map(|(path, _)| Step::Remove((*path).to_owned())).collect();
        let end = manager.uninstall(&place(), &there);
        assert!(gone.iter().all(|step| end.steps.contains(step)), "{manager:?}: {end:?}");
        assert!(!manager.uninstall(&place(), &nothing).steps.iter().any(|s| matches!(s, Step::Remove(_))));
    }
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let theirs = |path: &Path| path.ends_with("ipcd.service").then(|| "[Service]\nExecStart=/x\n".to_owned());
    let refusal = Manager::Systemd.install(&place(), &theirs).unwrap_err();
    assert!(refusal.message.contains("ipcd did not write it"), "{refusal}");
    assert!(
        !Manager::Systemd.uninstall(&place(), &theirs).steps.iter().any(|s| matches!(s, Step::Remove(_)))
    );
}

#[test]
fn the_units_of_a_package_are_used_if_they_start_this_program() {
    let shipped = |path: &Path| {
        let folder = Path::new("/usr/lib/systemd/user");
        (path == folder.join("ipcd.socket") || path == folder.join("ipcd.service"))
            .then(|| include_str!("../../packaging/systemd/ipcd.service").to_owned())
    };
    let packaged = Place { program: "/usr/bin/ipcd".into(), ..place() };
    assert!(written(&Manager::Systemd.install(&packaged, &shipped).unwrap()).is_empty());
    assert_eq!(written(&Manager::Systemd.install(&place(), &shipped).unwrap()).len(), 2, "another program");
}

#[cfg(unix)] // paths are put together as the system here does it
#[test]
fn launchd_gets_absolute_paths_as_xml() {
    let plan = Manager::Launchd.install(&place(), &nothing).unwrap();
    let [(path, text)] = written(&plan)[..] else { panic!("{plan:?}") };
    assert_eq!(path, Path::new("/home/ada/Library/LaunchAgents/dev.ipcd.ipcd.plist"));
    assert!(text.contains("<string>/opt/my 50% &amp; \"co\"/ipcd</string>"), "{text}");
    assert!(text.contains("<string>/home/ada/Library/ipcd/run/ipcd.sock</string>") && !text.contains('@'));
    assert!(plan.steps.contains(&Step::Folder("/home/ada/Library/ipcd/run".into())));
    assert!(commands(&plan).last().unwrap().starts_with("launchctl bootstrap gui/501 /home/ada/Library"));
}

#[test]
fn windows_gets_a_task_of_the_user() {
    let user = Place { user: r"PC\ada & co".into(), ..place() };
    let plan = Manager::Tasks.install(&user, &nothing).unwrap();
    let [(_, text)] = written(&plan)[..] else { panic!("{plan:?}") };
    assert_eq!(text.matches(r"<UserId>PC\ada &amp; co</UserId>").count(), 2);
    assert!(text.contains("<Command>/opt/my 50% &amp; \"co\"/ipcd</Command>") && !text.contains('@'));
}

#[test]
fn a_path_that_no_file_can_hold_is_refused() {
    for manager in [Manager::Systemd, Manager::Launchd, Manager::Tasks] {
        let evil = Place { program: "/opt/x\nExecStartPre=/bin/evil".into(), ..place() };
        assert!(manager.install(&evil, &nothing).is_err(), "{manager:?}");
    }
}

#[test]
fn what_the_managers_say_is_understood() {
    let said = "Id=ipcd.socket\nLoadState=loaded\nActiveState=active\nFragmentPath=/u/ipcd.socket\n\
        UnitFileState=enabled\n\nExecStart={ path=/usr/bin/ipcd ; argv[]=/usr/bin/ipcd daemon ; }\n\
        Id=ipcd.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=static\n";
    let well = State {
        installed: true,
        listening: true,
        running: false,
        file: Some("/u/ipcd.socket".into()),
        program: Some("/usr/bin/ipcd".into()),
        cure: None,
    };
    assert_eq!(state(Manager::Systemd, Some(said)), well);
    let failed = state(Manager::Systemd, Some(&said.replace("inactive", "failed")));
    assert!(failed.cure.is_some_and(|cure| cure.contains("reset-failed")));
    assert_eq!(state(Manager::Systemd, None), State::default());
    let said = "gui/501/dev.ipcd.ipcd = {\n\tpath = /l.plist\n\tstate = running\n\tprogram = /opt/ipcd\n}";
    let running = state(Manager::Launchd, Some(said));
    assert_eq!((running.running, running.program.as_deref()), (true, Some("/opt/ipcd")));
    assert_eq!(
        state(Manager::Tasks, Some("<Command>C:\\ipcd.exe</Command>")).program.as_deref(),
        Some("C:\\ipcd.exe")
    );
    assert!(!state(Manager::Tasks, None).installed && !state(Manager::Launchd, None).installed);
}

#[test]
fn the_task_of_a_user_with_an_accent_is_registered_and_read_by_the_right_name() {
    let user = Place { program: r"C:\Users\Zoë & co\ipcd.exe".into(), ..place() };
    let plan = Manager::Tasks.install(&user, &nothing).unwrap();
    let encoding = |step: &Step| match step {
        Step::Write { encoding, .. } => Some(*encoding),
        _ => None,
    };
    let encodings: Vec<Encoding> = plan.steps.iter().filter_map(encoding).collect();
    assert_eq!(encodings, [Encoding::Utf16], "the scheduler reads UTF-8 as an old code page");
    let [(_, text)] = written(&plan)[..] else { panic!("{plan:?}") };
    // What the file says of itself is what it is, or the scheduler takes none of it.
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n"), "{text}");
    assert_eq!(Manager::Tasks.started(text).as_ref(), Some(&user.program));
    // A console without the letter answers with another.
    for said in ["C:\\Users\\Zo\u{fffd} &amp; co\\ipcd.exe", "C:\\Users\\Zo? &amp; co\\ipcd.exe"] {
        let said = format!("<Command>{said}</Command>");
        let state = Manager::Tasks.state(Some(&said), &user, &after(&plan));
        assert_eq!(state.program.as_deref(), user.program.to_str());
    }
}

#[test]
fn launchd_is_asked_in_each_domain_that_an_agent_can_be_in() {
    let asked: Vec<String> =
        Manager::Launchd.questions(&place()).iter().map(|words| words.join(" ")).collect();
    assert_eq!(asked, ["launchctl print gui/501/dev.ipcd.ipcd", "launchctl print user/501/dev.ipcd.ipcd"]);
}
