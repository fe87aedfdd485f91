//! Links the unwinder of gcc into the program, where the toolchain has it for that: a library less that each command
//! finds, maps and binds before it begins, and one less that a machine has to have (`docs/performance.md`).
//!
//! The standard library asks for `-lgcc_s`. The linker finds that name first in a folder of ours, where it stands
//! for the archive of the same functions. Where there is no such archive, everything is as it was.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    let Some(archive) = archive() else { return };
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let script = format!("INPUT({})\n", archive.display());
    fs::write(folder.join("libgcc_s.so"), script).expect("the folder is ours");
    println!("cargo::rustc-link-search=native={}", folder.display());
}

/// The archive of the compiler that links, which says a bare name for what it does not have.
fn archive() -> Option<PathBuf> {
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let said = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    (said.status.success() && path.is_absolute() && path.exists()).then_some(path)
}
