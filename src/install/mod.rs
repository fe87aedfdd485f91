//! What `ipcd install` and `ipcd uninstall` do to the files of client programs: planned first, shown as
//! it will be, then done.
//!
//! What always holds: a plan writes nothing; what is done is what was shown, or nothing; each file stands
//! for itself, and one that cannot be edited keeps no other from it; everything that was done can be
//! undone, byte for byte as long as nobody else wrote to the file.

mod json;
mod ours;
mod place;
mod receipt;
mod script;
#[cfg(test)]
mod tests;
mod toml;

use std::path::PathBuf;

use similar::TextDiff;

use crate::agents::Program;
use crate::agents::setup::{Command, Edit, Part, Places, SERVER, Syntax};
use crate::protocol::refusal::Refusal;
use receipt::{Fingerprint, Row};

pub use ours::is_command as is_ours;
pub use receipt::Receipt;

/// Lines shown around a change.
const CONTEXT_LINES: usize = 3;

/// What would become of one file.
#[derive(Debug)]
pub struct Plan {
    pub program: Program,
    pub file: PathBuf,
    /// `None`: there is no file.
    before: Option<String>,
    /// `None`: there will be no file.
    after: Option<String>,
    /// The bytes that stood there before the first install come back.
    pub restores: bool,
}

/// A file that cannot be edited, and why.
#[derive(Debug)]
pub struct Trouble {
    pub program: Program,
    pub file: PathBuf,
    pub refusal: Refusal,
}

/// What became of the plans of a run, in the order of the clients.
pub type Plans = Vec<Result<Plan, Trouble>>;

impl Plan {
    pub fn changes(&self) -> bool {
        self.before != self.after
    }

    pub fn creates(&self) -> bool {
        self.before.is_none()
    }

    pub fn removes(&self) -> bool {
        self.after.is_none()
    }

    /// What will change, as a unified diff; empty if nothing.
    pub fn diff(&self) -> String {
        let (before, after) = (self.before.as_deref(), self.after.as_deref());
        let name =
            |text: Option<&str>| text.map_or("/dev/null".to_owned(), |_| self.file.display().to_string());
        let diff = TextDiff::from_lines(before.unwrap_or_default(), after.unwrap_or_default());
        diff.unified_diff().context_radius(CONTEXT_LINES).header(&name(before), &name(after)).to_string()
    }

    fn trouble(&self, refusal: Refusal) -> Trouble {
        Trouble { program: self.program, file: self.file.clone(), refusal }
    }
}

/// What installing would do.
pub fn plan(programs: &[Program], places: &Places, command: &Command) -> Plans {
    let parts = programs
        .iter()
        .flat_map(|program| program.parts(places, command).into_iter().map(|part| (*program, part)));
    let plan = |(program, part): (Program, Part)| {
        let Part { file, syntax, edits } = part;
        let planned = place::read(&file).and_then(|before| {
            let text = before.as_deref().unwrap_or_default();
            let after = match syntax {
                Syntax::Json => json::add(text, &edits)?,
                Syntax::Toml => toml::add(text, &edits)?,
                Syntax::Script => script::put(text, &edits)?,
            };
            Ok((before, Some(after)))
        });
        match planned {
            Ok((before, after)) => Ok(Plan { program, file, before, after, restores: false }),
            Err(refusal) => Err(Trouble { program, file, refusal }),
        }
    };
    parts.map(plan).collect()
}

/// What uninstalling would do: to every file that an install wrote, and to every file that the client
/// reads, for the entry may have been made by hand.
pub fn plan_removal(programs: &[Program], places: &Places, receipt: &Receipt) -> Plans {
    let nothing = Command { program: String::new(), tools: None };
    let mut plans = Vec::new();
    for program in programs {
        let known = receipt.rows.iter().filter(|row| row.client == program.word());
        let known = known.filter(|row| places.project.is_none_or(|project| row.file.starts_with(project)));
        let mut files: Vec<PathBuf> = known.map(|row| row.file.clone()).collect();
        let parts = program.parts(places, &nothing);
        files.extend(parts.iter().map(|part| part.file.clone()).filter(|file| receipt.row(file).is_none()));
        // Files of another scope hold what those of this one hold.
        let user = Places { project: None, ..*places };
        let edits: Vec<Edit> =
            program.parts(&user, &nothing).into_iter().flat_map(|part| part.edits).collect();
        plans.extend(files.into_iter().map(|file| removal(*program, file, &edits, receipt)));
    }
    plans
}

