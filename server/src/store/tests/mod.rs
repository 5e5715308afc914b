//! The store as a whole, on real files.

mod backup;
mod clock;
mod crash;
mod events;
mod failed;
mod full;
mod grouping;
mod idempotency;
#[cfg(feature = "http")]
mod listing;
mod opening;
#[cfg(feature = "postgres")]
mod postgres;
mod replacing;
mod round_trip;
mod store_location;

use store_location::{Kept, StoreLocation, on_both};

use super::{Completion, Idempotency, Loaded, Store, StoreConfig, StoreError, Write, Written};
use crate::{
    record::{End, PhaseTimes, Record},
    storage::Storage as _,
    time::Timestamp,
};
use countersign_protocol::RequestId;
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

/// Only a test that fails waits as long.
const PATIENCE: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn open(dir: &Path) -> (Store, Loaded) {
    Store::open(StoreConfig::new(dir), NOW).unwrap()
}

fn id(n: u32) -> RequestId {
    RequestId::from_bytes(u128::from(n).to_be_bytes())
}

fn record(n: u32) -> Record {
    Record {
        id: id(n),
        public_key: [7; 32].into(),
        message: Arc::new(format!("message {n}").into_bytes().try_into().unwrap()),
        requester_id: "Example Bank".parse().unwrap(),
        requester: "Example Bank".parse().unwrap(),
        purpose: None,
        reference: None,
        metadata: None,
        batch: None,
        deliver_by: NOW.after(Duration::from_secs(10)),
        expires_at: NOW.after(MINUTE),
        webhook: None,
        times: PhaseTimes::asked_at(NOW),
        attempt: 0,
        end: None,
        node: None,
        call: None,
    }
}

fn accept(n: u32) -> Write {
    Write::Accept { records: vec![record(n)], idempotency: None, replaced: None }
}

fn ended_at(time: Timestamp) -> PhaseTimes {
    PhaseTimes { ended: Some(time), ..PhaseTimes::asked_at(NOW) }
}

fn end(n: u32) -> Write {
    Write::End { id: id(n), end: End::Cancelled, times: ended_at(NOW) }
}

/// A write under way.
type Outcome = Receiver<Result<Written, StoreError>>;

fn submit(store: &Store, write: Write) -> Outcome {
    let (then, outcome) = completion();
    store.write(write, then);
    outcome
}

fn completion() -> (Completion<Written>, Outcome) {
    let (sender, outcome) = channel();
    let then = move |written: Result<Written, StoreError>| {
        // Whose it is differs too.
        let written =
            written.map(|written| if let Written::Accepted(Some(_)) = written { Written::Done } else { written });
        drop(sender.send(written));
    };
    (Completion::new(then), outcome)
}

fn wait<T>(answer: &Receiver<T>) -> T {
    answer.recv_timeout(PATIENCE).expect("the store answers")
}

fn write(store: &Store, write: Write) -> Result<Written, StoreError> {
    wait(&submit(store, write)).map(|written| match written {
        Written::Ended(record) => Written::Ended(Box::new(without_node(*record))),
        written => written,
    })
}

/// Which node it is differs from run to run, and in a directory there is none.
fn without_node(record: Record) -> Record {
    Record { node: None, ..record }
}

fn read(store: &Store, id: RequestId) -> Result<Option<Record>, StoreError> {
    let (sender, answer) = channel();
    store.read(id, Completion::new(move |result| drop(sender.send(result))));
    wait(&answer).map(|record: Option<Record>| record.map(without_node))
}

fn forget(store: &Store, before: Timestamp) -> Result<usize, StoreError> {
    let (sender, answer) = channel();
    store.forget_ended_before(before, move |result| sender.send(result).unwrap());
    wait(&answer)
}

/// Holds the store's thread until what is returned is dropped, so that what is submitted meanwhile queues up.
fn hold(store: &Store) -> Sender<()> {
    let (entered, is_held) = channel();
    let (release, released) = channel::<()>();
    let then = Completion::new(move |_| {
        entered.send(()).unwrap();
        let _ = released.recv_timeout(PATIENCE);
    });
    store.read(id(u32::MAX), then);
    wait(&is_held);
    release
}

fn ids(records: &[Record]) -> Vec<RequestId> {
    records.iter().map(|record| record.id).collect()
}
