//! Files that belong to other programs: read whole, written whole, never half.
//!
//! What always holds: a file is written beside its place and renamed into it, after it was synced; links
//! are followed to the file that they mean, which must be the user's own; what changed since it was read
//! is not written over; permissions stay as they are.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::files;
use crate::protocol::refusal::{Refusal, RefusalCode};

/// Largest file that is edited, in bytes. Claude Code keeps its history in the same file as its servers,
/// and that one grows to some MiB.
const BYTES_MAX: u64 = 64 << 20;

/// Names tried for a backup before giving up: each install after a lost receipt makes one more.
const BACKUPS_MAX: u32 = 100;

/// What stands in a file; `None`: there is none.
pub fn read(path: &Path) -> Result<Option<String>, Refusal> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => {
                    Err(Refusal::new(RefusalCode::Unreadable, "it is a link to a file that is not there")
                        .hint("mend the link or remove it"))
                }
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let metadata = file.metadata().map_err(|e| unreadable(&e))?;
    if !metadata.is_file() {
        return Err(Refusal::new(RefusalCode::NotAFile, "it is not a regular file"));
    }
    if metadata.len() > BYTES_MAX {
        let most = BYTES_MAX >> 20;
        return Err(Refusal::new(RefusalCode::TooLarge, format!("it is larger than {most} MiB")));
    }
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Refusal::new(RefusalCode::Unreadable, "it is not UTF-8").hint("save it as UTF-8"))?;
    Ok(Some(text))
}

/// Puts `text` where `before` stands, or where nothing stands. Gives the folders that had to be made.
pub fn write(path: &Path, before: Option<&str>, text: &str) -> Result<Vec<PathBuf>, Refusal> {
    let made = make_folders(files::parent(path))?;
    let target =
        if before.is_some() { fs::canonicalize(path).map_err(|e| unwritable(&e))? } else { path.to_owned() };
    let folder = files::parent(&target);
    mine(folder)?;
    let mode = if before.is_some() { Some(permissions(&target)?) } else { None };
    let beside = folder.join(format!(".{}.ipcd-{}", name(&target), std::process::id()));
    let put = || -> io::Result<()> {
        let mut file = files::options().write(true).create_new(true).open(&beside)?;
        file.write_all(text.as_bytes())?;
        if let Some(mode) = &mode {
            file.set_permissions(mode.clone())?;
        }
        file.sync_all()
    };
    let put = put().map_err(|e| unwritable(&e)).and_then(|()| {
        // Its own program may have written to it meanwhile.
        if read(path)?.as_deref() != before {
            return Err(
                Refusal::new(RefusalCode::Busy, "it was changed while it was being edited").hint("try again")
            );
        }
        fs::rename(&beside, &target).map_err(|e| unwritable(&e))
    });
    if put.is_err() {
        let _ = fs::remove_file(&beside);
    }
    put?;
    // It is written. As a failure, this would have the caller give up the backup of what was there.
    if let Err(error) = files::sync_dir(folder) {
        tracing::warn!("{} may not outlast a power cut: {error}", target.display());
    }
    Ok(made)
}

/// A copy of `text` beside `path`, readable as the original is and never over another file.
pub fn back_up(path: &Path, text: &str) -> Result<PathBuf, Refusal> {
    let mode = permissions(&fs::canonicalize(path).map_err(|e| unwritable(&e))?)?;
    for number in 1..=BACKUPS_MAX {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let backup = path.with_file_name(format!("{}.ipcd-backup{number}", name(path)));
        // Private from its first moment: what the original keeps from others is not theirs to open here.
        let made = files::options().write(true).create_new(true).open(&backup);
        match made.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.set_permissions(mode.clone())?;
            file.sync_all()
        }) {
            Ok(()) => return Ok(backup),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(unwritable(&error));
            }
        }
    }
    let most = format!("{BACKUPS_MAX} backups of it are there already");
    Err(Refusal::new(RefusalCode::Denied, most).hint("remove those that you do not need"))
}

/// Removes a file that holds `before` and nothing else.
pub fn remove(path: &Path, before: &str) -> Result<(), Refusal> {
    mine(files::parent(path))?;
    if read(path)?.as_deref() != Some(before) {
        return Err(
            Refusal::new(RefusalCode::Busy, "it was changed while it was being edited").hint("try again")
        );
    }
    discard(path)
}

/// Removes a file that is ours alone, if it is there.
pub fn discard(path: &Path) -> Result<(), Refusal> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

/// Removes those of `folders` in which nothing is, the innermost first.
pub fn remove_empty(folders: &[PathBuf]) {
    let mut folders: Vec<_> = folders.iter().collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    for folder in folders {
        // One that holds something stays.
        let _ = fs::remove_dir(folder);
    }
}

fn make_folders(folder: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let missing: Vec<PathBuf> =
        folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
    if let Some(outermost) = missing.last() {
        mine(files::parent(outermost))?;
        files::create_dir(folder).map_err(|e| unwritable(&e))?;
    }
    Ok(missing)
}

/// The permissions of a file that may be replaced.
fn permissions(target: &Path) -> Result<fs::Permissions, Refusal> {
    mine(target)?;
    let permissions = fs::metadata(target).map_err(|e| unwritable(&e))?.permissions();
    if permissions.readonly() {
        return Err(
            Refusal::new(RefusalCode::Denied, "it is read-only").hint("make it writable, or edit it by hand")
        );
    }
    Ok(permissions)
}

/// A file that another user owns would become ours by being replaced, and a folder of another user
/// is theirs to arrange.
#[cfg(unix)]
fn mine(path: &Path) -> Result<(), Refusal> {
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(path).map_err(|e| unwritable(&e))?.uid();
    if owner == nix::unistd::Uid::effective().as_raw() {
        return Ok(());
    }
    let path = path.display();
    Err(Refusal::new(RefusalCode::ForeignUser, format!("{path} belongs to another user"))
        .hint("run this as the user whose agents are meant, without sudo"))
}

#[cfg(not(unix))]
fn mine(_: &Path) -> Result<(), Refusal> {
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unreadable(error: &io::Error) -> Refusal {
    Refusal::new(RefusalCode::Unreadable, format!("it cannot be read: {error}"))
}

fn unwritable(error: &io::Error) -> Refusal {
    Refusal::new(RefusalCode::Denied, format!("it cannot be written: {error}"))
        .hint("make it and its folder writable, or edit it by hand")
}
