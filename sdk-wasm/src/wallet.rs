//! The wallet as a pure state machine: no socket, no clock, no randomness, no key.
//!
//! Inputs are `handle_*` and the owner's wishes; after each, drain `poll_sign`, `poll_transmit` and `poll_event`, and call
//! [`Wallet::handle_timeout`] when [`Wallet::poll_timeout`] says so.

use crate::{
    backoff::{Backoff, BackoffLimits, Jitter},
    effect::{CloseCode, End, Event, SignSubject, SignTask, SignTaskId, State, Transmit},
    error::{Error, printable},
    heartbeat::Heartbeat,
    request::{Answer, Delivery, Requests},
    time::{Millis, Timestamp},
    unreadable::UnreadableRequest,
    verdict::after_close,
};
use countersign_protocol::{
    ApprovedBy, Audience, Beat, Challenge, ClientFrame, Device, ErrorFrame, FrameError, Goodbye, GoodbyeReason,
    Introduction, Origin, PublicKey, Reason, RejectCode, RejectScope, RequestCancel, RequestId, RequestStatus,
    ResponseAck, ServerFrame, SignReject, SignRequest, Signature, WalletState, Welcome, WelcomeLimits,
    limits::{MAX_FRAME_BYTES, MAX_INTRODUCTION_FRAME_BYTES, MAX_TIMEOUT_MS},
};
use std::collections::VecDeque;

/// The longest from dialling to the welcome.
pub const CONNECT_TIMEOUT: Millis = Millis(10_000);

/// How long a connection has to last before the backoff starts over.
const STABLE_AFTER: Millis = Millis(10_000);

/// The most a goodbye may ask this wallet to wait, whatever it says.
const LONGEST_GOODBYE: Millis = Millis(300_000);

/// The most requests open at once, whatever the welcome says.
const MOST_OPEN: usize = 256;

/// Frames that cannot be read before the wallet gives the connection up.
const MOST_FAULTS: u32 = 16;

/// A request came again under its id with another message, requester or purpose.
const CHANGED: Error = Error::Protocol("a request came again with other contents");

/// What a wallet is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its key.
    pub public_key: PublicKey,
    /// The URL it dials, as the proof names it.
    pub audience: Audience,
    /// Where it runs.
    pub origin: Origin,
    /// Which of the key's devices it is.
    pub device: Option<Device>,
    /// How patiently it reconnects.
    pub backoff: BackoffLimits,
}

/// What came in on the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A text message of at least so many bytes, too long to be looked at.
    TooLong(usize),
    /// A binary message.
    Binary,
}

/// Why there is no socket any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// The wallet asked for it by [`Transmit::Close`].
    AsAsked,
    /// The socket reported it, with its code and reason.
    Code(u16, String),
    /// It could not be made, for this reason.
    NotMade(String),
}

#[derive(Debug)]
enum Phase {
    Idle,
    Connecting {
        deadline: Timestamp,
        step: Step,
    },
    Welcomed(Live),
    /// [`Transmit::Close`] is out; the next thing heard is [`Closed::AsAsked`].
    Closing {
        stable: bool,
    },
    Waiting {
        until: Timestamp,
    },
    Closed,
}

/// What a connection that is coming up waits for.
#[derive(Debug)]
enum Step {
    Socket,
    Challenge,
    Proof(SignTaskId),
    Welcome,
}

#[derive(Debug)]
struct Live {
    since: Timestamp,
    heartbeat: Heartbeat,
    limits: WelcomeLimits,
}

/// What is known about why the present connection will end.
#[derive(Debug, Default)]
struct Parting {
    error: Option<Error>,
    goodbye: Option<Goodbye>,
    faults: u32,
}

