//! Erasing what has ended, on somebody's wish: requests with all that was kept of them.

use super::{columns::millis, error::DbError};
use crate::{requester::RequesterId, time::Timestamp};
use countersign_protocol::{PublicKeyBytes, RequestId};
use rusqlite::{Connection, params};

/// How many are erased in one transaction, and how many are looked at, so that nobody who wants to write waits long.
pub(super) const AT_ONCE: i64 = 500;
const LOOKED_AT: i64 = 20_000;

/// How many of those that are still open are named.
pub(super) const NAMED: i64 = 100;

/// Whose requests: those to which everything given applies. Something is.
#[derive(Debug, Clone)]
pub(crate) struct PurgeScope {
    pub(crate) requester: Option<RequesterId>,
    pub(crate) key: Option<PublicKeyBytes>,
    pub(crate) ended_before: Timestamp,
    /// Where to go on: 0 at first, then what the step before has given.
    pub(crate) after: i64,
}

/// What a step has come to.
#[derive(Debug, Default)]
pub(crate) struct PurgeStep {
    /// Some that are still open, at the first step, and then nothing was erased.
    pub(crate) open: Vec<RequestId>,
    pub(crate) requests: u64,
    pub(crate) events: u64,
    /// Where the next step goes on; none after the last.
    pub(crate) next: Option<i64>,
}

/// That something was erased: never what, nor whose.
#[derive(Debug, Clone)]
pub(crate) struct PurgeRecord {
    pub(crate) at: Timestamp,
    /// SHA-256 over the scope, in hex, by which whoever knows it finds it again.
    pub(crate) scope: String,
    pub(crate) requests: u64,
    pub(crate) events: u64,
}

/// One of which the first two parameters say.
const IN_SCOPE: &str = "(?1 IS NULL OR requester_id = ?1) AND (?2 IS NULL OR public_key = ?2)";

/// Erases some, and overwrites them.
pub(super) fn purge(connection: &Connection, scope: &PurgeScope) -> Result<PurgeStep, DbError> {
    let requester = scope.requester.as_ref().map(RequesterId::as_str);
    let key = scope.key.map(|key| *key.as_bytes());
    if scope.after == 0 {
        let open = connection
            .prepare(&format!("SELECT id FROM requests WHERE end_kind IS NULL AND {IN_SCOPE} ORDER BY seq LIMIT ?3"))?
            .query_map(params![requester, key, NAMED], |row| row.get::<_, [u8; 16]>(0))?
            .map(|id| id.map(RequestId::from_bytes))
            .collect::<Result<Vec<_>, _>>()?;
        if !open.is_empty() {
            return Ok(PurgeStep { open, ..PurgeStep::default() });
        }
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let step = erase(connection, scope, requester, key);
    connection.pragma_update(None, "secure_delete", false)?;
    let step = step?;
    if step.next.is_none() {
        // What the log still has of it goes too, unless somebody reads it at this moment: then with the next checkpoint but one.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(step)
}

fn erase(
    connection: &Connection,
    scope: &PurgeScope,
    requester: Option<&str>,
    key: Option<[u8; 32]>,
) -> Result<PurgeStep, DbError> {
    let transaction = connection.unchecked_transaction()?;
    let last: i64 = transaction.query_row("SELECT ifnull(max(seq), 0) FROM requests", [], |row| row.get(0))?;
    let until = scope.after.saturating_add(LOOKED_AT);
    let found = transaction
        .prepare(&format!(
            "SELECT seq FROM requests WHERE {IN_SCOPE} AND seq > ?3 AND seq <= ?4 AND ended_at < ?5 ORDER BY seq LIMIT ?6"
        ))?
        .query_map(params![requester, key, scope.after, until, millis(scope.ended_before), AT_ONCE], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut step = PurgeStep::default();
    for seq in &found {
        step.events += transaction.prepare_cached("DELETE FROM events WHERE request = ?1")?.execute([seq])? as u64;
        step.requests += transaction.prepare_cached("DELETE FROM requests WHERE seq = ?1")?.execute([seq])? as u64;
    }
    transaction.commit()?;
    let is_full = i64::try_from(found.len()).is_ok_and(|count| count == AT_ONCE);
    let reached = found.last().copied().filter(|_| is_full).unwrap_or(until);
    step.next = (reached < last).then_some(reached);
    Ok(step)
}

/// Takes note that something was erased.
pub(super) fn note(connection: &Connection, record: &PurgeRecord) -> Result<(), DbError> {
    connection.execute(
        "INSERT INTO purges (at, scope, requests, events) VALUES (?1, ?2, ?3, ?4)",
        params![
            millis(record.at),
            record.scope,
            i64::try_from(record.requests).unwrap_or(i64::MAX),
            i64::try_from(record.events).unwrap_or(i64::MAX)
        ],
    )?;
    Ok(())
}
