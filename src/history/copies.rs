//! Private copies of messages that are too large to be shown at once: a file for those who can open
//! one, and pieces of it for those who cannot.
//!
//! A copy is only that: it is not synced, and whoever finds it missing or cut writes it again.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::writer::remove;
use crate::files;
use crate::protocol::message::{Mail, MessageId, WholeFormat};
use crate::protocol::time::Timestamp;

/// Longest character in UTF-8, in bytes.
const CHAR_BYTES_MAX: usize = 4;

/// Longest header of a message, in bytes: its texts are bounded, and none of them is its content.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// The copies below one folder: `MAILBOX/MESSAGE.txt` or `.json`, and a `.header` beside each.
#[derive(Clone, Debug)]
pub struct Copies {
    dir: PathBuf,
}

/// A part of a copy, cut between characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    /// Where it begins, in bytes: at the character that holds the offset that was asked for.
    pub offset: u64,
    /// Where the next piece begins, in bytes; `None` in the last one.
    pub next_offset: Option<u64>,
    /// Of the whole.
    pub size_bytes: u64,
    pub format: WholeFormat,
}

impl Copies {
    pub fn new(dir: PathBuf) -> Copies {
        Copies { dir }
    }

    /// Where a copy is, or would be. `mailbox` is the number of its reader's mailbox: names change.
    pub fn path(&self, mailbox: u64, id: MessageId, format: WholeFormat) -> PathBuf {
        let suffix = match format {
            WholeFormat::Text => "txt",
            WholeFormat::Json => "json",
        };
        self.dir.join(mailbox.to_string()).join(format!("{id}.{suffix}"))
    }

    /// Writes a copy, in place of any other; nobody ever sees a part of it. Answers its path.
    pub fn write(
        &self,
        mailbox: u64,
        id: MessageId,
        format: WholeFormat,
        bytes: &[u8],
    ) -> io::Result<PathBuf> {
        let path = self.path(mailbox, id, format);
        put(&path, bytes)?;
        Ok(path)
    }

    /// Writes down what there is to say of a copied message beside its text: who sent it, and when.
    pub fn write_header(&self, mailbox: u64, id: MessageId, header: &Mail) -> io::Result<()> {
        put(&self.header_path(mailbox, id), &serde_json::to_vec(header)?)
    }

    /// What [`Copies::write_header`] wrote.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    pub fn read_header(&self, mailbox: u64, id: MessageId) -> io::Result<Mail> {
        let file = files::open(files::options().read(true), &self.header_path(mailbox, id))?;
        let mut bytes = Vec::new();
        file.take(HEADER_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    fn header_path(&self, mailbox: u64, id: MessageId) -> PathBuf {
        self.dir.join(mailbox.to_string()).join(format!("{id}.header"))
    }

    /// Reads at most `max` bytes (at least one character) from about `offset`; beyond the end it is
    /// an empty last piece.
    ///
    /// # Errors
    /// `NotFound` where there is no copy, `InvalidData` for one that is not UTF-8.
    pub fn read_piece(&self, mailbox: u64, id: MessageId, offset: u64, max: usize) -> io::Result<Piece> {
        let open = |format| files::open(files::options().read(true), &self.path(mailbox, id, format));
        let (mut file, format) = match open(WholeFormat::Text) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (open(WholeFormat::Json)?, WholeFormat::Json)
            }
            file => (file?, WholeFormat::Text),
        };
        let size_bytes = file.metadata()?.len();
        let (text, offset) = read_text(&mut file, offset.min(size_bytes), max)?;
        let end = offset + text.len() as u64;
        Ok(Piece { text, offset, next_offset: (end < size_bytes).then_some(end), size_bytes, format })
    }

    /// Removes the copies that were written before `oldest` and the folders that they leave empty.
    ///
    /// # Errors
    /// The first one that was met; the rest was done.
    pub fn remove_older_than(&self, oldest: Timestamp) -> io::Result<()> {
        let oldest = SystemTime::UNIX_EPOCH + Duration::from_millis(oldest.0);
        let mut result = Ok(());
        for mailbox in entries(&self.dir)? {
            let removed = remove_files(&mailbox, oldest);
            // Fails while something is in it, as it should.
            let _ = fs::remove_dir(&mailbox);
            result = result.and(removed);
        }
        result
    }
}

/// Writes a file in place of any other; nobody ever sees a part of it.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    files::create_dir(files::parent(path))?;
    let written = files::open(files::options().write(true).create(true).truncate(true), &temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What is left would only take room on a disk that may have none.
        let _ = remove(&temporary);
    }
    written
}

fn remove_files(dir: &Path, oldest: SystemTime) -> io::Result<()> {
    let mut result = Ok(());
    for path in entries(dir)? {
        let removed = match fs::symlink_metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(written) if written < oldest => remove(&path),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        result = result.and(removed);
    }
    result
}

