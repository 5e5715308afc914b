//! A request into a row of SQLite.

use super::{columns::millis, end_row::EndRow, error::DbError, metadata, rows::ended_at};
use crate::{idempotency::IdempotencyKey, record::Record, reference::Reference};
use rusqlite::{Connection, params};

const INSERT: &str = "INSERT INTO requests (id, public_key, requester_id, requester, purpose, batch_id, batch_index, batch_size, webhook, \
    deliver_by, expires_at, attempt, queued_at, delivered_at, received_at, displayed_at, ended_at, end_kind, end_phase, \
    signature, approved_by, device_id, device_label, reject_code, reason, message, idempotency_key, reference, metadata) VALUES (?1, ?2, ?3, ?4, \
    ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)";

/// Adds a request.
pub(super) fn insert(connection: &Connection, record: &Record, key: Option<&IdempotencyKey>) -> Result<(), DbError> {
    let times = &record.times;
    let end = record.end.as_ref().map(EndRow::from).unwrap_or_default();
    let batch = record.batch.as_ref();
    connection.prepare_cached(INSERT)?.execute(params![
        record.id.to_bytes(),
        record.public_key.as_bytes(),
        record.requester_id.as_str(),
        Some(record.requester.as_str()).filter(|name| *name != record.requester_id.as_str()),
        record.purpose.as_ref().map(|purpose| purpose.as_str()),
        batch.map(|batch| batch.id.to_bytes()),
        batch.map(|batch| batch.index),
        batch.map(|batch| batch.size),
        record.webhook.as_deref(),
        millis(record.deliver_by),
        millis(record.expires_at),
        record.attempt,
        millis(times.queued),
        times.delivered.map(millis),
        times.received.map(millis),
        times.displayed.map(millis),
        record.end.is_some().then(|| millis(ended_at(times))),
        end.kind,
        end.phase,
        end.signature,
        end.approved_by,
        end.device_id,
        end.device_label,
        end.reject_code,
        end.reason,
        record.message.as_bytes(),
        key.map(IdempotencyKey::as_str),
        record.reference.as_ref().map(Reference::as_str),
        record.metadata.as_ref().map(metadata::text),
    ])?;
    Ok(())
}
