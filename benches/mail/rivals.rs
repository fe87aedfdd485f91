//! What else stores a message before it says so: Redis and beanstalkd, where they are installed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::CONTENT;
use crate::load::{Client, is_line};
use crate::world::{ready, stop};

pub struct Rival {
    daemon: Child,
    socket: PathBuf,
    is_redis: bool,
}

impl Rival {
    /// With `appendfsync always`. `None`: it is not installed.
    pub fn redis(folder: &Path) -> Option<Rival> {
        let (home, socket) = (folder.join("redis"), folder.join("redis.sock"));
        std::fs::create_dir_all(&home).ok()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        // A rewrite in the middle of a run is not what is measured.
        command.args(["--auto-aof-rewrite-percentage", "0", "--dir"]).arg(&home);
        command.arg("--unixsocket").arg(&socket);
        Rival::start(command, socket, true)
    }

    /// With `-f 0`, which syncs always.
    pub fn beanstalkd(folder: &Path) -> Option<Rival> {
        let (home, socket) = (folder.join("beanstalkd"), folder.join("beanstalkd.sock"));
        std::fs::create_dir_all(&home).ok()?;
        let mut command = Command::new("beanstalkd");
        command.args(["-f", "0", "-b"]).arg(&home);
        command.arg("-l").arg(format!("unix:{}", socket.display()));
        Rival::start(command, socket, false)
    }

    fn start(mut command: Command, socket: PathBuf, is_redis: bool) -> Option<Rival> {
        let daemon = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut rival = Rival { daemon, socket, is_redis };
        ready(&mut rival.daemon, &rival.socket).then_some(rival)
    }

    pub fn clients(&self, count: usize) -> Vec<Client> {
        let content = "x".repeat(CONTENT);
        let client = |number: usize| match self.is_redis {
            true => {
                let parts = ["XADD", &format!("to-{number}"), "*", "content", &content];
                let mut request = format!("*{}\r\n", parts.len());
                parts.iter().for_each(|part| request += &format!("${}\r\n{part}\r\n", part.len()));
                // A bulk string: its length on a line, itself on another.
                let two_lines = |heard: &[u8]| heard.iter().filter(|byte| **byte == b'\n').count() == 2;
                Client::connect(&self.socket).asks(request, "$").until(two_lines)
            }
            false => {
                let request = format!("put 0 0 60 {CONTENT}\r\n{content}\r\n");
                let mut client = Client::connect(&self.socket).until(is_line);
                client.exchange(&format!("use to-{number}\r"));
                client.asks(request, "INSERTED")
            }
        };
        (0..count).map(client).collect()
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        stop(&mut self.daemon);
    }
}
