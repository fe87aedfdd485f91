//! What `ipcd install` left where: kept with ipcd's own state, so that uninstalling can put back exactly
//! what was there.
//!
//! What always holds: a row is written before its file is, with the backup that undoes it; a fingerprint
//! tells whether anybody changed the file since.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place;
use crate::files;
use crate::protocol::refusal::{Refusal, RefusalCode};

/// One file that was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub file: PathBuf,
    /// The word of the client.
    pub client: String,
    /// What was there before; none: nothing was.
    pub backup: Option<PathBuf>,
    /// Folders that were made for it.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    pub left: Fingerprint,
    /// Somebody else wrote to it between two installs: the backup is not what to go back to.
    #[serde(default)]
    pub shared: bool,
}

/// Tells whether a text is still the same. Against change, not against forgery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    bytes: usize,
    crc32: u32,
}

impl Fingerprint {
    pub fn of(text: &str) -> Fingerprint {
        Fingerprint { bytes: text.len(), crc32: crc32fast::hash(text.as_bytes()) }
    }
}

/// All rows. Only one that was opened can be written, and it is held by one process at a time.
pub struct Receipt {
    path: PathBuf,
    pub rows: Vec<Row>,
    /// Folders that were made for the receipt itself.
    own_folders: Vec<PathBuf>,
    /// Folders of rows that were forgotten: what is empty of them can go.
    left_folders: Vec<PathBuf>,
    _lock: Option<File>,
}

#[derive(Default, Serialize, Deserialize)]
struct Rows {
    #[serde(default)]
    files: Vec<Row>,
    #[serde(default)]
    folders: Vec<PathBuf>,
}

impl Receipt {
    /// That of the state folder, to look at.
    pub fn look(state: &Path) -> Result<Receipt, Refusal> {
        let path = state.join("installed.json");
        let rows = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| failed(&path, &e.into()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Rows::default(),
            Err(error) => return Err(failed(&path, &error)),
        };
        let Rows { files: rows, folders: own_folders } = rows;
        Ok(Receipt { path, rows, own_folders, left_folders: Vec::new(), _lock: None })
    }

    /// That of the state folder, to write to. Waits for another process that has it.
    pub fn open(state: &Path) -> Result<Receipt, Refusal> {
        let made: Vec<PathBuf> =
            state.ancestors().take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        files::create_dir(state).map_err(|error| failed(state, &error))?;
        // The folder is the lock: a file would be left behind. Elsewhere a folder cannot be opened.
        let lock =
            if cfg!(unix) { Some(File::open(state).map_err(|error| failed(state, &error))?) } else { None };
        if let Some(lock) = &lock {
            lock.lock().map_err(|error| failed(state, &error))?;
        }
        let mut receipt = Receipt { _lock: lock, ..Receipt::look(state)? };
        receipt.own_folders.extend(made);
        Ok(receipt)
    }

    pub fn row(&self, file: &Path) -> Option<&Row> {
        self.rows.iter().find(|row| row.file == file)
    }

    /// Replaces the row of its file, on disk too.
    pub fn put(&mut self, row: Row) -> Result<(), Refusal> {
        self.rows.retain(|known| known.file != row.file);
        self.rows.push(row);
        self.save()
    }

    pub fn forget(&mut self, row: &Row) -> Result<(), Refusal> {
        self.rows.retain(|known| known.file != row.file);
        self.left_folders.extend(row.folders.iter().cloned());
        self.save()
    }

    /// Removes the folders that were made and are empty, those for the receipt too once nothing is in it.
    pub fn close(self) {
        place::remove_empty(&self.left_folders);
        if self.rows.is_empty() {
            place::remove_empty(&self.own_folders);
        }
    }

    fn save(&self) -> Result<(), Refusal> {
        let save = || -> std::io::Result<()> {
            if self.rows.is_empty() {
                return match std::fs::remove_file(&self.path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            let beside = self.path.with_extension("new");
            let mut file = files::open(files::options().write(true).create(true).truncate(true), &beside)?;
            file.write_all(&serde_json::to_vec_pretty(&Rows {
                files: self.rows.clone(),
                folders: self.own_folders.clone(),
            })?)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        };
        save().map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Refusal {
    let message = format!("cannot use {}: {error}", path.display());
    Refusal::new(RefusalCode::Unreadable, message)
        .hint("it tells what `ipcd install` did; move it away to go on without")
}
