//! How a request ended, as columns.

use super::columns::{Columns, Unreadable, array, optional, text};
use crate::record::{End, Phase, end_code};
use countersign_protocol::{ApprovedBy, Device, RejectCode, WireName as _};
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
        let row = Self { kind: Some(end.code()), ..Self::default() };
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

/// Reads the end back.
pub(super) fn end(row: &impl Columns) -> Result<Option<End>, Unreadable> {
    let Some(kind) = row.text("end_kind")? else { return Ok(None) };
    let end = match &*kind {
        end_code::SIGNED => End::Signed {
            signature: array::<64>(row, "signature")?.into(),
            approved_by: optional(row, "approved_by")?,
            device: device(row)?,
        },
        end_code::REJECTED => End::Rejected { code: reject_code(row)?, reason: optional(row, "reason")? },
        end_code::INVALID_SIGNATURE => End::InvalidSignature,
        end_code::MESSAGE_MISMATCH => End::MessageMismatch,
        end_code::DELIVERY_TIMEOUT => End::DeliveryTimeout,
        end_code::TIMEOUT => End::Timeout(phase(row)?),
        end_code::SIGNER_DISCONNECTED => End::Disconnected(phase(row)?),
        end_code::CANCELLED => End::Cancelled,
        end_code::DRAINING => End::Draining,
        _ => return Err(Unreadable("end_kind")),
    };
    Ok(Some(end))
}

fn device(row: &impl Columns) -> Result<Option<Arc<Device>>, Unreadable> {
    let (id, label) = (optional(row, "device_id")?, optional(row, "device_label")?);
    Ok(id.zip(label).map(|(id, label)| Arc::new(Device { id, label })))
}

fn reject_code(row: &impl Columns) -> Result<RejectCode, Unreadable> {
    RejectCode::from_name(&text(row, "reject_code")?).map_err(|_| Unreadable("reject_code"))
}

fn phase(row: &impl Columns) -> Result<Phase, Unreadable> {
    let text = text(row, "end_phase")?;
    let phases = [Phase::Queued, Phase::Delivered, Phase::Received, Phase::Displayed];
    phases.into_iter().find(|phase| phase.as_str() == text).ok_or(Unreadable("end_phase"))
}
