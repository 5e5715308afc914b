//! A request as a row.

use super::{
    columns::{millis, optional, optional_timestamp, parsed, timestamp},
    end_row,
    end_row::EndRow,
    error::DbError,
};
use crate::{
    idempotency::IdempotencyKey,
    record::{PhaseTimes, Record, WebhookUrl},
    time::Timestamp,
};
use countersign_protocol::{Batch, BatchId, Message, RequestId};
use rusqlite::{Connection, Row, params};
use std::sync::Arc;

/// What a request is read back from.
pub(super) const COLUMNS: &str = "id, public_key, requester_id, requester, purpose, batch_id, batch_index, batch_size, webhook, \
    deliver_by, expires_at, attempt, queued_at, delivered_at, received_at, displayed_at, ended_at, end_kind, end_phase, \
    signature, approved_by, device_id, device_label, reject_code, reason, message";

const INSERT: &str = "INSERT INTO requests (id, public_key, requester_id, requester, purpose, batch_id, batch_index, batch_size, webhook, \
    deliver_by, expires_at, attempt, queued_at, delivered_at, received_at, displayed_at, ended_at, end_kind, end_phase, \
    signature, approved_by, device_id, device_label, reject_code, reason, message, idempotency_key) VALUES (?1, ?2, ?3, ?4, \
    ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)";

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
    ])?;
    Ok(())
}

/// Reads a request back.
pub(super) fn record(row: &Row<'_>) -> Result<Record, DbError> {
    let requester_id: Box<str> = row.get("requester_id")?;
    Ok(Record {
        id: RequestId::from_bytes(row.get("id")?),
        public_key: row.get::<_, [u8; 32]>("public_key")?.into(),
        message: message(row)?,
        requester: optional(row, "requester")?.map_or_else(|| parsed(&requester_id, "requester_id"), Ok)?,
        requester_id: parsed(&requester_id, "requester_id")?,
        purpose: optional(row, "purpose")?,
        batch: batch(row)?,
        deliver_by: timestamp(row, "deliver_by")?,
        expires_at: timestamp(row, "expires_at")?,
        webhook: row.get::<_, Option<String>>("webhook")?.as_deref().map(WebhookUrl::from),
        times: PhaseTimes {
            queued: timestamp(row, "queued_at")?,
            delivered: optional_timestamp(row, "delivered_at")?,
            received: optional_timestamp(row, "received_at")?,
            displayed: optional_timestamp(row, "displayed_at")?,
            ended: optional_timestamp(row, "ended_at")?,
        },
        attempt: row.get("attempt")?,
        end: end_row::end(row)?,
    })
}

/// When a request ended. One of which nobody noted it has to be kept as if it had ended at once: retention counts from here.
pub(super) fn ended_at(times: &PhaseTimes) -> Timestamp {
    times.ended.unwrap_or(times.queued)
}

fn message(row: &Row<'_>) -> Result<Arc<Message>, DbError> {
    let blob = row.get_ref("message")?.as_blob().map_err(|_| DbError::Column("message"))?;
    Message::try_from(blob).map(Arc::new).map_err(|_| DbError::Column("message"))
}

fn batch(row: &Row<'_>) -> Result<Option<Batch>, DbError> {
    let Some(id) = row.get::<_, Option<[u8; 16]>>("batch_id")? else { return Ok(None) };
    Ok(Some(Batch { id: BatchId::from_bytes(id), index: row.get("batch_index")?, size: row.get("batch_size")? }))
}
