//! What happens to requests and wallets, step by step, for whoever looks on: the log, and what an application adds to it.
//!
//! Observers decide nothing. They are told once the service's state is not locked any more and everybody concerned has been told, and
//! nobody waits for them but the task that is at it: an observer that blocks holds that up.

use crate::{
    call_context::CallContext,
    record::{End, Record},
    requester::RequesterId,
    time::Timestamp,
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, BatchId, ConnectionId, Device, Message, PublicKeyBytes, RejectCode, RequestId,
    RequesterName,
};
use smallvec::SmallVec;
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// Looks on.
///
/// Steps that follow each other within microseconds may be told out of order, since tasks on several processors tell them; their times
/// are right.
pub trait Observer: Send + Sync {
    /// Takes note of a step that was taken at `at`, in the system's time.
    fn observe(&self, at: Timestamp, step: &Step);

    /// Whether [`Step::Delivered`], [`Step::Received`] and [`Step::Displayed`] are wanted, of which there are several for each request.
    /// Asked often, and may change.
    fn wants_progress(&self) -> bool {
        false
    }
}

/// Whoever looks on beside the log.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Adds one.
    pub fn add(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }

    pub(crate) fn observe(&self, at: Timestamp, step: &Step) {
        for observer in &self.0 {
            observer.observe(at, step);
        }
    }

    pub(crate) fn want_progress(&self) -> bool {
        self.0.iter().any(|observer| observer.wants_progress())
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observers({})", self.0.len())
    }
}

/// Something that has happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Step {
    /// A request was taken; a durable one is on disk.
    Asked {
        /// The request.
        request: RequestSummary,
        /// What is to be signed. Not for logs.
        message: Arc<Message>,
    },
    /// Somebody asked and was refused before there was a request.
    Refused(Refusal),
    /// A request was handed to a wallet's connection, for the `attempt`th time in all.
    Delivered {
        /// The request.
        request: RequestSummary,
        /// Where it was sent.
        to: WalletConnection,
        /// From 1.
        attempt: u32,
    },
    /// A wallet was the first to say that it has the request.
    Received {
        /// The request.
        request: RequestSummary,
        /// The wallet.
        by: WalletConnection,
    },
    /// A wallet was the first to say that a human can see the request.
    Displayed {
        /// The request.
        request: RequestSummary,
        /// The wallet.
        by: WalletConnection,
    },
    /// A wallet answered an open request. Where that ends it, [`Step::Ended`] follows, for a durable one once it is on disk.
    Answered {
        /// The request.
        request: RequestSummary,
        /// The wallet.
        by: WalletConnection,
        /// What its answer came to; an accepted one may be a refusal.
        outcome: AckOutcome,
        /// It ends the request.
        ends: bool,
    },
    /// A wallet answered a request that is not open here: it has ended, or never was. It may be the answer that has counted, said again,
    /// and as often as the wallet likes.
    AnsweredInVain {
        /// The request, as the wallet calls it.
        request_id: RequestId,
        /// The wallet's key.
        public_key: PublicKeyBytes,
        /// The wallet.
        by: WalletConnection,
        /// What its answer came to.
        outcome: AckOutcome,
    },
    /// A request has ended, and if it is durable, that is on disk.
    Ended {
        /// The request.
        request: RequestSummary,
        /// `signed`, or the code of the error it ended with.
        outcome: &'static str,
        /// Who has ended it.
        by: EndedBy,
        /// Of a signature: who decided, as the wallet says.
        approved_by: Option<ApprovedBy>,
        /// Of a refusal: why, for programs.
        reject_code: Option<RejectCode>,
        /// From when it was asked for to its end.
        took: Duration,
    },
    /// This node goes on with a request of one that is gone.
    TakenOver {
        /// The request.
        request: RequestSummary,
    },
    /// A wallet has introduced itself to this node.
    Introduced {
        /// Its key.
        public_key: PublicKeyBytes,
        /// Its connection.
        wallet: WalletConnection,
        /// It has proven that it holds the key.
        proven: bool,
    },
    /// A wallet that had introduced itself to this node has left.
    Left {
        /// Its key.
        public_key: PublicKeyBytes,
        /// Its connection.
        wallet: WalletConnection,
        /// A short stable word: `hung_up`, `stuck`, `aborted`, or the reason the server closed it for.
        why: &'static str,
        /// How long it was connected.
        stayed: Duration,
    },
}

