//! The requests that are open: a state machine without clock, socket or randomness.
//!
//! A request is in here from the moment a wallet may answer it until the moment it ends. It ends in one function, [`Pending::end`],
//! which takes it out and hands back its waiter; so it ends exactly once, and nobody is left waiting for what is no longer here.

use countersign_protocol::{
    AckOutcome, ApprovedBy, CancelCause, ConnectionId, Message, PublicKeyBytes, Reason, RejectCode, RejectScope,
    RequestId, Signature, WalletState,
};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

/// How many ended requests are remembered, so that an answer to one is `late` or `duplicate` rather than `unknown`.
const REMEMBERED: usize = 16 * 1024;

/// How far a request has come. Phases may be skipped, never revisited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Handed to at least one wallet's connection.
    Delivered,
    /// A wallet has said that it has it.
    Received,
    /// A wallet has said that a human can see it.
    Displayed,
}

impl Phase {
    /// The phase as the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Received => "received",
            Self::Displayed => "displayed",
        }
    }
}

impl From<WalletState> for Phase {
    fn from(state: WalletState) -> Self {
        match state {
            WalletState::Received => Self::Received,
            WalletState::Displayed => Self::Displayed,
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With a signature that was verified over the stored message.
    Signed { signature: Signature, approved_by: Option<ApprovedBy> },
    /// Declined for the whole key, or by the last device asked.
    Rejected { code: RejectCode, reason: Option<Reason> },
    /// The last device asked answered with something that does not verify.
    InvalidSignature,
    /// The last device asked answered for another message.
    MessageMismatch,
    /// The last device asked went away.
    Disconnected,
    /// Its time ran out in this phase.
    Expired(Phase),
    /// Its backend stopped waiting.
    Cancelled,
    /// The server stopped.
    Draining,
}

impl End {
    /// What the devices still holding the request are told.
    fn cause(&self) -> CancelCause {
        match self {
            Self::Signed { .. } | Self::Rejected { .. } => CancelCause::AnsweredElsewhere,
            Self::Expired(_) => CancelCause::Expired,
            Self::InvalidSignature | Self::MessageMismatch | Self::Disconnected | Self::Cancelled | Self::Draining => {
                CancelCause::Cancelled
            }
        }
    }
}

/// What a request that has just ended leaves to be done, outside any lock.
#[derive(Debug)]
#[must_use = "the waiter is owed its answer"]
pub(crate) struct Ended<W> {
    pub(crate) request_id: RequestId,
    pub(crate) waiter: W,
    pub(crate) end: End,
    /// Devices that still show the request.
    pub(crate) withdraw: Vec<ConnectionId>,
    pub(crate) cause: CancelCause,
}

/// What the answer of one device came to, once somebody had looked at its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Signed { signature: Signature, approved_by: Option<ApprovedBy> },
    BadSignature,
    MessageMismatch,
    Rejected { code: RejectCode, reason: Option<Reason>, scope: RejectScope },
}

/// One device that was asked.
#[derive(Debug)]
struct Asked {
    connection: ConnectionId,
    answered: bool,
}

#[derive(Debug)]
struct Open<W> {
    key: PublicKeyBytes,
    message: Arc<Message>,
    phase: Phase,
    asked: Vec<Asked>,
    waiter: W,
}

#[derive(Debug)]
struct Remembered {
    key: PublicKeyBytes,
    /// Devices that had answered when the request ended.
    answered: Vec<ConnectionId>,
}

/// The open requests, each with whoever waits for it.
#[derive(Debug)]
pub(crate) struct Pending<W> {
    open: HashMap<RequestId, Open<W>>,
    by_connection: HashMap<ConnectionId, Vec<RequestId>>,
    ended: HashMap<RequestId, Remembered>,
    ended_order: VecDeque<RequestId>,
}

impl<W> Default for Pending<W> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            by_connection: HashMap::new(),
            ended: HashMap::new(),
            ended_order: VecDeque::new(),
        }
    }
}

