//! Asking twice under one name is asking once.

use super::{
    Idempotency, MINUTE, NOW, StoreError, StoreLocation, Write, Written, end, forget, hold, id, ids, on_both, read,
    record, submit, wait, write,
};
use crate::record::Record;

on_both!(
    the_same_again_is_the_first_and_something_else_is_refused,
    a_key_can_be_looked_up_without_asking_anything,
    holds_within_one_transaction,
    a_refused_request_leaves_its_key_unused,
    a_key_is_forgotten_with_the_last_of_its_requests,
);

fn asked(records: Vec<Record>, key: &str, fingerprint: u8) -> Write {
    let requester = records.first().map_or_else(|| record(0).requester_id, |record| record.requester_id.clone());
    let idempotency = Idempotency { requester, key: key.parse().unwrap(), fingerprint: [fingerprint; 32] };
    Write::Accept { records, idempotency: Some(idempotency), replaced: None }
}

fn the_same_again_is_the_first_and_something_else_is_refused(location: &StoreLocation) {
    let (store, _) = location.open();
    assert_eq!(write(&store, asked(vec![record(1), record(2)], "key", 1)), Ok(Written::Done));
    for again in [3, 4] {
        let outcome = write(&store, asked(vec![record(again)], "key", 1));
        assert_eq!(outcome, Ok(Written::Existing(vec![id(1), id(2)])));
        assert_eq!(read(&store, id(again)), Ok(None));
    }
    assert_eq!(write(&store, asked(vec![record(3)], "key", 2)), Ok(Written::Reused));
    assert_eq!(write(&store, asked(vec![record(3)], "Key", 2)), Ok(Written::Done));
    let other = Record { requester_id: "Example Shop".parse().unwrap(), ..record(4) };
    assert_eq!(write(&store, asked(vec![other], "key", 3)), Ok(Written::Done), "a key is its requester's own");

    drop(store);
    let (store, loaded) = location.open();
    assert_eq!(ids(&loaded.open), [id(1), id(2), id(3), id(4)]);
    assert_eq!(write(&store, asked(vec![record(5)], "key", 1)), Ok(Written::Existing(vec![id(1), id(2)])));
    assert_eq!(write(&store, asked(vec![record(5)], "key", 9)), Ok(Written::Reused));
}

fn a_key_can_be_looked_up_without_asking_anything(location: &StoreLocation) {
    let (store, _) = location.open();
    assert_eq!(write(&store, asked(Vec::new(), "key", 1)), Ok(Written::Done));
    assert_eq!(write(&store, asked(vec![record(1)], "key", 1)), Ok(Written::Done), "the look-up has not used it");
    assert_eq!(write(&store, asked(Vec::new(), "key", 1)), Ok(Written::Existing(vec![id(1)])));
    assert_eq!(write(&store, asked(Vec::new(), "key", 2)), Ok(Written::Reused));
}

fn holds_within_one_transaction(location: &StoreLocation) {
    let (store, _) = location.open();
    let held = hold(&store);
    let before = store.commits();
    let outcomes: Vec<_> = [(1, 1), (2, 1), (3, 2)]
        .into_iter()
        .map(|(n, fingerprint)| submit(&store, asked(vec![record(n)], "key", fingerprint)))
        .collect();
    drop(held);
    let outcomes: Vec<_> = outcomes.iter().map(wait).collect();
    assert_eq!(outcomes, [Ok(Written::Done), Ok(Written::Existing(vec![id(1)])), Ok(Written::Reused)]);
    assert_eq!(store.commits() - before, 1);
}

fn a_refused_request_leaves_its_key_unused(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, asked(vec![record(1)], "first", 1)).unwrap();
    // The second of them contradicts what is there.
    assert_eq!(write(&store, asked(vec![record(2), record(1)], "key", 1)), Err(StoreError::Failed));
    assert_eq!(read(&store, id(2)), Ok(None), "all or none");
    assert_eq!(write(&store, asked(vec![record(3)], "key", 2)), Ok(Written::Done));
    assert!(!store.is_failed());
}

fn a_key_is_forgotten_with_the_last_of_its_requests(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, asked(vec![record(1), record(2)], "key", 1)).unwrap();
    write(&store, end(1)).unwrap();
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(1));
    assert_eq!(write(&store, asked(vec![record(3)], "key", 1)), Ok(Written::Existing(vec![id(1), id(2)])));
    write(&store, end(2)).unwrap();
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(1));
    assert_eq!(write(&store, asked(vec![record(3)], "key", 2)), Ok(Written::Done));
}
