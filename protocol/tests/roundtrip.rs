//! Every frame reads back as it was written, and whatever comes from the network yields a frame or an error.

// Tables of frames and strategies, made by hand: what cannot be made is a mistake in this file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use countersign_protocol::{
    AckOutcome, ApprovedBy, Batch, BatchId, CancelCause, ChallengeFrame, ClientFrame, ConnectionId, Device, ErrorCode,
    ErrorFrame, Goodbye, GoodbyeReason, Introduction, MAX_PROBLEM_CHARS, Message, PingPong, RESERVED_PREFIX,
    RejectCode, RejectScope, RequestCancel, RequestId, RequestStatus, Requester, ResponseAck, ServerFrame, SignReject,
    SignRequest, SignResponse, Text, WalletState, Welcome, WelcomeLimits,
    limits::{MAX_FRAME_BYTES, MAX_MESSAGE_BYTES},
};
use proptest::{
    array::uniform32,
    collection::vec,
    option, prop_assert, prop_assert_eq, prop_oneof, proptest,
    sample::{Index, select},
    strategy::{Just, Strategy},
    test_runner::Config,
};

const FEW: u32 = 1024;
const MANY: u32 = 4096;

fn any<T: proptest::arbitrary::Arbitrary>() -> T::Strategy {
    proptest::arbitrary::any::<T>()
}

fn bytes64() -> impl Strategy<Value = [u8; 64]> {
    (uniform32(any::<u8>()), uniform32(any::<u8>())).prop_map(|(a, b)| [a, b].concat().try_into().unwrap())
}

fn id() -> impl Strategy<Value = RequestId> {
    any::<[u8; 16]>().prop_map(RequestId::from_random_bytes)
}

/// Texts of one to `MAX` bytes out of all of Unicode that is allowed, escapes of JSON among them.
fn text<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    let piece = prop_oneof!["[a-z\"\\\\/ ]", r"\PC", Just("🦊".to_owned()), Just("契".to_owned())];
    vec(piece, 1..MAX).prop_filter_map("a text that is allowed", |pieces| {
        let mut text = pieces.concat();
        text.truncate(text.floor_char_boundary(MAX));
        text.parse().ok()
    })
}

fn message() -> impl Strategy<Value = Message> {
    let near_prefix = vec(any::<u8>(), 0..4).prop_map(|tail| [&RESERVED_PREFIX[..12], &tail].concat());
    let longest = any::<u8>().prop_map(|byte| vec![byte; MAX_MESSAGE_BYTES]);
    prop_oneof![20 => vec(any::<u8>(), 1..200), 2 => near_prefix, 1 => longest]
        .prop_filter_map("a message that is allowed", |bytes| Message::try_from(bytes).ok())
}

fn client_frame() -> impl Strategy<Value = ClientFrame> {
    let device = (text(), text()).prop_map(|(id, label)| Device { id, label });
    let introduction = (uniform32(any::<u8>()), option::of(bytes64()), option::of(device))
        .prop_map(|(key, proof, device)| Introduction { public_key: key.into(), proof: proof.map(Into::into), device });
    let status = (id(), select(vec![WalletState::Received, WalletState::Displayed]))
        .prop_map(|(request_id, state)| RequestStatus { request_id, state });
    let approved_by = prop_oneof![Just(ApprovedBy::Human), text().prop_map(ApprovedBy::Policy)];
    let response = (id(), message(), bytes64(), option::of(approved_by)).prop_map(
        |(request_id, message, signature, approved_by)| SignResponse {
            request_id,
            message,
            signature: signature.into(),
            approved_by,
        },
    );
    let codes = vec![RejectCode::UserRejected, RejectCode::PolicyRejected, RejectCode::Locked, RejectCode::Unsupported];
    let reject = (id(), select(codes), option::of(text()), select(vec![RejectScope::Key, RejectScope::Device]))
        .prop_map(|(request_id, code, reason, scope)| SignReject { request_id, code, reason, scope });
    prop_oneof![
        introduction.prop_map(ClientFrame::Introduction),
        status.prop_map(ClientFrame::RequestStatus),
        response.prop_map(ClientFrame::SignResponse),
        reject.prop_map(ClientFrame::SignReject),
        any::<u64>().prop_map(|t| ClientFrame::Ping(PingPong { t })),
        any::<u64>().prop_map(|t| ClientFrame::Pong(PingPong { t })),
    ]
}

fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        uniform32(any::<u8>()).prop_map(|bytes| ServerFrame::Challenge(ChallengeFrame { challenge: bytes.into() })),
        welcome().prop_map(ServerFrame::Welcome),
        request().prop_map(ServerFrame::SignRequest),
        cancel().prop_map(ServerFrame::RequestCancel),
        ack().prop_map(ServerFrame::ResponseAck),
        error().prop_map(ServerFrame::Error),
        goodbye().prop_map(ServerFrame::Goodbye),
        any::<u64>().prop_map(|t| ServerFrame::Ping(PingPong { t })),
        any::<u64>().prop_map(|t| ServerFrame::Pong(PingPong { t })),
    ]
}

fn welcome() -> impl Strategy<Value = Welcome> {
    (any::<[u8; 16]>(), any::<u64>(), any::<u32>(), any::<u32>()).prop_map(|(id, heartbeat_ms, message, inflight)| {
        Welcome {
            connection_id: ConnectionId::from_random_bytes(id),
            heartbeat_ms,
            limits: WelcomeLimits { max_message_bytes: message as usize, max_inflight: inflight as usize },
        }
    })
}

fn request() -> impl Strategy<Value = SignRequest> {
    let batch = (any::<[u8; 16]>(), any::<u32>(), any::<u32>()).prop_map(|(id, index, size)| Batch {
        id: BatchId::from_random_bytes(id),
        index,
        size,
    });
    let place = (option::of(batch), option::of(id()));
    (id(), message(), any::<u64>(), any::<u32>(), text(), option::of(text()), place).prop_map(
        |(request_id, message, expires_in_ms, attempt, name, purpose, (batch, replaces))| SignRequest {
            request_id,
            message,
            expires_in_ms,
            attempt,
            requester: Requester { name },
            purpose,
            batch,
            replaces,
        },
    )
}

fn cancel() -> impl Strategy<Value = RequestCancel> {
    let causes = vec![CancelCause::Cancelled, CancelCause::Expired, CancelCause::AnsweredElsewhere];
    (id(), select(causes)).prop_map(|(request_id, cause)| RequestCancel { request_id, cause })
}

fn ack() -> impl Strategy<Value = ResponseAck> {
    let outcomes = vec![
        AckOutcome::Accepted,
        AckOutcome::Late,
        AckOutcome::Duplicate,
        AckOutcome::BadSignature,
        AckOutcome::MessageMismatch,
        AckOutcome::Unknown,
    ];
    (id(), select(outcomes)).prop_map(|(request_id, outcome)| ResponseAck { request_id, outcome })
}

fn error() -> impl Strategy<Value = ErrorFrame> {
    let codes = vec![
        ErrorCode::Malformed,
        ErrorCode::UnknownType,
        ErrorCode::WrongDirection,
        ErrorCode::BinaryFrame,
        ErrorCode::FrameTooLarge,
        ErrorCode::IntroductionRequired,
        ErrorCode::IntroductionTimeout,
        ErrorCode::AlreadyIntroduced,
        ErrorCode::ProofRequired,
        ErrorCode::ProofInvalid,
        ErrorCode::KeyRefused,
        ErrorCode::RateLimited,
        ErrorCode::TooManyErrors,
        ErrorCode::TooManyConnections,
        ErrorCode::Unrecognised,
    ];
    (select(codes), any::<String>(), option::of(id())).prop_map(|(code, message, request_id)| ErrorFrame {
        code,
        message,
        request_id,
    })
}

