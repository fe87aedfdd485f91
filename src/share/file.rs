//! Sharing a file: opened once, judged by what was opened, read once.
//!
//! What always holds: every decision is about the open file and not about a name that can point elsewhere
//! a moment later; nothing here waits for a FIFO or a device; no more than the limit is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::policy::{FileMode, FilePolicy};
use super::{Here, Shared, Verdict, secrets};
use crate::planted::{Bug, planted};
use crate::protocol::refusal::{Refusal, RefusalCode};

/// Largest file, in bytes: in base64, with its path, it fits the data of one message.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Text that needs more bytes than this as a JSON string travels as base64, which never needs more.
const TEXT_JSON_BYTES_MAX: usize = 1_400_000;

/// Longest path, in bytes, as on Linux. A longer one is quoted nowhere.
const PATH_BYTES_MAX: usize = 4 << 10;

/// A regular file, open for reading, at most [`FILE_BYTES_MAX`] long when it was opened.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    found: Metadata,
    /// As the agent named it, made absolute.
    path: PathBuf,
    /// What was opened, free of links.
    resolved: PathBuf,
}

impl OpenFile {
    /// Opens what `path` names, seen from `here`. Blocks as long as the file system does.
    ///
    /// # Errors
    /// `unreadable`, `not_a_file`, `too_large`.
    pub fn open(path: &Path, here: &Here) -> Result<OpenFile, Refusal> {
        let bytes = path.as_os_str().len();
        if bytes > PATH_BYTES_MAX {
            let message = format!("the path has {bytes} bytes, it may have {PATH_BYTES_MAX}");
            return Err(Refusal::invalid_argument(message).hint("give the path of one file"));
        }
        let path = here.absolute(path);
        let unreadable = |error| unreadable(&path, error);
        // Asked by name first: even a short opening can have effects on a device or on a FIFO's writer.
        regular(&std::fs::metadata(&path).map_err(unreadable)?, &path)?;
        let file = open_at_once(&path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?;
        regular(&found, &path)?;
        if found.len() > FILE_BYTES_MAX {
            return Err(too_large(&path, found.len()));
        }
        let resolved = path.canonicalize().map_err(unreadable)?;
        // The name may lead elsewhere by now: then it says nothing about what is open.
        let named = resolved.symlink_metadata().map_err(unreadable)?;
        if !same_file(&found, &named) && !planted(Bug::JudgedByName) {
            return Err(changed(&path));
        }
        Ok(OpenFile { file, found, path, resolved })
    }

    /// The path that the peer is told, and a person who is asked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the links of [`OpenFile::path`] end: differs from it for a file under another name.
    pub fn resolved(&self) -> &Path {
        &self.resolved
    }

    /// What `policy` says of this file's place. Its content is judged by [`OpenFile::read`].
    pub fn verdict(&self, policy: &FilePolicy, here: &Here) -> Verdict {
        let rule = |mode: &str| format!("share_file.mode = {mode:?}");
        let deny = |rule: String, message: String, hint: &str| {
            let refusal = Refusal::new(RefusalCode::Denied, message).hint(hint);
            Verdict::Deny { rule, refusal }
        };
        if let Some(verdict) = here.verdict() {
            return verdict;
        }
        if policy.mode == FileMode::Off {
            let message = format!("sharing files is off: {}", rule("off"));
            return deny(rule("off"), message, "a person can change the rule in ipcd's config.toml");
        }
        let covers = |path: &Path| policy.deny.iter().find(|glob| glob.covers(path, here.home.as_deref()));
        if let Some(glob) = covers(&self.resolved).or_else(|| covers(&self.path)) {
            let rule = format!("share_file.deny has {:?}", glob.as_str());
            return Verdict::Deny { refusal: secret(&self.path, &rule), rule };
        }
        match policy.mode {
            FileMode::Any => Verdict::Allow { rule: rule("any") },
            FileMode::Ask => Verdict::Ask { rule: rule("ask") },
            FileMode::Roots | FileMode::Off => match self.root(policy, here) {
                Some(root) => Verdict::Allow { rule: format!("{}, below {}", rule("roots"), root.display()) },
                None => {
                    let path = self.resolved.display();
                    let message =
                        format!("{path} is below none of the folders that files may be shared from");
                    let hint = "share_file.mode is \"roots\"; a person can add a root in ipcd's config.toml";
                    deny(rule("roots"), message, hint)
                }
            },
        }
    }

    /// The root that the file is below.
    fn root(&self, policy: &FilePolicy, here: &Here) -> Option<PathBuf> {
        let mut roots: Vec<PathBuf> =
            policy.roots.iter().filter_map(|root| root.below(here.home.as_deref())).collect();
        if policy.roots.is_empty() {
            roots.push(here.cwd.clone());
            roots.extend(git_top(&here.cwd));
        }
        let below = |root: &PathBuf| match planted(Bug::PathsAsText) {
            false => self.resolved.starts_with(root),
            true => self.resolved.to_string_lossy().starts_with(&*root.to_string_lossy()),
        };
        roots.iter().filter_map(|root| root.canonicalize().ok()).find(below)
    }

    /// Reads the file and puts it into the form of a message. Blocks as long as the file system does.
    ///
    /// # Errors
    /// `secret`: it holds a key or a token; `unreadable`: it changed meanwhile, or reading failed.
    pub fn read(mut self, policy: &FilePolicy, description: Option<&str>) -> Result<Shared, Refusal> {
        let mut bytes = Vec::with_capacity(self.found.len() as usize + 1);
        let unreadable = |error| unreadable(&self.path, error);
        (&mut self.file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let now = self.file.metadata().map_err(unreadable)?;
        let untouched = now.len() == self.found.len() && now.modified().ok() == self.found.modified().ok();
        if !untouched || bytes.len() as u64 != now.len() {
            return Err(changed(&self.path));
        }
        if let Some(rule) = secrets::find(&bytes).filter(|_| policy.scan_secrets) {
            return Err(secret(&self.path, &format!("it holds what looks like a secret ({rule})")));
        }
        Ok(message(&self.path, bytes, description))
    }
}

fn message(path: &Path, bytes: Vec<u8>, description: Option<&str>) -> Shared {
    let path = path.to_string_lossy();
    let mut data = json!({ "type": "file", "filepath": path, "size_bytes": bytes.len() });
    let fits = |text: &String| json!(text).to_string().len() <= TEXT_JSON_BYTES_MAX;
    match String::from_utf8(bytes).map_err(|error| error.into_bytes()) {
        Ok(text) if !text.contains('\0') && fits(&text) => data["content"] = json!(text),
        other => {
            let bytes = other.map_or_else(|bytes| bytes, String::into_bytes);
            data["content"] = json!(STANDARD.encode(bytes));
            data["encoding"] = json!("base64");
        }
    }
    if let Some(description) = description {
        data["description"] = json!(description);
    }
    Shared { content: format!("Shared file: {path}"), data }
}

/// The top of the git working tree that `folder` is in.
fn git_top(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned)
}

fn regular(found: &Metadata, path: &Path) -> Result<(), Refusal> {
    if found.is_file() {
        return Ok(());
    }
    let (what, hint) = if found.is_dir() {
        ("a folder", "share the files in it one by one")
    } else {
        ("a device, a FIFO or a socket", "only regular files can be shared")
    };
    Err(Refusal::new(RefusalCode::NotAFile, format!("{} is {what}", path.display())).hint(hint))
}

fn unreadable(path: &Path, error: io::Error) -> Refusal {
    let refusal =
        Refusal::new(RefusalCode::Unreadable, format!("{} cannot be read: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::NotFound => {
            refusal.hint("relative paths begin at the folder that ipcd was started in")
        }
        _ => refusal,
    }
}

fn changed(path: &Path) -> Refusal {
    Refusal::new(RefusalCode::Unreadable, format!("{} changed while it was read", path.display()))
        .hint("try again when nothing writes to it")
}

fn too_large(path: &Path, bytes: u64) -> Refusal {
    let message = format!("{} has {bytes} bytes, a shared file may have {FILE_BYTES_MAX}", path.display());
    Refusal::new(RefusalCode::TooLarge, message).hint("send its path, or share the part that matters")
}

fn secret(path: &Path, why: &str) -> Refusal {
    Refusal::new(RefusalCode::Secret, format!("{} is not shared: {why}", path.display()))
        .hint("only a person can change this rule, in ipcd's config.toml; name the file to the peer instead")
}

#[cfg(unix)]
fn open_at_once(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use nix::fcntl::OFlag;
    // What became a FIFO or a terminal since it was asked for must neither hold us nor take us over.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

#[cfg(unix)]
fn same_file(open: &Metadata, named: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

#[cfg(not(unix))]
fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

// Windows gives files no number that std tells; it also refuses to replace a file that is open.
#[cfg(not(unix))]
fn same_file(open: &Metadata, named: &Metadata) -> bool {
    open.len() == named.len() && open.modified().ok() == named.modified().ok()
}
