//! `ipcd service` where there is no service manager, and what it would tell those of other systems. A real
//! systemd is in `tests/user-manager.sh`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::machine::{skip, there_is};
use crate::world::{Said, World};

/// Below a home of its own, as a user without IPCD_HOME has it.
fn run(world: &World, arguments: &[&str]) -> Said {
    let mut command = world.command(arguments);
    command.env_remove("IPCD_HOME").env_remove("XDG_RUNTIME_DIR").stdin(Stdio::null());
    Said::of(command.output().expect("it runs"))
}

/// The text of the only file that a dry run would write.
fn written(world: &World, manager: &str) -> (String, Value) {
    let said = run(world, &["service", "install", "--dry-run", "--manager", manager, "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let value = said.json();
    assert_eq!((&value["manager"], &value["dry_run"]), (&json!(manager), &json!(true)));
    let steps = value["steps"].as_array().expect("steps");
    let text = steps.iter().find_map(|step| step["write"]["text"].as_str()).expect("a file");
    (text.to_owned(), value)
}

/// What this python program makes of a text, as JSON.
fn python(program: &str, text: &str) -> Value {
    use std::io::Write;
    let mut command = std::process::Command::new("python3");
    command.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    Said::of(child.wait_with_output().expect("it ends")).json()
}

#[test]
fn without_a_service_manager_it_says_that_nothing_is_amiss() {
    let world = World::new();
    for arguments in [&["service", "install"][..], &["service", "uninstall"], &["service", "status"]] {
        let said = run(&world, arguments);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("there is no service manager for you here"), "{said:?}");
        assert!(said.err.contains("the first command or agent that needs a daemon starts one"), "{said:?}");
    }
    assert!(!world.home().join(".config").exists(), "nothing was written");
    let said = run(&world, &["service", "logs"]);
    assert!(said.code == 0 && said.out.contains("nothing was logged"), "{said:?}");
}

#[test]
fn an_isolated_ipcd_is_no_service() {
    let world = World::new();
    let said = world.run(&["service", "install", "--dry-run"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("IPCD_HOME") && said.err.contains("hint: unset IPCD_HOME"), "{said:?}");
    world.json(&["send", "later", "x"]);
    let logs = world.json(&["service", "logs"]);
    assert_eq!(logs["source"], world.state().join("daemon.log").display().to_string());
    assert!(logs["lines"][0].as_str().is_some_and(|line| line.contains("ready")), "{logs}");
}

#[test]
fn another_system_can_be_looked_at_and_not_changed() {
    let world = World::new();
    let said = run(&world, &["service", "install", "--manager", "launchd"]);
    assert!(said.code == 2 && said.err.contains("--dry-run"), "{said:?}");
    if !there_is("python3") {
        return skip("property list and task", "there is no python3 to read them");
    }
    let (list, plan) = written(&world, "launchd");
    let read = "import json, plistlib, sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)";
    let list = python(read, &list);
    assert_eq!(list["ProgramArguments"], json!([world.program, "daemon"]));
    assert!(list["Sockets"]["ipcd"]["SockPathName"].as_str().is_some_and(|path| path.starts_with('/')));
    assert!(plan["steps"].to_string().contains("bootstrap"), "{plan}");
    let (task, plan) = written(&world, "tasks");
    let read = "import json, sys, xml.etree.ElementTree as t\n\
        n = '{http://schemas.microsoft.com/windows/2004/02/mit/task}'\n\
        r = t.fromstring(sys.stdin.read())\n\
        json.dump([r.find('.//' + n + x).text for x in ('Command', 'Arguments')], sys.stdout)";
    assert_eq!(python(read, &task), json!([world.program, "daemon --detached"]));
    assert!(plan["steps"].to_string().contains("schtasks"), "{plan}");
}
