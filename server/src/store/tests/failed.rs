//! A store that nothing can be relied on any more.

use super::{
    NOW, StoreError, Write, Written, accept, end, forget, hold, id, ids, open, read, record, submit, wait, write,
};
use crate::storage::{Completion, Storage as _};
use rusqlite::ffi::{SQLITE_CORRUPT, SQLITE_IOERR_FSYNC, SQLITE_IOERR_WRITE};
use std::sync::mpsc::channel;

#[test]
fn a_failed_fsync_fails_the_store_for_good() {
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
        store.due_events("https://example.com/", NOW, 1, move |result| drop(sender.send(result)));
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
