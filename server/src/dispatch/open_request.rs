//! One open request: who has been asked, what came of it, how far it has come.

use crate::{
    record::{End, Phase, PhaseTimes, Record},
    steps::{EndedBy, WalletConnection},
    time::Timestamp,
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, BatchId, ConnectionId, Device, Reason, RejectCode, RejectScope, RequestId, Signature,
};
use smallvec::SmallVec;
use std::sync::Arc;

/// The most devices of which one request remembers that they were asked. Beyond it the longest gone is forgotten.
const MOST_DEVICES: usize = 64;

/// What the answer of one device came to, once somebody had looked at its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Signed { signature: Signature, approved_by: Option<ApprovedBy> },
    BadSignature,
    MessageMismatch,
    Rejected { code: RejectCode, reason: Option<Reason>, scope: RejectScope },
}

impl Verdict {
    /// What the wallet is told when its answer counts.
    pub(crate) fn outcome(&self) -> AckOutcome {
        match self {
            Self::Signed { .. } | Self::Rejected { .. } => AckOutcome::Accepted,
            Self::BadSignature => AckOutcome::BadSignature,
            Self::MessageMismatch => AckOutcome::MessageMismatch,
        }
    }

    /// The end it stands for, and whether it is the end whatever other devices may say.
    fn into_end(self, device: Option<&Arc<Device>>) -> (End, bool) {
        match self {
            Self::Signed { signature, approved_by } => {
                (End::Signed { signature, approved_by, device: device.cloned() }, true)
            }
            Self::Rejected { code, reason, scope } => (End::Rejected { code, reason }, scope == RejectScope::Key),
            Self::BadSignature => (End::InvalidSignature, false),
            Self::MessageMismatch => (End::MessageMismatch, false),
        }
    }
}

/// A connection that was asked.
#[derive(Debug)]
struct AskedConnection {
    connection: ConnectionId,
    device: Option<Arc<Device>>,
    /// The connection is still there.
    here: bool,
    /// Its device has answered, on this connection or another.
    answered: bool,
    /// The request need not be taken back from it: it has answered, or has been told.
    done: bool,
}

impl AskedConnection {
    fn is_device(&self, device: Option<&Arc<Device>>) -> bool {
        matches!((&self.device, device), (Some(own), Some(other)) if own.id == other.id)
    }
}

/// An end that is decided and not yet on disk.
#[derive(Debug)]
struct Decided {
    end: End,
    by: EndedBy,
    at: Timestamp,
    /// Whose answers are to be acknowledged once it is.
    acks: Vec<HeldAck>,
    /// It ends only if another one comes in its place, which may yet be refused.
    gives_way: bool,
    /// Who has withdrawn it meanwhile, whatever becomes of the other one.
    withdrawn_by: Option<EndedBy>,
}

/// An acknowledgement that waits for an end to be on disk.
#[derive(Debug)]
pub(crate) struct HeldAck {
    pub(crate) to: ConnectionId,
    /// The signature in the answer, if it has one.
    signature: Option<Signature>,
    outcome: AckOutcome,
}

impl HeldAck {
    /// For an answer that came after an end was decided.
    pub(crate) fn of_late(to: ConnectionId, signature: Option<&Signature>, decided: Option<&End>) -> Self {
        Self { to, signature: signature.copied(), outcome: outcome_of_late(signature, decided) }
    }

    /// What the wallet is told: what was kept for it, unless another end stands than the one that was decided.
    pub(crate) fn outcome(&self, decided: Option<&End>, stands: Option<&End>) -> AckOutcome {
        if decided == stands { self.outcome } else { outcome_of_late(self.signature.as_ref(), stands) }
    }
}

/// What becomes of a request in whose place no other was taken.
#[derive(Debug)]
pub(crate) enum Reopened {
    /// It ends all the same, and that is to be written: somebody has withdrawn it.
    Withdrawn,
    Open {
        /// Connections that have said again what counted before.
        repeated: SmallVec<[ConnectionId; 1]>,
        /// Its end, where those have gone meanwhile who could have answered yet.
        end: Option<(End, WalletConnection)>,
    },
}

/// A request from when a wallet may answer it until everybody knows its end.
#[derive(Debug)]
pub(crate) struct OpenRequest<W> {
    pub(crate) record: Box<Record>,
    /// It outlives the process, and its end is told only when it is on disk.
    pub(crate) durable: bool,
    pub(crate) waiter: Option<W>,
    /// The request in whose place it is.
    pub(crate) replaces: Option<RequestId>,
    asked: SmallVec<[AskedConnection; 1]>,
    /// The last device that will not sign, and why.
    refusal: Option<(End, WalletConnection)>,
    decided: Option<Decided>,
}

