//! Each write, within a transaction that somebody else begins and commits.

use super::{
    Idempotency, Replaced, StoreError, Write, Written,
    columns::{Unreadable, millis},
    end_row::EndRow,
    error::{DbError, Severity},
    insert,
    quota::Quota,
    reads,
    rows::ended_at,
};
use crate::{
    record::{End, PhaseTimes, Record},
    requester::RequesterId,
    time::Timestamp,
};
use countersign_protocol::RequestId;
use rusqlite::{Connection, OptionalExtension, params};

/// What a write comes to, if the transaction is committed.
pub(super) type Outcome = Result<Written, StoreError>;

/// Applies one write.
///
/// # Errors
/// Any after which the whole transaction has to be undone.
pub(super) fn apply(connection: &Connection, write: &Write, quota: &mut Quota) -> Result<Outcome, DbError> {
    match write {
        Write::Accept { records, idempotency, replaced } => {
            accept(connection, records, idempotency.as_ref(), replaced.as_deref(), quota)
        }
        Write::Progress { id, times, attempt } => progress(connection, *id, times, *attempt),
        Write::End { id, end, times } => conclude(connection, *id, end, times, quota),
        Write::EventDone { id } => event_done(connection, *id),
        Write::EventFailed { id, attempts, next_at } => event_failed(connection, *id, *attempts, *next_at),
        Write::ClockSet { by_ms } => clock_set(connection, *by_ms),
    }
}

/// Applies one write so that it can be undone by itself, which takes half as long again.
///
/// # Errors
/// One that concerns the whole transaction. What this write alone did wrong is undone, and is its outcome.
pub(super) fn apply_apart(connection: &Connection, write: &Write, quota: &mut Quota) -> Result<Outcome, DbError> {
    run(connection, "SAVEPOINT write")?;
    let before = *quota;
    match apply(connection, write, quota) {
        Ok(outcome) => {
            run(connection, "RELEASE write")?;
            Ok(outcome)
        }
        Err(error) if error.severity() == Severity::Refused => {
            tracing::error!(%error, "the store refuses a write");
            *quota = before;
            run(connection, "ROLLBACK TO write")?;
            run(connection, "RELEASE write")?;
            Ok(Err(StoreError::Failed))
        }
        Err(error) => Err(error),
    }
}

fn accept(
    connection: &Connection,
    records: &[Record],
    idempotency: Option<&Idempotency>,
    replaced: Option<&Replaced>,
    quota: &mut Quota,
) -> Result<Outcome, DbError> {
    if let Some(idempotency) = idempotency
        && let Some(earlier) = earlier(connection, idempotency)?
    {
        return Ok(Ok(earlier));
    }
    if records.is_empty() {
        return Ok(Ok(Written::Done));
    }
    if let Some(replaced) = replaced
        && let Some(stands) = ended(connection, replaced.id)?
    {
        return Ok(Ok(stands));
    }
    if let Some(first) = records.first()
        && !quota.fits_share(records, taken(connection, &first.requester_id)?)
    {
        return Ok(Ok(Written::OverShare));
    }
    if !quota.take(records) {
        return Ok(Err(StoreError::Full));
    }
    // The directory has one server.
    if let Some(Replaced { id, end, times, owner: _ }) = replaced {
        let outcome = conclude(connection, *id, end, times, quota)?;
        if outcome != Ok(Written::Done) {
            return Ok(outcome);
        }
    }
    if let Some(idempotency) = idempotency {
        remember(connection, idempotency, records)?;
    }
    for record in records {
        insert::insert(connection, record, idempotency.map(|idempotency| &idempotency.key))?;
        if record.end.is_some() {
            enqueue_event(connection, record.id)?;
        }
    }
    Ok(Ok(Written::Done))
}

/// What is to be said of a request that is not open.
fn ended(connection: &Connection, id: RequestId) -> Result<Option<Written>, DbError> {
    let is_open = connection
        .prepare_cached("SELECT 1 FROM requests WHERE id = ?1 AND end_kind IS NULL")?
        .exists([id.to_bytes()])?;
    if is_open {
        return Ok(None);
    }
    let stands = reads::request(connection, id)?;
    Ok(Some(stands.map_or(Written::Unknown, |record| Written::Ended(Box::new(record)))))
}

/// How much of the store this requester has taken, in bytes.
fn taken(connection: &Connection, requester: &RequesterId) -> Result<u64, DbError> {
    let bytes: Option<i64> = connection
        .prepare_cached("SELECT bytes FROM shares WHERE requester_id = ?1")?
        .query_row([requester.as_str()], |row| row.get(0))
        .optional()?;
    u64::try_from(bytes.unwrap_or(0)).map_err(|_| Unreadable("bytes").into())
}

