//! Each question that is asked of the database, and the forgetting of what nobody asks for any more.

use super::{
    Event,
    columns::{millis, optional_timestamp, timestamp},
    due_query::DueQuery,
    error::DbError,
    retention::{FIRST_NEVER, UNTOLD},
    rows::{self, COLUMNS},
    usage::EVENTS_LOOKED_AT,
};
use crate::{record::Record, time::Timestamp};
use countersign_protocol::RequestId;
use rusqlite::{Connection, Row, params};

/// How many requests are forgotten in one transaction, so that nobody who wants to write waits long.
const FORGOTTEN_AT_ONCE: usize = 500;

/// One request.
pub(super) fn request(connection: &Connection, id: RequestId) -> Result<Option<Record>, DbError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM requests WHERE id = ?1"))?;
    statement.query_and_then([id.to_bytes()], record)?.next().transpose()
}

/// Every open request, in the order in which they were accepted.
pub(super) fn open_requests(connection: &Connection) -> Result<Vec<Record>, DbError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM requests INDEXED BY requests_open WHERE end_kind IS NULL ORDER BY seq"
    ))?;
    statement.query_and_then([], record)?.collect()
}

/// The last requests that ended since `since`, at most `limit` of them, oldest first.
pub(super) fn ended_since(connection: &Connection, since: Timestamp, limit: usize) -> Result<Vec<Record>, DbError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM requests WHERE ended_at >= ?1 ORDER BY ended_at DESC, seq DESC LIMIT ?2"
    ))?;
    let latest_first = statement.query_and_then(params![millis(since), count(limit)], record)?;
    let mut ended: Vec<_> = latest_first.collect::<Result<_, _>>()?;
    ended.reverse();
    Ok(ended)
}

/// Leaves out events of requests that were asked for together with one that is open, or that comes before and has an event itself.
const TOGETHER: &str = "AND NOT EXISTS (SELECT 1 FROM requests AS other WHERE other.requester_id = requests.requester_id \
    AND other.batch_id = requests.batch_id AND (other.end_kind IS NULL OR (other.batch_index < requests.batch_index \
    AND EXISTS (SELECT 1 FROM events AS earlier WHERE earlier.request = other.seq))))";

/// The webhook events that are due, and when the next after these is.
pub(super) fn due_events(connection: &Connection, due: &DueQuery) -> Result<(Vec<Event>, Option<Timestamp>), DbError> {
    let DueQuery { target, batches_together, now, limit } = due;
    let (now, limit) = (*now, *limit);
    let (joined, together) = if *batches_together { ("JOIN requests ON seq = request", TOGETHER) } else { ("", "") };
    let events: Vec<_> = connection
        .prepare_cached(&format!(
            "SELECT events.attempts AS attempts, next_at, {COLUMNS} FROM events JOIN requests ON seq = request \
             WHERE target = ?3 AND next_at <= ?1 {together} ORDER BY next_at, request LIMIT ?2"
        ))?
        .query_and_then(params![millis(now), count(limit), target], event)?
        .collect::<Result<_, _>>()?;
    let next = connection
        .prepare_cached(&format!(
            "SELECT next_at FROM events {joined} WHERE target = ?2 AND next_at < ?3 {together} \
             ORDER BY next_at, request LIMIT 1 OFFSET ?1"
        ))?
        .query_and_then(params![count(events.len()), target, FIRST_NEVER], |row| {
            Ok::<_, DbError>(timestamp(row, "next_at")?)
        })?
        .next()
        .transpose()?;
    Ok((events, next))
}

/// How many webhook events are still to be told, but for those that were given up, and when the request ended whose event has waited
/// longest.
pub(super) fn events(connection: &Connection) -> Result<(u64, Option<Timestamp>), DbError> {
    let count: u32 = connection
        .prepare_cached("SELECT count(*) FROM events WHERE next_at < ?1")?
        .query_row([FIRST_NEVER], |row| row.get(0))?;
    let oldest = connection
        .prepare_cached(
            "SELECT min(ended_at) AS oldest FROM requests \
             WHERE seq IN (SELECT request FROM events WHERE next_at < ?2 ORDER BY request LIMIT ?1)",
        )?
        .query_and_then([EVENTS_LOOKED_AT, FIRST_NEVER], |row| Ok::<_, DbError>(optional_timestamp(row, "oldest")?))?
        .next()
        .transpose()?;
    Ok((count.into(), oldest.flatten()))
}

/// Forgets some of the requests that ended before `before` and have nothing to be told any more, or are so old that nobody will tell it.
/// Returns how many, and whether there may be others.
pub(super) fn forget_some(connection: &Connection, before: Timestamp) -> Result<(usize, bool), DbError> {
    let never_told = millis(before).saturating_sub(i64::try_from(UNTOLD.as_millis()).unwrap_or(i64::MAX));
    connection
        .prepare_cached(
            "DELETE FROM events WHERE request IN (SELECT seq FROM requests WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
        )?
        .execute(params![never_told, count(FORGOTTEN_AT_ONCE)])?;
    connection
        .prepare_cached(
            "DELETE FROM events WHERE request IN \
             (SELECT request FROM events JOIN requests ON seq = request WHERE next_at >= ?3 AND ended_at < ?1 LIMIT ?2)",
        )?
        .execute(params![millis(before), count(FORGOTTEN_AT_ONCE), FIRST_NEVER])?;
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM requests WHERE seq IN (SELECT seq FROM requests WHERE ended_at < ?1 \
             AND NOT EXISTS (SELECT 1 FROM events WHERE request = requests.seq) ORDER BY ended_at LIMIT ?2)",
        )?
        .execute(params![millis(before), count(FORGOTTEN_AT_ONCE)])?;
    Ok((forgotten, forgotten == FORGOTTEN_AT_ONCE))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn record(row: &Row<'_>) -> Result<Record, DbError> {
    Ok(rows::record(row)?)
}

fn event(row: &Row<'_>) -> Result<Event, DbError> {
    Ok(rows::event(row)?)
}
