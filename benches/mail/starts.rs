//! From a start to the first answer, of a daemon, a front end, and a command.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::Client;
use crate::mail::fill;
use crate::report::{Report, Samples};
use crate::world::{World, call, hello, stop, tool};

/// From a start to the first answer.
pub fn starting(report: &mut Report, folder: &Path) {
    let mut world = World::start(folder, "start");
    let cold = restarts(&mut world);
    report.row("daemon to first answer, empty", &cold);
    report.number("daemon to first answer, empty", cold.p50(), "ms", "at most 15");
    fill(&world, "later", 10_000);
    let full = restarts(&mut world);
    report.number("daemon to first answer, 10,000 unread", full.p50(), "ms", "at most 100");
    let mut activated = Samples::default();
    world.end();
    for _ in 0..STARTS {
        activated.push(activation(folder));
    }
    report.number("activated daemon to first answer, empty", activated.p50(), "ms", "");
    world.begin();
    assert!(crate::world::ready(&mut world.daemon, &world.socket), "the daemon ended");
    let (mut hellos, mut lists) = (Samples::default(), Samples::default());
    for _ in 0..STARTS {
        let start = Instant::now();
        let (mut process, mut client) = world.front_end();
        hellos.push(start.elapsed());
        client.exchange(&tool(1, "list_instances", "{}"));
        lists.push(start.elapsed());
        drop(client);
        let _ = process.wait();
    }
    report.number("front end to its hello", hellos.p50(), "ms", "");
    report.number("front end to its first answer of a daemon", lists.p50(), "ms", "");
}

/// Starts of each kind.
pub const STARTS: usize = 9;

fn restarts(world: &mut World) -> Samples {
    let mut samples = Samples::default();
    (0..STARTS).for_each(|_| samples.push(restart(world)));
    samples
}

/// Ends a daemon, and starts the next.
pub fn restart(world: &mut World) -> Duration {
    world.end();
    let start = Instant::now();
    world.begin();
    assert!(crate::world::ready(&mut world.daemon, &world.socket), "the daemon ended");
    let mut client = Client::connect(&world.socket);
    client.write(format!("{}\n{}\n", hello("cli"), call(1, "list", "{}")).as_bytes());
    while !client.hear().contains("\"id\":1") {}
    start.elapsed()
}

/// As a service manager does it: the socket is there, and the daemon comes with the first connection.
fn activation(folder: &Path) -> Duration {
    let home = folder.join("activated");
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(home.join("run")).expect("a folder");
    for private in [&home, &home.join("run")] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(private, PermissionsExt::from_mode(0o700)).expect("our folder");
    }
    let socket = home.join("run/ipcd.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let mut client = Client::connect(&socket);
    client.write(format!("{}\n{}\n", hello("cli"), call(1, "list", "{}")).as_bytes());
    // The shell hands its own pid on, as the protocol of activation asks.
    let script = format!("exec 3<&{}; LISTEN_PID=$$ exec \"$0\" daemon", listener.as_raw_fd());
    let start = Instant::now();
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_ipcd")]);
    command.env("IPCD_HOME", &home).env("IPCD_LOG", "error").stdin(Stdio::null());
    command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "ipcd");
    nix::fcntl::fcntl(&listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))
        .expect("our descriptor");
    let mut daemon = command.spawn().expect("a daemon");
    while !client.hear().contains("\"id\":1") {}
    let time = start.elapsed();
    stop(&mut daemon);
    time
}

/// Whole processes of the command line.
pub fn one_shots(report: &mut Report, world: &World, send_p50: f64) {
    let timed = |command: &mut Command| {
        let start = Instant::now();
        let done = command.stdout(Stdio::null()).status();
        assert!(done.is_ok_and(|status| status.success()), "{command:?}");
        start.elapsed()
    };
    let (mut nothing, mut sends, mut checks) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..40 {
        nothing.push(timed(&mut Command::new("/bin/true")));
        sends.push(timed(&mut world.command(&["send", "to-0", "hello"])));
        checks.push(timed(&mut world.command(&["check", "--peek"])));
    }
    report.row("/bin/true, whole process", &nothing);
    report.row("ipcd send, whole process", &sends);
    report.row("ipcd check --peek, whole process", &checks);
    report.number("ipcd send, whole process", sends.p50(), "ms", "at most 5");
    let goal = 3.0 * nothing.p50() + send_p50;
    report.number("  of 3 x /bin/true + send", sends.p50() / goal, "", "at most 1");
}
