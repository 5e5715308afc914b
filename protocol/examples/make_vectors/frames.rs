//! Frames: every message, in its shortest and its longest form, and other texts that mean the same.

use super::{
    AUDIENCE, BATCH_ID, CHALLENGE, CONNECTION_ID, MESSAGE, ORIGIN, REPLACED_ID, REQUEST_ID, proofs, public_key,
    signing_key,
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, Batch, CancelCause, ChallengeFrame, ClientFrame, Device, ErrorCode, ErrorFrame, Goodbye,
    GoodbyeReason, Introduction, Message, PingPong, RejectCode, RejectScope, RequestCancel, RequestId, RequestStatus,
    Requester, ResponseAck, ServerFrame, SignReject, SignRequest, SignResponse, Signable, WalletState, Welcome,
    WelcomeLimits, limits,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Serialize, Deserialize)]
pub(crate) struct Frames {
    pub(crate) about: String,
    pub(crate) frames: Vec<FrameVector>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FrameVector {
    pub(crate) name: String,
    pub(crate) direction: Direction,
    /// What this project's encoder writes.
    pub(crate) canonical: String,
    /// What reads as the same frame.
    pub(crate) also: Vec<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    ClientToServer,
    ServerToClient,
}

pub(crate) fn make() -> Frames {
    Frames {
        about: "Frames of countersign.v1. `canonical` is what the reference encoder writes; every text in `also` reads as the same \
                frame. A receiver accepts all of them; a sender may write any."
            .into(),
        frames: [introductions(), requests(), answers(), upkeep()].into_iter().flatten().collect(),
    }
}

fn introductions() -> Vec<FrameVector> {
    let public_key = public_key(&signing_key());
    let proof = Some(proofs::prove(&signing_key(), CHALLENGE, AUDIENCE, ORIGIN));
    let device = Some(Device { id: "a1".parse().unwrap(), label: "Chromium on Linux".parse().unwrap() });
    let unicode = Some(Device { id: "β-2".parse().unwrap(), label: "Zoë's 🦊 \"laptop\" \\ 2".parse().unwrap() });
    let welcome = |max_message_bytes, max_inflight| Welcome {
        connection_id: CONNECTION_ID.parse().unwrap(),
        heartbeat_ms: 20_000,
        limits: WelcomeLimits { max_message_bytes, max_inflight },
    };
    vec![
        server("challenge", ServerFrame::Challenge(ChallengeFrame { challenge: CHALLENGE.into() })),
        client(
            "introduction, without proof (refused by default)",
            ClientFrame::Introduction(Introduction { public_key, proof: None, device: None }),
        )
        .with(r#","proof":null,"device":null"#),
        client(
            "introduction, without device",
            ClientFrame::Introduction(Introduction { public_key, proof, device: None }),
        )
        .with(r#","device":null"#),
        client("introduction, full", ClientFrame::Introduction(Introduction { public_key, proof, device })).escaped(),
        client(
            "introduction, device label beyond ASCII",
            ClientFrame::Introduction(Introduction { public_key, proof, device: unicode }),
        )
        .escaped(),
        server("welcome", ServerFrame::Welcome(welcome(limits::MAX_MESSAGE_BYTES, 16))).escaped(),
        server("welcome, small", ServerFrame::Welcome(welcome(1, 1))),
    ]
}

fn requests() -> Vec<FrameVector> {
    let sign_request = |message: Message, expires_in_ms, attempt, name: &str, purpose: Option<&str>| SignRequest {
        request_id: id(),
        message,
        expires_in_ms,
        attempt,
        requester: Requester { name: name.parse().unwrap() },
        purpose: purpose.map(|purpose| purpose.parse().unwrap()),
        batch: None,
        replaces: None,
    };
    let request = |message, expires_in_ms, attempt, name, purpose| {
        ServerFrame::SignRequest(sign_request(message, expires_in_ms, attempt, name, purpose))
    };
    let batch = Some(Batch { id: BATCH_ID.parse().unwrap(), index: 1, size: 3 });
    let every_byte = Message::try_from((0..=255).collect::<Vec<u8>>()).unwrap();
    let cancel = |cause| ServerFrame::RequestCancel(RequestCancel { request_id: id(), cause });
    vec![
        server("sign_request, minimal", request(message(), 60_000, 1, "Example Shop", None))
            .with(r#","purpose":null,"batch":null"#),
        server("sign_request, full", request(message(), 60_000, 1, "Example Shop", Some("Order 1042"))).escaped(),
        server(
            "sign_request, repeated, seven days left, every byte",
            request(every_byte, limits::MAX_TIMEOUT_MS, 3, "銀行", Some("契約 №7 \"draft\" 🦊")),
        )
        .escaped(),
        server("sign_request, no time left", request(Message::try_from(vec![0]).unwrap(), 0, u32::MAX, "x", None)),
        server(
            "sign_request, the second of a batch of three",
            ServerFrame::SignRequest(SignRequest {
                batch,
                ..sign_request(message(), 60_000, 1, "Example Shop", Some("Orders of May"))
            }),
        )
        .escaped(),
        server(
            "sign_request, in the place of another",
            ServerFrame::SignRequest(SignRequest {
                replaces: Some(REPLACED_ID.parse().unwrap()),
                ..sign_request(message(), 60_000, 1, "Example Shop", Some("Order 1042"))
            }),
        )
        .escaped(),
        server("request_cancel, cancelled", cancel(CancelCause::Cancelled)).escaped(),
        server("request_cancel, expired", cancel(CancelCause::Expired)),
        server("request_cancel, answered_elsewhere", cancel(CancelCause::AnsweredElsewhere)),
    ]
}

fn answers() -> Vec<FrameVector> {
    let status = |state| ClientFrame::RequestStatus(RequestStatus { request_id: id(), state });
    let message = message();
    let signature = Signable::Message(&message).sign(&signing_key());
    let response = |approved_by| {
        ClientFrame::SignResponse(SignResponse { request_id: id(), message: message.clone(), signature, approved_by })
    };
    let reject = |code, reason: Option<&str>, scope| {
        let reason = reason.map(|reason| reason.parse().unwrap());
        ClientFrame::SignReject(SignReject { request_id: id(), code, reason, scope })
    };
    let ack = |outcome| ServerFrame::ResponseAck(ResponseAck { request_id: id(), outcome });
    vec![
        client("request_status, received", status(WalletState::Received)).escaped(),
        client("request_status, displayed", status(WalletState::Displayed)),
        client("sign_response, minimal", response(None)).with(r#","approved_by":null"#),
        client("sign_response, full", response(Some(ApprovedBy::Human))).escaped(),
        client("sign_response, by a policy", response(Some("policy:small-amounts".parse().unwrap()))),
        client("sign_reject, minimal", reject(RejectCode::UserRejected, None, RejectScope::Key))
            .with(r#","reason":null"#),
        client("sign_reject, full", reject(RejectCode::UserRejected, Some("I did not order this"), RejectScope::Key))
            .escaped(),
        client("sign_reject, policy_rejected", reject(RejectCode::PolicyRejected, None, RejectScope::Device)),
        client("sign_reject, locked", reject(RejectCode::Locked, None, RejectScope::Device)),
        client("sign_reject, unsupported", reject(RejectCode::Unsupported, None, RejectScope::Key)),
        server("response_ack, accepted", ack(AckOutcome::Accepted)).escaped(),
        server("response_ack, late", ack(AckOutcome::Late)),
        server("response_ack, duplicate", ack(AckOutcome::Duplicate)),
        server("response_ack, bad_signature", ack(AckOutcome::BadSignature)),
        server("response_ack, message_mismatch", ack(AckOutcome::MessageMismatch)),
        server("response_ack, unknown", ack(AckOutcome::Unknown)),
    ]
}

fn upkeep() -> Vec<FrameVector> {
    let error =
        |code, message: &str, request_id| ServerFrame::Error(ErrorFrame { code, message: message.into(), request_id });
    let goodbye = |reason, reconnect_after_ms| ServerFrame::Goodbye(Goodbye { reason, reconnect_after_ms });
    /// The largest whole number that every JSON library keeps exact.
    const MOST: u64 = (1 << 53) - 1;
    vec![
        client("ping, from a wallet", ClientFrame::Ping(PingPong { t: 1_764_000_000_000 })).escaped(),
        client("ping, the largest t", ClientFrame::Ping(PingPong { t: MOST })),
        client("pong, from a wallet", ClientFrame::Pong(PingPong { t: 0 })).escaped(),
        server("ping, from a server", ServerFrame::Ping(PingPong { t: 0 })).escaped(),
        server("pong, from a server", ServerFrame::Pong(PingPong { t: 1_764_000_000_000 })).escaped(),
        server("error, minimal", error(ErrorCode::UnknownType, "unknown type \"hello\"", None))
            .with(r#","request_id":null"#),
        server("error, full", error(ErrorCode::Malformed, "missing field `signature`", Some(id()))).escaped(),
        server("goodbye, shutdown", goodbye(GoodbyeReason::Shutdown, 1_000)).escaped(),
        server("goodbye, superseded", goodbye(GoodbyeReason::Superseded, 0)),
        server("goodbye, idle", goodbye(GoodbyeReason::Idle, 1_000)),
    ]
}

fn id() -> RequestId {
    REQUEST_ID.parse().unwrap()
}

fn message() -> Message {
    Message::try_from(MESSAGE).unwrap()
}

fn client(name: &str, frame: ClientFrame) -> FrameVector {
    vector(name, Direction::ClientToServer, frame.to_json())
}

fn server(name: &str, frame: ServerFrame) -> FrameVector {
    vector(name, Direction::ServerToClient, frame.to_json())
}

fn vector(name: &str, direction: Direction, canonical: String) -> FrameVector {
    let also = vec![unfamiliar(&canonical)];
    FrameVector { name: name.into(), direction, canonical, also }
}

impl FrameVector {
    /// Adds the canonical text with `fields` at its end.
    fn with(mut self, fields: &str) -> Self {
        let open = self.canonical.strip_suffix('}').unwrap();
        self.also.push(format!("{open}{fields}}}"));
        self
    }

    /// Adds the canonical text with every character of every string, names of fields included, as an escape.
    fn escaped(mut self) -> Self {
        let value: Value = serde_json::from_str(&self.canonical).unwrap();
        self.also.push(write(&value, &escape));
        self
    }
}

/// The same frame with fields of a later version, some of them twice, `type` last, and white space wherever JSON allows it.
fn unfamiliar(canonical: &str) -> String {
    let value: Value = serde_json::from_str(canonical).unwrap();
    let mut fields = sorted(value.as_object().unwrap());
    fields.sort_by_key(|(name, _)| *name == "type");
    let mut text = "\n {\t\"x\" : [ 1, {\"type\": \"y\"}, null ] ,\r\n \"x\" : -1.5e3 ".to_owned();
    for (name, value) in fields {
        text += &format!(", \"{name}\" : {} ", write(value, &|text| Value::from(text).to_string()));
    }
    text + "}\n"
}

/// JSON with its fields in alphabetical order, whatever features of `serde_json` are on.
fn write(value: &Value, quote: &dyn Fn(&str) -> String) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| quote(name) + ":" + &write(value, quote);
            format!("{{{}}}", sorted(fields).into_iter().map(field).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn sorted(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

/// Every UTF-16 unit as an escape, so that characters beyond the basic plane are surrogate pairs.
fn escape(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{units}\"")
}
