//! The tables, and how a database of an older version comes to have them.

use super::error::DbError;
use rusqlite::Connection;

/// What has to be run on a database of version `n` to make it one of version `n + 1`; an empty one is of version 0.
/// A script that has been released is never changed.
const MIGRATIONS: [&str; 6] = [
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    include_str!("v4.sql"),
    include_str!("v5.sql"),
    include_str!("v6.sql"),
];

/// The version this program reads and writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// The version of the database, 0 if it is empty; none if it is nothing that this program has made.
pub(super) fn version(connection: &Connection) -> Result<Option<usize>, DbError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let empty: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(usize::try_from(version).ok().filter(|version| empty == (*version == 0)))
}

/// Brings a database of version `from` up to [`VERSION`], step by step; a step that fails leaves the version before it.
pub(super) fn migrate(connection: &Connection, from: usize) -> Result<(), DbError> {
    for (version, script) in (1_i64..).zip(MIGRATIONS).skip(from) {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(script)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_an_older_version_keeps_its_meaning() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO requests (id, public_key, requester, deliver_by, expires_at, attempt, queued_at, ended_at, end_kind, \
                 end_phase, message) VALUES (x'01', x'02', 'a', 1, 1, 1, 1, 1, 'disconnected', 'received', x'03')",
            )
            .unwrap();
        migrate(&connection, 1).unwrap();
        let end: (String, String) = connection
            .query_row("SELECT end_kind, end_phase FROM requests", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(end, ("signer_disconnected".into(), "received".into()));
    }

    #[test]
    fn an_event_of_an_older_version_knows_where_it_is_to_be_told() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO requests (id, public_key, requester, webhook, deliver_by, expires_at, attempt, queued_at, message) \
                 VALUES (x'01', x'02', 'a', 'https://a.example/', 1, 1, 1, 1, x'03'); \
                 INSERT INTO events (request, attempts, next_at) VALUES (1, 2, 3)",
            )
            .unwrap();
        migrate(&connection, 1).unwrap();
        let event: (String, u32) = connection
            .query_row("SELECT target, attempts FROM events", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(event, ("https://a.example/".into(), 2));
    }

    #[test]
    fn a_request_of_an_older_version_belongs_to_the_name_it_was_asked_under() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[..3].concat().as_str()).unwrap();
        connection
            .execute_batch(
                "INSERT INTO requests (id, public_key, requester, webhook, idempotency_key, deliver_by, expires_at, attempt, queued_at, \
                 message) VALUES (x'01', x'02', 'a', 'https://a.example/', 'k', 1, 1, 1, 1, x'030303'); \
                 INSERT INTO idempotency (requester, key, fingerprint, requests, kept) VALUES ('a', 'k', x'00', x'01', 1)",
            )
            .unwrap();
        migrate(&connection, 3).unwrap();
        let bytes: i64 =
            connection.query_row("SELECT bytes FROM shares WHERE requester_id = 'a'", [], |row| row.get(0)).unwrap();
        assert_eq!(bytes, 2 * (3 + 3 * 18 + 512) + 1024);
        // The triggers of older versions go by the new names.
        connection.execute("DELETE FROM requests", []).unwrap();
        let left: u32 = connection
            .query_row("SELECT (SELECT count(*) FROM idempotency) + (SELECT count(*) FROM shares)", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn a_step_that_fails_leaves_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        // The tables before this one can be made.
        connection.execute_batch("CREATE TABLE events (something)").unwrap();
        assert!(migrate(&connection, 0).is_err());
        let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!((tables, version), (1, 0));
    }
}