/// What this requester has asked under the key before.
fn earlier(connection: &Connection, idempotency: &Idempotency) -> Result<Option<Written>, DbError> {
    let row: Option<([u8; 32], Vec<u8>)> = connection
        .prepare_cached("SELECT fingerprint, requests FROM idempotency WHERE requester_id = ?1 AND key = ?2")?
        .query_row(params![idempotency.requester.as_str(), idempotency.key.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((fingerprint, requests)) = row else { return Ok(None) };
    if fingerprint != idempotency.fingerprint {
        return Ok(Some(Written::Reused));
    }
    let (ids, []) = requests.as_chunks() else { return Err(Unreadable("requests").into()) };
    Ok(Some(Written::Existing(ids.iter().copied().map(RequestId::from_bytes).collect())))
}

fn remember(connection: &Connection, idempotency: &Idempotency, records: &[Record]) -> Result<(), DbError> {
    let ids: Vec<u8> = records.iter().flat_map(|record| record.id.to_bytes()).collect();
    connection
        .prepare_cached(
            "INSERT INTO idempotency (requester_id, key, fingerprint, requests, kept) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            idempotency.requester.as_str(),
            idempotency.key.as_str(),
            idempotency.fingerprint,
            ids,
            i64::try_from(records.len()).unwrap_or(i64::MAX),
        ])?;
    Ok(())
}

fn progress(connection: &Connection, id: RequestId, times: &PhaseTimes, attempt: u32) -> Result<Outcome, DbError> {
    connection
        .prepare_cached(
            "UPDATE requests SET delivered_at = ?2, received_at = ?3, displayed_at = ?4, attempt = ?5 \
             WHERE id = ?1 AND end_kind IS NULL",
        )?
        .execute(params![
            id.to_bytes(),
            times.delivered.map(millis),
            times.received.map(millis),
            times.displayed.map(millis),
            attempt,
        ])?;
    Ok(Ok(Written::Done))
}

fn conclude(
    connection: &Connection,
    id: RequestId,
    end: &End,
    times: &PhaseTimes,
    quota: &mut Quota,
) -> Result<Outcome, DbError> {
    let end = EndRow::from(end);
    let changed = connection
        .prepare_cached(
            "UPDATE requests SET delivered_at = ?2, received_at = ?3, displayed_at = ?4, ended_at = ?5, end_kind = ?6, \
             end_phase = ?7, signature = ?8, approved_by = ?9, device_id = ?10, device_label = ?11, reject_code = ?12, \
             reason = ?13 WHERE id = ?1 AND end_kind IS NULL",
        )?
        .execute(params![
            id.to_bytes(),
            times.delivered.map(millis),
            times.received.map(millis),
            times.displayed.map(millis),
            millis(ended_at(times)),
            end.kind,
            end.phase,
            end.signature,
            end.approved_by,
            end.device_id,
            end.device_label,
            end.reject_code,
            end.reason,
        ])?;
    // The end that is there may also be this very one, after a rollback that was none: its event must not be told twice.
    if changed == 0 {
        let stands = reads::request(connection, id)?;
        return Ok(Ok(stands.map_or(Written::Unknown, |record| Written::Ended(Box::new(record)))));
    }
    quota.release();
    enqueue_event(connection, id)?;
    Ok(Ok(Written::Done))
}

fn enqueue_event(connection: &Connection, id: RequestId) -> Result<(), DbError> {
    connection
        .prepare_cached(
            "INSERT INTO events (request, attempts, next_at, target) \
             SELECT seq, 0, ended_at, webhook FROM requests WHERE id = ?1 AND webhook IS NOT NULL",
        )?
        .execute([id.to_bytes()])?;
    Ok(())
}

fn event_done(connection: &Connection, id: RequestId) -> Result<Outcome, DbError> {
    connection
        .prepare_cached("DELETE FROM events WHERE request = (SELECT seq FROM requests WHERE id = ?1)")?
        .execute([id.to_bytes()])?;
    Ok(Ok(Written::Done))
}

fn event_failed(connection: &Connection, id: RequestId, attempts: u32, next_at: Timestamp) -> Result<Outcome, DbError> {
    connection
        .prepare_cached(
            "UPDATE events SET attempts = ?2, next_at = ?3 WHERE request = (SELECT seq FROM requests WHERE id = ?1)",
        )?
        .execute(params![id.to_bytes(), attempts, millis(next_at)])?;
    Ok(Ok(Written::Done))
}

/// Nothing moves before the epoch, which is where a time that cannot be read would begin.
fn clock_set(connection: &Connection, by_ms: i64) -> Result<Outcome, DbError> {
    connection
        .prepare_cached(
            "UPDATE requests SET deliver_by = max(deliver_by + ?1, 0), expires_at = max(expires_at + ?1, 0), \
             queued_at = max(queued_at + ?1, 0), delivered_at = max(delivered_at + ?1, 0), \
             received_at = max(received_at + ?1, 0), displayed_at = max(displayed_at + ?1, 0) WHERE end_kind IS NULL",
        )?
        .execute([by_ms])?;
    connection.prepare_cached("UPDATE events SET next_at = max(next_at + ?1, 0)")?.execute([by_ms])?;
    Ok(Ok(Written::Done))
}

fn run(connection: &Connection, sql: &str) -> Result<(), DbError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}