/// What everybody may know of a request: no message, no purpose.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RequestSummary {
    /// Names it.
    pub id: RequestId,
    /// The key that has to sign.
    pub public_key: PublicKeyBytes,
    /// Whose it is.
    pub requester_id: RequesterId,
    /// What wallets are shown of it.
    pub requester: RequesterName,
    /// The batch it is shown with.
    pub batch_id: Option<BatchId>,
    /// It outlives the process.
    pub durable: bool,
    /// Who called; none where another process took the call.
    pub call: Option<Arc<CallContext>>,
}

impl RequestSummary {
    pub(crate) fn of(record: &Record, durable: bool) -> Self {
        Self {
            id: record.id,
            public_key: record.public_key,
            requester_id: record.requester_id.clone(),
            requester: record.requester.clone(),
            batch_id: record.batch.map(|batch| batch.id),
            durable,
            call: record.call.clone(),
        }
    }
}

/// A call that led to no request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refusal {
    /// The key that was to sign.
    pub public_key: PublicKeyBytes,
    /// Who asked; none where it is not known under a name that may stand.
    pub requester_id: Option<RequesterId>,
    /// Who called.
    pub call: Option<Arc<CallContext>>,
    /// The code of the error.
    pub outcome: &'static str,
}

/// One connection of a wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalletConnection {
    /// Names it.
    pub connection: ConnectionId,
    /// The device, as it calls itself: text of a stranger.
    pub device: Option<Arc<Device>>,
    /// The client's address; none where it is not known, or the connection is another node's.
    pub address: Option<IpAddr>,
}

/// Who has ended a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndedBy {
    /// A wallet's answer.
    Wallet(WalletConnection),
    /// The requester withdrew it.
    Requester,
    /// Whoever waited for the end stopped waiting.
    HangUp,
    /// An operator.
    Operator,
    /// Its time was over.
    Time,
    /// The server stopped.
    Shutdown,
    /// Another node, or a former life of the store: which of these, is not known here.
    Elsewhere,
}

impl EndedBy {
    /// A stable name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Wallet(_) => "wallet",
            Self::Requester => "requester",
            Self::HangUp => "hang_up",
            Self::Operator => "operator",
            Self::Time => "time",
            Self::Shutdown => "shutdown",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Why a wallet left, where the server had not closed its connection.
pub(crate) mod why {
    pub(crate) const HUNG_UP: &str = "hung_up";
    pub(crate) const STUCK: &str = "stuck";
    /// The connection's task ended before its time.
    pub(crate) const ABORTED: &str = "aborted";
}

/// Steps that are yet to be told, with their times. Two find room without an allocation: most turns bring no more.
pub(crate) type Untold = SmallVec<[(Timestamp, Step); 2]>;

/// Where the pure core notes its steps.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    untold: Untold,
    /// Somebody wants those of which there are several for each request.
    pub(crate) with_progress: bool,
}

impl Steps {
    pub(crate) fn push(&mut self, at: Timestamp, step: Step) {
        self.untold.push((at, step));
    }

    pub(crate) fn take(&mut self) -> Untold {
        std::mem::take(&mut self.untold)
    }

    /// Notes how a request has ended.
    pub(crate) fn ended(&mut self, record: &Record, durable: bool, by: EndedBy) {
        let Some(end) = &record.end else { return };
        let at = record.times.ended.unwrap_or(record.times.queued);
        let (approved_by, reject_code) = match end {
            End::Signed { approved_by, .. } => (approved_by.clone(), None),
            End::Rejected { code, .. } => (None, Some(*code)),
            End::InvalidSignature
            | End::MessageMismatch
            | End::DeliveryTimeout
            | End::Timeout(_)
            | End::Disconnected(_)
            | End::Cancelled
            | End::Draining => (None, None),
        };
        let request = RequestSummary::of(record, durable);
        let took = at.since(record.times.queued);
        self.push(at, Step::Ended { request, outcome: end.code(), by, approved_by, reject_code, took });
    }
}
