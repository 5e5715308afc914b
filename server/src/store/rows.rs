//! A request as a row, of either database.

use super::{
    Event,
    columns::{
        Columns, Unreadable, array, bytes, number, optional, optional_array, optional_timestamp, parsed, text,
        timestamp,
    },
    end_row, metadata,
};
use crate::{
    record::{PhaseTimes, Record, WebhookUrl},
    time::Timestamp,
};
use countersign_protocol::{Batch, BatchId, Message, RequestId};
use std::sync::Arc;

/// What a request is read back from.
pub(super) const COLUMNS: &str = "id, public_key, requester_id, requester, purpose, batch_id, batch_index, batch_size, webhook, \
    deliver_by, expires_at, attempt, queued_at, delivered_at, received_at, displayed_at, ended_at, end_kind, end_phase, \
    signature, approved_by, device_id, device_label, reject_code, reason, reference, metadata, message";

/// Reads a request back.
pub(super) fn record(row: &impl Columns) -> Result<Record, Unreadable> {
    let requester_id = text(row, "requester_id")?;
    Ok(Record {
        id: RequestId::from_bytes(array(row, "id")?),
        public_key: array::<32>(row, "public_key")?.into(),
        message: message(row)?,
        requester: optional(row, "requester")?.map_or_else(|| parsed(&requester_id, "requester_id"), Ok)?,
        requester_id: parsed(&requester_id, "requester_id")?,
        purpose: optional(row, "purpose")?,
        reference: optional(row, "reference")?,
        metadata: metadata::read(row)?,
        batch: batch(row)?,
        deliver_by: timestamp(row, "deliver_by")?,
        expires_at: timestamp(row, "expires_at")?,
        webhook: row.text("webhook")?.as_deref().map(WebhookUrl::from),
        times: PhaseTimes {
            queued: timestamp(row, "queued_at")?,
            delivered: optional_timestamp(row, "delivered_at")?,
            received: optional_timestamp(row, "received_at")?,
            displayed: optional_timestamp(row, "displayed_at")?,
            ended: optional_timestamp(row, "ended_at")?,
        },
        attempt: number(row, "attempt")?,
        end: end_row::end(row)?,
        node: None,
        call: None,
    })
}

/// Reads an event back, with its request.
pub(super) fn event(row: &impl Columns) -> Result<Event, Unreadable> {
    let record = record(row)?;
    let url = record.webhook.clone().ok_or(Unreadable("webhook"))?;
    Ok(Event { url, attempts: number(row, "attempts")?, next_at: timestamp(row, "next_at")?, record })
}

/// When a request ended. One of which nobody noted it has to be kept as if it had ended at once: retention counts from here.
pub(super) fn ended_at(times: &PhaseTimes) -> Timestamp {
    times.ended.unwrap_or(times.queued)
}

fn message(row: &impl Columns) -> Result<Arc<Message>, Unreadable> {
    Message::try_from(bytes(row, "message")?).map(Arc::new).map_err(|_| Unreadable("message"))
}

fn batch(row: &impl Columns) -> Result<Option<Batch>, Unreadable> {
    let Some(id) = optional_array(row, "batch_id")? else { return Ok(None) };
    Ok(Some(Batch {
        id: BatchId::from_bytes(id),
        index: number(row, "batch_index")?,
        size: number(row, "batch_size")?,
    }))
}
