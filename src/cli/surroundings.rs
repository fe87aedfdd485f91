//! What is around this program: the user's home, the client programs, the PATH, and the program itself.

use std::env;
use std::path::{Path, PathBuf};

use super::exit::Failure;
use crate::agents::Program;
use crate::agents::setup::Places;
use crate::paths::Account;
use crate::protocol::refusal::{Refusal, RefusalCode};

pub struct Surroundings {
    pub home: PathBuf,
    config: PathBuf,
    path: Vec<PathBuf>,
}

impl Surroundings {
    pub fn read() -> Result<Surroundings, Failure> {
        let home = env::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| {
            Refusal::invalid_argument("no home directory: HOME is not set and the user has none")
                .hint("set HOME")
        })?;
        let config = Account::read().config_dir.filter(|dir| dir.is_absolute());
        let path = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
        Ok(Surroundings { config: config.unwrap_or_else(|| home.join(".config")), home, path })
    }

    /// Where programs keep their settings.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Where clients look, for a project or for the user.
    pub fn with_places<T>(&self, project: Option<&Path>, act: impl FnOnce(&Places) -> T) -> T {
        let var = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let exists = |path: &Path| path.exists();
        act(&Places { home: &self.home, config: &self.config, project, var: &var, exists: &exists })
    }

    /// The clients of which there is a program or a configuration.
    pub fn found(&self) -> Vec<Program> {
        let found = |program: &Program| {
            program.programs().iter().any(|name| self.on_path(name).is_some())
                || self.with_places(None, |places| program.sign(places)).exists()
        };
        Program::ALL.into_iter().filter(found).collect()
    }

    /// The first program of this name on the PATH.
    pub fn on_path(&self, name: &str) -> Option<PathBuf> {
        let name = format!("{name}{}", env::consts::EXE_SUFFIX);
        let programs = self.path.iter().filter(|dir| dir.is_absolute()).map(|dir| dir.join(&name));
        programs.into_iter().find(|path| is_program(path))
    }

    /// Where this program is, as clients should know it: an update through the PATH's link is theirs too.
    pub fn binary(&self) -> Result<String, Failure> {
        let exe = env::current_exe()
            .map_err(|e| Failure::Surroundings(anyhow::Error::new(e).context("cannot tell where ipcd is")))?;
        let same = |path: &PathBuf| path.canonicalize().ok() == exe.canonicalize().ok();
        let path = self.on_path("ipcd").filter(same).unwrap_or(exe);
        if !path.exists() {
            let message = "this ipcd was replaced or removed while it ran";
            return Err(Refusal::new(RefusalCode::InvalidArgument, message).hint("run the new one").into());
        }
        path.into_os_string().into_string().map_err(|path| {
            let message = format!("the path of ipcd is not UTF-8: {}", path.display());
            Refusal::invalid_argument(message).hint("move it to a folder with a plain name").into()
        })
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// A path as people write it: `~/.claude.json`.
pub fn tilde(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(below) => format!("~/{}", below.display()),
        Err(_) => path.display().to_string(),
    }
}