impl<W> Pending<W> {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// How many requests this connection has been asked and not answered.
    pub(crate) fn inflight(&self, connection: ConnectionId) -> usize {
        self.by_connection.get(&connection).map_or(0, Vec::len)
    }

    pub(crate) fn phase(&self, id: RequestId) -> Option<Phase> {
        self.open.get(&id).map(|open| open.phase)
    }

    /// Opens a request that the devices in `asked` are about to be sent.
    pub(crate) fn open(
        &mut self,
        id: RequestId,
        key: PublicKeyBytes,
        message: Arc<Message>,
        asked: &[ConnectionId],
        waiter: W,
    ) {
        for connection in asked {
            self.by_connection.entry(*connection).or_default().push(id);
        }
        let asked = asked.iter().map(|&connection| Asked { connection, answered: false }).collect();
        self.open.insert(id, Open { key, message, phase: Phase::Delivered, asked, waiter });
    }

    /// Notes how far the request has come on a device. Anything but an open request of this device is ignored: it may
    /// have ended while the frame was on its way.
    pub(crate) fn handle_status(&mut self, connection: ConnectionId, id: RequestId, state: WalletState) {
        if let Some(open) = self.open.get_mut(&id)
            && open.asked.iter().any(|asked| asked.connection == connection)
        {
            open.phase = open.phase.max(state.into());
        }
    }

    /// The message an answer has to be judged by.
    ///
    /// # Errors
    /// The acknowledgement where the answer counts for nothing: the request is not open, was not put to this device, or was
    /// answered by it before. A request of another key is as unknown as one that never was.
    pub(crate) fn stored(
        &self,
        key: &PublicKeyBytes,
        connection: ConnectionId,
        id: RequestId,
    ) -> Result<Arc<Message>, AckOutcome> {
        if let Some(open) = self.open.get(&id).filter(|open| open.key == *key) {
            return match open.asked.iter().find(|asked| asked.connection == connection) {
                Some(Asked { answered: false, .. }) => Ok(Arc::clone(&open.message)),
                Some(Asked { answered: true, .. }) => Err(AckOutcome::Duplicate),
                None => Err(AckOutcome::Unknown),
            };
        }
        match self.ended.get(&id).filter(|ended| ended.key == *key) {
            Some(ended) if ended.answered.contains(&connection) => Err(AckOutcome::Duplicate),
            Some(_) => Err(AckOutcome::Late),
            None => Err(AckOutcome::Unknown),
        }
    }

    /// Counts a device's answer. The first valid signature ends the request, and so does a refusal for the whole key;
    /// anything else drops this device, and the last one dropped ends the request with its reason.
    pub(crate) fn handle_verdict(
        &mut self,
        key: &PublicKeyBytes,
        connection: ConnectionId,
        id: RequestId,
        verdict: Verdict,
    ) -> (AckOutcome, Option<Ended<W>>) {
        // Judging took place outside the lock, so the request may have ended meanwhile.
        if let Err(outcome) = self.stored(key, connection, id) {
            return (outcome, None);
        }
        let last = self.drop_device(connection, id);
        let (outcome, end) = match verdict {
            Verdict::Signed { signature, approved_by } => {
                (AckOutcome::Accepted, Some(End::Signed { signature, approved_by }))
            }
            Verdict::Rejected { code, reason, scope } => {
                let ends = last || scope == RejectScope::Key;
                (AckOutcome::Accepted, ends.then_some(End::Rejected { code, reason }))
            }
            Verdict::BadSignature => (AckOutcome::BadSignature, last.then_some(End::InvalidSignature)),
            Verdict::MessageMismatch => (AckOutcome::MessageMismatch, last.then_some(End::MessageMismatch)),
        };
        (outcome, end.and_then(|end| self.end(id, end)))
    }

    /// Forgets a connection. Requests that no other device can answer any more end.
    pub(crate) fn handle_disconnected(&mut self, connection: ConnectionId) -> Vec<Ended<W>> {
        let ids = self.by_connection.get(&connection).cloned().unwrap_or_default();
        ids.into_iter()
            .filter_map(|id| if self.drop_device(connection, id) { self.end(id, End::Disconnected) } else { None })
            .collect()
    }

