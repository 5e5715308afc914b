//! What one wallet connection may say, and what it is told: a state machine without clock, socket or randomness.
//!
//! Each input yields one [`Action`]. The connection's task carries it out; see [`drive`](crate::connection::drive).

use countersign_protocol::{
    Audience, Challenge, ChallengeFrame, ClientFrame, Device, ErrorCode, ErrorFrame, FrameError, Goodbye,
    GoodbyeReason, Introduction, KeyError, Origin, PingPong, PublicKey, RequestStatus, ServerFrame, SignReject,
    SignResponse, Signable, WireName as _, limits::MAX_INTRODUCTION_FRAME_BYTES,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// After so many errors within [`ERROR_WINDOW`] a connection is closed.
const MAX_ERRORS: u32 = 16;

/// How long an error counts: a wallet that is connected for days may make one now and then.
const ERROR_WINDOW: Duration = Duration::from_secs(60);

/// WebSocket close codes (RFC 6455 §7.4.1 and its registry).
pub(crate) mod close {
    pub(crate) const NORMAL: u16 = 1000;
    pub(crate) const UNSUPPORTED_DATA: u16 = 1003;
    pub(crate) const POLICY: u16 = 1008;
    pub(crate) const TOO_BIG: u16 = 1009;
    pub(crate) const SERVICE_RESTART: u16 = 1012;
}

/// The rules a session keeps, the same for all of a server's.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Where this server is known to be; a proof has to name one.
    pub(crate) audiences: Vec<Audience>,
    /// Accept an introduction without proof.
    pub(crate) allow_unproven: bool,
    /// The time for an introduction.
    pub(crate) introduction_timeout: Duration,
    /// The silence after which a wallet is pinged, and after as much again closed.
    pub(crate) heartbeat: Duration,
    /// How long a wallet told to go away should wait.
    pub(crate) reconnect_after: Duration,
}

/// What the connection's task has to do.
#[derive(Debug)]
pub(crate) enum Action {
    Nothing,
    Send(ServerFrame),
    /// Send a WebSocket ping.
    Ping,
    /// Register the connection under a key that it has proven, or that it may claim without.
    Introduced(Introduced),
    /// Pass on to the pending requests.
    Status(RequestStatus),
    Answer(SignResponse),
    Reject(SignReject),
    /// Send the frame, then close.
    Close(Close),
}

/// A key and how far it is to be believed.
#[derive(Debug)]
pub(crate) struct Introduced {
    pub(crate) key: Arc<PublicKey>,
    pub(crate) device: Option<Arc<Device>>,
    pub(crate) proven: bool,
}

/// How to close, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Close {
    /// The last frame.
    pub frame: ServerFrame,
    /// The code of the close frame.
    pub code: u16,
}

impl Close {
    fn error(code: ErrorCode, message: impl Into<String>, close: u16) -> Self {
        Self { frame: ServerFrame::Error(error(code, message)), code: close }
    }

    pub(crate) fn goodbye(reason: GoodbyeReason, reconnect_after: Duration, code: u16) -> Self {
        let reconnect_after_ms = u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX);
        Self { frame: ServerFrame::Goodbye(Goodbye { reason, reconnect_after_ms }), code }
    }

    /// The stable word for the log and the close frame.
    pub(crate) fn reason(&self) -> &'static str {
        match &self.frame {
            ServerFrame::Error(error) => error.code.as_str(),
            ServerFrame::Goodbye(goodbye) => match goodbye.reason {
                GoodbyeReason::Shutdown => "shutdown",
                GoodbyeReason::Superseded => "superseded",
                GoodbyeReason::Idle => "idle",
            },
            ServerFrame::Challenge(_)
            | ServerFrame::Welcome(_)
            | ServerFrame::SignRequest(_)
            | ServerFrame::RequestCancel(_)
            | ServerFrame::ResponseAck(_)
            | ServerFrame::Ping(_)
            | ServerFrame::Pong(_) => "closed",
        }
    }
}

#[derive(Debug)]
enum State {
    /// The challenge is taken out by the first introduction, so that it serves once.
    Introducing {
        challenge: Option<Challenge>,
        until: Instant,
    },
    Introduced,
}

