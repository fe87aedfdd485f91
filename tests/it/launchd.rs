//! The launchd agent: a property list that says what the daemon relies on. launchd itself is not here.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::machine::{skip, there_is};

/// As `packaging/launchd` says: each name becomes a path, in the spelling of XML.
fn filled() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/launchd/dev.ipcd.ipcd.plist");
    let template = std::fs::read_to_string(path).expect("the template");
    let (_, list) = template.split_once("-->").expect("a comment first");
    let names: Vec<&str> = list.split('@').skip(1).step_by(2).collect();
    assert_eq!(names, ["PROGRAM", "SOCKET", "LOG"], "and no other name is left");
    let home = "/Users/ada &amp; &lt;co&gt;/Library/Application Support/ipcd";
    template
        .replace("<string>@PROGRAM@", "<string>/opt/a &amp; b/ipcd")
        .replace("<string>@SOCKET@", &format!("<string>{home}/run/ipcd.sock"))
        .replace("<string>@LOG@", &format!("<string>{home}/daemon.log"))
}

#[test]
fn the_property_list_says_what_the_daemon_relies_on() {
    if !there_is("python3") {
        return skip("the launchd agent", "there is no python3 to read it");
    }
    let read = "import json, plistlib, sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)";
    let list = run("python3", &["-c", read], &filled());
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["Label"], "dev.ipcd.ipcd");
    assert_eq!(list["ProgramArguments"], json!(["/opt/a & b/ipcd", "daemon"]));
    let home = "/Users/ada & <co>/Library/Application Support/ipcd";
    let socket = json!({
        "SockFamily": "Unix",
        "SockType": "stream",
        "SockPassive": true,
        "SockPathName": format!("{home}/run/ipcd.sock"),
        "SockPathMode": 0o600,
    });
    assert_eq!(list["Sockets"], json!({"ipcd": socket}), "one socket, by the name that the daemon asks for");
    assert_eq!(list["StandardErrorPath"], format!("{home}/daemon.log"));
    assert_eq!((&list["Umask"], &list["RunAtLoad"]), (&json!(0o077), &json!(false)));
    assert_eq!(list["KeepAlive"], Value::Null, "the next connection starts it");
}

#[test]
fn the_property_list_is_one_by_its_own_tool() {
    if !there_is("plistutil") {
        return skip("the launchd agent", "there is no plistutil to check it");
    }
    let binary = run("plistutil", &["-i", "-", "-o", "-", "-f", "bin"], &filled());
    assert!(binary.starts_with("bplist00"));
}

/// Gives a program this text, and gives back what it prints.
fn run(program: &str, arguments: &[&str], text: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