    /// Ends a request, once: `None` if it has ended before.
    pub(crate) fn end(&mut self, id: RequestId, end: End) -> Option<Ended<W>> {
        let Open { key, asked, waiter, .. } = self.open.remove(&id)?;
        let (answered, silent): (Vec<_>, Vec<_>) = asked.into_iter().partition(|asked| asked.answered);
        let withdraw: Vec<_> = silent.into_iter().map(|asked| asked.connection).collect();
        for connection in &withdraw {
            self.release(*connection, id);
        }
        let answered = answered.into_iter().map(|asked| asked.connection).collect();
        self.remember(id, Remembered { key, answered });
        Some(Ended { request_id: id, waiter, cause: end.cause(), end, withdraw })
    }

    /// Ends every open request.
    pub(crate) fn end_all(&mut self, end: &End) -> Vec<Ended<W>> {
        let ids: Vec<_> = self.open.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.end(id, end.clone())).collect()
    }

    /// Marks a device as having answered; true if no other is left that could.
    fn drop_device(&mut self, connection: ConnectionId, id: RequestId) -> bool {
        self.release(connection, id);
        let Some(open) = self.open.get_mut(&id) else { return false };
        for asked in open.asked.iter_mut().filter(|asked| asked.connection == connection) {
            asked.answered = true;
        }
        open.asked.iter().all(|asked| asked.answered)
    }

    fn release(&mut self, connection: ConnectionId, id: RequestId) {
        if let Entry::Occupied(mut requests) = self.by_connection.entry(connection) {
            requests.get_mut().retain(|other| *other != id);
            if requests.get().is_empty() {
                requests.remove();
            }
        }
    }

    fn remember(&mut self, id: RequestId, remembered: Remembered) {
        if self.ended_order.len() >= REMEMBERED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
        self.ended_order.push_back(id);
        self.ended.insert(id, remembered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];
    const OTHER_KEY: [u8; 32] = [2; 32];

    fn connection(n: u8) -> ConnectionId {
        ConnectionId::from_random_bytes([n; 16])
    }

    fn request(n: u8) -> RequestId {
        RequestId::from_random_bytes([n; 16])
    }

    fn open(asked: &[u8]) -> Pending<&'static str> {
        let mut pending = Pending::default();
        let asked: Vec<_> = asked.iter().map(|&n| connection(n)).collect();
        pending.open(request(1), KEY.into(), Arc::new(b"hello".to_vec().try_into().unwrap()), &asked, "waiter");
        pending
    }

    fn signed() -> Verdict {
        Verdict::Signed { signature: [9; 64].into(), approved_by: Some(ApprovedBy::Human) }
    }

    fn rejected(scope: RejectScope) -> Verdict {
        Verdict::Rejected { code: RejectCode::UserRejected, reason: None, scope }
    }

    fn answer(
        pending: &mut Pending<&'static str>,
        from: u8,
        verdict: Verdict,
    ) -> (AckOutcome, Option<Ended<&'static str>>) {
        pending.handle_verdict(&KEY.into(), connection(from), request(1), verdict)
    }

    /// Nothing of an ended request may stay behind but the memory of it.
    fn assert_empty(pending: &Pending<&'static str>) {
        assert_eq!(pending.len(), 0);
        assert!(pending.by_connection.is_empty());
        assert!(pending.ended.len() <= REMEMBERED);
    }

    #[test]
    fn the_first_signature_wins_and_the_other_devices_are_told() {
        let mut pending = open(&[1, 2, 3]);
        let (outcome, ended) = answer(&mut pending, 2, signed());
        let ended = ended.unwrap();
        assert_eq!(outcome, AckOutcome::Accepted);
        assert_eq!(ended.waiter, "waiter");
        assert!(matches!(ended.end, End::Signed { .. }));
        assert_eq!((ended.withdraw, ended.cause), (vec![connection(1), connection(3)], CancelCause::AnsweredElsewhere));
        assert_empty(&pending);

        assert_eq!(answer(&mut pending, 1, signed()).0, AckOutcome::Late);
        assert_eq!(answer(&mut pending, 2, signed()).0, AckOutcome::Duplicate);
    }

    #[test]
    fn a_refusal_for_the_key_ends_it_and_for_a_device_only_at_the_last() {
        let mut pending = open(&[1, 2]);
        let (outcome, ended) = answer(&mut pending, 1, rejected(RejectScope::Device));
        assert!(outcome == AckOutcome::Accepted && ended.is_none());
        assert_eq!(pending.len(), 1);
        let (_, ended) = answer(&mut pending, 2, rejected(RejectScope::Device));
        assert!(matches!(ended.unwrap().end, End::Rejected { .. }));
        assert_empty(&pending);

        let mut pending = open(&[1, 2]);
        let (_, ended) = answer(&mut pending, 1, rejected(RejectScope::Key));
        assert_eq!(ended.unwrap().withdraw, vec![connection(2)]);
        assert_empty(&pending);
    }

    #[test]
    fn a_bad_answer_drops_the_device_and_the_last_reason_is_given() {
        let mut pending = open(&[1, 2]);
        let (outcome, ended) = answer(&mut pending, 1, Verdict::BadSignature);
        assert!(outcome == AckOutcome::BadSignature && ended.is_none());
        assert_eq!(answer(&mut pending, 1, signed()).0, AckOutcome::Duplicate, "one answer a device");
        let (outcome, ended) = answer(&mut pending, 2, Verdict::MessageMismatch);
        assert_eq!(outcome, AckOutcome::MessageMismatch);
        assert_eq!(ended.unwrap().end, End::MessageMismatch);
        assert_empty(&pending);
    }

    #[test]
    fn a_device_that_leaves_ends_what_only_it_could_answer() {
        let mut pending = open(&[1, 2]);
        assert!(pending.handle_disconnected(connection(1)).is_empty());
        let ended = pending.handle_disconnected(connection(2));
        assert_eq!(ended.into_iter().map(|ended| ended.end).collect::<Vec<_>>(), [End::Disconnected]);
        assert_empty(&pending);
    }

    #[test]
    fn foreign_and_unknown_requests_are_the_same() {
        let pending = open(&[1]);
        assert_eq!(pending.stored(&OTHER_KEY.into(), connection(1), request(1)), Err(AckOutcome::Unknown));
        assert_eq!(pending.stored(&KEY.into(), connection(2), request(1)), Err(AckOutcome::Unknown));
        assert_eq!(pending.stored(&KEY.into(), connection(1), request(2)), Err(AckOutcome::Unknown));
        assert!(pending.stored(&KEY.into(), connection(1), request(1)).is_ok());
    }

    #[test]
    fn a_request_ends_once() {
        let mut pending = open(&[1]);
        assert!(pending.end(request(1), End::Cancelled).is_some());
        assert!(pending.end(request(1), End::Draining).is_none());
        assert!(pending.end_all(&End::Draining).is_empty());
        assert_eq!(answer(&mut pending, 1, signed()).0, AckOutcome::Late);
        assert_empty(&pending);
    }

    #[test]
    fn phases_are_never_revisited() {
        let mut pending = open(&[1]);
        pending.handle_status(connection(1), request(1), WalletState::Displayed);
        pending.handle_status(connection(1), request(1), WalletState::Received);
        pending.handle_status(connection(9), request(1), WalletState::Received);
        assert_eq!(pending.phase(request(1)), Some(Phase::Displayed));
    }

    #[test]
    fn the_memory_of_ended_requests_is_bounded() {
        let mut pending = Pending::default();
        let message = Arc::new(Message::try_from(vec![1]).unwrap());
        for n in 0..REMEMBERED as u128 + 10 {
            let id = RequestId::from_random_bytes(n.to_le_bytes());
            pending.open(id, KEY.into(), Arc::clone(&message), &[connection(1)], ());
            drop(pending.end(id, End::Cancelled));
        }
        assert_eq!((pending.ended.len(), pending.ended_order.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(pending.inflight(connection(1)), 0);
    }
}
