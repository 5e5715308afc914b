//! Connections that break, fall silent, or find that somebody else has written.

use super::{
    super::{
        Idempotency, NOW, StoreError, Write, Written, accept, end, ended_at, hold, id, ids, read, record, submit, wait,
        write,
    },
    Database,
    proxy::{Mood, Proxy},
};
use crate::{
    record::{End, Record},
    storage::Storage as _,
    store::{PostgresConfig, Store},
};
use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

fn through_proxy(database: &Database) -> (Proxy, Store) {
    let proxy = Proxy::before(database);
    let (store, _) = Store::connect(PostgresConfig::new(database.url_through(proxy.port)), NOW).unwrap();
    (proxy, store)
}

fn asked(n: u32, fingerprint: u8) -> Write {
    let idempotency =
        Idempotency { requester: record(n).requester_id, key: "key".parse().unwrap(), fingerprint: [fingerprint; 32] };
    Write::Accept { records: vec![record(n)], idempotency: Some(idempotency), replaced: None }
}

/// Whether or not it was, it is once, and everybody is told so.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_commit_that_nobody_heard_of_is_looked_up_and_not_guessed() {
    for mood in [Mood::CutsBeforeCommit, Mood::CutsAfterCommit] {
        let database = Database::new();
        let (proxy, store) = through_proxy(&database);
        write(&store, accept(1)).unwrap();
        let hour = Write::ClockSet { by_ms: 3_600_000 };
        let with_webhook = Record { webhook: Some("https://example.com/".into()), ..record(4) };
        write(&store, Write::Accept { records: vec![with_webhook], idempotency: None, replaced: None }).unwrap();

        let held = hold(&store);
        proxy.set(mood);
        let writes = [accept(2), asked(3, 1), asked(3, 1), hour, end(1), end(4)];
        let outcomes = writes.map(|write| submit(&store, write));
        drop(held);
        proxy.wait_until_it_passes();
        let outcomes = outcomes.map(|outcome| wait(&outcome).unwrap());
        assert_eq!(outcomes[..2], [Written::Done, Written::Done], "{mood:?}");
        assert!(matches!(&outcomes[2], Written::Existing(ids) if *ids == [id(3)]) || outcomes[2] == Written::Done);
        for (outcome, n) in outcomes[4..].iter().zip([1, 4]) {
            let is_own = |record: &Record| record.id == id(n) && record.end == Some(End::Cancelled);
            let is_told =
                matches!(outcome, Written::Done) || matches!(outcome, Written::Ended(record) if is_own(record));
            assert!(is_told, "{mood:?}: {outcome:?}");
        }
        assert!(!store.is_failed());
        assert_eq!(database.number("SELECT count(*) FROM requests"), 4);
        assert_eq!(database.number("SELECT count(*) FROM events"), 1);
        let moved = read(&store, id(2)).unwrap().unwrap();
        assert_eq!(moved.expires_at, record(2).expires_at.moved(3_600_000), "{mood:?}: once");
        // What was counted of them is what was counted once.
        let counted = database.number("SELECT sum(bytes)::bigint FROM shares");
        assert_eq!(counted, database.number("SELECT sum(kept_bytes)::bigint FROM requests"));
    }
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_session_that_is_ended_is_replaced_without_anybody_noticing() {
    let database = Database::new();
    let (store, _) = Store::connect(PostgresConfig::new(database.url()), NOW).unwrap();
    write(&store, accept(1)).unwrap();
    for n in 2..10 {
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'countersign-%'",
        );
        assert_eq!(write(&store, accept(n)), Ok(Written::Done));
        assert_eq!(read(&store, id(n)), Ok(Some(record(n))));
    }
    assert_eq!(database.number("SELECT count(*) FROM requests"), 9);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_database_that_says_nothing_keeps_nobody_waiting_and_is_read_anew_afterwards() {
    let database = Database::new();
    let (proxy, store) = through_proxy(&database);
    let (sender, recovered) = channel();
    store.on_recovery(Box::new(move |loaded| sender.send(loaded).unwrap()));
    write(&store, accept(1)).unwrap();
    write(&store, accept(2)).unwrap();
    proxy.set(Mood::Silent);
    let began = Instant::now();
    let outcomes = [accept(3), end(1)].map(|write| submit(&store, write));
    assert_eq!(outcomes.map(|outcome| wait(&outcome)), [Err(StoreError::Failed), Err(StoreError::Failed)]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(store.is_failed());
    // From now on at once.
    let began = Instant::now();
    assert_eq!(write(&store, accept(4)), Err(StoreError::Failed));
    assert_eq!(read(&store, id(1)), Err(StoreError::Failed));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());

    proxy.set(Mood::Passes);
    let loaded = wait(&recovered);
    assert!(!store.is_failed());
    // Nobody could know what became of these two; the fourth was never tried.
    let open = ids(&loaded.open);
    assert!(open.contains(&id(2)) && !open.contains(&id(4)), "{open:?}");
    assert_eq!(open.contains(&id(1)), !ids(&loaded.ended).contains(&id(1)));
    assert_eq!(write(&store, accept(5)), Ok(Written::Done));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn an_end_that_somebody_else_has_put_there_stands() {
    let database = Database::new();
    let (store, _) = Store::connect(PostgresConfig::new(database.url()), NOW).unwrap();
    write(&store, accept(1)).unwrap();
    database.execute("UPDATE requests SET end_kind = 'draining', ended_at = 1800000000007");
    let stands = Record { end: Some(End::Draining), times: ended_at(NOW.after(Duration::from_millis(7))), ..record(1) };
    assert_eq!(write(&store, end(1)), Ok(Written::Ended(Box::new(stands))));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_key_that_another_server_uses_at_the_same_moment_is_used_once() {
    let database = Database::new();
    let (store, _) = Store::connect(PostgresConfig::new(database.url()), NOW).unwrap();
    // It waits for whoever was first, and then looks again.
    let outcome = super::with_client(&database.text(), async |client| {
        let taken = "BEGIN; INSERT INTO idempotency (requester_id, key, fingerprint, requests, kept) \
             VALUES ('Example Bank', 'key', decode(repeat('01', 32), 'hex'), decode(repeat('00', 15) || '07', 'hex'), 1)";
        client.batch_execute(taken).await.unwrap();
        let outcome = submit(&store, asked(1, 1));
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
        client.batch_execute("COMMIT").await.unwrap();
        outcome
    });
    assert_eq!(wait(&outcome), Ok(Written::Existing(vec![id(7)])));
    assert_eq!(read(&store, id(1)), Ok(None));
    assert_eq!(write(&store, asked(1, 2)), Ok(Written::Reused));
}
