//! Names and places that Windows decides.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf, Prefix};

use windows_sys::Win32::Storage::FileSystem::GetDriveTypeW;

use super::security::{own_user, wide};

/// The kind of drive that is another machine's.
const DRIVE_REMOTE: u32 = 4;

/// The pipe of this user; of an isolated ipcd, its own one. Pipes have one folder for all users, so the
/// name says whose it is.
pub fn address(_runtime_dir: &Path, home: Option<&Path>) -> PathBuf {
    let mut name = format!(r"\\.\pipe\ipcd-{}", own_user());
    if let Some(home) = home {
        name.push_str(&format!("-{:016x}", hash(home.as_os_str())));
    }
    name.into()
}

/// Of the letters without their case: one folder has many spellings. FNV-1a, which will be the same in
/// the next version, too.
fn hash(text: &OsStr) -> u64 {
    text.to_string_lossy().to_lowercase().bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Whether `path` is on a drive of another machine.
pub fn network_drive(path: &Path) -> bool {
    let Some(Component::Prefix(prefix)) = path.components().next() else { return false };
    match prefix.kind() {
        Prefix::UNC(..) | Prefix::VerbatimUNC(..) => true,
        Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
            let root = wide(format!("{}:\\", char::from(letter)));
            #[expect(unsafe_code, reason = "Windows has no other interface")]
            // SAFETY: the text ends with a zero.
            let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
            kind == DRIVE_REMOTE
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_home_has_a_pipe_of_its_own() {
        let pipe = |home: Option<&str>| address(Path::new("unused"), home.map(Path::new));
        let shared = pipe(None).display().to_string();
        assert_eq!(shared, format!(r"\\.\pipe\ipcd-{}", own_user()));
        let one = pipe(Some(r"C:\Users\Ada\one")).display().to_string();
        assert!(one.starts_with(&shared) && one.len() == shared.len() + 17, "{one}");
        assert_eq!(pipe(Some(r"c:\users\ada\ONE")), PathBuf::from(&one));
        assert_ne!(pipe(Some(r"C:\Users\Ada\two")), PathBuf::from(&one));
        assert_eq!(hash(OsStr::new("a")), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn shares_are_of_other_machines() {
        assert!(network_drive(Path::new(r"\\server\share\ipcd")));
        assert!(!network_drive(Path::new(r"C:\ipcd")));
        assert!(!network_drive(Path::new("ipcd")));
    }
}
