//! A store without quota.

use super::{
    Kept, MINUTE, NOW, Store, StoreConfig, StoreError, StoreLocation, Write, Written, accept, end, ended_at, forget,
    hold, id, ids, on_both, open, read, record, submit, wait, write,
};
use crate::record::{End, PhaseTimes, Record};
use crate::storage::{Completion, Storage as _};
use countersign_protocol::{ApprovedBy, Device, RequestId};
use rusqlite::ffi::SQLITE_FULL;
use std::{
    path::Path,
    sync::{Arc, mpsc::channel},
};

on_both!(a_share_is_counted_as_its_requests_come_and_go,);

const MAX_BYTES: u64 = 512 * 1024;

fn small(dir: &Path) -> (Store, Vec<Record>) {
    let config = StoreConfig { max_bytes: MAX_BYTES, ..StoreConfig::new(dir) };
    let (store, loaded) = Store::open(config, NOW).unwrap();
    (store, loaded.open)
}

/// Accepts requests with messages of this size until there is no quota.
fn fill(store: &Store, from: u32, message_bytes: usize) -> Vec<RequestId> {
    let mut accepted = Vec::new();
    for n in from.. {
        let message = Arc::new(vec![1; message_bytes].try_into().unwrap());
        let records = vec![Record { message, webhook: Some("https://example.com/".into()), ..record(n) }];
        match write(store, Write::Accept { records, idempotency: None, replaced: None }) {
            Ok(written) => assert_eq!(written, Written::Done),
            Err(error) => {
                assert_eq!(error, StoreError::Full);
                break;
            }
        }
        accepted.push(id(n));
    }
    accepted
}

/// As large as an end can be.
fn large_end() -> End {
    let text = "x".repeat(64);
    End::Signed {
        signature: [9; 64].into(),
        approved_by: Some(ApprovedBy::Policy(text.parse().unwrap())),
        device: Some(Arc::new(Device { id: text.parse().unwrap(), label: text.parse().unwrap() })),
    }
}

/// A lower limit lets what is there end, a higher one makes room at once.
#[test]
fn other_limits_hold_for_what_is_taken_in_from_now_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = small(dir.path());
    let accepted = fill(&store, 0, 2100);
    store.set_limits(4 * MAX_BYTES, 100, MINUTE);
    let more = fill(&store, 1_000, 2100);
    assert!(more.len() > 2 * accepted.len(), "{} and {}", accepted.len(), more.len());
    store.set_limits(MAX_BYTES, 100, MINUTE);
    assert_eq!(fill(&store, 2_000, 1).len(), 0);
    for id in accepted.into_iter().chain(more) {
        let end = Write::End { id, end: large_end(), times: PhaseTimes::asked_at(NOW) };
        assert_eq!(write(&store, end), Ok(Written::Done));
    }
}

#[test]
fn whatever_was_accepted_can_end() {
    for message_bytes in [1, 2100, 20_000] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = small(dir.path());
        let accepted = fill(&store, 0, message_bytes);
        assert!(accepted.len() > 3, "{} of {message_bytes} bytes", accepted.len());
        drop(store);
        let (store, open) = small(dir.path());
        assert_eq!(ids(&open), accepted, "all that were accepted and no other");
        assert_eq!(fill(&store, 50_000, message_bytes), [], "a restart makes no room");

        let times = PhaseTimes { delivered: Some(NOW), received: Some(NOW), displayed: Some(NOW), ..ended_at(NOW) };
        let end = |&id| submit(&store, Write::End { id, end: large_end(), times });
        let done = |&id| submit(&store, Write::EventDone { id });
        let outcomes: Vec<_> = accepted.iter().map(end).chain(accepted.iter().map(done)).collect();
        assert!(outcomes.iter().all(|outcome| wait(outcome) == Ok(Written::Done)), "{message_bytes} bytes");
        assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(accepted.len()));
        let again = fill(&store, 100_000, message_bytes);
        // The ends had to be kept room for while their requests were open, and no longer.
        assert!(again.len() >= accepted.len(), "{} then {}", accepted.len(), again.len());
        drop(store);
        assert!(dir.path().join("countersign.db").metadata().unwrap().len() <= MAX_BYTES);
    }
}

#[test]
fn a_full_disk_refuses_what_is_new_and_keeps_what_has_ended_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    store.fail_commits(&[SQLITE_FULL; 1000]);
    let held = hold(&store);
    let progress = Write::Progress { id: id(1), times: PhaseTimes::asked_at(NOW), attempt: 5 };
    let refused = [accept(2), progress].map(|write| submit(&store, write));
    let ended = submit(&store, end(1));
    drop(held);
    assert_eq!(refused.map(|outcome| wait(&outcome)), [Err(StoreError::Full), Err(StoreError::Full)]);
    assert_eq!(read(&store, id(1)), Ok(Some(record(1))), "nothing of the transaction is there");
    assert_eq!(write(&store, accept(3)), Err(StoreError::Full));
    assert!(ended.try_recv().is_err(), "nobody is told of an end that is not on the disk");

    store.fail_commits(&[]);
    assert_eq!(wait(&ended), Ok(Written::Done), "tried again without anybody asking");
    assert_eq!(write(&store, accept(4)), Ok(Written::Done));
    assert!(!store.is_failed());
    drop(store);
    let (_store, loaded) = open(dir.path());
    assert_eq!((ids(&loaded.open), ids(&loaded.ended)), (vec![id(4)], vec![id(1)]));
}

