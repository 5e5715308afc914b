//! Webhook events as administrators see them, and their being told once more. What could not be told stays, until its request is forgotten.

use super::{
    columns::{Columns, Unreadable, array, millis, number, parsed, text, timestamp},
    error::DbError,
    retention::FIRST_NEVER,
};
use crate::{requester::RequesterId, time::Timestamp};
use countersign_protocol::RequestId;
use rusqlite::{Connection, Row, params};

/// How many events of a target are told once more in one step.
pub(crate) const RESENT_AT_ONCE: usize = 500;

/// Which events are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventFilter {
    pub(crate) target: Option<String>,
    /// Those alone that have been tried in vain.
    pub(crate) failed: bool,
    /// Those that come after this one.
    pub(crate) after: Option<u128>,
    pub(crate) limit: usize,
}

/// An event, without what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedEvent {
    pub(crate) request: RequestId,
    pub(crate) requester: RequesterId,
    pub(crate) target: String,
    /// How often it has been tried in vain.
    pub(crate) attempts: u32,
    /// When it is tried again; none where it was given up.
    pub(crate) next_at: Option<Timestamp>,
    pub(crate) ended: Timestamp,
    /// Its place in the list.
    pub(crate) place: u128,
}

/// What is told once more.
#[derive(Debug, Clone)]
pub(crate) enum Resend {
    /// The ends of these, whether they have been told or not.
    Requests(Vec<RequestId>),
    /// What this target did not take, so many at once.
    Target(String),
}

/// The events, in the order in which their requests were accepted.
pub(super) fn list(connection: &Connection, filter: &EventFilter) -> Result<Vec<ListedEvent>, DbError> {
    let after = filter.after.map_or(0, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, requester_id, target, events.attempts AS attempts, next_at, ended_at FROM events JOIN requests ON seq = request \
         WHERE request > ?1 AND (?2 IS NULL OR target = ?2) AND (NOT ?3 OR events.attempts > 0) ORDER BY request LIMIT ?4",
    )?;
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    statement.query_and_then(params![after, filter.target, filter.failed, limit], listed)?.collect()
}

fn listed(row: &Row<'_>) -> Result<ListedEvent, DbError> {
    Ok(event(row, u128::from(number::<u64>(row, "seq")?))?)
}

/// Reads one back.
pub(super) fn event(row: &impl Columns, place: u128) -> Result<ListedEvent, Unreadable> {
    let next_at = timestamp(row, "next_at")?;
    Ok(ListedEvent {
        request: RequestId::from_bytes(array(row, "id")?),
        requester: parsed(&text(row, "requester_id")?, "requester_id")?,
        target: text(row, "target")?,
        attempts: number(row, "attempts")?,
        next_at: (millis(next_at) < FIRST_NEVER).then_some(next_at),
        ended: timestamp(row, "ended_at")?,
        place,
    })
}

/// Has events be told anew; which requests' they are.
pub(super) fn resend(connection: &Connection, which: &Resend, now: Timestamp) -> Result<Vec<RequestId>, DbError> {
    let transaction = connection.unchecked_transaction()?;
    let resent = match which {
        Resend::Requests(ids) => {
            let mut again = transaction.prepare_cached(
                "INSERT INTO events (request, attempts, next_at, target) SELECT seq, 0, ?2, webhook FROM requests \
                 WHERE id = ?1 AND webhook IS NOT NULL AND ended_at IS NOT NULL \
                 ON CONFLICT (request) DO UPDATE SET attempts = 0, next_at = excluded.next_at",
            )?;
            let mut resent = Vec::new();
            for id in ids {
                if again.execute(params![id.to_bytes(), millis(now)])? > 0 {
                    resent.push(*id);
                }
            }
            resent
        }
        Resend::Target(target) => transaction
            .prepare_cached(
                "UPDATE events SET attempts = 0, next_at = ?2 WHERE request IN \
                 (SELECT request FROM events WHERE target = ?1 AND attempts > 0 ORDER BY request LIMIT ?3) \
                 RETURNING (SELECT id FROM requests WHERE seq = request) AS id",
            )?
            .query_and_then(params![target, millis(now), RESENT_AT_ONCE as i64], |row| {
                Ok::<_, DbError>(RequestId::from_bytes(array(row, "id")?))
            })?
            .collect::<Result<_, _>>()?,
    };
    transaction.commit()?;
    Ok(resent)
}
