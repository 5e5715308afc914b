//! The rules of a session, one by one.

use super::*;
use countersign_protocol::{PublicKeyBytes, Signature, limits::MAX_FRAME_BYTES};

const AUDIENCE: &str = "ws://localhost:8080/ws";
const CHALLENGE: [u8; 32] = [4; 32];

struct Wallet(ed25519_dalek::SigningKey);

impl Wallet {
    fn key(&self) -> PublicKeyBytes {
        PublicKey::of(&self.0).to_bytes()
    }

    fn prove(&self, challenge: [u8; 32], audience: &str, origin: &str) -> Signature {
        let (audience, origin) = (audience.parse().unwrap(), origin.parse().unwrap());
        let challenge = challenge.into();
        Signable::Introduction { challenge: &challenge, public_key: &self.key(), audience: &audience, origin: &origin }
            .sign(&self.0)
    }

    fn introduction(&self, proof: Option<Signature>) -> String {
        ClientFrame::Introduction(Introduction { public_key: self.key(), proof, device: None }).to_json()
    }
}

fn wallet() -> Wallet {
    Wallet(ed25519_dalek::SigningKey::from_bytes(&[8; 32]))
}

fn start(allow_unproven: bool) -> (Session, Instant) {
    let rules = Rules {
        audiences: vec!["wss://sign.example/ws".parse().unwrap(), AUDIENCE.parse().unwrap()],
        allow_unproven,
        introduction_timeout: Duration::from_secs(10),
        heartbeat: Duration::from_secs(20),
        reconnect_after: Duration::from_secs(1),
    };
    let now = Instant::now();
    let (session, first) = Session::new(Arc::new(rules), "https://a.example".parse().unwrap(), CHALLENGE.into(), now);
    assert_eq!(first, ServerFrame::Challenge(ChallengeFrame { challenge: CHALLENGE.into() }));
    (session, now)
}

fn introduced() -> (Session, Instant) {
    let (mut session, now) = start(false);
    let proof = wallet().prove(CHALLENGE, AUDIENCE, "https://a.example");
    let action = session.handle_text(&wallet().introduction(Some(proof)), now);
    assert!(matches!(action, Action::Introduced(Introduced { proven: true, .. })), "{action:?}");
    (session, now)
}