/// What is in a folder; nothing where there is none.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// The characters from the one at `offset` on, and where that one begins.
fn read_text(file: &mut File, offset: u64, max: usize) -> io::Result<(String, u64)> {
    let before = offset.min(CHAR_BYTES_MAX as u64 - 1);
    let max = max.max(CHAR_BYTES_MAX);
    file.seek(SeekFrom::Start(offset - before))?;
    let mut bytes = Vec::new();
    file.take(before + (max + CHAR_BYTES_MAX) as u64).read_to_end(&mut bytes)?;
    // Back to where a character begins, from either end.
    let start = boundary(&bytes, before as usize);
    let end = boundary(&bytes, bytes.len().min(start + max));
    let text = match str::from_utf8(&bytes[start..end]) {
        // Without a character in sight there is no next piece either.
        Ok(text) if !text.is_empty() || start == bytes.len() => text,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the copy of the message is damaged")),
    };
    Ok((text.to_owned(), offset - before + start as u64))
}

/// The last place up to `at` where a character begins.
fn boundary(bytes: &[u8], at: usize) -> usize {
    let begins = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000);
    (0..=at).rev().find(begins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId = MessageId(9);

    fn copies() -> (tempfile::TempDir, Copies) {
        let dir = tempfile::tempdir().unwrap();
        let copies = Copies::new(dir.path().join("copies"));
        (dir, copies)
    }

    #[test]
    fn pieces_are_the_whole_whatever_their_size() {
        let (_dir, copies) = copies();
        let whole = "aä日🦀\n".repeat(40);
        copies.write(7, ID, WholeFormat::Text, whole.as_bytes()).unwrap();
        for max in [0, 1, 4, 5, 6, 7, 100, 1000] {
            let (mut joined, mut offset) = (String::new(), 0);
            loop {
                let piece = copies.read_piece(7, ID, offset, max).unwrap();
                assert_eq!((piece.offset, piece.size_bytes), (offset, whole.len() as u64));
                assert!(
                    (1..=max.max(CHAR_BYTES_MAX)).contains(&piece.text.len()),
                    "{} of {max}",
                    piece.text.len()
                );
                joined += &piece.text;
                let Some(next) = piece.next_offset else { break };
                offset = next;
            }
            assert_eq!(joined, whole, "in pieces of {max}");
        }
    }

    #[test]
    fn an_offset_inside_of_a_character_means_that_character() {
        let (_dir, copies) = copies();
        copies.write(7, ID, WholeFormat::Json, "x🦀y".as_bytes()).unwrap();
        for offset in 1..5 {
            let piece = copies.read_piece(7, ID, offset, 4).unwrap();
            assert_eq!((piece.text.as_str(), piece.offset, piece.next_offset), ("🦀", 1, Some(5)));
        }
        for beyond in [6, 7, u64::MAX] {
            let piece = copies.read_piece(7, ID, beyond, 4).unwrap();
            assert_eq!((piece.text.as_str(), piece.offset, piece.next_offset), ("", 6, None));
            assert_eq!(piece.format, WholeFormat::Json);
        }
    }

    #[test]
    fn what_is_missing_or_damaged_is_an_error_and_never_a_loop() {
        let (_dir, copies) = copies();
        assert_eq!(copies.read_piece(7, ID, 0, 9).unwrap_err().kind(), io::ErrorKind::NotFound);
        for bad in
            [b"a\xff".as_slice(), &[0x80; 100], b"abc\xf0\x9f", &[b"a".as_slice(), &[0x80; 100]].concat()]
        {
            copies.write(7, ID, WholeFormat::Text, bad).unwrap();
            let read = (0..bad.len() as u64).map(|offset| copies.read_piece(7, ID, offset, 8));
            for piece in read.flatten() {
                assert!(piece.next_offset.is_none_or(|next| next > piece.offset), "{piece:?}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn copies_are_private_and_replaced_as_a_whole() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, copies) = copies();
        copies.write(7, ID, WholeFormat::Text, b"the first and longer one").unwrap();
        let path = copies.write(7, ID, WholeFormat::Text, b"second").unwrap();
        assert_eq!(path, copies.path(7, ID, WholeFormat::Text));
        assert_eq!(fs::read(&path).unwrap(), b"second");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = files::parent(&path);
        assert_eq!((mode(&path), mode(folder), mode(files::parent(folder))), (0o600, 0o700, 0o700));
        assert_eq!(entries(folder).unwrap(), [path]);
    }

    #[test]
    fn old_copies_go_and_their_folders_with_them() {
        let (_dir, copies) = copies();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        copies.remove_older_than(Timestamp(now)).unwrap();
        let old = copies.write(7, ID, WholeFormat::Text, b"old").unwrap();
        let new = copies.write(8, ID, WholeFormat::Text, b"new").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_millis(now - 1_000_000);
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        copies.remove_older_than(Timestamp(now - 500_000)).unwrap();
        assert!(!files::parent(&old).exists() && new.exists());
    }
}
