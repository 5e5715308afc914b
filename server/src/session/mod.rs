//! What one wallet connection may say, and what it is told: a state machine without clock, socket or randomness.
//!
//! Each input yields one [`Action`]. The connection's task carries it out; see [`drive`](crate::connection::drive).

mod close;
#[cfg(test)]
mod tests;

pub use close::Close;
pub(crate) use close::close_code;

use countersign_protocol::{
    Audience, Challenge, ChallengeFrame, ClientFrame, Device, ErrorCode, ErrorFrame, FrameError, GoodbyeReason,
    Introduction, KeyError, Origin, PingPong, PublicKey, RequestStatus, ServerFrame, SignReject, SignResponse,
    Signable, limits::MAX_INTRODUCTION_FRAME_BYTES,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// After so many errors within [`ERROR_WINDOW`] a connection is closed.
const MAX_ERRORS: u32 = 16;

/// How long an error counts: a wallet that is connected for days may make one now and then.
const ERROR_WINDOW: Duration = Duration::from_secs(60);

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
    /// When it was last pinged, if it has said nothing since.
    pinged: Option<Instant>,
}

impl Session {
    /// Starts a session; the frame is the first to send.
    pub(crate) fn new(rules: Arc<Rules>, origin: Origin, challenge: Challenge, now: Instant) -> (Self, ServerFrame) {
        let until = after(now, rules.introduction_timeout);
        let state = State::Introducing { challenge: Some(challenge), until };
        let session = Self { rules, origin, state, errors: 0, errors_since: now, last_heard: now, pinged: None };
        (session, ServerFrame::Challenge(ChallengeFrame { challenge }))
    }

    /// The silence after which the wallet is pinged.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.rules.heartbeat
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
        self.pinged = None;
    }

    /// Takes a binary frame, of which the protocol has none.
    pub(crate) fn handle_binary(&mut self) -> Action {
        Action::Close(Close::error(ErrorCode::BinaryFrame, "frames are JSON text", close_code::UNSUPPORTED_DATA))
    }

    /// Takes a frame that was too long to be read.
    pub(crate) fn handle_too_large(&mut self) -> Action {
        Action::Close(Close::error(
            ErrorCode::FrameTooLarge,
            "the frame is longer than allowed here",
            close_code::TOO_BIG,
        ))
    }

    /// Takes text that was not UTF-8.
    pub(crate) fn handle_invalid_utf8(&mut self) -> Action {
        Action::Close(Close::error(ErrorCode::Malformed, "text is UTF-8", close_code::INVALID_PAYLOAD))
    }

    /// Takes bytes that were no frame of the WebSocket protocol.
    pub(crate) fn handle_broken_frame(&mut self) -> Action {
        Action::Close(Close::error(ErrorCode::Malformed, "not a WebSocket frame", close_code::PROTOCOL_ERROR))
    }

    /// Refuses an introduction that was in order because the key has as many connections as it may.
    pub(crate) fn handle_too_many_connections(&self) -> Close {
        Close::error(ErrorCode::TooManyConnections, "this key has as many connections as it may", close_code::POLICY)
    }

    /// What is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Action {
        if now < self.poll_timeout() {
            return Action::Nothing;
        }
        match self.state {
            State::Introducing { .. } => Action::Close(Close::error(
                ErrorCode::IntroductionTimeout,
                "no introduction in time",
                close_code::POLICY,
            )),
            State::Introduced if self.pinged.is_some() => {
                Action::Close(Close::goodbye(GoodbyeReason::Idle, self.rules.reconnect_after, close_code::NORMAL))
            }
            State::Introduced => {
                self.pinged = Some(now);
                Action::Ping
            }
        }
    }

    /// When [`Session::handle_timeout`] has something to do, unless something else happens first.
    pub(crate) fn poll_timeout(&self) -> Instant {
        match self.state {
            State::Introducing { until, .. } => until,
            State::Introduced => {
                // Not twice the heartbeat from when it was last heard: a process that was stopped meanwhile may have pinged late.
                after(self.pinged.unwrap_or(self.last_heard), self.rules.heartbeat)
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
                return Action::Close(Close::error(ErrorCode::ProofRequired, message, close_code::POLICY));
            }
            (Some(_), None) => false,
        };
        if introduction.proof.is_some() && !proven {
            let message = "the proof does not hold over this challenge, key, audience and origin; is the URL one of this server's audiences?";
            return Action::Close(Close::error(ErrorCode::ProofInvalid, message, close_code::POLICY));
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
            return Action::Close(Close::error(ErrorCode::TooManyErrors, message, close_code::POLICY));
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
    Close::error(ErrorCode::KeyRefused, problem.to_string(), close_code::POLICY)
}

fn unreadable(problem: &FrameError) -> ErrorFrame {
    ErrorFrame { request_id: problem.request_id(), ..error(problem.code(), problem.to_string()) }
}

fn error(code: ErrorCode, message: impl Into<String>) -> ErrorFrame {
    ErrorFrame { code, message: message.into(), request_id: None }
}