fn code(action: &Action) -> (ErrorCode, Option<u16>) {
    match action {
        Action::Send(ServerFrame::Error(error)) => (error.code, None),
        Action::Close(Close { frame: ServerFrame::Error(error), code }) => (error.code, Some(*code)),
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn a_proof_over_anything_else_closes() {
    let proofs = [
        wallet().prove([5; 32], AUDIENCE, "https://a.example"),
        wallet().prove(CHALLENGE, "wss://evil.example/ws", "https://a.example"),
        wallet().prove(CHALLENGE, AUDIENCE, "https://b.example"),
        wallet().prove(CHALLENGE, AUDIENCE, ""),
        Wallet(ed25519_dalek::SigningKey::from_bytes(&[9; 32])).prove(CHALLENGE, AUDIENCE, "https://a.example"),
        [0; 64].into(),
    ];
    for proof in proofs {
        let (mut session, now) = start(true);
        let action = session.handle_text(&wallet().introduction(Some(proof)), now);
        assert_eq!(code(&action), (ErrorCode::ProofInvalid, Some(1008)));
    }
}

#[test]
fn a_bare_introduction_needs_permission() {
    let (mut session, now) = start(false);
    let bare = wallet().introduction(None);
    assert_eq!(code(&session.handle_text(&bare, now)), (ErrorCode::ProofRequired, Some(1008)));

    let (mut session, now) = start(true);
    let action = session.handle_text(&bare, now);
    assert!(matches!(action, Action::Introduced(Introduced { proven: false, .. })));
}

#[test]
fn a_weak_key_is_refused_before_its_proof_is_looked_at() {
    let (mut session, now) = start(true);
    let zero = PublicKeyBytes::from([0; 32]);
    let text = ClientFrame::Introduction(Introduction { public_key: zero, proof: None, device: None }).to_json();
    assert_eq!(code(&session.handle_text(&text, now)), (ErrorCode::KeyRefused, Some(1008)));
}

#[test]
fn order_and_direction_are_kept() {
    let (mut session, now) = start(false);
    let reject =
        r#"{"type":"sign_reject","request_id":"07070707-0707-4707-8707-070707070707","code":"locked","scope":"key"}"#;
    assert_eq!(code(&session.handle_text(reject, now)), (ErrorCode::IntroductionRequired, None));
    assert_eq!(code(&session.handle_text(r#"{"type":"welcome"}"#, now)), (ErrorCode::WrongDirection, None));

    let (mut session, now) = introduced();
    assert!(matches!(session.handle_text(reject, now), Action::Reject(_)));
    let again = wallet().introduction(None);
    assert_eq!(code(&session.handle_text(&again, now)), (ErrorCode::AlreadyIntroduced, None));
}

#[test]
fn broken_frames_are_named_and_too_many_close() {
    let (mut session, now) = introduced();
    let deep = format!(r#"{{"type":"ping","t":1,"x":{}}}"#, "[".repeat(60_000));
    for text in ["", "{", "[]", "null", r#"{"type":1}"#, r#"{"type":"ping"}"#, r#"{"type":"ping","t":1,"t":2}"#, &deep]
    {
        assert_eq!(code(&session.handle_text(text, now)), (ErrorCode::Malformed, None), "{text:.40}");
    }
    assert_eq!(code(&session.handle_text(r#"{"type":"x"}"#, now)), (ErrorCode::UnknownType, None));
    let huge = " ".repeat(MAX_FRAME_BYTES + 1);
    assert_eq!(code(&session.handle_text(&huge, now)), (ErrorCode::FrameTooLarge, None));
    for _ in 0..5 {
        assert_eq!(code(&session.handle_text(r#"{"type":"y"}"#, now)), (ErrorCode::UnknownType, None));
    }
    assert_eq!(code(&session.handle_text("", now)), (ErrorCode::TooManyErrors, Some(1008)));
}

#[test]
fn errors_now_and_then_are_forgiven() {
    let (mut session, now) = introduced();
    for n in 0..100 {
        let at = now + Duration::from_secs(n * 5);
        assert_eq!(code(&session.handle_text("", at)), (ErrorCode::Malformed, None));
    }
}

#[test]
fn a_stranger_has_little_room() {
    let (mut session, now) = start(false);
    let long = " ".repeat(MAX_INTRODUCTION_FRAME_BYTES + 1);
    assert_eq!(code(&session.handle_text(&long, now)), (ErrorCode::FrameTooLarge, Some(1009)));
    assert_eq!(code(&session.handle_binary()), (ErrorCode::BinaryFrame, Some(1003)));
}

#[test]
fn no_introduction_in_time_closes() {
    let (mut session, now) = start(false);
    assert!(matches!(session.handle_timeout(now + Duration::from_secs(9)), Action::Nothing));
    // Signs of life do not buy a stranger more time.
    session.handle_activity(now + Duration::from_secs(9));
    let action = session.handle_timeout(now + Duration::from_secs(10));
    assert_eq!(code(&action), (ErrorCode::IntroductionTimeout, Some(1008)));
}

#[test]
fn silence_is_pinged_then_closed() {
    let (mut session, now) = introduced();
    let at = |seconds| now + Duration::from_secs(seconds);
    assert!(matches!(session.handle_timeout(at(19)), Action::Nothing));
    assert!(matches!(session.handle_timeout(at(20)), Action::Ping));
    assert!(matches!(session.handle_timeout(at(39)), Action::Nothing));
    session.handle_activity(at(39));
    assert!(matches!(session.handle_timeout(at(58)), Action::Nothing));
    assert!(matches!(session.handle_timeout(at(59)), Action::Ping));
    let Action::Close(close) = session.handle_timeout(at(79)) else { panic!("still open") };
    assert_eq!((close.reason(), close.code), ("idle", 1000));
}

#[test]
fn a_process_that_was_stopped_pings_before_it_calls_anybody_silent() {
    let (mut session, now) = introduced();
    let at = |seconds| now + Duration::from_secs(seconds);
    assert!(matches!(session.handle_timeout(at(65)), Action::Ping));
    assert!(matches!(session.handle_timeout(at(84)), Action::Nothing));
    assert!(matches!(session.handle_timeout(at(85)), Action::Close(_)));
}

#[test]
fn a_ping_is_answered_at_any_time() {
    let (mut session, now) = start(false);
    let action = session.handle_text(r#"{"type":"ping","t":7}"#, now);
    assert!(matches!(action, Action::Send(ServerFrame::Pong(PingPong { t: 7 }))));
}
