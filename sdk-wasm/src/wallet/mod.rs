//! The wallet as a pure state machine: no socket, no clock, no randomness, no key.
//!
//! Inputs are `handle_*` and the owner's wishes; after each, drain `poll_store`, `poll_sign`, `poll_transmit` and
//! `poll_event`, and call [`Wallet::handle_timeout`] when [`Wallet::poll_timeout`] says so.

mod close;
mod requests;

use crate::prelude::*;
use crate::{
    backoff::{Backoff, BackoffLimits, Jitter},
    effect::{CloseCode, Event, SignSubject, SignTask, SignTaskId, State, StoreTask, Transmit},
    error::{Error, printable},
    heartbeat::Heartbeat,
    nodes::Nodes,
    queue::Queue,
    record::Record,
    requests::Requests,
    time::{Millis, Timestamp},
};
use close::after_close;
use countersign_protocol::{
    Audience, Challenge, ClientFrame, Device, ErrorFrame, Goodbye, GoodbyeReason, Introduction, Origin, PingPong,
    PublicKeyBytes, RequestCancel, ResponseAck, ServerFrame, Signature, Welcome, WelcomeLimits,
    limits::{MAX_FRAME_BYTES, MAX_INTRODUCTION_FRAME_BYTES},
};

/// The longest from dialling to the welcome.
pub const CONNECT_TIMEOUT: Millis = Millis(10_000);

/// How long a connection has to last before the backoff starts over.
const STABLE_AFTER: Millis = Millis(10_000);

/// The shortest from the end of a connection to the next try, however much its owner hurries.
const LEAST_WAIT: Millis = Millis(1_000);

/// The most a goodbye may ask this wallet to wait, whatever it says.
const LONGEST_GOODBYE: Millis = Millis(300_000);

/// Frames that cannot be read before the wallet gives the connection up.
const MOST_FAULTS: u32 = 16;

/// What a wallet is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its key.
    pub public_key: PublicKeyBytes,
    /// The nodes of its server, by the URLs it dials, as the proof names them.
    pub nodes: Nodes,
    /// Where it runs.
    pub origin: Origin,
    /// Which of the key's devices it is.
    pub device: Option<Device>,
    /// How patiently it reconnects.
    pub backoff: BackoffLimits,
    /// Whether there is a store for what has to outlive the page or process. Without one there are no store tasks, and nothing
    /// waits for them.
    pub keeps: bool,
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
        /// Not earlier, whatever happens.
        not_before: Timestamp,
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
    signs: Queue<SignTask>,
    transmits: Queue<Transmit>,
    events: Queue<Event>,
}

impl Wallet {
    /// A wallet that has not connected yet.
    pub fn new(config: Config) -> Self {
        Self {
            backoff: Backoff::new(config.backoff),
            requests: Requests::new(config.keeps),
            config,
            phase: Phase::Idle,
            parting: Parting::default(),
            next_task: 0,
            signs: Queue::default(),
            transmits: Queue::default(),
            events: Queue::default(),
        }
    }

    /// Takes in what was kept of a request by this wallet's earlier lives, its deadline by this wallet's clock. Where there are
    /// more than are remembered, those taken in last are. No effect on a wallet that is connecting or connected: what a
    /// connection has taught it is newer.
    pub fn restore(&mut self, now: Timestamp, record: Record) {
        match self.phase {
            Phase::Idle | Phase::Closed => self.requests.restore(now, record),
            Phase::Connecting { .. } | Phase::Welcomed(_) | Phase::Closing { .. } | Phase::Waiting { .. } => {}
        }
    }

    /// Adds a node of its server, to be dialled after those before it.
    pub fn add_node(&mut self, audience: Audience) {
        self.config.nodes.add(audience);
    }

    /// Says which of the key's devices this is, from the next introduction on.
    pub fn set_device(&mut self, device: Option<Device>) {
        self.config.device = device;
    }

    /// Starts connecting, and keeps at it. A wallet that waits for its next try makes it now, or as soon as the last one is a second ago and
    /// the server has nothing against it. No effect on one that is connecting or connected.
    pub fn connect(&mut self, now: Timestamp) {
        self.expire(now);
        match &mut self.phase {
            Phase::Idle | Phase::Closed => {
                self.backoff.reset();
                self.config.nodes.forgive();
                self.dial(now);
            }
            Phase::Waiting { not_before, .. } if *not_before <= now => self.dial(now),
            Phase::Waiting { until, not_before } => *until = (*until).min(*not_before),
            Phase::Connecting { .. } | Phase::Welcomed(_) | Phase::Closing { .. } => {}
        }
    }

