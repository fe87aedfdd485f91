//! Where results go: stdout, as text for people or as JSON for scripts.
//!
//! What always holds: all text for people passes [`text::block`] here, so that no verb can forget
//! it; JSON goes out byte by byte as the daemon gave it, one value on one line; a call that
//! returned `Ok` has been flushed.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};

use super::exit::Failure;
use super::text;

/// Form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    People,
    Json,
}

pub struct Output {
    format: Format,
    sink: Box<dyn Write>,
}

impl Output {
    pub fn stdout(format: Format) -> Output {
        Output { format, sink: Box::new(io::stdout()) }
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Text for people. Ends with a newline, whether `result` does or not.
    pub fn people(&mut self, result: &str) -> Result<(), Failure> {
        let safe = text::block(result);
        let newline = if safe.is_empty() || safe.ends_with('\n') { "" } else { "\n" };
        self.write(&[safe.as_bytes(), newline.as_bytes()])
    }

    /// One JSON value, which holds no newline outside of its strings, nor in them.
    pub fn json(&mut self, value: &str) -> Result<(), Failure> {
        debug_assert!(!value.contains('\n'));
        self.write(&[value.as_bytes(), b"\n"])
    }

    /// What this program made itself and a shell is to read: it goes out as it is.
    pub fn verbatim(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.write(&[bytes])
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), Failure> {
        parts
            .iter()
            .try_for_each(|part| self.sink.write_all(part))
            .and_then(|()| self.sink.flush())
            .map_err(Failure::Output)
    }
}

/// What stands around a peer's text, so that nothing in it can pass for something outside of it:
/// the peer cannot know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence(pub u64);

impl Fence {
    /// 64 bits that nobody can predict: std keys its hasher with the system's randomness.
    pub fn random() -> Fence {
        Fence(RandomState::new().hash_one("fence"))
    }

    pub fn line(self) -> String {
        format!("--- {:016x} ---", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cli::exit::ExitCode;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, write: impl FnOnce(&mut Output)) -> String {
        let shared = Shared::default();
        write(&mut Output { format, sink: Box::new(shared.clone()) });
        let bytes = shared.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn people_get_escapes_and_scripts_get_the_bytes() {
        assert_eq!(written(Format::People, |out| out.people("a\u{9b}2J").unwrap()), "a\\u{9b}2J\n");
        assert_eq!(written(Format::Json, |out| out.json("\"\u{9b}\"").unwrap()), "\"\u{9b}\"\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut out = Output { format: Format::People, sink: Box::new(Gone) };
        assert_eq!(out.people("x").unwrap_err().exit_code(), ExitCode::Done);
    }

    #[test]
    fn no_two_fences_are_alike() {
        assert_ne!(Fence::random(), Fence::random());
        assert_eq!(Fence(7).line(), "--- 0000000000000007 ---");
    }
}
