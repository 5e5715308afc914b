//! A durable request as the API shows it: in answers, in events and to webhooks.

use super::problem_members::Members;
use crate::{End, Metadata, Record, Reference, SigningError, store::Times};
use countersign_protocol::{
    ApprovedBy, Batch, Device, Message, PublicKeyBytes, Purpose, RequestId, RequesterName, Signature,
};
use serde::{Serialize, Serializer};

/// The one form in which a request is shown, wherever it is.
#[derive(Serialize)]
pub(in crate::http) struct Resource<'a> {
    request_id: RequestId,
    public_key: PublicKeyBytes,
    state: &'static str,
    attempt: u32,
    requester: Requester<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a Purpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_object")]
    metadata: Option<&'a Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Batch>,
    deliver_by_ms: u64,
    expires_at_ms: u64,
    times: Times,
    message: &'a Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a Signature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<&'a ApprovedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Serialize)]
struct Requester<'a> {
    name: &'a RequesterName,
}

/// Why there is no signature, in the words of the problem that a waiting call would have got.
#[derive(Serialize)]
struct Failure {
    code: &'static str,
    detail: String,
    #[serde(flatten)]
    members: Members,
}

impl<'a> From<&'a Record> for Resource<'a> {
    fn from(record: &'a Record) -> Self {
        let resource = Self {
            request_id: record.id,
            public_key: record.public_key,
            state: record.state(),
            attempt: record.attempt,
            requester: Requester { name: &record.requester },
            purpose: record.purpose.as_ref(),
            reference: record.reference.as_ref().map(Reference::as_str),
            metadata: record.metadata.as_ref(),
            batch: record.batch,
            deliver_by_ms: record.deliver_by.as_millis(),
            expires_at_ms: record.expires_at.as_millis(),
            times: record.times.into(),
            message: &record.message,
            signature: None,
            approved_by: None,
            device: None,
            error: None,
        };
        match &record.end {
            None => resource,
            Some(End::Signed { signature, approved_by, device }) => Self {
                signature: Some(signature),
                approved_by: approved_by.as_ref(),
                device: device.as_deref(),
                ..resource
            },
            Some(end) => Self { error: Some(end.clone().into()), ..resource },
        }
    }
}

fn as_object<S: Serializer>(metadata: &Option<&Metadata>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metadata.iter().flat_map(|metadata| metadata.iter()))
}

impl From<End> for Failure {
    fn from(end: End) -> Self {
        let error = SigningError::from(end);
        Self { code: error.code(), detail: error.to_string(), members: error.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, PhaseTimes, Timestamp};
    use countersign_protocol::RejectCode;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn record(end: Option<End>) -> Record {
        let at = Timestamp::from_millis;
        Record {
            id: RequestId::from_random_bytes([1; 16]),
            public_key: [2; 32].into(),
            message: Arc::new(b"hello".to_vec().try_into().unwrap()),
            requester_id: "Example Bank".parse().unwrap(),
            requester: "Example Bank".parse().unwrap(),
            purpose: None,
            reference: None,
            metadata: None,
            batch: None,
            deliver_by: at(11_000),
            expires_at: at(61_000),
            webhook: Some("https://secret.example/hook".into()),
            times: PhaseTimes { delivered: Some(at(1_001)), ..PhaseTimes::asked_at(at(1_000)) },
            attempt: 1,
            end,
            node: None,
            call: None,
        }
    }

    fn shown(end: Option<End>) -> Value {
        serde_json::to_value(Resource::from(&record(end))).unwrap()
    }

    #[test]
    fn an_open_request_shows_how_far_it_is() {
        let expected = json!({
            "request_id": "01010101-0101-4101-8101-010101010101",
            "public_key": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
            "state": "delivered",
            "attempt": 1,
            "requester": { "name": "Example Bank" },
            "deliver_by_ms": 11_000,
            "expires_at_ms": 61_000,
            "times": { "queued_ms": 1_000, "delivered_ms": 1_001 },
            "message": "aGVsbG8=",
        });
        assert_eq!(shown(None), expected);
    }

    #[test]
    fn an_ended_request_shows_a_signature_or_an_error() {
        let device = Device { id: "d-1".parse().unwrap(), label: "laptop".parse().unwrap() };
        let signed = shown(Some(End::Signed {
            signature: [9; 64].into(),
            approved_by: Some(ApprovedBy::Human),
            device: Some(Arc::new(device)),
        }));
        assert_eq!((&signed["state"], &signed["approved_by"]), (&json!("signed"), &json!("human")));
        assert_eq!(signed["device"], json!({ "id": "d-1", "label": "laptop" }));
        assert_eq!((signed["signature"].as_str().unwrap().len(), signed.get("error")), (88, None));

        let declined = shown(Some(End::Rejected { code: RejectCode::UserRejected, reason: None }));
        let expected = json!({
            "code": "rejected", "detail": "the wallet declined: user_rejected", "reject_code": "user_rejected"
        });
        assert_eq!((&declined["error"], declined.get("signature")), (&expected, None));
        assert_eq!(shown(Some(End::Timeout(Phase::Received)))["error"]["phase"], "received");
    }
}
