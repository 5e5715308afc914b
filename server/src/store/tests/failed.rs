//! A store that nothing can be relied on any more.

use super::{
    NOW, Store, StoreError, Write, Written, accept, end, forget, hold, id, ids, open, read, record, submit, wait, write,
};
use crate::storage::{Completion, Storage as _};
use rusqlite::ffi::{SQLITE_CORRUPT, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};
use std::sync::mpsc::channel;

#[test]
fn a_failed_fsync_fails_the_store() {
    for code in [SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE, SQLITE_CORRUPT] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = open(dir.path());
        write(&store, accept(1)).unwrap();
        assert!(!store.is_failed());
        store.fail_commits(&[code]);
        let held = hold(&store);
        let progress = Write::Progress { id: id(1), times: record(1).times, attempt: 5 };
        let outcomes = [accept(2), end(1), progress].map(|write| submit(&store, write));
        drop(held);
        assert!(outcomes.iter().all(|outcome| wait(outcome) == Err(StoreError::Failed)));
        assert!(store.is_failed());

        // The next commit would succeed, and would prove nothing.
        assert_eq!(write(&store, accept(3)), Err(StoreError::Failed));
        assert_eq!(write(&store, end(1)), Err(StoreError::Failed));
        assert_eq!(read(&store, id(1)), Err(StoreError::Failed));
        assert_eq!(forget(&store, NOW), Err(StoreError::Failed));
        let (sender, answer) = channel();
        store.due_events("https://example.com/", false, NOW, 1, move |result| drop(sender.send(result)));
        assert_eq!(wait(&answer), Err(StoreError::Failed));

        drop(store);
        let (store, loaded) = open(dir.path());
        assert_eq!(ids(&loaded.open), [id(1)]);
        assert_eq!(write(&store, end(1)), Ok(Written::Done));
    }
}

#[test]
fn a_completion_that_panics_fails_the_store_rather_than_hiding_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let (sender, dropped) = channel::<()>();
    store.write(
        accept(1),
        Completion::new(move |_| {
            let _held_until_unwound = &sender;
            panic!("a bug, as a test has it");
        }),
    );
    assert!(dropped.recv_timeout(super::PATIENCE).is_err());
    // Either the thread is still unwinding, and never gets to this, or it is refused here.
    let outcome = submit(&store, accept(2)).recv_timeout(super::PATIENCE);
    assert!(!matches!(outcome, Ok(Ok(_))));
    drop(store);
    assert_eq!(ids(&open(dir.path()).1.open), [id(1)]);
}

/// Returns when the store knows.
fn fail_next_commit(store: &Store, code: i32) {
    store.fail_commits(&[code]);
    assert!(read(store, id(1)).is_ok());
}

#[test]
fn a_store_that_failed_works_again_with_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let (sender, recovered) = channel();
    store.on_recovery(Box::new(move |loaded| sender.send(loaded).unwrap()));
    for n in 1..=3 {
        write(&store, accept(n)).unwrap();
    }
    write(&store, end(2)).unwrap();
    fail_next_commit(&store, SQLITE_IOERR_FSYNC);
    assert_eq!(write(&store, end(3)), Err(StoreError::Failed));
    assert!(store.is_failed());

    store.reopen();
    let loaded = wait(&recovered);
    assert_eq!((ids(&loaded.open), ids(&loaded.ended)), (vec![id(1), id(3)], vec![id(2)]));
    assert!(!store.is_failed());
    assert_eq!(write(&store, end(3)), Ok(Written::Done));
    assert_eq!(write(&store, accept(4)), Ok(Written::Done));
    drop(store);
    assert_eq!(ids(&open(dir.path()).1.open), [id(1), id(4)]);
}

#[test]
fn a_database_that_is_gone_is_not_replaced_by_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    fail_next_commit(&store, SQLITE_IOERR_WRITE);
    assert_eq!(write(&store, end(1)), Err(StoreError::Failed));
    let path = dir.path().join("countersign.db");
    std::fs::rename(&path, dir.path().join("elsewhere")).unwrap();
    store.reopen();
    // It is tried after the first of these at the latest.
    assert_eq!(write(&store, accept(2)), Err(StoreError::Failed));
    assert_eq!(write(&store, accept(2)), Err(StoreError::Failed));
    assert!(!path.exists());
    std::fs::rename(dir.path().join("elsewhere"), &path).unwrap();
    let (sender, recovered) = channel();
    store.on_recovery(Box::new(move |loaded| sender.send(loaded).unwrap()));
    store.reopen();
    assert_eq!(ids(&wait(&recovered).open), [id(1)]);
}
