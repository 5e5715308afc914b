//! A database that is put back to an earlier time under a server that uses it.

use super::{
    super::{NOW, Written, accept, end, id, ids, read, write},
    Database,
};
use crate::{
    storage::{Loaded, Storage as _},
    store::{PostgresConfig, Store},
};
use std::sync::mpsc::{Receiver, channel};

fn connected(database: &Database) -> (Store, Receiver<Loaded>) {
    let (store, _) = Store::connect(PostgresConfig::new(database.url()), NOW).unwrap();
    let (sender, recovered) = channel();
    store.on_recovery(Box::new(move |loaded| sender.send(loaded).unwrap()));
    (store, recovered)
}

/// By somebody who restores a backup into the tables that are in use: no connection breaks, and the node is there as it was.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn tables_that_go_back_in_time_are_read_anew_though_no_connection_breaks() {
    let database = Database::new();
    let (store, recovered) = connected(&database);
    for n in 1..=3 {
        write(&store, accept(n)).unwrap();
    }
    write(&store, end(2)).unwrap();
    // Renewed once at least, by a hub that nobody listens to here.
    let lease = || database.number("SELECT (extract(epoch FROM lease_until) * 1000)::bigint FROM nodes");
    let first = lease();
    while lease() == first {
        std::thread::yield_now();
    }
    database.execute(
        "BEGIN; DELETE FROM requests WHERE id = '00000000-0000-0000-0000-000000000003'; \
         UPDATE requests SET ended_at = NULL, end_kind = NULL WHERE id = '00000000-0000-0000-0000-000000000002'; \
         UPDATE nodes SET lease_until = lease_until - interval '1 second'; COMMIT",
    );
    let loaded = recovered.recv_timeout(super::super::PATIENCE).unwrap();
    assert_eq!((ids(&loaded.open), ids(&loaded.ended)), (vec![id(1), id(2)], vec![]));
    // What is not there has no end that could be told.
    assert_eq!(write(&store, end(3)), Ok(Written::Unknown));
    assert_eq!(read(&store, id(3)), Ok(None));
    assert_eq!(write(&store, end(2)), Ok(Written::Done));
}

/// By somebody who puts a restored database in the place of the one in use.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_database_in_the_place_of_another_is_read_anew_and_an_empty_one_left_alone() {
    let database = Database::new();
    let (store, recovered) = connected(&database);
    write(&store, accept(1)).unwrap();
    database.execute("CREATE SCHEMA saved");
    // What is there at first is nothing: a server that made its tables there would be in the way of the backup.
    let tables = "countersign_schema requests idempotency events shares clock_moves server_keys nodes presence blocked_keys purges tokens";
    let moved = |from: &str, to: &str| -> String {
        tables.split(' ').map(|table| format!("ALTER TABLE {from}.{table} SET SCHEMA {to}; ")).collect()
    };
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database();";
    database.execute(&format!("BEGIN; {} COMMIT; {cut}", moved("public", "saved")));
    while !store.is_failed() {
        std::thread::yield_now();
    }
    assert!(super::super::submit(&store, accept(2)).recv_timeout(super::super::PATIENCE).unwrap().is_err());
    assert_eq!(database.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
    database.execute(&format!("BEGIN; {} COMMIT", moved("saved", "public")));
    let loaded = recovered.recv_timeout(super::super::PATIENCE).unwrap();
    assert_eq!(ids(&loaded.open), [id(1)]);
}
