//! Each question that is asked of the database, and the forgetting of what nobody asks for any more.

use super::{
    error::DbError,
    own_node::{column, of_column},
    row::Id,
    session::Session,
};
use crate::{
    record::Record,
    store::{
        Event,
        columns::{array, millis, number, optional_timestamp, timestamp},
        due_query::DueQuery,
        retention::{FIRST_NEVER, UNTOLD},
        rows::{self, COLUMNS},
        usage::{EVENTS_LOOKED_AT, Usage},
    },
    time::Timestamp,
};
use countersign_protocol::RequestId;
use std::time::Duration;
use tokio_postgres::Row;

/// How many requests are forgotten in one transaction, so that nobody who wants to write waits long.
const FORGOTTEN_AT_ONCE: i64 = 500;

/// The events of what nobody will tell any more.
const FORGET_EVENTS: &str = "DELETE FROM events WHERE request IN \
    (SELECT id FROM requests WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)";

/// And those that were given up, with their requests.
const FORGET_GIVEN_UP: &str = "DELETE FROM events WHERE request IN \
    (SELECT request FROM events JOIN requests ON id = request WHERE next_at >= $3 AND ended_at < $1 LIMIT $2)";

/// Requests, and with them what was counted of them. Several servers may be about it: each takes what no other has.
const FORGET: &str = "WITH old AS (SELECT id FROM requests WHERE ended_at < $1 \
    AND NOT EXISTS (SELECT FROM events WHERE request = requests.id) ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED), \
    gone AS (DELETE FROM requests USING old WHERE requests.id = old.id RETURNING requester_id, idempotency_key, kept_bytes), \
    counted AS (INSERT INTO shares (requester_id, part, bytes) \
    SELECT requester_id, $3, -sum(kept_bytes) FROM gone GROUP BY requester_id ORDER BY requester_id \
    ON CONFLICT (requester_id, part) DO UPDATE SET bytes = shares.bytes + excluded.bytes), \
    keys AS (SELECT requester_id, idempotency_key AS key, count(*) AS fewer FROM gone WHERE idempotency_key IS NOT NULL GROUP BY 1, 2), \
    ended_keys AS (DELETE FROM idempotency USING keys WHERE idempotency.requester_id = keys.requester_id \
    AND idempotency.key = keys.key AND kept <= fewer), \
    other_keys AS (UPDATE idempotency SET kept = kept - fewer FROM keys WHERE idempotency.requester_id = keys.requester_id \
    AND idempotency.key = keys.key AND kept > fewer) \
    SELECT count(*) FROM gone";

/// Corrections of the clock that nobody is about to repeat.
const FORGET_MOVES: &str = "DELETE FROM clock_moves WHERE moved_at < now() - interval '1 day'";

/// What all servers have in it together.
const USAGE: &str = "SELECT (SELECT coalesce(sum(bytes), 0)::bigint FROM shares) AS used, \
    (SELECT count(*) FROM events WHERE next_at < $2) AS events, \
    (SELECT min(ended_at) FROM requests WHERE id IN (SELECT request FROM events WHERE next_at < $2 LIMIT $1)) AS oldest";

/// Whether an event may be told by the node `$4`.
const FREE: &str = "(claimed_until IS NULL OR claimed_until < clock_timestamp() OR claimed_by = $4 \
    OR NOT EXISTS (SELECT FROM nodes WHERE nodes.id = claimed_by))";

/// One request.
pub(super) async fn request(session: &Session, id: RequestId) -> Result<Option<Record>, DbError> {
    let row = session.client().query_opt(&session.statements.request, &[&Id::from(id)]).await?;
    row.as_ref().map(record).transpose()
}

/// What is open and this node's, in the order in which it was accepted.
pub(super) async fn open(session: &Session) -> Result<Vec<Record>, DbError> {
    let open = format!("SELECT {COLUMNS}, owner FROM requests WHERE ended_at IS NULL AND owner = $1 ORDER BY seq");
    records(&session.client().query(&open, &[&column(session.own())]).await?)
}

/// The last that ended since `since`, whosever they were, at most `limit` of them, oldest first.
pub(super) async fn ended(session: &Session, since: Timestamp, limit: usize) -> Result<Vec<Record>, DbError> {
    let ended =
        format!("SELECT {COLUMNS}, owner FROM requests WHERE ended_at >= $1 ORDER BY ended_at DESC, seq DESC LIMIT $2");
    let mut rows = session.client().query(&ended, &[&millis(since), &count(limit)]).await?;
    rows.reverse();
    records(&rows)
}

/// Leaves out events of requests that were asked for together with one that is open, or that comes before and has an event itself.
const TOGETHER: &str = "AND NOT EXISTS (SELECT FROM requests AS told JOIN requests AS other \
    ON other.requester_id = told.requester_id AND other.batch_id = told.batch_id WHERE told.id = events.request \
    AND (other.ended_at IS NULL OR (other.batch_index < told.batch_index \
    AND EXISTS (SELECT FROM events AS earlier WHERE earlier.request = other.id))))";

