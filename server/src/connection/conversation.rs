//! One wallet connection's side of the service, without its socket: what comes in, and what is to be done about it.

use super::{
    client::Client,
    frame_rate::FrameRate,
    socket::{Exit, Incoming},
};
use crate::{
    SigningService,
    dispatch::Refused,
    service::{Answered, ConnectionGuard, Inbox, Judgement, Mail},
    session::{Action, Close, Introduced, Session, close_code},
};
use countersign_protocol::{
    AckOutcome, Challenge, ConnectionId, ErrorCode, ErrorFrame, PublicKey, RequestId, ServerFrame, WireName as _,
};
use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

/// What the connection's task has to do next.
#[derive(Debug)]
pub enum Todo {
    /// Wait for the next thing.
    Nothing,
    /// Send a text frame.
    Text(String),
    /// Send a text frame that acknowledges an answer; it may wait a little for the next frame.
    Acknowledge(String),
    /// Send a WebSocket ping.
    Ping,
    /// Send a text frame and a close frame.
    Close {
        /// The frame.
        text: String,
        /// RFC 6455 §7.4.
        code: u16,
        /// Of the close frame.
        reason: &'static str,
    },
    /// Give way to whatever else is ready, and then call [`Conversation::conclude`] before anything else.
    Judge(Box<Judgement>),
    /// Let go of the socket.
    End(Exit),
}

/// A connection that has just been made.
#[derive(Debug)]
pub struct NewConnection {
    /// Names it.
    pub id: ConnectionId,
    /// What its proof has to be over.
    pub challenge: Challenge,
    /// What the handshake says of the other end.
    pub client: Client,
    /// When it was made.
    pub now: Instant,
}

/// A connection that the service knows, introduced or not.
#[derive(Debug)]
pub struct Conversation<'a> {
    service: &'a SigningService,
    guard: ConnectionGuard,
    session: Session,
    key: Option<Arc<PublicKey>>,
    frames: FrameRate,
    write_timeout: Duration,
    /// What the last frame costs and is not paid yet, and when to try again. Until then nothing more is read.
    owed: Option<(NonZeroU32, Instant)>,
}

impl<'a> Conversation<'a> {
    /// Makes the connection known, and gives its inbox and the first thing to do; `None` while draining, when [`turned_away`] is all
    /// there is to say.
    pub fn begin(service: &'a SigningService, new: NewConnection) -> Option<(Self, Inbox, Todo)> {
        let NewConnection { id, challenge, client: Client { origin, address }, now } = new;
        let (guard, inbox) = service.connect(id, address)?;
        // Once, so that the connection keeps to one set of rules.
        let config = service.config();
        let (session, challenge) = Session::new(config.session(), origin, challenge, now);
        let frames = FrameRate::new(config.frames_per_second, service.clock());
        let write_timeout = config.write_timeout;
        let conversation = Self { service, guard, session, key: None, frames, write_timeout, owed: None };
        let first = conversation.send(&challenge);
        Some((conversation, inbox, first))
    }

    /// Takes note of how the connection has ended. Dropped without it, it was broken off.
    pub fn end(&self, exit: Exit) {
        self.guard.give_up(exit.as_str());
    }

    /// The longest one write may take.
    pub fn write_timeout(&self) -> Duration {
        self.write_timeout
    }