    /// Ends the connection and every open request. The wallet may be connected again, and still sends then what was answered
    /// and not acknowledged.
    pub fn close(&mut self) {
        match self.phase {
            Phase::Connecting { .. } | Phase::Welcomed(_) => {
                self.transmits.push(Transmit::Close(CloseCode::Normal));
            }
            Phase::Idle | Phase::Closing { .. } | Phase::Waiting { .. } => {}
            Phase::Closed => return,
        }
        self.end(None);
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
                Err(error) => self.handle_unreadable(now, text, &error),
            },
            Incoming::TooLong(found) => self.too_long(found, limit),
            Incoming::Binary => self.fault("frame is binary; frames are text".into()),
        }
    }

    /// There is no socket any more. `jitter` spreads the reconnect, if one follows; it goes to the next node.
    pub fn handle_closed(&mut self, now: Timestamp, closed: Closed, jitter: Jitter) {
        let stable = match (&self.phase, &closed) {
            (Phase::Closing { stable }, _) => *stable,
            // The owner has closed the wallet and may have connected it again: this is not about the new socket.
            (_, Closed::AsAsked) => return,
            (Phase::Connecting { .. }, _) => false,
            (Phase::Welcomed(live), _) => live.is_stable(now),
            (Phase::Idle | Phase::Waiting { .. } | Phase::Closed, _) => return,
        };
        self.requests.disconnect();
        let parting = core::mem::take(&mut self.parting);
        let superseded = parting.goodbye.is_some_and(|goodbye| goodbye.reason == GoodbyeReason::Superseded);
        if superseded {
            // Reconnecting would only displace the other connection in turn, and so for ever.
            return self.end(Some(Error::Superseded));
        }
        let (error, again) = match closed {
            Closed::NotMade(reason) => (Error::DialRefused(printable(&reason)), false),
            Closed::AsAsked => (parting.error.unwrap_or(Error::Closed), true),
            Closed::Code(code, reason) => after_close(code, &reason, parting.error),
        };
        if !self.config.nodes.advance(!again) {
            return self.end(Some(error));
        }
        if stable {
            self.backoff.reset();
        }
        let asked =
            parting.goodbye.map_or(Millis(0), |goodbye| Millis(goodbye.reconnect_after_ms).min(LONGEST_GOODBYE));
        let wait = self.backoff.next(self.config.nodes.count(), jitter);
        let retry_in = Millis(asked.0 + wait.0);
        let not_before = now + Millis(asked.0 + wait.min(LEAST_WAIT).0);
        self.phase = Phase::Waiting { until: now + retry_in, not_before };
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
                self.send(ClientFrame::Ping(PingPong { t: now.as_millis() }));
            }
            Phase::Waiting { until, .. } if *until <= now => self.dial(now),
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
            Phase::Waiting { until, .. } => Some(*until),
            Phase::Closing { .. } => None,
            // A wallet that its owner has closed, or not opened, wakes nobody.
            Phase::Idle | Phase::Closed => return None,
        };
        [connection, self.requests.deadline()].into_iter().flatten().min()
    }

    /// The next change to what is kept.
    pub fn poll_store(&mut self) -> Option<StoreTask> {
        self.requests.poll_store()
    }

    /// The next thing to sign.
    pub fn poll_sign(&mut self) -> Option<SignTask> {
        self.signs.pop()
    }

    /// The next thing to do with the socket.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop()
    }

    /// The next thing to tell the owner.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    fn dial(&mut self, now: Timestamp) {
        self.parting = Parting::default();
        self.phase = Phase::Connecting { deadline: now + CONNECT_TIMEOUT, step: Step::Socket };
        self.transmits.push(Transmit::Dial(self.config.nodes.current().clone()));
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
        let id = self.new_task_id();
        let Phase::Connecting { step: step @ (Step::Socket | Step::Challenge), .. } = &mut self.phase else {
            // A signature over a second challenge on one connection could only serve another one.
            return self.break_off(now, "a second challenge");
        };
        let subject = SignSubject::Introduction {
            challenge,
            public_key: self.config.public_key,
            audience: self.config.nodes.current().clone(),
            origin: self.config.origin.clone(),
        };
        *step = Step::Proof(id);
        self.signs.push(SignTask { id, subject });
    }

    fn introduce(&mut self, proof: Signature) {
        self.send(ClientFrame::Introduction(Introduction {
            public_key: self.config.public_key,
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
        // The server takes back those that have ended meanwhile.
        for status in self.requests.shown() {
            self.send(status);
        }
    }

    fn handle_error(&mut self, ErrorFrame { code, message, .. }: ErrorFrame) {
        let error = Error::Server { code, message: printable(&message) };
        self.parting.error = Some(error.clone());
        self.events.push(Event::Error(error));
    }

    fn too_long(&mut self, found: usize, limit: usize) {
        self.fault(format!("frame is {found} bytes, more than {limit}"));
    }

    fn fault(&mut self, what: String) {
        self.parting.faults += 1;
        let error = Error::BadFrame(printable(&what));
        self.events.push(Event::Error(error.clone()));
        if self.parting.faults >= MOST_FAULTS {
            self.parting.error = Some(error);
            self.transmits.push(Transmit::Close(CloseCode::ProtocolError));
            self.phase = Phase::Closing { stable: false };
        }
    }

    fn break_off(&mut self, now: Timestamp, what: &'static str) {
        self.events.push(Event::Error(Error::Protocol(what)));
        self.give_up(now, Error::Protocol(what), CloseCode::ProtocolError);
    }

    fn give_up(&mut self, now: Timestamp, error: Error, code: CloseCode) {
        let stable = matches!(&self.phase, Phase::Welcomed(live) if live.is_stable(now));
        self.parting.error = Some(error);
        self.transmits.push(Transmit::Close(code));
        self.phase = Phase::Closing { stable };
    }

    /// The end of the wallet's connecting, until its owner asks again.
    fn end(&mut self, error: Option<Error>) {
        self.phase = Phase::Closed;
        for (request_id, end) in self.requests.abandon(error.as_ref().unwrap_or(&Error::Closed)) {
            self.events.push(Event::Ended { request_id, end });
        }
        self.tell(State::Closed(error));
    }

    fn expire(&mut self, now: Timestamp) {
        for (request_id, end) in self.requests.expire(now) {
            self.events.push(Event::Ended { request_id, end });
        }
        self.outwait_store(now);
    }

    fn send_if_welcomed(&mut self, frame: ClientFrame) {
        if matches!(self.phase, Phase::Welcomed(_)) {
            self.send(frame);
        }
    }

    fn send(&mut self, frame: ClientFrame) {
        self.transmits.push(Transmit::Frame(frame));
    }

    fn tell(&mut self, state: State) {
        self.events.push(Event::State(state));
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

#[cfg(test)]
mod tests;
