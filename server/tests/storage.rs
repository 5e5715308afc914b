//! Stores that misbehave: whoever waits is answered all the same, once, and in time.

// The helpers of a test fail by panicking, as the test itself does.
#![allow(clippy::unwrap_used)]

use countersign_server::{
    Config, IdempotencyKey, Record, SigningError, SigningService,
    protocol::{PublicKeyBytes, RequestId},
    storage::{Completion, Loaded, Storage, StoreError, Write, Written},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// Whom nobody has told yet.
#[derive(Debug, Default)]
struct Pending {
    writes: Mutex<Vec<Completion<Written>>>,
    reads: Mutex<Vec<Completion<Option<Record>>>>,
}

/// What a store does with the writes it is given.
#[derive(Debug)]
enum Misbehaving {
    /// Forgets whom to tell.
    Drops,
    /// Tells at once, from within the submission.
    TellsAtOnce(Result<Written, StoreError>),
    /// Tells nobody anything, and keeps them waiting.
    Hangs(Pending),
}

impl Storage for Misbehaving {
    fn write(&self, _: Write, then: Completion<Written>) {
        match self {
            Self::Drops => drop(then),
            Self::TellsAtOnce(written) => then.complete(written.clone()),
            Self::Hangs(pending) => pending.writes.lock().unwrap().push(then),
        }
    }

    fn read(&self, _: RequestId, then: Completion<Option<Record>>) {
        match self {
            Self::Drops => drop(then),
            Self::Hangs(pending) => pending.reads.lock().unwrap().push(then),
            Self::TellsAtOnce(_) => then.complete(Ok(None)),
        }
    }
}

fn service(store: Misbehaving) -> SigningService {
    let config = Config::new(vec!["wss://sign.example/ws".parse().unwrap()]);
    SigningService::with_storage(config, Arc::new(store), Loaded::default())
}

fn key() -> PublicKeyBytes {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes().into()
}

/// Submits a request that may wait for its wallet for two seconds.
async fn submit(service: &SigningService) -> Result<usize, SigningError> {
    let idempotency_key: IdempotencyKey = "order-1042".parse().unwrap();
    let request = service.request(key(), b"hello".as_slice().try_into().unwrap());
    let request = request.timeout(Duration::from_secs(2)).queue().idempotency_key(idempotency_key);
    request.submit().await.map(|accepted| accepted.request_ids.len())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_forgets_whom_to_tell_has_failed() {
    let service = service(Misbehaving::Drops);
    assert_eq!(submit(&service).await, Err(SigningError::StorageUnavailable));
    assert_eq!(service.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_may_tell_at_once() {
    let fulfilled = service(Misbehaving::TellsAtOnce(Ok(Written::Done)));
    assert_eq!(submit(&fulfilled).await, Ok(1));
    let full = service(Misbehaving::TellsAtOnce(Err(StoreError::Full)));
    assert_eq!(submit(&full).await, Err(SigningError::StorageUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_nobody_up_beyond_their_time() {
    let service = service(Misbehaving::Hangs(Pending::default()));
    let started = Instant::now();
    assert_eq!(submit(&service).await, Err(SigningError::StorageUnavailable));
    let waited = started.elapsed();
    assert!((2..=4).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(service.pending(), 1, "it may yet be written");
    let (requester, id) = ("Example Bank".parse().unwrap(), RequestId::from_bytes([7; 16]));
    assert_eq!(service.record(&requester, id).await, Err(SigningError::StorageUnavailable));
}