    /// When [`Conversation::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Instant {
        // Silence is judged once what has arrived may be read.
        self.owed.map_or_else(|| self.session.poll_timeout(), |(_, until)| until)
    }

    /// Whether the wallet sends faster than is read: leave what comes in the socket until [`Conversation::poll_timeout`].
    pub fn is_paused(&self) -> bool {
        self.owed.is_some()
    }

    /// Whether the wallet has introduced itself.
    pub fn is_introduced(&self) -> bool {
        self.key.is_some()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) -> Todo {
        if let Some((cost, until)) = self.owed {
            if now >= until {
                self.pay(cost, now);
            }
            return Todo::Nothing;
        }
        let action = self.session.handle_timeout(now);
        self.act(action)
    }

    /// Takes what the rest of the service has for the wallet; `None` when that has let go.
    pub fn handle_mail(&mut self, mail: Option<Mail>) -> Todo {
        match mail {
            // Over before it could be sent, it is nobody's any more.
            Some(Mail::Request(frame)) => {
                frame.to_json(self.service.now()).map_or(Todo::Nothing, |text| self.text(text))
            }
            Some(Mail::Text(text)) => self.text(text),
            Some(Mail::Close(close)) => self.close(*close),
            // It let its mail pile up, and reads the rest of it now. No goodbye has a word for that: as after any other break,
            // the wallet comes back.
            None => Todo::End(Exit::Stuck),
        }
    }

    /// Takes what the socket gives next: something, an error, or its end.
    pub fn handle_stream<T: AsRef<str>, E>(&mut self, next: Option<Result<Incoming<T>, E>>, now: Instant) -> Todo {
        match next {
            Some(Ok(incoming)) => self.handle_incoming(incoming, now),
            Some(Err(_)) | None => Todo::End(Exit::Peer),
        }
    }

    /// Takes what came in on the socket.
    pub fn handle_incoming<T: AsRef<str>>(&mut self, incoming: Incoming<T>, now: Instant) -> Todo {
        let bytes = if let Incoming::Text(text) = &incoming { text.as_ref().len() } else { 0 };
        self.pay(FrameRate::cost(bytes), now);
        let action = match incoming {
            Incoming::Text(text) => {
                self.service.metrics().received.inc_by(text.as_ref().len() as u64);
                self.session.handle_text(text.as_ref(), now)
            }
            Incoming::Binary => self.session.handle_binary(),
            Incoming::Control => {
                self.session.handle_activity(now);
                Action::Nothing
            }
            Incoming::TooLarge => self.session.handle_too_large(),
            Incoming::InvalidUtf8 => self.session.handle_invalid_utf8(),
            Incoming::BrokenFrame => self.session.handle_broken_frame(),
            // The socket's library answers it, and then ends the stream.
            Incoming::Close => Action::Nothing,
        };
        self.act(action)
    }

    fn pay(&mut self, cost: NonZeroU32, now: Instant) {
        self.owed = match self.frames.pay(cost) {
            Ok(()) => None,
            Err(wait) => {
                if self.owed.is_none() {
                    self.service.metrics().rate_limited("connection");
                }
                // So that a clock which shows less than a moment more does not have it tried over and over.
                Some((cost, now + wait.max(Duration::from_millis(1))))
            }
        };
    }

    fn act(&mut self, action: Action) -> Todo {
        match (action, &self.key) {
            (Action::Nothing, _) => Todo::Nothing,
            (Action::Send(frame), _) => self.send(&frame),
            (Action::Ping, _) => Todo::Ping,
            (Action::Close(close), _) => self.close(close),
            (Action::Introduced(introduced), _) => self.introduce(introduced),
            (Action::Status(status), _) => {
                self.service.handle_status(self.guard.id, status).map_or(Todo::Nothing, |frame| self.send(&frame))
            }
            (Action::Answer(response), Some(key)) => {
                let request_id = response.request_id;
                match self.service.handle_answer(self.guard.id, key, response) {
                    Answered::With(outcome) => self.acknowledge(request_id, outcome),
                    Answered::Judging(judgement) => Todo::Judge(judgement),
                }
            }
            (Action::Reject(reject), Some(key)) => {
                let request_id = reject.request_id;
                let outcome = self.service.handle_reject(self.guard.id, key, reject);
                self.acknowledge(request_id, outcome)
            }
            // The session lets no answer through before an introduction, and that sets the key.
            (Action::Answer(_) | Action::Reject(_), None) => Todo::Nothing,
        }
    }

    /// Judges the answer that [`Todo::Judge`] was about.
    pub fn conclude(&mut self, judgement: Judgement) -> Todo {
        // Only with a key there is an answer to judge.
        let Some(key) = &self.key else { return Todo::Nothing };
        let request_id = judgement.request_id();
        let outcome = self.service.conclude(self.guard.id, key, judgement);
        self.acknowledge(request_id, outcome)
    }

    fn introduce(&mut self, introduced: Introduced) -> Todo {
        match self.service.introduce(self.guard.id, &introduced, self.session.heartbeat()) {
            Ok(welcome) => {
                self.key = Some(introduced.key);
                self.send(&ServerFrame::Welcome(welcome))
            }
            Err(Refused::Unproven) => {
                let message = "a connection that has proven this key is here".into();
                let error = ErrorFrame { code: ErrorCode::ProofRequired, message, request_id: None };
                self.close(Close { frame: ServerFrame::Error(error), code: close_code::POLICY })
            }
            Err(Refused::Blocked) => self.close(Close::blocked()),
            Err(Refused::TooMany | Refused::NotAStranger) => self.close(self.session.handle_too_many_connections()),
        }
    }

    /// Nothing is said as long as the answer is not on disk.
    fn acknowledge(&self, request_id: RequestId, outcome: Option<AckOutcome>) -> Todo {
        match outcome {
            Some(outcome) => {
                Todo::Acknowledge(self.counted(self.service.acknowledgement(request_id, outcome).to_json()))
            }
            None => Todo::Nothing,
        }
    }

    fn close(&self, close: Close) -> Todo {
        self.service.retire(self.guard.id);
        close_with(self.service, close)
    }

    fn send(&self, frame: &ServerFrame) -> Todo {
        count_error(self.service, frame);
        self.text(frame.to_json())
    }

    fn text(&self, text: String) -> Todo {
        Todo::Text(self.counted(text))
    }

    fn counted(&self, text: String) -> String {
        self.service.metrics().sent.inc_by(text.len() as u64);
        text
    }
}

/// What a connection is told that is not taken any more.
pub fn turned_away(service: &SigningService) -> Todo {
    close_with(service, service.goodbye())
}

fn close_with(service: &SigningService, close: Close) -> Todo {
    count_error(service, &close.frame);
    let text = close.frame.to_json();
    service.metrics().sent.inc_by(text.len() as u64);
    Todo::Close { text, code: close.code, reason: close.reason() }
}

fn count_error(service: &SigningService, frame: &ServerFrame) {
    if let ServerFrame::Error(error) = frame {
        service.metrics().protocol_error(error.code.as_str());
        if error.code == ErrorCode::ProofInvalid {
            service.metrics().proof_failures.inc();
        }
    }
}
