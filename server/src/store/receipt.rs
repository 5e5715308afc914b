//! Receipts: what the server says about a request that has ended, under its own signature, for whoever was not there.

use super::{jws::compact, key::ServerKey, times::Times};
use crate::record::{End, Record, end_code};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_protocol::{
    ApprovedBy, Device, PublicKeyBytes, Purpose, RequestId, RequesterName, Signature, WireName as _,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

#[derive(Serialize)]
struct Claims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    jti: RequestId,
    iat: u64,
    message_sha256: String,
    public_key: PublicKeyBytes,
    requester: &'a RequesterName,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a Purpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a Device>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reject_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a Signature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<&'a ApprovedBy>,
    times: Times,
}

/// How `record` ended, as a JWS in compact serialisation (RFC 7515 §7.1, RFC 8037 §3.1). None while it is open.
///
/// The same record gives the same receipt, whenever it is asked for.
pub fn receipt(record: &Record, key: &ServerKey, issuer: Option<&str>) -> Option<String> {
    compact(key, "countersign-receipt+jwt", &claims(record, issuer)?)
}

fn claims<'a>(record: &'a Record, iss: Option<&'a str>) -> Option<Claims<'a>> {
    let (end, ended) = record.end.as_ref().zip(record.times.ended)?;
    let mut claims = Claims {
        iss,
        jti: record.id,
        iat: ended.as_millis() / 1000,
        message_sha256: URL_SAFE_NO_PAD.encode(Sha256::digest(record.message.as_bytes())),
        public_key: record.public_key,
        requester: &record.requester,
        purpose: record.purpose.as_ref(),
        device: None,
        state: end.state(),
        code: Some(end.code()).filter(|code| *code != end_code::SIGNED),
        reject_code: None,
        signature: None,
        approved_by: None,
        times: record.times.into(),
    };
    match end {
        End::Signed { signature, approved_by, device } => {
            claims.signature = Some(signature);
            claims.approved_by = approved_by.as_ref();
            claims.device = device.as_deref();
        }
        End::Rejected { code, .. } => claims.reject_code = Some(code.as_str()),
        End::InvalidSignature
        | End::MessageMismatch
        | End::DeliveryTimeout
        | End::Timeout(_)
        | End::Disconnected(_)
        | End::Cancelled
        | End::Draining => {}
    }
    Some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Phase, PhaseTimes},
        time::Timestamp,
    };
    use countersign_protocol::RejectCode;
    use ed25519_dalek::VerifyingKey;
    use serde_json::{Value, json};
    use std::sync::Arc;

    const ISSUER: &str = "https://sign.example.com";

    fn key() -> ServerKey {
        let dir = tempfile::tempdir().unwrap();
        ServerKey::load_or_create(dir.path(), || [7; 32]).unwrap()
    }

    fn record(end: Option<End>) -> Record {
        let time = |ms: u64| Timestamp::from_millis(1_800_000_000_000 + ms);
        Record {
            id: RequestId::from_random_bytes([1; 16]),
            public_key: [2; 32].into(),
            message: Arc::new(b"hello".to_vec().try_into().unwrap()),
            requester_id: "Example Bank".parse().unwrap(),
            requester: "Example Bank".parse().unwrap(),
            purpose: Some("Order 1042".parse().unwrap()),
            reference: None,
            metadata: None,
            batch: None,
            deliver_by: time(10_000),
            expires_at: time(60_000),
            webhook: None,
            times: PhaseTimes {
                queued: time(0),
                delivered: Some(time(1)),
                received: None,
                displayed: Some(time(30)),
                ended: end.is_some().then(|| time(4_567)),
            },
            attempt: 1,
            end,
            node: None,
            call: None,
        }
    }

    fn signed() -> End {
        End::Signed {
            signature: [9; 64].into(),
            approved_by: Some(ApprovedBy::Human),
            device: Some(Arc::new(Device { id: "d-1".parse().unwrap(), label: "laptop".parse().unwrap() })),
        }
    }

    /// As somebody does who has nothing but the JWK Set and RFC 7515 §5.2.
    fn verify(receipt: &str, jwk_set: &Value) -> Option<Value> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (signed, signature) = receipt.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let jwk = jwk_set["keys"].as_array()?.iter().find(|jwk| jwk["kid"] == header["kid"])?;
        assert_eq!(header, json!({"alg": jwk["alg"], "kid": jwk["kid"], "typ": "countersign-receipt+jwt"}));
        let public_key = VerifyingKey::from_bytes(&decode(jwk["x"].as_str()?)?.try_into().ok()?).ok()?;
        let signature = ed25519_dalek::Signature::from_slice(&decode(signature)?).ok()?;
        public_key.verify_strict(signed.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&decode(claims)?).ok()
    }

    #[test]
    fn says_everything_about_a_signature() {
        let key = key();
        let receipt = receipt(&record(Some(signed())), &key, Some(ISSUER)).unwrap();
        let expected = json!({
            "iss": ISSUER,
            "jti": "01010101-0101-4101-8101-010101010101",
            "iat": 1_800_000_004,
            "message_sha256": "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ",
            "public_key": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
            "requester": "Example Bank",
            "purpose": "Order 1042",
            "device": {"id": "d-1", "label": "laptop"},
            "state": "signed",
            "signature": format!("{}CQ==", "CQkJ".repeat(21)),
            "approved_by": "human",
            "times": {
                "queued_ms": 1_800_000_000_000_u64,
                "delivered_ms": 1_800_000_000_001_u64,
                "displayed_ms": 1_800_000_000_030_u64,
                "ended_ms": 1_800_000_004_567_u64,
            },
        });
        assert_eq!(verify(&receipt, &key.jwk_set(&[], &[])), Some(expected));
    }

    #[test]
    fn says_why_there_is_no_signature() {
        let key = key();
        let rejected = End::Rejected { code: RejectCode::Locked, reason: Some("later".parse().unwrap()) };
        for (end, state, code) in [
            (rejected, "rejected", "rejected"),
            (End::InvalidSignature, "rejected", "invalid_signature"),
            (End::MessageMismatch, "rejected", "message_mismatch"),
            (End::DeliveryTimeout, "expired", "delivery_timeout"),
            (End::Timeout(Phase::Displayed), "expired", "timeout"),
            (End::Disconnected(Phase::Received), "expired", "signer_disconnected"),
            (End::Cancelled, "cancelled", "cancelled"),
            (End::Draining, "cancelled", "draining"),
        ] {
            let receipt = receipt(&record(Some(end)), &key, None).unwrap();
            let claims = verify(&receipt, &key.jwk_set(&[], &[])).unwrap();
            assert_eq!((&claims["state"], &claims["code"]), (&json!(state), &json!(code)));
            assert_eq!(claims.get("reject_code"), (code == "rejected").then_some(&json!("locked")));
            for absent in ["iss", "signature", "approved_by", "device"] {
                assert_eq!(claims.get(absent), None, "{code}: {absent}");
            }
        }
    }

    #[test]
    fn there_is_none_for_an_open_request() {
        assert_eq!(receipt(&record(None), &key(), Some(ISSUER)), None);
    }

    #[test]
    fn a_changed_one_does_not_verify() {
        let key = key();
        let honest = receipt(&record(Some(End::Cancelled)), &key, None).unwrap();
        let [header, claims, signature]: [&str; 3] = honest.split('.').collect::<Vec<_>>().try_into().unwrap();
        let edited = |part: &str, from: &str, to: &str| {
            let text = String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
            assert!(text.contains(from));
            URL_SAFE_NO_PAD.encode(text.replace(from, to))
        };
        let (other_claims, other_header) = (edited(claims, "Bank", "Bonk"), edited(header, "countersign", "something"));
        let other = receipt(&record(Some(End::Draining)), &key, None).unwrap();
        let other_signature = other.rsplit('.').next().unwrap();
        assert!(verify(&honest, &key.jwk_set(&[], &[])).is_some());
        for tampered in [format!("{header}.{other_claims}.{signature}"), format!("{header}.{claims}.{other_signature}")]
        {
            assert_eq!(verify(&tampered, &key.jwk_set(&[], &[])), None);
        }
        let public_key = VerifyingKey::from_bytes(&key.public_key()).unwrap();
        let bytes = ed25519_dalek::Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        assert!(public_key.verify_strict(format!("{other_header}.{claims}").as_bytes(), &bytes).is_err());
    }

    /// Receipts that have been given stay what they are; a difference here is one for everybody who keeps them.
    #[test]
    fn is_the_same_for_the_same_record() {
        let (record, key) = (record(Some(signed())), key());
        let golden = include_str!("golden_receipt.txt").trim_end();
        for _ in 0..2 {
            assert_eq!(receipt(&record, &key, Some(ISSUER)).unwrap(), golden);
        }
    }
}
