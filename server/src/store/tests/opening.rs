//! Opening what is there, and refusing what is not ours.

use super::{NOW, Store, StoreConfig, Written, accept, id, ids, open, write};
use crate::store::{OpenError, schema};
use rusqlite::Connection;
use std::{fs, path::Path};

const DATABASE: &str = "countersign.db";

fn refusal(dir: &Path) -> OpenError {
    let error = Store::open(StoreConfig::new(dir), NOW).map(drop).unwrap_err();
    assert!(error.to_string().contains(dir.to_str().unwrap()), "{error} names the path");
    error
}

#[test]
fn a_second_one_is_refused_while_the_first_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    assert!(matches!(refusal(dir.path()), OpenError::InUse { .. }));
    write(&store, accept(1)).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::InUse { .. }));
    // Before the database is touched: closing it a second time would release the locks that SQLite has on it.
    let lock = fs::File::open(dir.path().join("countersign.lock")).unwrap();
    assert!(matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)));

    // Somebody with another tool may look, and holds nobody up.
    let other = Connection::open(dir.path().join(DATABASE)).unwrap();
    other.execute_batch("BEGIN").unwrap();
    assert_eq!(other.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)), Ok(1));
    assert_eq!(write(&store, accept(2)), Ok(Written::Done));
    drop(store);
    // What it looks at is not the latest, so that not all of the log can be taken over.
    assert!(matches!(refusal(dir.path()), OpenError::InUse { .. }));
    drop(other);
    assert_eq!(ids(&open(dir.path()).1.open), [id(1), id(2)]);
}

#[test]
fn somebody_who_reads_does_not_keep_us_out() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    drop(store);
    let other = Connection::open(dir.path().join(DATABASE)).unwrap();
    other.execute_batch("BEGIN; SELECT * FROM requests;").unwrap();
    let (store, loaded) = open(dir.path());
    assert_eq!(ids(&loaded.open), [id(1)]);
    assert_eq!(write(&store, accept(2)), Ok(Written::Done));
}

#[test]
fn an_empty_one_gets_the_tables_and_one_of_a_later_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(DATABASE), b"").unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    drop(store);

    let other = Connection::open(dir.path().join(DATABASE)).unwrap();
    assert_eq!(schema::version(&other).unwrap(), Some(schema::VERSION));
    other.pragma_update(None, "user_version", schema::VERSION as i64 + 1).unwrap();
    drop(other);
    let error = refusal(dir.path());
    assert!(
        matches!(error, OpenError::NewerSchema { found, known, .. } if found == known + 1 && known == schema::VERSION)
    );

    let other = Connection::open(dir.path().join(DATABASE)).unwrap();
    other.pragma_update(None, "user_version", schema::VERSION as i64).unwrap();
    drop(other);
    assert_eq!(ids(&open(dir.path()).1.open), [id(1)], "it had been left as it was");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let other = Connection::open(dir.path().join(DATABASE)).unwrap();
    other.execute_batch("CREATE TABLE something (else_entirely)").unwrap();
    drop(other);
    let before = fs::read(dir.path().join(DATABASE)).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Corrupt { .. }));
    assert_eq!(fs::read(dir.path().join(DATABASE)).unwrap(), before);
}

#[test]
fn what_is_damaged_or_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(DATABASE), b"this is no database".repeat(300)).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::Corrupt { .. }));

    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    drop(store);
    for damage in
        ["requester = ''", "attempt = -1", "public_key = x'00'", "end_kind = 'lost', ended_at = 1800000000000"]
    {
        let other = Connection::open(dir.path().join(DATABASE)).unwrap();
        other.execute_batch(&format!("BEGIN; UPDATE requests SET {damage}; COMMIT;")).unwrap();
        drop(other);
        let error = refusal(dir.path());
        assert!(matches!(error, OpenError::Corrupt { .. }), "{damage}: {error:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(refusal(&file), OpenError::Directory { .. }));
    assert!(matches!(refusal(&file.join("below")), OpenError::Directory { .. }));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_any_of_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a").join("data");
    let (store, _) = open(&dir);
    write(&store, accept(1)).unwrap();
    assert_eq!(mode(&dir), 0o700);
    let files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "the database, its log and the lock");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