impl<W> OpenRequest<W> {
    pub(crate) fn new(record: Box<Record>, durable: bool, waiter: Option<W>) -> Self {
        Self { record, durable, waiter, replaces: None, asked: SmallVec::new(), refusal: None, decided: None }
    }

    /// Likewise, in the place of another.
    pub(crate) fn replacing(self, replaces: Option<RequestId>) -> Self {
        Self { replaces, ..self }
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.decided.is_some()
    }

    /// When it ends unless something happens before.
    pub(crate) fn deadline(&self) -> Timestamp {
        let Record { deliver_by, expires_at, .. } = *self.record;
        if self.record.phase() >= Phase::Received { expires_at } else { deliver_by.min(expires_at) }
    }

    /// How it ends at `now` for lack of time, if it does.
    pub(crate) fn end_for_lack_of_time(&self, now: Timestamp, connected: bool) -> Option<End> {
        let phase = self.record.phase();
        if now < self.deadline() {
            return None;
        }
        Some(if now < self.record.expires_at {
            End::DeliveryTimeout
        } else if phase >= Phase::Delivered && !connected {
            End::Disconnected(phase)
        } else {
            End::Timeout(phase)
        })
    }

    /// Moves on to a phase; false if it has come there or further before. Nothing else sets a phase's time.
    pub(crate) fn advance(&mut self, phase: Phase, now: Timestamp) -> bool {
        if self.record.phase() >= phase {
            return false;
        }
        let times = &mut self.record.times;
        match phase {
            Phase::Queued => return false,
            Phase::Delivered => times.delivered = Some(now),
            Phase::Received => times.received = Some(now),
            Phase::Displayed => times.displayed = Some(now),
        }
        true
    }

    /// Whether this connection is to be sent the request: its device has neither been asked on it nor answered.
    pub(crate) fn is_news_to(&self, connection: ConnectionId, device: Option<&Arc<Device>>) -> bool {
        // One that was gone may be back: a connection of another node which this one had taken for gone.
        let known = |asked: &AskedConnection| {
            (asked.connection == connection && asked.here) || (asked.answered && asked.is_device(device))
        };
        !self.is_decided() && !self.asked.iter().any(known)
    }

    /// Whether this connection's device may answer it: it has not yet.
    pub(crate) fn awaits(&self, connection: ConnectionId, device: Option<&Arc<Device>>) -> bool {
        let is_its = |asked: &AskedConnection| asked.connection == connection || asked.is_device(device);
        !self.is_decided() && !self.asked.iter().any(|asked| asked.answered && is_its(asked))
    }

    pub(crate) fn batch_id(&self) -> Option<BatchId> {
        self.record.batch.map(|batch| batch.id)
    }

    /// Notes that a connection is being sent the request.
    pub(crate) fn ask(&mut self, connection: ConnectionId, device: Option<Arc<Device>>, now: Timestamp) {
        self.asked.retain(|asked| asked.here || asked.answered || !asked.is_device(device.as_ref()));
        self.remember(connection, device);
        self.advance(Phase::Delivered, now);
    }

    /// Forgets that a connection was sent the request, so that it is news to it again, unless it has answered, or it is decided.
    pub(crate) fn forget_unanswered(&mut self, connection: ConnectionId) {
        if !self.is_decided() {
            self.asked.retain(|asked| asked.connection != connection || asked.answered);
        }
    }