/// Claims the webhook events that are due, and says when the next after these is. What another living node has
/// claimed is left out: it will tell it, or its claim will be over.
pub(super) async fn due_events(session: &Session, due: &DueQuery) -> Result<(Vec<Event>, Option<Timestamp>), DbError> {
    let DueQuery { target, batches_together, now, limit } = due;
    let (target, now, limit) = (&**target, *now, *limit);
    let together = if *batches_together { TOGETHER } else { "" };
    let own = column(session.own());
    let due = format!(
        "WITH lazily AS (SELECT set_config('synchronous_commit', 'off', true)), \
         due AS (SELECT request, attempts, next_at FROM lazily, events WHERE target = $3 AND next_at <= $1 AND {FREE} {together} \
         ORDER BY next_at, request LIMIT $2 FOR UPDATE OF events SKIP LOCKED), \
         claimed AS (UPDATE events SET claimed_by = $4, claimed_until = clock_timestamp() + interval '60 seconds' \
         WHERE request IN (SELECT request FROM due) \
         AND (claimed_by IS DISTINCT FROM $4 OR claimed_until < clock_timestamp() + interval '30 seconds')) \
         SELECT due.attempts AS attempts, next_at, {}, owner FROM due JOIN requests ON requests.id = request \
         ORDER BY next_at, seq",
        COLUMNS.replacen(" attempt,", " requests.attempt,", 1)
    );
    let rows = session.client().query(&due, &[&millis(now), &count(limit), &target, &own]).await?;
    let events: Vec<_> = rows.iter().map(event).collect::<Result<_, _>>()?;
    let next = format!(
        "SELECT next_at FROM events WHERE target = $3 AND next_at < {FIRST_NEVER} AND {FREE} {together} ORDER BY next_at LIMIT $2 OFFSET $1"
    );
    let row = session.client().query_opt(&next, &[&count(events.len()), &1_i64, &target, &own]).await?;
    Ok((events, row.as_ref().map(|row| timestamp(row, "next_at")).transpose()?))
}

/// How much there is.
pub(super) async fn usage(session: &Session) -> Result<Usage, DbError> {
    let row = session.client().query_one(USAGE, &[&EVENTS_LOOKED_AT, &FIRST_NEVER]).await?;
    Ok(Usage {
        used_bytes: number(&row, "used")?,
        events: number(&row, "events")?,
        oldest_event: optional_timestamp(&row, "oldest")?,
    })
}

/// Forgets some of the requests that ended before `before` and have nothing to be told any more, or are so old that nobody will tell it.
/// Returns how many, and whether there may be others.
pub(super) async fn forget_some(session: &Session, before: Timestamp) -> Result<(usize, bool), DbError> {
    let never_told = millis(before).saturating_sub(i64::try_from(UNTOLD.as_millis()).unwrap_or(i64::MAX));
    let client = session.client();
    client.execute(FORGET_EVENTS, &[&never_told, &FORGOTTEN_AT_ONCE]).await?;
    client.execute(FORGET_GIVEN_UP, &[&millis(before), &FORGOTTEN_AT_ONCE, &FIRST_NEVER]).await?;
    client.execute(FORGET_MOVES, &[]).await?;
    let row = client.query_one(FORGET, &[&millis(before), &FORGOTTEN_AT_ONCE, &session.part()]).await?;
    let forgotten: i64 = row.try_get(0)?;
    Ok((usize::try_from(forgotten).unwrap_or(0), forgotten == FORGOTTEN_AT_ONCE))
}

/// Notes that a key is in use, forgets those whose receipts nobody can ask for any more, and gives all others.
pub(super) async fn server_keys(
    session: &Session,
    own: [u8; 32],
    retention: Duration,
) -> Result<Vec<[u8; 32]>, DbError> {
    let client = session.client();
    let use_own =
        "INSERT INTO server_keys (public_key) VALUES ($1) ON CONFLICT (public_key) DO UPDATE SET last_used_at = now()";
    client.execute(use_own, &[&&own[..]]).await?;
    let forget = "DELETE FROM server_keys WHERE last_used_at < now() - $1 * interval '1 second'";
    client.execute(forget, &[&retention.as_secs_f64()]).await?;
    let others = "SELECT public_key FROM server_keys WHERE public_key <> $1 ORDER BY last_used_at DESC";
    let rows = client.query(others, &[&&own[..]]).await?;
    Ok(rows.iter().map(|row| array(row, "public_key")).collect::<Result<_, _>>()?)
}

/// Requests, read back with their owners.
pub(super) fn records(rows: &[Row]) -> Result<Vec<Record>, DbError> {
    rows.iter().map(record).collect()
}

fn record(row: &Row) -> Result<Record, DbError> {
    let owner: Option<i64> = row.try_get("owner")?;
    Ok(Record { node: owner.map(of_column), ..rows::record(row)? })
}

fn event(row: &Row) -> Result<Event, DbError> {
    let Event { url, attempts, next_at, .. } = rows::event(row)?;
    Ok(Event { record: record(row)?, url, attempts, next_at })
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