fn removal(program: Program, file: PathBuf, edits: &[Edit], receipt: &Receipt) -> Result<Plan, Trouble> {
    let row = receipt.row(&file);
    let planned = (|| {
        let Some(text) = place::read(&file)? else { return Ok((None, None, false)) };
        if row.is_none() && !text.contains(SERVER) {
            // Whatever is wrong with it, nothing of ours is in it.
            return Ok((Some(text.clone()), Some(text), false));
        }
        let created = row.is_some_and(|row| row.backup.is_none());
        let backup = row.and_then(|row| row.backup.as_deref()).map(place::read).transpose()?.flatten();
        if let Some(row) = row
            && row.left == Fingerprint::of(&text)
            && !row.shared
            && (created || backup.is_some())
        {
            return Ok((Some(text), backup, true));
        }
        let before = if created { Some("") } else { backup.as_deref() };
        let after = match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => toml::remove(&text, edits)?,
            Some("js" | "mjs") => script::remove(&text),
            _ => json::remove(&text, edits, before)?,
        };
        let ours = created || script::is_ours(&text);
        let empty = ours && matches!(after.trim(), "" | "{}");
        Ok((Some(text), (!empty).then_some(after), false))
    })();
    match planned {
        Ok((before, after, restores)) => Ok(Plan { program, file, before, after, restores }),
        Err(refusal) => Err(Trouble { program, file, refusal }),
    }
}

/// Does what was planned for an install; gives the backup, if one was made or is there.
pub fn install(plan: &Plan, receipt: &mut Receipt) -> Result<Option<PathBuf>, Trouble> {
    let Some(after) = plan.after.as_deref().filter(|_| plan.changes()) else { return Ok(None) };
    put(plan, after, receipt).map_err(|refusal| plan.trouble(refusal))
}

fn put(plan: &Plan, after: &str, receipt: &mut Receipt) -> Result<Option<PathBuf>, Refusal> {
    let known = receipt.row(&plan.file).cloned();
    let row = |backup, folders, shared| Row {
        file: plan.file.clone(),
        client: plan.program.word().to_owned(),
        backup,
        folders,
        left: Fingerprint::of(after),
        shared,
    };
    let mut row = match (&plan.before, known.clone()) {
        (Some(text), None) => row(Some(place::back_up(&plan.file, text)?), Vec::new(), false),
        (Some(text), Some(known)) => {
            let shared = known.shared || known.left != Fingerprint::of(text);
            row(known.backup, known.folders, shared)
        }
        (None, known) => row(None, known.map(|known| known.folders).unwrap_or_default(), false),
    };
    receipt.put(row.clone())?;
    match place::write(&plan.file, plan.before.as_deref(), after) {
        Ok(made) => {
            if !made.is_empty() {
                row.folders = made;
                receipt.put(row.clone())?;
            }
            Ok(row.backup)
        }
        Err(refusal) => {
            match known {
                Some(known) => receipt.put(known)?,
                None => forget(&row, receipt)?,
            }
            Err(refusal)
        }
    }
}

/// Does what was planned for an uninstall.
pub fn uninstall(plan: &Plan, receipt: &mut Receipt) -> Result<(), Trouble> {
    take(plan, receipt).map_err(|refusal| plan.trouble(refusal))
}

fn take(plan: &Plan, receipt: &mut Receipt) -> Result<(), Refusal> {
    let row = receipt.row(&plan.file).cloned();
    match (&plan.before, &plan.after) {
        (Some(before), Some(after)) if before != after => {
            drop(place::write(&plan.file, Some(before), after)?)
        }
        (Some(before), None) => place::remove(&plan.file, before)?,
        _ => {}
    }
    row.map_or(Ok(()), |row| forget(&row, receipt))
}

/// A row whose file is as it was before.
fn forget(row: &Row, receipt: &mut Receipt) -> Result<(), Refusal> {
    if let Some(backup) = &row.backup {
        place::discard(backup)?;
    }
    receipt.forget(row)
}

/// How a client is told to run ipcd in one of its files.
#[derive(Debug)]
pub struct Entry {
    pub file: PathBuf,
    /// Of the MCP server, with the program first; none: it is not in this file.
    pub server: Option<Vec<String>>,
    pub hooks: Vec<Vec<String>>,
}

/// What stands of ours in the files of a client. Files without any of it are left out.
pub fn entries(program: Program, places: &Places) -> Vec<Result<Entry, Trouble>> {
    let nothing = Command { program: String::new(), tools: None };
    let parts = program.parts(places, &nothing).into_iter();
    let found =
        parts.map(|part| entry(&part).map_err(|refusal| Trouble { program, file: part.file, refusal }));
    let ours = |entry: &Result<Entry, _>| {
        entry.as_ref().is_ok_and(|entry| entry.server.is_some() || !entry.hooks.is_empty()) || entry.is_err()
    };
    found.filter(ours).collect()
}

fn entry(part: &Part) -> Result<Entry, Refusal> {
    let text = place::read(&part.file)?.unwrap_or_default();
    let mut server = None;
    for edit in &part.edits {
        if let Edit::Server { table, .. } = edit {
            server = match part.syntax {
                Syntax::Json => json::server(&text, table)?,
                Syntax::Toml => toml::server(&text, table)?,
                Syntax::Script => None,
            };
        }
    }
    let has_hooks = part.edits.iter().any(|edit| matches!(edit, Edit::Hook { .. }));
    let hooks = if has_hooks { json::hooks(&text)? } else { Vec::new() };
    Ok(Entry { file: part.file.clone(), server, hooks })
}
