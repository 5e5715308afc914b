//! How a request ended, as columns.

use super::{rows::optional, trouble::Trouble};
use crate::record::{End, Phase};
use countersign_protocol::{ApprovedBy, Device, RejectCode, WireName as _};
use rusqlite::Row;
use std::sync::Arc;

/// The columns of an end, all null while there is none.
#[derive(Debug, Default)]
pub(super) struct EndRow<'a> {
    pub(super) kind: Option<&'static str>,
    pub(super) phase: Option<&'static str>,
    pub(super) signature: Option<&'a [u8; 64]>,
    pub(super) approved_by: Option<String>,
    pub(super) device_id: Option<&'a str>,
    pub(super) device_label: Option<&'a str>,
    pub(super) reject_code: Option<&'static str>,
    pub(super) reason: Option<&'a str>,
}

impl<'a> From<&'a End> for EndRow<'a> {
    fn from(end: &'a End) -> Self {
        let row = Self { kind: Some(kind(end)), ..Self::default() };
        match end {
            End::Signed { signature, approved_by, device } => Self {
                signature: Some(signature.as_bytes()),
                approved_by: approved_by.as_ref().map(ApprovedBy::to_string),
                device_id: device.as_ref().map(|device| device.id.as_str()),
                device_label: device.as_ref().map(|device| device.label.as_str()),
                ..row
            },
            End::Rejected { code, reason } => {
                Self { reject_code: Some(code.as_str()), reason: reason.as_ref().map(|reason| reason.as_str()), ..row }
            }
            End::Timeout(phase) | End::Disconnected(phase) => Self { phase: Some(phase.as_str()), ..row },
            End::InvalidSignature | End::MessageMismatch | End::DeliveryTimeout | End::Cancelled | End::Draining => row,
        }
    }
}

fn kind(end: &End) -> &'static str {
    match end {
        End::Signed { .. } => "signed",
        End::Rejected { .. } => "rejected",
        End::InvalidSignature => "invalid_signature",
        End::MessageMismatch => "message_mismatch",
        End::DeliveryTimeout => "delivery_timeout",
        End::Timeout(_) => "timeout",
        End::Disconnected(_) => "disconnected",
        End::Cancelled => "cancelled",
        End::Draining => "draining",
    }
}

/// Reads the end back.
pub(super) fn end(row: &Row<'_>) -> Result<Option<End>, Trouble> {
    let Some(kind) = row.get::<_, Option<Box<str>>>("end_kind")? else { return Ok(None) };
    let end = match &*kind {
        "signed" => End::Signed {
            signature: row.get::<_, [u8; 64]>("signature")?.into(),
            approved_by: optional(row, "approved_by")?,
            device: device(row)?,
        },
        "rejected" => End::Rejected { code: reject_code(row)?, reason: optional(row, "reason")? },
        "invalid_signature" => End::InvalidSignature,
        "message_mismatch" => End::MessageMismatch,
        "delivery_timeout" => End::DeliveryTimeout,
        "timeout" => End::Timeout(phase(row)?),
        "disconnected" => End::Disconnected(phase(row)?),
        "cancelled" => End::Cancelled,
        "draining" => End::Draining,
        _ => return Err(Trouble::Column("end_kind")),
    };
    Ok(Some(end))
}

fn device(row: &Row<'_>) -> Result<Option<Arc<Device>>, Trouble> {
    let (id, label) = (optional(row, "device_id")?, optional(row, "device_label")?);
    Ok(id.zip(label).map(|(id, label)| Arc::new(Device { id, label })))
}

fn reject_code(row: &Row<'_>) -> Result<RejectCode, Trouble> {
    let text: Box<str> = row.get("reject_code")?;
    RejectCode::from_name(&text).map_err(|_| Trouble::Column("reject_code"))
}

fn phase(row: &Row<'_>) -> Result<Phase, Trouble> {
    let text: Box<str> = row.get("end_phase")?;
    let phases = [Phase::Queued, Phase::Delivered, Phase::Received, Phase::Displayed];
    phases.into_iter().find(|phase| phase.as_str() == &*text).ok_or(Trouble::Column("end_phase"))
}
