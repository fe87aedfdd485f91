//! What ipcd says about itself while it runs: one line per event, on stderr or in a file.
//!
//! What always holds: nothing goes to stdout, which belongs to MCP; a log that fails is no reason to
//! stop; the log file is private (0600) and bounded. `IPCD_LOG` sets the level.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{DefaultFields, Format};
use tracing_subscriber::layer::SubscriberExt as _;

/// Largest log file, in bytes; a fuller one starts over. Weeks of an ordinary daemon fit.
pub const LOG_BYTES_MAX: u64 = 1 << 20;

/// What a process with no `IPCD_LOG` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its stderr is shown to people by an agent or a terminal: only what is wrong.
    FrontEnd,
    /// Its log is read when something was wrong: what happened, too.
    Daemon,
}

/// Logs to stderr from here on. A second call changes nothing.
pub fn to_stderr(role: Role) {
    let level = Asked::read();
    begin(plain(&level, role).with_writer(io::stderr).finish(), level);
}

/// Logs to the end of the file at `path` from here on. A second call changes nothing.
///
/// # Errors
/// The file cannot be opened for appending; nothing is logged then.
pub fn to_file(role: Role, path: &Path) -> io::Result<()> {
    let level = Asked::read();
    let writer = Mutex::new(LogFile::open(path, LOG_BYTES_MAX)?);
    begin(plain(&level, role).with_writer(writer).finish(), level);
    Ok(())
}

fn plain(level: &Asked, role: Role) -> SubscriberBuilder<DefaultFields, Format, LevelFilter> {
    // No colours: the line is the same in a terminal, in a journal and in an agent's log. No complaints
    // about a stderr that nobody reads any more: printing them there would panic.
    tracing_subscriber::fmt().with_ansi(false).log_internal_errors(false).with_max_level(level.or(role))
}

fn begin(subscriber: impl tracing::Subscriber + Send + Sync, level: Asked) {
    // The SDK tells whole messages below this level, and no log of ours holds mail.
    let discreet = Targets::new().with_default(LevelFilter::TRACE).with_target("rmcp", LevelFilter::WARN);
    let begun = tracing::subscriber::set_global_default(subscriber.with(discreet)).is_ok();
    if let (true, Asked::Unknown(value)) = (begun, level) {
        tracing::warn!("IPCD_LOG={value:?} is none of error, warn, info, debug, trace");
    }
}

/// What `IPCD_LOG` says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Level(Level),
    Unknown(String),
}

impl Asked {
    fn read() -> Asked {
        Asked::parse(std::env::var_os("IPCD_LOG").unwrap_or_default().to_string_lossy().trim())
    }

    fn parse(value: &str) -> Asked {
        match value.to_ascii_lowercase().as_str() {
            "" => Asked::Nothing,
            "error" => Asked::Level(Level::ERROR),
            "warn" => Asked::Level(Level::WARN),
            "info" => Asked::Level(Level::INFO),
            "debug" => Asked::Level(Level::DEBUG),
            "trace" => Asked::Level(Level::TRACE),
            _ => Asked::Unknown(value.to_owned()),
        }
    }

    fn or(&self, role: Role) -> Level {
        match (self, role) {
            (Asked::Level(level), _) => *level,
            (_, Role::FrontEnd) => Level::WARN,
            (_, Role::Daemon) => Level::INFO,
        }
    }
}

/// A file that is appended to and starts over when it is full.
struct LogFile {
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl LogFile {
    fn open(path: &Path, bytes_max: u64) -> io::Result<LogFile> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            // Neither through a link nor into a FIFO, which would wait for a reader.
            options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        }
        let file = options.open(path)?;
        let bytes = file.metadata()?.len();
        let mut log = LogFile { file, bytes, bytes_max };
        if log.bytes > bytes_max {
            log.start_over()?;
        }
        Ok(log)
    }

    fn start_over(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.bytes + buf.len() as u64 > self.bytes_max {
            self.start_over()?;
        }
        let written = self.file.write(buf)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_sets_the_level_and_a_typing_error_does_not() {
        assert_eq!(Asked::parse("debug").or(Role::FrontEnd), Level::DEBUG);
        assert_eq!(Asked::parse("ERROR").or(Role::Daemon), Level::ERROR);
        assert_eq!(Asked::parse("").or(Role::FrontEnd), Level::WARN);
        assert_eq!(Asked::parse("verbose").or(Role::Daemon), Level::INFO);
        assert_eq!(Asked::parse("verbose"), Asked::Unknown("verbose".to_owned()));
    }

    #[test]
    fn a_log_file_is_private_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.log");
        std::fs::write(&path, "x".repeat(20)).unwrap();
        LogFile::open(&path, 32).unwrap().write_all(b"kept\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}kept\n", "x".repeat(20)));
        LogFile::open(&path, 32).unwrap().write_all(b"0123456789\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789\n", "it starts over while it runs");
        std::fs::write(&path, "x".repeat(40)).unwrap();
        drop(LogFile::open(&path, 32).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"", "and when it is opened");
        std::fs::remove_file(&path).unwrap();
        drop(LogFile::open(&path, 32).unwrap());
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        }
    }
}
