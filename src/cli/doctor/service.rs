//! What the user's service manager was told, if it was: it must start a program that is there.

use std::path::{Path, PathBuf};

use super::Finding;
use crate::cli::service::read;
use crate::cli::surroundings::{Surroundings, tilde};
use crate::paths::Paths;
use crate::service::{MARK, Manager, Place};

const AGAIN: &str = "run `ipcd service install`, or take it away with `ipcd service uninstall`";

pub(super) fn look(paths: &Paths, surroundings: &Surroundings) -> Option<Finding> {
    let place = Place {
        program: surroundings.binary().map(PathBuf::from).unwrap_or_default(),
        home: surroundings.home.clone(),
        config: surroundings.config().to_owned(),
        state: paths.state_dir.clone(),
        ..Place::default()
    };
    told(Manager::HERE?, &place)
}

fn told(manager: Manager, place: &Place) -> Option<Finding> {
    let path = manager.file(place);
    if !path.exists() {
        return None;
    }
    let file = tilde(&path, &place.home);
    let text = read(&path)?;
    if !text.contains(MARK) {
        // Somebody's own, with words that only the manager understands.
        let says = format!("{file} is not as ipcd writes it, and was not looked into");
        return Some(Finding::note("service", says, "compare it with `ipcd service install --dry-run`"));
    }
    let Some(program) = manager.started(&text) else {
        return Some(Finding::bad("service", format!("{file} says no program to start"), AGAIN));
    };
    let same = |path: &Path| path.canonicalize().ok();
    Some(if !program.exists() {
        let says = format!("{file} starts {}, which is not there", program.display());
        Finding::bad("service", says, AGAIN)
    } else if same(&place.program).is_some_and(|ours| same(&program) != Some(ours)) {
        let says = format!("{file} starts another ipcd: {}", program.display());
        Finding::note("service", says, "run `ipcd service install` if this one is meant")
    } else {
        Finding::good("service", format!("{file} has {} start this ipcd", manager.name()))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::State;
    use super::*;
    use crate::service::Step;

    fn place(home: &Path, program: &str) -> Place {
        let program = home.join(program);
        fs::write(&program, "").unwrap();
        Place {
            program,
            home: home.to_owned(),
            config: home.join(".config"),
            state: home.join("state"),
            socket: home.join("run/ipcd.sock"),
            log: home.join("daemon.log"),
            user: "Zoë".into(),
        }
    }

    /// As `ipcd service install` writes them.
    fn install(manager: Manager, place: &Place) {
        for step in manager.install(place, &read).unwrap().steps {
            if let Step::Write { path, text, encoding } = step {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, encoding.bytes(&text)).unwrap();
            }
        }
    }

    #[test]
    fn each_manager_must_start_a_program_that_is_there() {
        for manager in [Manager::Systemd, Manager::Launchd, Manager::Tasks] {
            let home = tempfile::tempdir().unwrap();
            let (ours, other) = (place(home.path(), "ipcd & co ë"), place(home.path(), "other"));
            assert!(told(manager, &ours).is_none(), "{manager:?}: nothing was installed");
            install(manager, &ours);
            let said = told(manager, &ours).unwrap();
            assert_eq!((said.state, said.cure.as_str()), (State::Good, ""), "{manager:?}: {said:?}");
            let said = told(manager, &other).unwrap();
            assert_eq!(said.state, State::Note, "{said:?}");
            assert!(said.says.ends_with("ipcd & co ë"), "{said:?}");
            fs::remove_file(&ours.program).unwrap();
            let said = told(manager, &ours).unwrap();
            assert!(said.state == State::Bad && said.says.ends_with("which is not there"), "{said:?}");
            fs::write(manager.file(&ours), [0xff, 0xfe, 0x00]).unwrap();
            let said = told(manager, &ours).unwrap();
            assert!(said.state == State::Note && said.says.ends_with("not looked into"), "{said:?}");
            fs::write(manager.file(&ours), MARK).unwrap();
            let said = told(manager, &ours).unwrap();
            assert!(said.state == State::Bad && said.says.ends_with("no program to start"), "{said:?}");
        }
    }
}
