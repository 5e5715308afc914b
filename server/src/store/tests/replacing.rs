//! One request ends and another begins in a single transaction, or neither.

use super::{
    Idempotency, Kept, NOW, Store, StoreLocation, Write, Written, end, ended_at, hold, id, ids, on_both, read, record,
    submit, wait, write,
};
use crate::{
    record::{End, Record},
    storage::{Replaced, StoreError},
};
use countersign_protocol::RequestId;
use std::sync::{Arc, mpsc::channel};

on_both!(
    one_ends_and_the_other_is_open,
    nothing_is_written_where_it_has_ended_or_is_not_there,
    what_is_refused_leaves_it_open,
    the_same_again_is_found_although_it_has_ended,
    it_holds_within_one_transaction,
);

const URL: &str = "https://shop.example/hook";

/// Takes `n` in the place of another.
fn replace(n: u32, replaced: u32) -> Write {
    replace_under(None, n, replaced)
}

fn replace_under(idempotency: Option<Idempotency>, n: u32, replaced: u32) -> Write {
    let replaced = Replaced { id: id(replaced), end: End::Cancelled, times: ended_at(NOW), owner: None };
    Write::Accept { records: vec![record(n)], idempotency, replaced: Some(Box::new(replaced)) }
}

/// Whose ends are to be told.
fn due(store: &Store) -> Vec<RequestId> {
    let (sender, answer) = channel();
    store.due_events(URL, false, NOW, 10, move |result| drop(sender.send(result)));
    let (events, _) = wait(&answer).unwrap();
    events.iter().map(|event| event.record.id).collect()
}

fn accept(record: Record) -> Write {
    Write::Accept { records: vec![record], idempotency: None, replaced: None }
}

fn one_ends_and_the_other_is_open(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(Record { webhook: Some(URL.into()), ..record(1) })).unwrap();
    assert_eq!(write(&store, replace(2, 1)), Ok(Written::Done));
    let told = |store: &Store| {
        let old = read(store, id(1)).unwrap().unwrap();
        (old.end, old.times.ended)
    };
    assert_eq!(told(&store), (Some(End::Cancelled), Some(NOW)));
    assert_eq!(due(&store), [id(1)], "it is told");
    drop(store);
    let (store, loaded) = location.open();
    assert_eq!((ids(&loaded.open), ids(&loaded.ended)), (vec![id(2)], vec![id(1)]));
    assert_eq!(told(&store), (Some(End::Cancelled), Some(NOW)));
}

fn nothing_is_written_where_it_has_ended_or_is_not_there(location: &StoreLocation) {
    let (store, _) = location.open();
    assert_eq!(write(&store, replace(2, 1)), Ok(Written::Unknown));
    write(&store, accept(record(1))).unwrap();
    write(&store, end(1)).unwrap();
    let stands = read(&store, id(1)).unwrap().unwrap();
    assert_eq!(write(&store, replace(2, 1)), Ok(Written::Ended(Box::new(stands))));
    assert_eq!(read(&store, id(2)), Ok(None));
}

fn what_is_refused_leaves_it_open(location: &StoreLocation) {
    let (store, _) = location.open_with(Kept { max_bytes: 512 * 1024, ..Kept::default() }, NOW);
    write(&store, accept(record(1))).unwrap();
    let replaced = Some(Box::new(Replaced { id: id(1), end: End::Cancelled, times: ended_at(NOW), owner: None }));
    let long = |n| Record { message: Arc::new(vec![1; 60_000].try_into().unwrap()), ..record(n) };
    for n in 10.. {
        if write(&store, accept(long(n))).is_err() {
            break;
        }
    }
    let asked = Write::Accept { records: vec![long(2)], idempotency: None, replaced };
    assert_eq!(write(&store, asked), Err(StoreError::Full));
    assert_eq!(read(&store, id(1)).unwrap().unwrap().end, None);
    assert_eq!(read(&store, id(2)), Ok(None));
}

fn the_same_again_is_found_although_it_has_ended(location: &StoreLocation) {
    let (store, _) = location.open();
    let key = |fingerprint| {
        let requester = record(1).requester_id;
        Some(Idempotency { requester, key: "key".parse().unwrap(), fingerprint: [fingerprint; 32] })
    };
    write(&store, accept(record(1))).unwrap();
    assert_eq!(write(&store, replace_under(key(1), 2, 1)), Ok(Written::Done));
    assert_eq!(write(&store, replace_under(key(1), 3, 1)), Ok(Written::Existing(vec![id(2)])));
    assert_eq!(write(&store, replace_under(key(2), 3, 2)), Ok(Written::Reused));
    assert_eq!(read(&store, id(2)).unwrap().unwrap().end, None, "it goes on");
}

fn it_holds_within_one_transaction(location: &StoreLocation) {
    let (store, _) = location.open();
    let held = hold(&store);
    let outcomes: Vec<_> = [accept(record(1)), replace(2, 1)].into_iter().map(|write| submit(&store, write)).collect();
    drop(held);
    assert_eq!(outcomes.iter().map(wait).collect::<Vec<_>>(), [Ok(Written::Done), Ok(Written::Done)]);
    assert_eq!(write(&store, replace(3, 2)), Ok(Written::Done));
}