/// A wallet's side of the protocol, over all its connections.
#[derive(Debug)]
pub struct Wallet {
    config: Config,
    phase: Phase,
    parting: Parting,
    backoff: Backoff,
    requests: Requests,
    next_task: u64,
    signs: VecDeque<SignTask>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Wallet {
    /// A wallet that has not connected yet.
    pub fn new(config: Config) -> Self {
        Self {
            backoff: Backoff::new(config.backoff),
            config,
            phase: Phase::Idle,
            parting: Parting::default(),
            requests: Requests::default(),
            next_task: 0,
            signs: VecDeque::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Starts connecting, and keeps at it. No effect on a wallet that is already at it.
    pub fn connect(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Idle | Phase::Closed => {
                self.backoff.reset();
                self.dial(now);
            }
            Phase::Connecting { .. } | Phase::Welcomed(_) | Phase::Closing { .. } | Phase::Waiting { .. } => {}
        }
    }

    /// Ends the connection and every open request. The wallet may be connected again.
    pub fn close(&mut self) {
        match self.phase {
            Phase::Connecting { .. } | Phase::Welcomed(_) => {
                self.transmits.push_back(Transmit::Close(CloseCode::Normal));
            }
            Phase::Idle | Phase::Closing { .. } | Phase::Waiting { .. } => {}
            Phase::Closed => return,
        }
        self.end(None);
    }

    /// Takes note that a human sees a request. Repetitions have no effect.
    ///
    /// # Errors
    /// [`Error::NotOpen`]
    pub fn displayed(&mut self, id: RequestId) -> Result<(), Error> {
        if self.requests.display(id)? {
            self.send_if_welcomed(status(id, WalletState::Displayed));
        }
        Ok(())
    }

    /// Has a request signed and answered, now or after the next reconnect.
    ///
    /// # Errors
    /// [`Error::NotOpen`], [`Error::AlreadyAnswered`]
    pub fn approve(&mut self, now: Timestamp, id: RequestId, approved_by: ApprovedBy) -> Result<(), Error> {
        // A page in the background gets its timers late; nothing is signed after its time for that.
        self.expire(now);
        let task = self.new_task_id();
        let message = self.requests.begin_signing(id, task, approved_by)?;
        self.signs.push_back(SignTask { id: task, subject: SignSubject::Message { request_id: id, message } });
        Ok(())
    }

    /// Declines a request, now or after the next reconnect.
    ///
    /// # Errors
    /// [`Error::NotOpen`], [`Error::AlreadyAnswered`]
    pub fn reject(
        &mut self,
        id: RequestId,
        code: RejectCode,
        reason: Option<Reason>,
        scope: RejectScope,
    ) -> Result<(), Error> {
        self.requests.reject(id, Answer::Rejected { code, reason, scope })?;
        self.answered(id);
        Ok(())
    }

    /// The signature a [`SignTask`] asked for. One that nothing waits for any more is dropped.
    pub fn handle_signed(&mut self, now: Timestamp, task: SignTaskId, signature: Signature) {
        self.expire(now);
        if let Phase::Connecting { step, .. } = &mut self.phase
            && matches!(step, Step::Proof(waiting) if *waiting == task)
        {
            *step = Step::Welcome;
            self.introduce(signature);
        } else if let Some(id) = self.requests.finish_signing(task, signature) {
            self.answered(id);
        }
    }

    /// No signature can be had for a [`SignTask`]: the key is gone or locked.
    pub fn handle_sign_failed(&mut self, task: SignTaskId, error: Error) {
        if matches!(&self.phase, Phase::Connecting { step: Step::Proof(waiting), .. } if *waiting == task) {
            self.transmits.push_back(Transmit::Close(CloseCode::Normal));
            self.end(Some(error));
        } else if let Some((request_id, request)) = self.requests.fail_signing(task) {
            let refusal = Answer::Rejected { code: RejectCode::Locked, reason: None, scope: RejectScope::Device };
            self.send_if_welcomed(refusal.frame(request_id, &request.message));
            self.events.push_back(Event::Ended { request_id, end: End::Failed(error) });
        }
    }

    /// The socket asked for by [`Transmit::Dial`] is open.
    pub fn handle_opened(&mut self) {
        if let Phase::Connecting { step: step @ Step::Socket, .. } = &mut self.phase {
            *step = Step::Challenge;
            self.tell(State::Introducing);
        }
    }

    /// Something came in on the socket.
    pub fn handle_incoming(&mut self, now: Timestamp, incoming: Incoming<'_>) {
        let limit = match &mut self.phase {
            Phase::Welcomed(live) => {
                live.heartbeat.heard(now);
                MAX_FRAME_BYTES
            }
            Phase::Connecting { .. } => MAX_INTRODUCTION_FRAME_BYTES,
            Phase::Idle | Phase::Closing { .. } | Phase::Waiting { .. } | Phase::Closed => return,
        };
        match incoming {
            Incoming::Text(text) if text.len() > limit => self.too_long(text.len(), limit),
            Incoming::Text(text) => match ServerFrame::parse(text) {
                Ok(frame) => self.handle_frame(now, frame),
                Err(error) => self.handle_unreadable(text, &error),
            },
            Incoming::TooLong(found) => self.too_long(found, limit),
            Incoming::Binary => self.fault("frame is binary; frames are text".into()),
        }
    }

    /// There is no socket any more. `jitter` spreads the reconnect, if one follows.
    pub fn handle_closed(&mut self, now: Timestamp, closed: Closed, jitter: Jitter) {
        let stable = match (&self.phase, &closed) {
            (Phase::Closing { stable }, _) => *stable,
            // The owner has closed the wallet and may have connected it again: this is not about the new socket.
            (_, Closed::AsAsked) => return,
            (Phase::Connecting { .. }, _) => false,
            (Phase::Welcomed(live), _) => live.is_stable(now),
            (Phase::Idle | Phase::Waiting { .. } | Phase::Closed, _) => return,
        };
        let parting = std::mem::take(&mut self.parting);
        let superseded = parting.goodbye.is_some_and(|goodbye| goodbye.reason == GoodbyeReason::Superseded);
        let (error, again) = match closed {
            Closed::NotMade(reason) => (Error::DialRefused(printable(&reason)), false),
            // Reconnecting would only displace the other connection in turn, and so for ever.
            Closed::AsAsked | Closed::Code(..) if superseded => (Error::Superseded, false),
            Closed::AsAsked => (parting.error.unwrap_or(Error::Closed), true),
            Closed::Code(code, reason) => after_close(code, &reason, parting.error),
        };
        if !again {
            return self.end(Some(error));
        }
        if stable {
            self.backoff.reset();
        }
        let asked =
            parting.goodbye.map_or(Millis(0), |goodbye| Millis(goodbye.reconnect_after_ms).min(LONGEST_GOODBYE));
        let retry_in = Millis(asked.0 + self.backoff.next(jitter).0);
        self.phase = Phase::Waiting { until: now + retry_in };
        self.tell(State::Reconnecting { retry_in, error });
    }

    /// Does what is due at `now`; nothing, if it is called early.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.expire(now);
        match &mut self.phase {
            Phase::Connecting { deadline, .. } if *deadline <= now => {
                self.give_up(now, Error::ConnectTimeout(CONNECT_TIMEOUT.0), CloseCode::Timeout);
            }
            Phase::Welcomed(live) if live.heartbeat.is_dead(now) => {
                self.give_up(now, Error::HeartbeatTimeout, CloseCode::Timeout);
            }
            Phase::Welcomed(live) if live.heartbeat.must_ping(now) => {
                live.heartbeat.pinged(now);
                self.send(ClientFrame::Ping(Beat { t: now.as_millis() }));
            }
            Phase::Waiting { until } if *until <= now => self.dial(now),
            Phase::Connecting { .. }
            | Phase::Welcomed(_)
            | Phase::Waiting { .. }
            | Phase::Idle
            | Phase::Closing { .. }
            | Phase::Closed => {}
        }
    }

    /// When [`Wallet::handle_timeout`] is next due, if ever.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let connection = match &self.phase {
            Phase::Connecting { deadline, .. } => Some(*deadline),
            Phase::Welcomed(live) => Some(live.heartbeat.deadline()),
            Phase::Waiting { until } => Some(*until),
            Phase::Idle | Phase::Closing { .. } | Phase::Closed => None,
        };
        [connection, self.requests.deadline()].into_iter().flatten().min()
    }

    /// The next thing to sign.
    pub fn poll_sign(&mut self) -> Option<SignTask> {
        self.signs.pop_front()
    }

    /// The next thing to do with the socket.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing to tell the owner.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn dial(&mut self, now: Timestamp) {
        self.parting = Parting::default();
        self.phase = Phase::Connecting { deadline: now + CONNECT_TIMEOUT, step: Step::Socket };
        self.transmits.push_back(Transmit::Dial);
        self.tell(State::Connecting);
    }

    fn handle_frame(&mut self, now: Timestamp, frame: ServerFrame) {
        match frame {
            ServerFrame::Challenge(frame) => self.handle_challenge(now, frame.challenge),
            ServerFrame::Welcome(welcome) => self.handle_welcome(now, welcome),
            ServerFrame::SignRequest(request) => {
                let Phase::Welcomed(Live { limits, .. }) = self.phase else {
                    return self.break_off(now, "sign_request before welcome");
                };
                self.handle_request(now, request, limits);
            }
            ServerFrame::RequestCancel(RequestCancel { request_id, cause }) => {
                let end = self.requests.cancel(request_id, cause);
                self.ended(request_id, end);
            }
            ServerFrame::ResponseAck(ResponseAck { request_id, outcome }) => {
                let end = self.requests.acknowledge(request_id, outcome);
                self.ended(request_id, end);
            }
            ServerFrame::Error(error) => self.handle_error(error),
            ServerFrame::Goodbye(goodbye) => self.parting.goodbye = Some(goodbye),
            ServerFrame::Ping(beat) => self.send(ClientFrame::Pong(beat)),
            ServerFrame::Pong(_) => {}
        }
    }

    fn handle_challenge(&mut self, now: Timestamp, challenge: Challenge) {
        let task = self.new_task_id();
        let Phase::Connecting { step: step @ (Step::Socket | Step::Challenge), .. } = &mut self.phase else {
            // A signature over a second challenge on one connection could only serve another one.
            return self.break_off(now, "a second challenge");
        };
        *step = Step::Proof(task);
        let subject = SignSubject::Introduction {
            challenge,
            public_key: self.config.public_key.to_bytes(),
            audience: self.config.audience.clone(),
            origin: self.config.origin.clone(),
        };
        self.signs.push_back(SignTask { id: task, subject });
    }

    fn introduce(&mut self, proof: Signature) {
        self.send(ClientFrame::Introduction(Introduction {
            public_key: self.config.public_key.to_bytes(),
            proof: Some(proof),
            device: self.config.device.clone(),
        }));
    }

    fn handle_welcome(&mut self, now: Timestamp, welcome: Welcome) {
        if !matches!(self.phase, Phase::Connecting { step: Step::Welcome, .. }) {
            return self.break_off(now, "welcome without an introduction");
        }
        self.phase = Phase::Welcomed(Live {
            since: now,
            heartbeat: Heartbeat::new(now, Millis(welcome.heartbeat_ms)),
            limits: welcome.limits,
        });
        self.tell(State::Connected(welcome.connection_id));
        for answer in self.requests.send_all() {
            self.send(answer);
        }
    }

    fn handle_request(&mut self, now: Timestamp, mut request: SignRequest, limits: WelcomeLimits) {
        let id = request.request_id;
        request.expires_in_ms = request.expires_in_ms.min(MAX_TIMEOUT_MS);
        if request.message.len() > limits.max_message_bytes {
            return self.refuse(id, RejectScope::Device, "the message is longer than the welcome allows");
        }
        let most = limits.max_inflight.min(MOST_OPEN);
        match self.requests.deliver(now, &request, most, &self.config.public_key) {
            Delivery::New => {
                self.send(status(id, WalletState::Received));
                self.events.push_back(Event::Request(Box::new(request)));
            }
            Delivery::Repeated { displayed } => {
                self.send(status(id, WalletState::Received));
                if displayed {
                    self.send(status(id, WalletState::Displayed));
                }
                let expires_in = Millis(request.expires_in_ms);
                self.events.push_back(Event::Repeated { request_id: id, attempt: request.attempt, expires_in });
            }
            Delivery::AnswerAgain(answer) => self.send(answer.frame(id, &request.message)),
            Delivery::InFlight => {
                let answer = self.requests.send(id);
                self.transmits.extend(answer.map(Transmit::Frame));
            }
            Delivery::Over => {}
            Delivery::Withdrawn => {
                self.send(refusal(id, RejectScope::Device));
                self.ended(id, Some(End::Failed(CHANGED)));
            }
            Delivery::Changed => self.events.push_back(Event::Error(CHANGED)),
            Delivery::TooMany => self.send(refusal(id, RejectScope::Device)),
        }
    }

    /// A frame that is none. A request among them is refused by name, so that nobody waits for it in vain.
    fn handle_unreadable(&mut self, text: &str, error: &FrameError) {
        match UnreadableRequest::find(text) {
            Some(request) if matches!(self.phase, Phase::Welcomed(_)) => {
                self.refuse(request.request_id, request.scope(), &error.to_string());
            }
            Some(_) | None => self.fault(error.to_string()),
        }
    }

    fn handle_error(&mut self, ErrorFrame { code, message, request_id }: ErrorFrame) {
        let error = Error::Server { code, message: printable(&message), request_id };
        self.parting.error = Some(error.clone());
        self.events.push_back(Event::Error(error));
    }

    /// Refuses a request without showing it, and says so. What was shown or refused before stays as it is.
    fn refuse(&mut self, id: RequestId, scope: RejectScope, why: &str) {
        if self.requests.refuse(id, Answer::Rejected { code: RejectCode::Unsupported, reason: None, scope }) {
            self.send(refusal(id, scope));
        }
        self.fault(why.into());
    }

    fn too_long(&mut self, found: usize, limit: usize) {
        self.fault(format!("frame is {found} bytes, more than {limit}"));
    }

    fn fault(&mut self, what: String) {
        self.parting.faults += 1;
        let error = Error::BadFrame(printable(&what));
        self.events.push_back(Event::Error(error.clone()));
        if self.parting.faults >= MOST_FAULTS {
            self.parting.error = Some(error);
            self.transmits.push_back(Transmit::Close(CloseCode::ProtocolError));
            self.phase = Phase::Closing { stable: false };
        }
    }

    fn break_off(&mut self, now: Timestamp, what: &'static str) {
        self.events.push_back(Event::Error(Error::Protocol(what)));
        self.give_up(now, Error::Protocol(what), CloseCode::ProtocolError);
    }

    fn give_up(&mut self, now: Timestamp, error: Error, code: CloseCode) {
        let stable = matches!(&self.phase, Phase::Welcomed(live) if live.is_stable(now));
        self.parting.error = Some(error);
        self.transmits.push_back(Transmit::Close(code));
        self.phase = Phase::Closing { stable };
    }

    /// The end of the wallet's connecting, until its owner asks again.
    fn end(&mut self, error: Option<Error>) {
        self.phase = Phase::Closed;
        for (request_id, end) in self.requests.abandon(error.as_ref().unwrap_or(&Error::Closed)) {
            self.events.push_back(Event::Ended { request_id, end });
        }
        self.tell(State::Closed(error));
    }

    fn expire(&mut self, now: Timestamp) {
        for (request_id, end) in self.requests.expire(now) {
            self.events.push_back(Event::Ended { request_id, end });
        }
    }

    fn answered(&mut self, id: RequestId) {
        if matches!(self.phase, Phase::Welcomed(_))
            && let Some(frame) = self.requests.send(id)
        {
            self.send(frame);
        }
        self.events.push_back(Event::Answered(id));
    }

    fn ended(&mut self, request_id: RequestId, end: Option<End>) {
        if let Some(end) = end {
            self.events.push_back(Event::Ended { request_id, end });
        }
    }

    fn send_if_welcomed(&mut self, frame: ClientFrame) {
        if matches!(self.phase, Phase::Welcomed(_)) {
            self.send(frame);
        }
    }

    fn send(&mut self, frame: ClientFrame) {
        self.transmits.push_back(Transmit::Frame(frame));
    }

    fn tell(&mut self, state: State) {
        self.events.push_back(Event::State(state));
    }

    fn new_task_id(&mut self) -> SignTaskId {
        self.next_task += 1;
        SignTaskId(self.next_task)
    }
}

impl Live {
    fn is_stable(&self, now: Timestamp) -> bool {
        now - self.since >= STABLE_AFTER
    }
}

fn status(request_id: RequestId, state: WalletState) -> ClientFrame {
    ClientFrame::RequestStatus(RequestStatus { request_id, state })
}

fn refusal(request_id: RequestId, scope: RejectScope) -> ClientFrame {
    ClientFrame::SignReject(SignReject { request_id, code: RejectCode::Unsupported, reason: None, scope })
}

#[cfg(test)]
#[path = "wallet_tests.rs"]
mod tests;
