//! Older and newer schemas.

use super::*;

#[test]
fn a_newer_schema_is_refused_and_no_byte_of_the_file_changes() {
    let home = Home::new();
    home.store(&every_row());
    let newer = |write: &WriteTransaction| {
        let mut meta = write.open_table(META).unwrap();
        meta.insert(b"schema".as_slice(), tables::encode(&2).unwrap().as_slice()).unwrap();
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
    let home = Home::new();
    home.store(&[message(1, "old")]);
    let old = fs::read(home.path()).unwrap();
    let steps: [Step; 2] = [
        |write| {
            let row = write.open_table(MESSAGES)?.remove(1)?.unwrap().value().to_vec();
            write.open_table(TableDefinition::<u64, &[u8]>::new("aside"))?.insert(1, row.as_slice())?;
            Ok(())
        },
        |write| {
            let mut aside = write.open_table(TableDefinition::<u64, &[u8]>::new("aside"))?;
            let row = aside.remove(1)?;
            let mut row: MessageRow = tables::decode(row.unwrap().value()).unwrap();
            row.content = Body("new".into());
            write.open_table(MESSAGES)?.insert(1, tables::encode(&row)?.as_slice())?;
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
        write.open_table(MESSAGES)?.remove(1)?;
        Err(StoreError::Damaged("this step cannot be done".to_owned()))
    }];
    assert!(RedbStore::open_with(&home.options(), &steps, 1).is_err());
    assert_eq!(home.open().mutations.len(), 1);
}
