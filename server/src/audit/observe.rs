//! What the service's steps are in the log.

use super::{
    entry::{Entry, Request, Wallet, digest},
    log::AuditLog,
};
use crate::{
    steps::{EndedBy, Observer, Refusal, RequestSummary, Step, WalletConnection},
    time::Timestamp,
};
use countersign_protocol::{ApprovedBy, WireName as _};

impl Observer for AuditLog {
    fn observe(&self, at: Timestamp, step: &Step) {
        match step {
            Step::Asked { request, message } => self.add_at(
                at,
                &Entry::Asked {
                    request: named(request),
                    requester: &request.requester,
                    address: request.call.as_ref().and_then(|call| call.address),
                    message_sha256: digest(message.as_bytes()),
                    message_bytes: message.len(),
                    durable: request.durable,
                    batch_id: request.batch_id,
                },
            ),
            Step::Refused(Refusal { public_key, requester_id, call, outcome }) => self.add_at(
                at,
                &Entry::Refused {
                    public_key: *public_key,
                    requester_id: requester_id.as_ref().map(|id| id.as_str()),
                    address: call.as_ref().and_then(|call| call.address),
                    outcome,
                },
            ),
            Step::Ended { request, outcome, by, approved_by, reject_code, took } => self.add_at(
                at,
                &Entry::Ended {
                    request: named(request),
                    outcome,
                    by: by.as_str(),
                    approved_by: approved_by.as_ref().map(ApprovedBy::to_string),
                    reject_code: reject_code.as_ref().map(|code| code.as_str()),
                    wallet: decider(by),
                    ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                },
            ),
            Step::TakenOver { request } => self.add_at(at, &Entry::TakenOver { request: named(request) }),
            // How far a request has come is not for auditors, and of some of these a wallet makes as many as it likes.
            Step::Delivered { .. }
            | Step::Received { .. }
            | Step::Displayed { .. }
            | Step::Answered { .. }
            | Step::AnsweredInVain { .. }
            | Step::Introduced { .. }
            | Step::Left { .. } => {}
        }
    }
}

fn named(request: &RequestSummary) -> Request<'_> {
    Request { request_id: request.id, public_key: request.public_key, requester_id: request.requester_id.as_str() }
}

fn decider(by: &EndedBy) -> Wallet<'_> {
    match by {
        EndedBy::Wallet(WalletConnection { device, address, .. }) => Wallet {
            device_id: device.as_ref().map(|device| &device.id),
            device: device.as_ref().map(|device| &device.label),
            address: *address,
        },
        EndedBy::Requester
        | EndedBy::HangUp
        | EndedBy::Operator
        | EndedBy::Time
        | EndedBy::Shutdown
        | EndedBy::Elsewhere => Wallet::default(),
    }
}
