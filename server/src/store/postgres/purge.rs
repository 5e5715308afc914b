//! Erasing what has ended, for all servers that use the database. What was erased takes no room any more, and is overwritten, when
//! PostgreSQL vacuums its tables.

use super::{error::DbError, row::Id, session::Session};
use crate::{
    requester::RequesterId,
    store::{
        columns::{array, millis},
        purge::{AT_ONCE, NAMED, PurgeRecord, PurgeScope, PurgeStep},
    },
};
use countersign_protocol::RequestId;
use tokio_postgres::types::ToSql;

const OPEN: &str = "SELECT id FROM requests WHERE ended_at IS NULL AND ($1::text IS NULL OR requester_id = $1) \
    AND ($2::bytea IS NULL OR public_key = $2) ORDER BY seq LIMIT $3";

const FIND: &str = "SELECT id FROM requests WHERE ended_at < $3 AND ($1::text IS NULL OR requester_id = $1) \
    AND ($2::bytea IS NULL OR public_key = $2) LIMIT $4";

const EVENTS: &str = "DELETE FROM events WHERE request = ANY ($1)";

/// As where they are forgotten after their time.
const ERASE: &str = "WITH gone AS (DELETE FROM requests WHERE id = ANY ($1) RETURNING requester_id, idempotency_key, kept_bytes), \
    counted AS (INSERT INTO shares (requester_id, part, bytes) \
    SELECT requester_id, $2, -sum(kept_bytes) FROM gone GROUP BY requester_id ORDER BY requester_id \
    ON CONFLICT (requester_id, part) DO UPDATE SET bytes = shares.bytes + excluded.bytes), \
    keys AS (SELECT requester_id, idempotency_key AS key, count(*) AS fewer FROM gone WHERE idempotency_key IS NOT NULL GROUP BY 1, 2), \
    ended_keys AS (DELETE FROM idempotency USING keys WHERE idempotency.requester_id = keys.requester_id \
    AND idempotency.key = keys.key AND kept <= fewer), \
    other_keys AS (UPDATE idempotency SET kept = kept - fewer FROM keys WHERE idempotency.requester_id = keys.requester_id \
    AND idempotency.key = keys.key AND kept > fewer) \
    SELECT count(*) FROM gone";

const NOTE: &str = "INSERT INTO purges (at, scope, requests, events) VALUES ($1, $2, $3, $4)";

/// Erases some.
pub(super) async fn purge(session: &Session, scope: &PurgeScope) -> Result<PurgeStep, DbError> {
    let client = session.client();
    let requester = scope.requester.as_ref().map(RequesterId::as_str);
    let key = scope.key.as_ref().map(|key| key.as_bytes().as_slice());
    if scope.after == 0 {
        let rows = client.query(OPEN, &[&requester, &key, &NAMED]).await?;
        let open = rows.iter().map(|row| array(row, "id").map(RequestId::from_bytes)).collect::<Result<Vec<_>, _>>()?;
        if !open.is_empty() {
            return Ok(PurgeStep { open, ..PurgeStep::default() });
        }
    }
    let find: [&(dyn ToSql + Sync); 4] = [&requester, &key, &millis(scope.ended_before), &AT_ONCE];
    let rows = client.query(FIND, &find).await?;
    let found: Vec<Id> = rows
        .iter()
        .map(|row| array(row, "id").map(|id| Id::from(RequestId::from_bytes(id))))
        .collect::<Result<_, _>>()?;
    let events = client.execute(EVENTS, &[&found]).await?;
    let row = client.query_one(ERASE, &[&found, &session.part()]).await?;
    let requests: i64 = row.try_get(0)?;
    let is_full = i64::try_from(found.len()).is_ok_and(|count| count == AT_ONCE);
    Ok(PurgeStep {
        open: Vec::new(),
        requests: u64::try_from(requests).unwrap_or(0),
        events,
        next: is_full.then_some(1),
    })
}

/// Takes note that something was erased.
pub(super) async fn note(session: &Session, record: &PurgeRecord) -> Result<(), DbError> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (requests, events) = (number(record.requests), number(record.events));
    session.client().execute(NOTE, &[&millis(record.at), &record.scope, &requests, &events]).await?;
    Ok(())
}