/// One wallet connection.
#[derive(Debug)]
pub(crate) struct Session {
    rules: Arc<Rules>,
    origin: Origin,
    state: State,
    errors: u32,
    errors_since: Instant,
    last_heard: Instant,
    pinged: bool,
}

impl Session {
    /// Starts a session; the frame is the first to send.
    pub(crate) fn new(rules: Arc<Rules>, origin: Origin, challenge: Challenge, now: Instant) -> (Self, ServerFrame) {
        let until = after(now, rules.introduction_timeout);
        let state = State::Introducing { challenge: Some(challenge), until };
        let session = Self { rules, origin, state, errors: 0, errors_since: now, last_heard: now, pinged: false };
        (session, ServerFrame::Challenge(ChallengeFrame { challenge }))
    }

    /// Takes a text frame.
    pub(crate) fn handle_text(&mut self, text: &str, now: Instant) -> Action {
        self.handle_activity(now);
        let introducing = matches!(self.state, State::Introducing { .. });
        if introducing && text.len() > MAX_INTRODUCTION_FRAME_BYTES {
            return self.handle_too_large();
        }
        let frame = match ClientFrame::parse(text) {
            Ok(frame) => frame,
            Err(problem) => return self.refuse(unreadable(&problem), now),
        };
        match frame {
            ClientFrame::Introduction(introduction) => self.introduce(introduction, now),
            ClientFrame::Ping(PingPong { t }) => Action::Send(ServerFrame::Pong(PingPong { t })),
            ClientFrame::Pong(_) => Action::Nothing,
            ClientFrame::RequestStatus(_) | ClientFrame::SignResponse(_) | ClientFrame::SignReject(_)
                if introducing =>
            {
                self.refuse(error(ErrorCode::IntroductionRequired, "introduce yourself first"), now)
            }
            ClientFrame::RequestStatus(status) => Action::Status(status),
            ClientFrame::SignResponse(response) => Action::Answer(response),
            ClientFrame::SignReject(reject) => Action::Reject(reject),
        }
    }

    /// Takes note of a sign of life that is no text frame: a WebSocket ping or pong.
    pub(crate) fn handle_activity(&mut self, now: Instant) {
        self.last_heard = now;
        self.pinged = false;
    }

    /// Takes a binary frame, of which the protocol has none.
    pub(crate) fn handle_binary(&mut self) -> Action {
        Action::Close(Close::error(ErrorCode::BinaryFrame, "frames are JSON text", close::UNSUPPORTED_DATA))
    }

    /// Takes a frame that was too long to be read.
    pub(crate) fn handle_too_large(&mut self) -> Action {
        Action::Close(Close::error(ErrorCode::FrameTooLarge, "the frame is longer than allowed here", close::TOO_BIG))
    }

    /// Takes a frame that came faster than allowed; it is not read.
    pub(crate) fn handle_rate_limited(&mut self, now: Instant) -> Action {
        self.handle_activity(now);
        self.refuse(error(ErrorCode::RateLimited, "frames come faster than this server takes them"), now)
    }

    /// Refuses an introduction that was in order because the key has as many connections as it may.
    pub(crate) fn handle_too_many_connections(&self) -> Close {
        Close::error(ErrorCode::TooManyConnections, "this key has as many connections as it may", close::POLICY)
    }