#[test]
fn an_end_finds_the_space_that_is_set_aside_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let reserve = dir.path().join("countersign.reserve");
    write(&store, accept(1)).unwrap();
    assert!(reserve.exists());
    store.fail_commits(&[SQLITE_FULL]);
    // What is asked in one go with a write comes after it.
    drop(hold(&store));
    assert_eq!(write(&store, end(1)), Ok(Written::Done), "at once, and not when somebody has made room");
    assert!(!reserve.exists());
    // What is new is none of its business.
    assert_eq!(write(&store, accept(2)), Ok(Written::Done));
    store.fail_commits(&[SQLITE_FULL]);
    drop(hold(&store));
    assert_eq!(write(&store, accept(3)), Err(StoreError::Full));
}

#[test]
fn what_is_kept_fits_once_the_rest_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    store.fail_commits(&[SQLITE_FULL]);
    let held = hold(&store);
    let outcomes = [accept(2), end(1)].map(|write| submit(&store, write));
    let (sender, answer) = channel();
    store.read(id(1), Completion::new(move |result| sender.send(result).unwrap()));
    drop(held);
    assert_eq!(outcomes.map(|outcome| wait(&outcome)), [Err(StoreError::Full), Ok(Written::Done)]);
    let read_in_the_same_batch = wait(&answer).unwrap().unwrap();
    assert_eq!(read_in_the_same_batch.end, Some(End::Cancelled), "tried again at once");
}

#[test]
fn what_is_kept_has_a_last_chance_and_is_not_lied_about() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    store.fail_commits(&[SQLITE_FULL; 1000]);
    let held = hold(&store);
    let ended = submit(&store, end(1));
    drop(held);
    drop(store);
    assert_eq!(wait(&ended), Err(StoreError::Full));
    assert_eq!(ids(&open(dir.path()).1.open), [id(1)]);
}

fn a_share_is_counted_as_its_requests_come_and_go(location: &StoreLocation) {
    let open = || location.open_with(Kept { max_bytes: MAX_BYTES, max_share_percent: 25, ..Kept::default() }, NOW);
    let (store, _) = open();
    let ask = |store: &Store, n, requester: &str| {
        let message = Arc::new(vec![1; 10_000].try_into().unwrap());
        let records = vec![Record { message, requester_id: requester.parse().unwrap(), ..record(n) }];
        write(store, Write::Accept { records, idempotency: None, replaced: None }).unwrap()
    };
    // A quarter is 131,072 bytes, and each takes twice 10,512 and 1,024.
    for n in 0..5 {
        assert_eq!(ask(&store, n, "Greedy"), Written::Done, "{n}");
    }
    assert_eq!(ask(&store, 5, "Greedy"), Written::OverShare);
    assert_eq!(ask(&store, 6, "Modest"), Written::Done);
    write(&store, end(0)).unwrap();
    assert_eq!(ask(&store, 5, "Greedy"), Written::OverShare, "an ended one is still kept");
    drop(store);
    let (store, _) = open();
    assert_eq!(ask(&store, 5, "Greedy"), Written::OverShare);
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(1));
    assert_eq!(ask(&store, 5, "Greedy"), Written::Done);
    assert_eq!(ask(&store, 7, "Greedy"), Written::OverShare);
}

/// What a share is refused by is what its table counts, whatever a text's characters take.
#[test]
fn the_table_counts_as_the_quota_does() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let record = Record {
        webhook: Some("https://example.com/".into()),
        reference: Some("№ 1042, 支払い".parse().unwrap()),
        metadata: Some(crate::Metadata::new([("shop", "Zoë\0"), ("x", "\"")]).unwrap()),
        ..record(1)
    };
    let counted = crate::store::quota::bytes(&record);
    write(&store, Write::Accept { records: vec![record], idempotency: None, replaced: None }).unwrap();
    let database = rusqlite::Connection::open(dir.path().join("countersign.db")).unwrap();
    let shares = || database.query_row("SELECT total(bytes) FROM shares", [], |row| row.get::<_, f64>(0)).unwrap();
    assert_eq!(shares(), counted as f64);
    write(&store, end(1)).unwrap();
    write(&store, Write::EventDone { id: id(1) }).unwrap();
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(1));
    assert_eq!(shares(), 0.0);
}

#[test]
fn another_tool_s_lock_costs_no_space_that_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    write(&store, accept(1)).unwrap();
    let reserve = dir.path().join("countersign.reserve");
    assert!(reserve.exists());
    let other = rusqlite::Connection::open(dir.path().join("countersign.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ended = submit(&store, end(1));
    assert_eq!(write(&store, accept(2)), Err(StoreError::Full));
    assert!(store.is_full() && reserve.exists());
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(wait(&ended), Ok(Written::Done));
}
