//! Sockets as two processes see them; lines, locks and directories are tested beside their code.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn socket() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("ipcd.sock");
    (home, path)
}

#[tokio::test]
async fn both_sides_know_each_other_and_bytes_arrive() {
    let (_home, path) = socket();
    let listener = bind(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut client = connect(&path).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.user, own_user());
    assert_eq!(Authority::of(own_user()).admit(&peer.user), Ok(()));
    let (mut reader, mut writer) = tokio::io::split(server);
    client.write_all(b"there").await.unwrap();
    let mut there = [0; 5];
    reader.read_exact(&mut there).await.unwrap();
    writer.write_all(&there).await.unwrap();
    drop((reader, writer));
    let mut back = String::new();
    client.read_to_string(&mut back).await.unwrap();
    assert_eq!(back, "there");
    if cfg!(target_os = "linux") {
        assert_eq!(peer.pid, Some(std::process::id()));
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_peer_is_the_process_that_connected() {
    let (_home, path) = socket();
    let listener = bind(&path).unwrap();
    let _client = connect(&path).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    assert_eq!(process::of_peer(&server).unwrap().pid, std::process::id());
}

#[tokio::test]
async fn a_listener_leaves_its_path_and_the_next_one_removes_a_socket_only() {
    let (home, path) = socket();
    let error = connect(&path).await.unwrap_err();
    assert!(error.nobody_listens(), "{error:?}");
    drop(bind(&path).unwrap());
    let first = socket_identity(&path).expect("the path stays");
    assert!(connect(&path).await.unwrap_err().nobody_listens());
    let taken = bind(&path).unwrap_err();
    assert!(!taken.nobody_listens(), "{taken:?}");
    remove_stale_socket(&path).unwrap();
    remove_stale_socket(&path).unwrap();
    // The old inode is kept busy: otherwise the file system may give the same number again.
    fs::write(home.path().join("other"), "").unwrap();
    let _listener = bind(&path).unwrap();
    assert_ne!(socket_identity(&path), Some(first));

    for plant in ["file", "directory", "link"] {
        let planted = home.path().join(plant);
        match plant {
            "file" => fs::write(&planted, "").unwrap(),
            "directory" => fs::create_dir(&planted).unwrap(),
            _ => std::os::unix::fs::symlink(&path, &planted).unwrap(),
        }
        let error = remove_stale_socket(&planted).unwrap_err();
        assert!(matches!(error, TransportError::Unsafe { .. }));
        assert!(error.to_string().contains(plant), "{error}");
        assert!(planted.symlink_metadata().is_ok());
        assert_eq!(socket_identity(&planted), None);
    }
}

#[tokio::test]
async fn a_long_path_works_or_says_so() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("d".repeat(100)).join("e".repeat(100));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("ipcd.sock");
    if !cfg!(target_os = "linux") {
        assert!(matches!(bind(&path), Err(TransportError::PathTooLong { .. })));
        return;
    }
    assert!(connect(&path).await.unwrap_err().nobody_listens());
    let listener = bind(&path).unwrap();
    let _client = connect(&path).await.unwrap();
    listener.accept().await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_inherited_socket_is_adopted_and_its_path_stays() {
    let (_home, path) = socket();
    let inherited = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let listener = adopt(InheritedSocket(inherited.into())).unwrap();
    let _client = connect(&path).await.unwrap();
    listener.accept().await.unwrap();
    drop(listener);
    assert!(socket_identity(&path).is_some());
}

#[test]
fn one_user_is_admitted_and_others_are_told_why_not() {
    let authority = Authority::of(User(1000));
    assert_eq!(authority.admit(&User(1000)), Ok(()));
    for (uid, said) in
        [(0, "sudo -u '#1000'"), (OVERFLOW_UID, "namespace"), (1001, "user 1001"), (u32::MAX, "user")]
    {
        let sentence = authority.admit(&User(uid)).unwrap_err();
        assert!(sentence.contains(said) && sentence.contains("1000"), "{sentence}");
    }
    assert_eq!(Authority::of(User(0)).admit(&User(0)), Ok(()));
    assert_eq!(Authority::of(User(OVERFLOW_UID)).admit(&User(OVERFLOW_UID)), Ok(()));
    assert!(Authority::of(User(0)).admit(&User(1000)).is_err());
}

#[tokio::test]
async fn a_listener_with_a_full_queue_is_crowded_and_not_gone() {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
    let (_home, path) = self::socket();
    let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
    let address = UnixAddr::new(&path).unwrap();
    bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &address).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    let mut waiting = Vec::new();
    let error = loop {
        match connect(&path).await {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
    };
    assert!(error.is_crowded() && !error.nobody_listens(), "{error:?}");
    assert!(!waiting.is_empty());
}