    /// What is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Action {
        if now < self.poll_timeout() {
            return Action::Nothing;
        }
        match self.state {
            State::Introducing { .. } => {
                Action::Close(Close::error(ErrorCode::IntroductionTimeout, "no introduction in time", close::POLICY))
            }
            State::Introduced if self.pinged => {
                Action::Close(Close::goodbye(GoodbyeReason::Idle, self.rules.reconnect_after, close::NORMAL))
            }
            State::Introduced => {
                self.pinged = true;
                Action::Ping
            }
        }
    }

    /// When [`Session::handle_timeout`] has something to do, unless something else happens first.
    pub(crate) fn poll_timeout(&self) -> Instant {
        match self.state {
            State::Introducing { until, .. } => until,
            State::Introduced => {
                after(self.last_heard, self.rules.heartbeat.saturating_mul(if self.pinged { 2 } else { 1 }))
            }
        }
    }

    fn introduce(&mut self, introduction: Introduction, now: Instant) -> Action {
        let State::Introducing { challenge, .. } = &mut self.state else {
            return self.refuse(error(ErrorCode::AlreadyIntroduced, "this connection has introduced itself"), now);
        };
        let challenge = challenge.take();
        let key = match PublicKey::admit(introduction.public_key) {
            Ok(key) => Arc::new(key),
            Err(problem) => return Action::Close(refused_key(&problem)),
        };
        let proven = match (introduction.proof, challenge) {
            (Some(proof), Some(challenge)) => {
                let named = |audience| Signable::Introduction {
                    challenge: &challenge,
                    public_key: &introduction.public_key,
                    audience,
                    origin: &self.origin,
                };
                self.rules.audiences.iter().any(|audience| named(audience).verify(&key, &proof).is_ok())
            }
            (None, _) if self.rules.allow_unproven => false,
            (None, _) => {
                let message = "the introduction needs a proof over this connection's challenge";
                return Action::Close(Close::error(ErrorCode::ProofRequired, message, close::POLICY));
            }
            (Some(_), None) => false,
        };
        if introduction.proof.is_some() && !proven {
            let message = "the proof does not hold over this challenge, key, audience and origin; is the URL one of this server's audiences?";
            return Action::Close(Close::error(ErrorCode::ProofInvalid, message, close::POLICY));
        }
        self.state = State::Introduced;
        Action::Introduced(Introduced { key, device: introduction.device.map(Arc::new), proven })
    }

    /// Answers an error, or closes when there were too many.
    fn refuse(&mut self, error: ErrorFrame, now: Instant) -> Action {
        if now.duration_since(self.errors_since) >= ERROR_WINDOW {
            self.errors_since = now;
            self.errors = 0;
        }
        self.errors += 1;
        if self.errors >= MAX_ERRORS {
            let message = format!("the last one: {}", error.code);
            return Action::Close(Close::error(ErrorCode::TooManyErrors, message, close::POLICY));
        }
        Action::Send(ServerFrame::Error(error))
    }
}

/// The instant `wait` after `now`. An application may configure a wait that no clock reaches, and means never.
fn after(now: Instant, wait: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now.checked_add(wait).unwrap_or_else(|| now + NEVER)
}

fn refused_key(problem: &KeyError) -> Close {
    Close::error(ErrorCode::KeyRefused, problem.to_string(), close::POLICY)
}

fn unreadable(problem: &FrameError) -> ErrorFrame {
    ErrorFrame { request_id: problem.request_id(), ..error(problem.code(), problem.to_string()) }
}

fn error(code: ErrorCode, message: impl Into<String>) -> ErrorFrame {
    ErrorFrame { code, message: message.into(), request_id: None }
}

#[cfg(test)]
mod tests {
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
            Signable::Introduction {
                challenge: &challenge,
                public_key: &self.key(),
                audience: &audience,
                origin: &origin,
            }
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
        let (session, first) =
            Session::new(Arc::new(rules), "https://a.example".parse().unwrap(), CHALLENGE.into(), now);
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
        let reject = r#"{"type":"sign_reject","request_id":"07070707-0707-4707-8707-070707070707","code":"locked","scope":"key"}"#;
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
        for text in
            ["", "{", "[]", "null", r#"{"type":1}"#, r#"{"type":"ping"}"#, r#"{"type":"ping","t":1,"t":2}"#, &deep]
        {
            assert_eq!(code(&session.handle_text(text, now)), (ErrorCode::Malformed, None), "{text:.40}");
        }
        assert_eq!(code(&session.handle_text(r#"{"type":"x"}"#, now)), (ErrorCode::UnknownType, None));
        let huge = " ".repeat(MAX_FRAME_BYTES + 1);
        assert_eq!(code(&session.handle_text(&huge, now)), (ErrorCode::FrameTooLarge, None));
        for _ in 0..5 {
            assert_eq!(code(&session.handle_rate_limited(now)), (ErrorCode::RateLimited, None));
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
    fn a_ping_is_answered_at_any_time() {
        let (mut session, now) = start(false);
        let action = session.handle_text(r#"{"type":"ping","t":7}"#, now);
        assert!(matches!(action, Action::Send(ServerFrame::Pong(PingPong { t: 7 }))));
    }
}