    fn remember(&mut self, connection: ConnectionId, device: Option<Arc<Device>>) {
        // One of another node, which this one had taken for gone.
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.connection == connection) {
            asked.here = true;
            return;
        }
        if self.asked.len() >= MOST_DEVICES
            && let Some(gone) = self.asked.iter().position(|asked| !asked.here)
        {
            self.asked.remove(gone);
        }
        self.asked.push(AskedConnection { connection, device, here: true, answered: false, done: false });
    }

    /// The connections that have been asked and are still there.
    #[cfg(feature = "http")]
    pub(crate) fn asked(&self) -> impl Iterator<Item = ConnectionId> {
        self.asked.iter().filter(|asked| asked.here).map(|asked| asked.connection)
    }

    /// Whether this connection has been asked and is still there.
    pub(crate) fn has_asked(&self, connection: ConnectionId) -> bool {
        self.asked.iter().any(|asked| asked.connection == connection && asked.here)
    }

    /// Whether this device has given its answer, on whatever connection.
    pub(crate) fn has_heard_of(&self, device: Option<&Arc<Device>>) -> bool {
        self.asked.iter().any(|asked| asked.answered && asked.is_device(device))
    }

    /// Whether this connection's device has given its answer.
    pub(crate) fn has_answered(&self, connection: ConnectionId) -> bool {
        self.asked.iter().any(|asked| asked.connection == connection && asked.answered)
    }

    /// Counts a device's answer; the end, if it is one. The first valid signature ends the request, and so does a refusal for
    /// the whole key; anything else drops this device, and the last one dropped ends the request with its reason.
    pub(crate) fn judge(
        &mut self,
        wallet: WalletConnection,
        verdict: Verdict,
        now: Timestamp,
    ) -> Option<(End, WalletConnection)> {
        let (connection, device) = (wallet.connection, wallet.device.as_ref());
        // It may have been answered on a connection on which it was not asked, by a wallet that had it from an earlier one.
        if !self.has_asked(connection) {
            self.remember(connection, device.cloned());
        }
        for asked in self.asked.iter_mut().filter(|asked| asked.connection == connection || asked.is_device(device)) {
            asked.answered = true;
            asked.done |= asked.connection == connection;
        }
        let (end, ends) = verdict.into_end(device);
        if ends {
            return Some((end, wallet));
        }
        self.refusal = Some((end, wallet));
        // Whoever answers has it: from now on the others have a human's time too.
        self.advance(Phase::Received, now);
        self.refusal_of_all()
    }

    /// Notes that a connection has gone; the end, if nobody is left who could answer. A device with a name may come back.
    pub(crate) fn leave(&mut self, connection: ConnectionId) -> Option<(End, WalletConnection)> {
        self.asked.retain_mut(|asked| {
            asked.here &= asked.connection != connection;
            asked.here || asked.answered || asked.device.is_some()
        });
        if let Some(decided) = &mut self.decided {
            decided.acks.retain(|ack| ack.to != connection);
        }
        self.refusal_of_all()
    }

    /// Whether somebody who was asked may be told something else about it, where the other nodes take this one for gone: who has left, or is with
    /// one of them.
    pub(crate) fn is_out_of_sight(&self) -> bool {
        let may_show = |asked: &AskedConnection| !asked.answered && !asked.here;
        self.record.phase() > Phase::Queued && (self.asked.is_empty() || self.asked.iter().any(may_show))
    }

    fn refusal_of_all(&self) -> Option<(End, WalletConnection)> {
        let all = self.asked.iter().all(|asked| asked.answered);
        if all && !self.is_decided() { self.refusal.clone() } else { None }
    }

    /// Sets its end, once; false if that has been done before. Nothing else does.
    pub(crate) fn decide(&mut self, end: End, by: EndedBy, at: Timestamp) -> bool {
        if let Some(decided) = &mut self.decided {
            if decided.gives_way && end == End::Cancelled {
                decided.withdrawn_by.get_or_insert(by);
            }
            return false;
        }
        self.decided = Some(Decided { end, by, at, acks: Vec::new(), gives_way: false, withdrawn_by: None });
        true
    }

    /// Ends it as one that its requester has withdrawn, if another one is taken in its place; false where its end is decided. Until that is
    /// known it is put to nobody, and whoever answers it hears nothing.
    pub(crate) fn give_way(&mut self, at: Timestamp) -> bool {
        if self.is_decided() || !self.decide(End::Cancelled, EndedBy::Requester, at) {
            return false;
        }
        if let Some(decided) = &mut self.decided {
            decided.gives_way = true;
        }
        true
    }

    /// Whether it is over only if another one is taken in its place.
    #[cfg(any(feature = "http", feature = "simulation"))]
    pub(crate) fn gives_way(&self) -> bool {
        self.decided.as_ref().is_some_and(|decided| decided.gives_way)
    }

    /// Goes on with one in whose place no other was taken.
    pub(crate) fn reopen(&mut self) -> Reopened {
        let Some(Decided { end, at, acks, withdrawn_by, .. }) = self.decided.take() else {
            return Reopened::Open { repeated: SmallVec::new(), end: None };
        };
        if let Some(by) = withdrawn_by {
            self.decided = Some(Decided { end, by, at, acks, gives_way: false, withdrawn_by: None });
            return Reopened::Withdrawn;
        }
        let repeated = acks.into_iter().map(|ack| ack.to).filter(|to| self.has_answered(*to)).collect();
        let end = self.refusal_of_all();
        Reopened::Open { repeated, end }
    }

    /// Forgets of those who have not answered that they were asked, and says who is still there.
    pub(crate) fn forget_silent(&mut self) -> SmallVec<[ConnectionId; 1]> {
        let silent =
            self.asked.iter().filter(|asked| asked.here && !asked.answered).map(|asked| asked.connection).collect();
        self.asked.retain(|asked| asked.answered || !asked.here);
        silent
    }

    /// Keeps an acknowledgement until the end is on disk, one for each connection; false if one is being kept.
    pub(crate) fn acknowledge_later(
        &mut self,
        to: ConnectionId,
        signature: Option<&Signature>,
        outcome: AckOutcome,
    ) -> bool {
        let Some(decided) = &mut self.decided else { return false };
        let is_new = !decided.acks.iter().any(|ack| ack.to == to);
        if is_new {
            decided.acks.push(HeldAck { to, signature: signature.copied(), outcome });
        }
        is_new
    }

    /// What an answer is met with that comes after its end was decided.
    pub(crate) fn outcome_of_late(&self, signature: Option<&Signature>) -> AckOutcome {
        outcome_of_late(signature, self.decided.as_ref().map(|decided| &decided.end))
    }

    /// Its end, and when it came to each phase, that one included, while that is decided and not yet in the record.
    pub(crate) fn decided(&self) -> Option<(End, PhaseTimes)> {
        let (end, at) = self.decision()?;
        Some((end.clone(), PhaseTimes { ended: Some(at), ..self.record.times }))
    }

    /// Its end, and when, while that is decided and not yet in the record.
    pub(crate) fn decision(&self) -> Option<(&End, Timestamp)> {
        self.decided.as_ref().map(|decided| (&decided.end, decided.at))
    }

    /// Puts the end into the record, the one that `stands` if there was one before it, and gives whose it is, and what each is told who
    /// waited for that.
    pub(crate) fn conclude(&mut self, stands: Option<&Record>) -> (EndedBy, Vec<(ConnectionId, AckOutcome)>) {
        let (decided, by, at, acks) =
            self.decided.take().map_or((None, None, None, Vec::new()), |Decided { end, by, at, acks, .. }| {
                (Some(end), Some(by), Some(at), acks)
            });
        match stands {
            Some(Record { end, times, .. }) => {
                self.record.end.clone_from(end);
                self.record.times = *times;
            }
            None => {
                self.record.end.clone_from(&decided);
                self.record.times.ended = at;
            }
        }
        let by = by.filter(|_| decided == self.record.end).unwrap_or(EndedBy::Elsewhere);
        let acks = acks.iter().map(|ack| (ack.to, ack.outcome(decided.as_ref(), self.record.end.as_ref())));
        (by, acks.collect())
    }

    /// The end that could not be written, and the acknowledgements that wait for it. It is not told.
    pub(crate) fn let_go(&mut self) -> (Option<End>, Vec<HeldAck>) {
        self.decided.take().map_or((None, Vec::new()), |Decided { end, acks, .. }| (Some(end), acks))
    }

    /// Connections that show the request although their device has answered it on another; told once.
    pub(crate) fn take_superfluous(&mut self) -> SmallVec<[ConnectionId; 1]> {
        let superfluous = self.asked.iter_mut().filter(|asked| asked.answered && asked.here && !asked.done);
        superfluous
            .map(|asked| {
                asked.done = true;
                asked.connection
            })
            .collect()
    }

    /// Connections that still show the request, and those that are done with it.
    pub(crate) fn connections(&self) -> (SmallVec<[ConnectionId; 1]>, SmallVec<[ConnectionId; 1]>) {
        let of = |done: bool| {
            let asked = self.asked.iter().filter(move |asked| asked.done == done && (done || asked.here));
            asked.map(|asked| asked.connection).collect()
        };
        (of(false), of(true))
    }
}

/// The signature that a request ends with is accepted from whoever gives it; anything else is late.
fn outcome_of_late(signature: Option<&Signature>, end: Option<&End>) -> AckOutcome {
    if signature.is_some() && signature == winner(end) { AckOutcome::Accepted } else { AckOutcome::Late }
}

/// The signature of an end that has one.
pub(crate) fn winner(end: Option<&End>) -> Option<&Signature> {
    match end {
        Some(End::Signed { signature, .. }) => Some(signature),
        Some(
            End::Rejected { .. }
            | End::InvalidSignature
            | End::MessageMismatch
            | End::DeliveryTimeout
            | End::Timeout(_)
            | End::Disconnected(_)
            | End::Cancelled
            | End::Draining,
        )
        | None => None,
    }
}
