//! Copies of a store in use, and what is made of them.

use super::{accept, end, id, ids, open, write};
use crate::store::{BackupError, DurableStore, OpenError, StoreConfig, backup, verify_backup};
use rusqlite::Connection;
use std::{fs, path::Path, thread};

#[test]
fn a_store_in_use_is_copied_as_it_is_at_one_moment() {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, _) = open(dir.path());
    for n in 0..100 {
        write(&store, accept(n)).unwrap();
    }
    write(&store, end(7)).unwrap();
    let copied = thread::scope(|scope| {
        // What is taken in meanwhile is in the copy or not, and no call waits for it.
        let copying = scope.spawn(|| backup(dir.path(), target.path()));
        for n in 100..200 {
            write(&store, accept(n)).unwrap();
        }
        copying.join().unwrap().unwrap()
    });
    assert!(copied.requests >= 100 && copied.open == copied.requests - 1, "{copied:?}");
    drop(store);
    let (_store, loaded) = open(target.path());
    let wanted: Vec<_> = (0..u32::try_from(copied.requests).unwrap()).filter(|n| *n != 7).map(id).collect();
    assert_eq!((ids(&loaded.open), ids(&loaded.ended)), (wanted, vec![id(7)]));
}

#[test]
fn a_backup_takes_the_place_of_the_one_before_and_is_nobody_else_s_to_read() {
    let (dir, parent) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = parent.path().join("backups").join("today");
    let (durable, _) = DurableStore::open(StoreConfig::new(dir.path()), None).unwrap();
    for _ in 0..2 {
        assert_eq!(backup(dir.path(), &target).unwrap().requests, 0);
    }
    let key = |dir: &Path| fs::read(dir.join("server.key")).unwrap();
    assert_eq!(key(dir.path()), key(&target));
    let mut files: Vec<_> = fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files, [target.join("countersign.db"), target.join("server.key")]);
    #[cfg(unix)]
    for path in files.iter().chain([&target]) {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
    drop(durable);
    DurableStore::open(StoreConfig::new(&target), None).unwrap();
}

#[test]
fn what_cannot_be_copied_is_named_and_leaves_an_earlier_backup_alone() {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(matches!(backup(dir.path(), target.path()), Err(BackupError::Missing(_))));
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    assert!(matches!(backup(dir.path(), dir.path()), Err(BackupError::Same(_))));
    backup(dir.path(), target.path()).unwrap();
    drop(store);

    let earlier = fs::read(target.path().join("countersign.db")).unwrap();
    let other = Connection::open(dir.path().join("countersign.db")).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    assert!(matches!(backup(dir.path(), target.path()), Err(BackupError::NewerSchema { found: 99, .. })));
    fs::write(dir.path().join("countersign.db"), b"this is no database".repeat(300)).unwrap();
    assert!(matches!(backup(dir.path(), target.path()), Err(BackupError::Io { .. })));
    assert_eq!(fs::read(target.path().join("countersign.db")).unwrap(), earlier);
}

#[test]
fn a_key_without_its_database_is_no_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let open = || DurableStore::open(StoreConfig::new(dir.path()), None).map(drop);
    open().unwrap();
    let database = dir.path().join("countersign.db");
    fs::write(&database, b"").unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, OpenError::Lost { .. }) && error.to_string().contains("server.key"), "{error}");
    fs::remove_file(&database).unwrap();
    assert!(matches!(open(), Err(OpenError::Lost { .. })));
    assert!(!database.exists());
    fs::remove_file(dir.path().join("server.key")).unwrap();
    open().unwrap();
}

#[test]
fn a_backup_is_looked_through_and_left_as_it_was() {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(matches!(verify_backup(target.path()), Err(BackupError::Missing(_))));
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    backup(dir.path(), target.path()).unwrap();
    let verified = verify_backup(target.path()).unwrap();
    assert_eq!((verified.contents.requests, verified.contents.open, verified.key_id), (1, 1, None));
    drop(store);

    let (durable, _) = DurableStore::open(StoreConfig::new(dir.path()), None).unwrap();
    backup(dir.path(), target.path()).unwrap();
    let key_id = durable.shared_key().key_id().to_owned();
    drop(durable);
    // As on a disk that is mounted for reading only.
    let files = || {
        let mut files: Vec<_> = fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        files
    };
    let before = files();
    assert_eq!(verify_backup(target.path()).unwrap().key_id, Some(key_id));
    assert_eq!(files(), before);
    let database = target.path().join("countersign.db");
    assert_eq!(fs::read(&database).unwrap()[18..20], [1, 1], "no log beside it that a reader would have to make");

    let copy = Connection::open(&database).unwrap();
    // No signature over this message; and then nothing that this program would have written.
    copy.execute("UPDATE requests SET ended_at = 1, end_kind = 'signed', signature = zeroblob(64)", []).unwrap();
    let said = verify_backup(target.path()).unwrap_err().to_string();
    assert!(said.contains("the signature of 00000000-0000-0000-0000-000000000001 does not verify"), "{said}");
    copy.execute("UPDATE requests SET end_kind = 'forgotten'", []).unwrap();
    let said = verify_backup(target.path()).unwrap_err().to_string();
    assert!(said.contains("column end_kind has a value that cannot be read"), "{said}");
    copy.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(verify_backup(target.path()), Err(BackupError::NewerSchema { found: 99, .. })));
    copy.pragma_update(None, "user_version", 1).unwrap();
    assert_eq!(verify_backup(target.path()).unwrap().contents.version, 1);
    fs::write(target.path().join("server.key"), "no key").unwrap();
    assert!(matches!(verify_backup(target.path()), Err(BackupError::Key(_))));
}

/// Their files have the same names.
#[cfg(unix)]
#[test]
fn two_backups_into_one_directory_keep_out_of_each_other_s_way() {
    let (dir, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_store, _) = open(dir.path());
    let other = fs::File::open(target.path()).unwrap();
    other.lock().unwrap();
    assert!(matches!(backup(dir.path(), target.path()), Err(BackupError::InUse(_))));
    drop(other);
    // What one that was killed has left is gone with the next.
    fs::write(target.path().join("countersign.partial"), "half of it").unwrap();
    backup(dir.path(), target.path()).unwrap();
    let files: Vec<_> = fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["countersign.db"]);
}