fn goodbye() -> impl Strategy<Value = Goodbye> {
    let reasons = vec![GoodbyeReason::Shutdown, GoodbyeReason::Superseded, GoodbyeReason::Idle];
    (select(reasons), any::<u64>()).prop_map(|(reason, reconnect_after_ms)| Goodbye { reason, reconnect_after_ms })
}

/// JSON that is nearly a frame.
fn nearly_json() -> impl Strategy<Value = String> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"type\"",
        "\"ping\"",
        "\"t\"",
        "\"introduction\"",
        "\"sign_request\"",
        "\"message\"",
        "\"request_id\"",
        "\"requester\"",
        "null",
        "true",
        "-0",
        "1e999",
        "18446744073709551616",
        "\"\\ud800\"",
        "\"\\u0000\"",
        " ",
        "\u{FEFF}",
        "\"",
    ];
    vec(select(words.to_vec()), 0..40).prop_map(|words| words.concat())
}

/// Reads a text both ways, and looks at every error that comes of it.
fn read_both_ways(text: &str) -> [bool; 2] {
    let client = ClientFrame::parse(text).map_err(|error| (error.to_string(), error.code(), error.request_id()));
    let server = ServerFrame::parse(text).map_err(|error| (error.to_string(), error.code(), error.request_id()));
    for error in [client.as_ref().err(), server.as_ref().err()].into_iter().flatten() {
        assert!(error.0.chars().count() <= MAX_PROBLEM_CHARS + 1, "{}", error.0);
    }
    [client.is_ok(), server.is_ok()]
}

/// `text` with some of its bytes replaced, taken out or doubled, as far as it remains UTF-8.
fn mutated(text: &str, changes: &[(Index, u8, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, how, byte) in changes {
        let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match how % 3 {
            0 if !bytes.is_empty() => bytes[at] = byte & 0x7F,
            1 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte & 0x7F),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(Config { cases: FEW, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_client_frame_reads_back_and_only_as_what_it_is(frame in client_frame()) {
        let text = frame.to_json();
        prop_assert!(text.len() <= MAX_FRAME_BYTES);
        let beat = matches!(frame, ClientFrame::Ping(_) | ClientFrame::Pong(_));
        prop_assert_eq!(ClientFrame::parse(&text), Ok(frame));
        prop_assert_eq!(ServerFrame::parse(&text).is_ok(), beat);
    }

    #[test]
    fn a_server_frame_reads_back_and_only_as_what_it_is(frame in server_frame()) {
        let text = frame.to_json();
        prop_assert!(text.len() <= MAX_FRAME_BYTES);
        let beat = matches!(frame, ServerFrame::Ping(_) | ServerFrame::Pong(_));
        prop_assert_eq!(ServerFrame::parse(&text), Ok(frame));
        prop_assert_eq!(ClientFrame::parse(&text).is_ok(), beat);
    }

    #[test]
    fn a_frame_that_was_tampered_with_is_read_or_refused(
        frame in prop_oneof![client_frame().prop_map(|f| f.to_json()), server_frame().prop_map(|f| f.to_json())],
        changes in vec((any::<Index>(), any::<u8>(), any::<u8>()), 1..6),
    ) {
        read_both_ways(&mutated(&frame, &changes));
    }

    #[test]
    fn a_frame_that_was_cut_short_is_refused(
        frame in prop_oneof![client_frame().prop_map(|f| f.to_json()), server_frame().prop_map(|f| f.to_json())],
        at in any::<Index>(),
    ) {
        let cut: String = frame.chars().take(at.index(frame.chars().count())).collect();
        prop_assert_eq!(read_both_ways(&cut), [false, false]);
    }
}

proptest! {
    #![proptest_config(Config { cases: MANY, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_text_at_all_is_read_or_refused(text in any::<String>()) {
        read_both_ways(&text);
    }

    #[test]
    fn what_is_nearly_json_is_read_or_refused(text in nearly_json()) {
        read_both_ways(&text);
    }
}
