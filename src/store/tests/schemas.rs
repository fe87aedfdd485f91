//! Older and newer schemas.

use super::*;
use crate::store::salvage;

/// The schema that this source writes.
const NEWEST: u64 = migrate::STEPS.len() as u64 + 1;

#[test]
fn a_newer_schema_is_refused_and_no_byte_of_the_file_changes() {
    let home = Home::new();
    home.store(&every_row());
    let newer = |write: &WriteTransaction| {
        let mut meta = write.open_table(META).unwrap();
        let row = row_at(META, b"schema", &(NEWEST + 1));
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
        assert!(
            matches!(error, StoreError::TooNew { found, known: NEWEST } if found == NEWEST + 1),
            "{error}"
        );
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
    let steps: Vec<Step> = [
        migrate::STEPS,
        &[
            |write: &WriteTransaction| {
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
        ],
    ]
    .concat();
    let recovered = RedbStore::open_with(&home.options(), &steps, 1).unwrap();
    let [Mutation::PutMessage(row)] = recovered.mutations.as_slice() else { panic!() };
    assert_eq!(&*row.content.0, "new");
    assert!(!recovered.fresh);
    close(recovered.store);
    let aside = home.0.path().join(format!("ipcd.redb.schema-{NEWEST}"));
    assert!(fs::read(&aside).unwrap() == old);
    assert_eq!(mode(&aside), 0o600);
    // Once is enough, and this ipcd does not take it back.
    let again = RedbStore::open_with(&home.options(), &steps, 1).unwrap();
    assert_eq!(again.mutations.len(), 1);
    close(again.store);
    assert!(matches!(home.refused(), StoreError::TooNew { found, known: NEWEST } if found == NEWEST + 2));
}

#[test]
fn a_failed_step_leaves_the_old_schema() {
    let home = Home::new();
    home.store(&[message(1, "old")]);
    let broken: Step = |write| {
        write.open_table(MAIL)?.remove(message_key(MessageId(1)))?;
        Err(StoreError::Damaged("this step cannot be done".to_owned()))
    };
    let steps = [migrate::STEPS, &[broken]].concat();
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

/// [`every_row`] and a large message, which schema 2 has in another table.
const SCHEMA_2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/store-schema-2.redb");

fn every_row_of_schema_2() -> Vec<Mutation> {
    let mut rows = every_row();
    let large = message(11, &"large ".repeat(1000));
    rows.insert(rows.len() - 1, large);
    rows
}

/// Those of schema 2 and what a journal made of them: the store of a daemon that was killed, with its journal
/// beside it.
const SCHEMA_3: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/store-schema-3.redb");

/// What the journal of schema 3 holds: a put and a drop, and one message that came and went.
fn changes_of_schema_3() -> [Vec<Mutation>; 2] {
    let dropped = Mutation::DropReceipt(MailboxId(300), MessageId(2));
    [
        vec![counters(13), message(12, "kept in the journal"), message(13, "gone")],
        vec![Mutation::DropMessage(MessageId(13)), dropped],
    ]
}

fn every_row_of_schema_3() -> Vec<Mutation> {
    rows_of(&[every_row_of_schema_2(), changes_of_schema_3().concat()].concat())
}

#[test]
#[ignore = "writes files into the source"]
fn write_the_fixture() {
    let path = SCHEMA_3.replace("-3.", &format!("-{NEWEST}."));
    assert!(!Path::new(&path).exists(), "{path} is there");
    let home = Home::new();
    let mut store = home.open().store;
    store.commit(&every_row_of_schema_2()).unwrap();
    changes_of_schema_3().iter().for_each(|changes| store.commit(changes).unwrap());
    drop(store);
    fs::copy(home.path(), &path).unwrap();
    fs::copy(home.options().journal(), format!("{path}.journal")).unwrap();
}

#[test]
fn a_store_of_each_schema_is_read_upgraded_and_not_taken_back() {
    for (schema, fixture, rows) in [
        (1, SCHEMA_1, every_row()),
        (2, SCHEMA_2, every_row_of_schema_2()),
        (3, SCHEMA_3, every_row_of_schema_3()),
    ] {
        let home = Home::new();
        fs::write(home.path(), fs::read(fixture).unwrap()).unwrap();
        if let Ok(journal) = fs::read(format!("{fixture}.journal")) {
            fs::write(home.options().journal(), journal).unwrap();
        }
        let found = home.open();
        assert_eq!((found.mutations, found.warnings), (rows, Vec::new()));
        close(found.store);
        let kept = home.0.path().join(format!("ipcd.redb.schema-{schema}"));
        assert_eq!(kept.exists(), schema < NEWEST, "an old one is kept");
        let step: Step = |_| Ok(());
        let steps = [migrate::STEPS, &[step]].concat();
        close(RedbStore::open_with(&home.options(), &steps, 1).unwrap().store);
        let newer = fs::read(home.path()).unwrap();
        assert!(matches!(home.refused(), StoreError::TooNew { found, known: NEWEST } if found == NEWEST + 1));
        assert!(fs::read(home.path()).unwrap() == newer, "the file was changed");
    }
}

/// The next schema finds a store whose daemon was killed: what its journal holds takes the step, too, and both
/// files are kept.
#[test]
fn what_the_journal_holds_goes_through_the_steps_with_the_tables() {
    let home = Home::new();
    let mut store = home.open().store;
    store.commit(&[message(1, "in the tables")]).unwrap();
    store.commit(&[message(2, "in the journal")]).unwrap();
    drop(store);
    let files = [home.path(), home.options().journal()].map(|path| fs::read(path).unwrap());
    let step: Step = |write| {
        let mut mail = write.open_table(MAIL)?;
        assert!(mail.get(message_key(MessageId(2)))?.is_some());
        mail.remove(message_key(MessageId(1)))?;
        Ok(())
    };
    let steps = [migrate::STEPS, &[step]].concat();
    let found = RedbStore::open_with(&home.options(), &steps, 1).unwrap();
    assert_eq!(found.mutations, [message(2, "in the journal")]);
    let kept = home.0.path().join(format!("ipcd.redb.schema-{NEWEST}"));
    let kept = [file::beside(&kept, "journal"), kept].map(|path| fs::read(path).unwrap());
    assert!(kept[1] == files[0] && kept[0] == files[1]);
}

/// Each message in its place, and nothing left in the other one, also where one is put anew.
#[test]
fn a_large_message_has_a_place_of_its_own_and_leaves_nothing_there() {
    let home = Home::new();
    let large = |letter: &str| letter.repeat(INLINE_BYTES_MAX + 1);
    let rows =
        [message(1, "small"), message(2, &large("a")), message(3, &large("b")), message(4, &large("c"))];
    home.store(&rows);
    let count = || {
        let db = Database::open(home.path()).unwrap();
        let read = db.begin_read().unwrap();
        let large = read.open_table(LARGE).unwrap().len().unwrap();
        (read.open_table(MAIL).unwrap().len().unwrap(), large)
    };
    assert_eq!(count(), (4, 3));
    let found = home.open();
    assert_eq!(found.mutations, rows);
    assert!(found.row_bytes > 3 * INLINE_BYTES_MAX as u64, "what is elsewhere counts: {}", found.row_bytes);
    let mut store = found.store;
    store.commit(&[Mutation::DropMessage(MessageId(2)), message(3, "b"), message(1, &large("d"))]).unwrap();
    close(store);
    assert_eq!(count(), (3, 2));
    let rows = [message(1, &large("d")), message(3, "b"), message(4, &large("c"))];
    assert_eq!(home.open().mutations, rows);
}

#[test]
fn a_large_message_that_is_missing_or_damaged_is_noticed_and_costs_no_other() {
    for damage in ["missing", "flipped", "no table"] {
        let home = Home::new();
        let large = "large ".repeat(1000);
        let bob = MailboxRow { name: name("bob"), holder: None, merged: Vec::new() };
        let mut rows = vec![counters(3), Mutation::PutMailbox(MailboxId(1), Arc::new(bob))];
        for (id, text) in [(1, "one"), (2, &*large), (3, "three")] {
            rows.push(message(id, text));
            rows.push(Mutation::PutDelivery(MailboxId(1), MessageId(id), DeliveryRow::default()));
        }
        home.store(&rows);
        home.tamper(|write| {
            if damage == "no table" {
                assert!(write.delete_table(LARGE).unwrap());
                return;
            }
            let mut table = write.open_table(LARGE).unwrap();
            let mut row = table.remove(2).unwrap().unwrap().value().to_vec();
            if damage == "flipped" {
                row[3000] ^= 1;
                table.insert(2, row.as_slice()).unwrap();
            }
        });
        let error = home.refused();
        assert_eq!(error.refusal().code, RefusalCode::StoreDamaged, "{damage}: {error}");
        assert!(error.to_string().contains("row 2 of table mail"), "{damage}: {error}");
        let saved = salvage::replace(&home.options(), Timestamp(5)).unwrap();
        assert!(saved.evidence.exists());
        let rows = home.open().mutations;
        assert_eq!(messages(&rows), [1, 3], "{damage}");
    }
}

/// Damage that is found before a store is brought up costs no more than damage found later.
#[test]
fn what_checks_out_of_a_damaged_store_of_an_older_schema_is_saved() {
    let home = Home::new();
    fs::write(home.path(), fs::read(SCHEMA_1).unwrap()).unwrap();
    home.spoil(10);
    salvage::replace(&home.options(), Timestamp(5)).unwrap();
    let saved = home.open().mutations;
    assert!(saved.iter().any(|row| matches!(row, Mutation::PutMessage(row) if row.id == MessageId(9))));
    assert!(saved.iter().any(|row| matches!(row, Mutation::PutKey(..))));
}
