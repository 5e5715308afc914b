//! What the wallet's state machine asks of the world around it, and what it tells its owner.

use crate::prelude::*;
use crate::{error::Error, record::Record, time::Millis};
use countersign_protocol::{
    Audience, Challenge, ClientFrame, ConnectionId, Message, Origin, PublicKeyBytes, RequestId, SignRequest, Signable,
};

/// Something to be done with the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmit {
    /// Open a new socket to the node of this URL. There is none open when this is asked.
    Dial(Audience),
    /// Send this frame.
    Frame(ClientFrame),
    /// Close the socket and forget it; then report it closed at once, without waiting for the other side.
    Close(CloseCode),
}

/// Why the wallet closes its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// The owner asked for it.
    Normal,
    /// The server broke the protocol.
    ProtocolError,
    /// Nothing was heard for too long.
    Timeout,
}

impl CloseCode {
    /// The code for the socket: the standard one where browsers let a page send it (1000), else of the private range
    /// (RFC 6455 §7.4.2), since they refuse 1002 from a page.
    pub fn as_u16(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::ProtocolError => 4002,
            Self::Timeout => 4008,
        }
    }
}

/// Bytes to be signed with the wallet's key. Answer it with `handle_signed` or `handle_sign_failed`, now or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignTask {
    /// Names the task in the answer to it.
    pub id: SignTaskId,
    /// What is to be signed.
    pub subject: SignSubject,
}

/// Names a task; never used twice by one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignTaskId(pub(crate) u64);

/// What is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignSubject {
    /// The proof of an introduction.
    Introduction {
        /// The server's challenge on this connection.
        challenge: Challenge,
        /// The wallet's key.
        public_key: PublicKeyBytes,
        /// The URL that was dialled.
        audience: Audience,
        /// Where the wallet runs.
        origin: Origin,
    },
    /// A request its owner approved.
    Message {
        /// The request.
        request_id: RequestId,
        /// Its message.
        message: Message,
    },
}

impl SignTask {
    /// The bytes to sign, in the one form the protocol knows.
    pub fn signable(&self) -> Signable<'_> {
        match &self.subject {
            SignSubject::Introduction { challenge, public_key, audience, origin } => {
                Signable::Introduction { challenge, public_key, audience, origin }
            }
            SignSubject::Message { message, .. } => Signable::Message(message),
        }
    }
}

/// A change to what is kept where it outlives the page or process. Tasks are carried out in the order they are polled;
/// answer each with `handle_stored`, now or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTask {
    /// Names the task in the answer to it.
    pub id: StoreTaskId,
    /// What to do.
    pub action: StoreAction,
}

/// Names a task; never used twice by one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreTaskId(pub(crate) u64);

/// What to do with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAction {
    /// Keep this in place of whatever was kept of the same request.
    Keep(Record),
    /// Forget the request, if anything was kept of it.
    Forget(RequestId),
}

/// A request its owner is to decide about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The request as it came, with the time left from now.
    pub request: SignRequest,
    /// Whether its owner was asked before, by a page or process that ended without a decision.
    pub resumed: bool,
}

/// Something the wallet's owner is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The connection's state changed.
    State(State),
    /// What to show in one prompt: a request, or those of a batch (specification §7.7) in their order. Never empty, and each
    /// request is told once.
    Requests(Vec<Prompt>),
    /// A request that is open came again, after a reconnect.
    Repeated {
        /// The request.
        request_id: RequestId,
        /// Its new attempt number.
        attempt: u32,
        /// Its time left, from now.
        expires_in: Millis,
    },
    /// The request has an answer that is not acknowledged yet.
    Answered(RequestId),
    /// The request is over; told once per request, also for one that was answered before a reload and is only known from
    /// the store.
    Ended {
        /// The request.
        request_id: RequestId,
        /// How it ended.
        end: End,
    },
    /// Something went wrong that ends neither a request nor, by itself, the connection.
    Error(Error),
}

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A socket is being opened.
    Connecting,
    /// The socket is open, the introduction under way.
    Introducing,
    /// Welcomed: requests can come.
    Connected(ConnectionId),
    /// Lost; another try follows.
    Reconnecting {
        /// How long until it.
        retry_in: Millis,
        /// Why it is needed.
        error: Error,
    },
    /// Over, by its owner (no error) or for good reason.
    Closed(Option<Error>),
}

impl State {
    /// The state's name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Introducing => "introducing",
            Self::Connected(_) => "connected",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Closed(_) => "closed",
        }
    }
}

/// How a request ended, seen from this wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The signature was accepted.
    Accepted,
    /// This wallet declined, and whatever became of the refusal, it gave no signature.
    Declined,
    /// The backend stopped waiting.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// Another device of this key answered.
    AnsweredElsewhere,
    /// The signature came too late and was not used.
    Late,
    /// No acceptance, for this reason.
    Failed(Error),
}

impl End {
    /// The name of the request's final state.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::Late => "late",
            Self::Failed(_) => "failed",
        }
    }

    /// Why no signature of this wallet was accepted, unless it was or the wallet wanted none.
    pub fn error(&self) -> Option<Error> {
        match self {
            Self::Accepted | Self::Declined => None,
            Self::Cancelled => Some(Error::Cancelled),
            Self::Expired => Some(Error::Expired),
            Self::AnsweredElsewhere => Some(Error::AnsweredElsewhere),
            Self::Late => Some(Error::Late),
            Self::Failed(error) => Some(error.clone()),
        }
    }
}
