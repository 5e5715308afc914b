//! Many writes share a commit, and do not get in each other's way.

use super::{
    NOW, StoreError, StoreLocation, Write, Written, accept, completion, end, hold, id, on_both, read, record, submit,
    wait, write,
};
use crate::record::PhaseTimes;
use crate::storage::{Completion, Storage as _};
use std::{
    sync::{Arc, Mutex},
    thread,
};

on_both!(
    what_queues_up_shares_a_commit,
    outcomes_are_told_in_the_order_of_the_writes,
    one_that_contradicts_does_not_take_the_others_with_it,
    progress_rides_with_another_commit_and_waits_for_none_for_ever,
    the_last_handle_commits_what_was_submitted,
    the_last_handle_may_be_dropped_by_a_completion,
);

fn what_queues_up_shares_a_commit(location: &StoreLocation) {
    let (store, _) = location.open();
    let held = hold(&store);
    let before = store.commits();
    let outcomes = thread::scope(|scope| {
        let callers: Vec<_> = (0..64)
            .map(|caller| {
                let store = &store;
                scope.spawn(move || (0..4).map(|n| submit(store, accept(caller * 4 + n))).collect::<Vec<_>>())
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    drop(held);
    assert!(outcomes.iter().all(|outcome| wait(outcome) == Ok(Written::Done)));
    assert_eq!((outcomes.len(), store.commits() - before), (256, 1));
}

fn outcomes_are_told_in_the_order_of_the_writes(location: &StoreLocation) {
    let (store, _) = location.open();
    let told = Arc::new(Mutex::new(Vec::new()));
    for n in 0..3000 {
        let told = Arc::clone(&told);
        store.write(accept(n), Completion::new(move |_| told.lock().unwrap().push(n)));
    }
    drop(store);
    assert_eq!(*told.lock().unwrap(), (0..3000).collect::<Vec<_>>());
}

fn one_that_contradicts_does_not_take_the_others_with_it(location: &StoreLocation) {
    let (store, _) = location.open();
    let held = hold(&store);
    let before = store.commits();
    let outcomes: Vec<_> = [accept(1), accept(1), accept(2), end(1)].map(|write| submit(&store, write)).into();
    drop(held);
    let outcomes: Vec<_> = outcomes.iter().map(wait).collect();
    assert_eq!(outcomes, [Ok(Written::Done), Err(StoreError::Failed), Ok(Written::Done), Ok(Written::Done)]);
    assert_eq!(store.commits() - before, 1);
    assert!(read(&store, id(1)).unwrap().unwrap().end.is_some());
    assert_eq!(read(&store, id(2)), Ok(Some(record(2))));
}

fn progress_rides_with_another_commit_and_waits_for_none_for_ever(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(1)).unwrap();
    let progress = |attempt| Write::Progress {
        id: id(1),
        times: PhaseTimes { delivered: Some(NOW), ..PhaseTimes::asked_at(NOW) },
        attempt,
    };
    let held = hold(&store);
    let before = store.commits();
    let outcomes: Vec<_> = [progress(1), progress(2), accept(2)].map(|write| submit(&store, write)).into();
    drop(held);
    assert!(outcomes.iter().all(|outcome| wait(outcome).is_ok()));
    assert_eq!(store.commits() - before, 1);

    assert_eq!(write(&store, progress(3)), Ok(Written::Done));
    assert_eq!(read(&store, id(1)).unwrap().unwrap().attempt, 3);
}

fn the_last_handle_commits_what_was_submitted(location: &StoreLocation) {
    let (store, _) = location.open();
    let held = hold(&store);
    let outcomes: Vec<_> = (0..100).map(|n| submit(&store, accept(n))).collect();
    let other = store.clone();
    drop(store);
    drop(held);
    drop(other);
    assert!(outcomes.iter().all(|outcome| outcome.try_recv() == Ok(Ok(Written::Done))), "told before drop returns");
    assert_eq!(location.open().1.open.len(), 100);
}

fn the_last_handle_may_be_dropped_by_a_completion(location: &StoreLocation) {
    let (store, _) = location.open();
    let held = hold(&store);
    let (then, outcome) = completion();
    let last = store.clone();
    store.write(
        accept(1),
        Completion::new(move |result| {
            drop(last);
            then.complete(result);
        }),
    );
    drop(store);
    drop(held);
    assert_eq!(wait(&outcome), Ok(Written::Done));
}
