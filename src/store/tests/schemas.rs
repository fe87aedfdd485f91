//! Older and newer schemas.

use super::*;

#[test]
fn a_newer_schema_is_refused_and_no_byte_of_the_file_changes() {
    let home = Home::new();
    home.store(&every_row());
    let newer = |write: &WriteTransaction| {
        let mut meta = write.open_table(META).unwrap();
        let row = row_at(META, b"schema", &2_u64);
        meta.insert(b"schema".as_slice(), row.as_slice()).unwrap();
    };
    home.tamper(newer);
    let closed = fs::read(home.path()).unwrap();
    // The same after a kill: the file asks for repair.
    let db = Database::open(home.path()).unwrap();
    let write = db.begin_write().unwrap();
    newer(&write);
    write.commit().unwrap();
    let killed = fs::read(home.path()).unwrap();
    drop(db);
    assert_ne!(closed, killed);
    for bytes in [closed, killed] {
        fs::write(home.path(), &bytes).unwrap();
        let error = home.refused();
        assert!(matches!(error, StoreError::TooNew { found: 2, known: 1 }), "{error}");
        assert_eq!(error.refusal().code, RefusalCode::StoreTooNew);
        assert!(fs::read(home.path()).unwrap() == bytes, "the file was changed");
    }
}

#[test]
fn an_older_schema_goes_through_its_steps_after_a_copy() {
    const KEY: MailKey = message_key(MessageId(1));
    const ASIDE: TableDefinition<u64, &[u8]> = TableDefinition::new("aside");
    let home = Home::new();
    home.store(&[message(1, "old")]);
    let old = fs::read(home.path()).unwrap();
    let steps: [Step; 2] = [
        |write| {
            let row = write.open_table(MAIL)?.remove(KEY)?.unwrap().value().to_vec();
            write.open_table(ASIDE)?.insert(1, row.as_slice())?;
            Ok(())
        },
        |write| {
            let row = write.open_table(ASIDE)?.remove(1)?.unwrap().value().to_vec();
            let key = <MailKey as redb::Value>::as_bytes(&KEY);
            let mut row: MessageRow = decode(Place { table: MAIL.name(), key: &key }, &row).unwrap();
            row.content = Body("new".into());
            write.open_table(MAIL)?.insert(KEY, row_at(MAIL, KEY, &row).as_slice())?;
            Ok(())
        },
    ];
    let recovered = RedbStore::open_with(&home.options(), &steps, 1).unwrap();
    let [Mutation::PutMessage(row)] = recovered.mutations.as_slice() else { panic!() };
    assert_eq!(&*row.content.0, "new");
    assert!(!recovered.fresh);
    close(recovered.store);
    let aside = home.0.path().join("ipcd.redb.schema-1");
    assert!(fs::read(&aside).unwrap() == old);
    assert_eq!(mode(&aside), 0o600);
    // Once is enough, and this ipcd does not take it back.
    let again = RedbStore::open_with(&home.options(), &steps, 1).unwrap();
    assert_eq!(again.mutations.len(), 1);
    close(again.store);
    assert!(matches!(home.refused(), StoreError::TooNew { found: 3, known: 1 }));
}

#[test]
fn a_failed_step_leaves_the_old_schema() {
    let home = Home::new();
    home.store(&[message(1, "old")]);
    let steps: [Step; 1] = [|write| {
        write.open_table(MAIL)?.remove(message_key(MessageId(1)))?;
        Err(StoreError::Damaged("this step cannot be done".to_owned()))
    }];
    assert!(RedbStore::open_with(&home.options(), &steps, 1).is_err());
    assert_eq!(home.open().mutations.len(), 1);
}

/// A store of schema 1 as ipcd 0.1.0 wrote it: [`every_row`], closed in order.
///
/// Never written anew. For the next schema, add a file beside it:
/// `cargo test --lib write_the_fixture -- --ignored` writes `tests/fixtures/store-schema-N.redb` for the
/// schema that this source writes, unless it is there. When a row gets a new field, its value in these
/// rows is the one that an older row is read with.
const SCHEMA_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/store-schema-1.redb");

#[test]
#[ignore = "writes a file into the source"]
fn write_the_fixture() {
    let path = SCHEMA_1.replace("-1.", &format!("-{}.", migrate::STEPS.len() + 1));
    assert!(!Path::new(&path).exists(), "{path} is there");
    let home = Home::new();
    home.store(&every_row());
    fs::copy(home.path(), path).unwrap();
}

#[test]
fn a_store_of_the_first_schema_is_read_upgraded_and_not_taken_back() {
    let home = Home::new();
    fs::write(home.path(), fs::read(SCHEMA_1).unwrap()).unwrap();
    let found = home.open();
    assert_eq!(found.mutations, every_row());
    close(found.store);
    let step: [Step; 1] = [|_| Ok(())];
    close(RedbStore::open_with(&home.options(), &step, 1).unwrap().store);
    let newer = fs::read(home.path()).unwrap();
    assert!(matches!(home.refused(), StoreError::TooNew { found: 2, known: 1 }));
    assert!(fs::read(home.path()).unwrap() == newer, "the file was changed");
    assert!(home.0.path().join("ipcd.redb.schema-1").exists(), "the old one is kept");
}
