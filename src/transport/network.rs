//! File systems of other machines: what is locked and synced there is so by another machine's word, and
//! two machines that share a home would share one store.

use std::path::Path;

/// Kinds of network file systems by the numbers that Linux gives them. Not 9p: sandboxes and virtual
/// machines use it for local files.
const KINDS: [(u32, &str); 8] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0bd0_0bd0, "Lustre"),
];

/// The kind of network file system that `path` is on; `None` for a local one, and where nobody can tell.
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    #[cfg(windows)]
    if super::platform::network_drive(path) {
        return Some("a drive of another machine");
    }
    number(path).and_then(kind)
}

fn kind(number: u32) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(target_os = "linux")]
fn number(path: &Path) -> Option<u32> {
    let found = nix::sys::statfs::statfs(path).ok()?;
    // The numbers have 32 bits, whatever the type's width and sign.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    Some(found.filesystem_type().0 as u32)
}

#[cfg(not(target_os = "linux"))]
fn number(_path: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_and_local_ones_are_none() {
        assert_eq!(kind(0x6969), Some("NFS"));
        assert_eq!(kind(0xff53_4d42), Some("SMB"));
        for local in [0xef53, 0x0102_1994, 0x9123_683e, 0x794c_7630, 0x0102_1997, 0x6573_5546] {
            assert_eq!(kind(local), None, "{local:x}");
        }
        assert_eq!(network_file_system(Path::new("/proc")), None);
        assert_eq!(network_file_system(Path::new("/nowhere/at/all")), None);
    }
}
