//! The file itself: who may have it, where it is, what it must be.

use super::*;

#[test]
fn two_cannot_have_the_store_at_once() {
    let home = Home::new();
    let store = home.open().store;
    let error = home.refused();
    assert!(matches!(error, StoreError::InUse), "{error:?}");
    close(store);
    close(home.open().store);
}

#[test]
fn a_store_that_is_gone_is_not_committed_to() {
    let home = Home::new();
    let mut store = home.open().store;
    fs::remove_file(home.path()).unwrap();
    assert!(matches!(store.commit(&[counters(1)]), Err(StoreError::Gone(_))));
    let mut store = home.open().store;
    fs::rename(home.path(), home.0.path().join("moved")).unwrap();
    fs::copy(home.0.path().join("moved"), home.path()).unwrap();
    assert!(matches!(store.commit(&[counters(1)]), Err(StoreError::Gone(_))));
}

#[test]
fn files_are_the_owners_alone_and_folders_of_others_refused() {
    let home = Home::new();
    home.store(&[counters(1)]);
    assert_eq!((mode(&home.path()), mode(&home.head())), (0o600, 0o600));
    // What another umask or another tool left is put right.
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o666)).unwrap();
    close(home.open().store);
    assert_eq!(mode(&home.path()), 0o600);
    fs::set_permissions(home.0.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(home.refused().refusal().code, RefusalCode::UnsafeDirectory);
}

#[test]
fn an_open_umask_changes_nothing() {
    let own_test = std::env::current_exe().unwrap();
    let done = std::process::Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" --exact store::tests::files::files_are_the_owners_alone_and_folders_of_others_refused"])
        .arg(own_test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    type Make = fn(&Path);
    let kinds: [(&str, Make); 4] = [
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("link", |path| std::os::unix::fs::symlink("/etc/passwd", path).unwrap()),
        ("fifo", |path| {
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    for (kind, make) in kinds {
        let home = Home::new();
        make(&home.path());
        let error = home.refused();
        assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{kind}");
        assert!(error.to_string().contains("not a regular file"), "{kind}: {error}");
        // And by whoever opens without looking first: it does not wait for the FIFO's other end.
        assert!(crate::files::open(crate::files::options().read(true), &home.path()).is_err(), "{kind}");
    }
}

#[test]
fn a_file_follows_its_mail_and_not_its_past() {
    let home = Home::new();
    let text = "x".repeat(1 << 20);
    let full: Vec<Mutation> = (0..24).map(|id| message(id, &text)).collect();
    home.store(&full);
    let drops: Vec<Mutation> = full.iter().filter_map(drop_of).collect();
    let mut store = home.open().store;
    assert!(store.size_bytes() > 24 << 20);
    store.commit(&drops).unwrap();
    store.commit(&[message(30, "kept")]).unwrap();
    close(store);
    let recovered = home.open();
    assert!(recovered.store.size_bytes() < 4 << 20, "{} bytes", recovered.store.size_bytes());
    assert_eq!(recovered.mutations, [message(30, "kept")]);
}
