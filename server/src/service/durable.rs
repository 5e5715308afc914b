//! Requests that outlive their callers and the process: taking, watching, cancelling, and ending them in time.

use super::SigningService;
use crate::{
    SigningError,
    cluster::{Mail, NodeId},
    dispatch::{Accepted, Replaces},
    record::{PhaseTimes, Record},
    requester::RequesterId,
    steps::EndedBy,
    storage::{Completion, Idempotency, Loaded, StoreError},
    time::Timestamp,
};
use countersign_protocol::{PublicKey, PublicKeyBytes, RequestId};
use std::{num::NonZeroU32, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, interval, interval_at, sleep, sleep_until},
};

/// How long past a request's deadline its end may take to be on disk, before whoever waits is told that it cannot be had.
const STORE_GRACE: Duration = Duration::from_secs(1);

/// How long after the start, and then how often, a store is asked to forget what has been kept for long enough.
const BEFORE_THE_FIRST_SWEEP: Duration = Duration::from_secs(5 * 60);
const BETWEEN_SWEEPS: Duration = Duration::from_secs(60 * 60);

/// How exact the times are at which something is said to other nodes.
const BETWEEN_LOOKS_AT_OTHERS: Duration = Duration::from_millis(100);

/// How long a store has to look a request up.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a withdrawal may take, and after what time it is said to the request's owner again, who may be another one by then.
pub(super) const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a request is looked for in whose place another is to be, and which moves from node to node meanwhile.
const TRIES_TO_REPLACE: u32 = 3;
const BETWEEN_CANCELS: Duration = Duration::from_secs(1);

/// How long news of a request on another node may be late where the packet that brings it is lost.
const BETWEEN_READS: Duration = Duration::from_secs(1);

/// A timer that is so late tells that the process was stopped: a machine that is merely busy is not.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// How long what lies in sockets has to be read after that.
const READ_GRACE: Duration = Duration::from_millis(500);

impl SigningService {
    /// Has requests written, and returns once they are on disk, and the one has ended in whose place they are; `most` is how many their
    /// requester's token lets it have.
    ///
    /// # Cancel safety
    /// Once begun it goes on: dropping the future leaves it open whether the requests were taken. That is what idempotency keys are for.
    pub(crate) async fn ask_durably(
        &self,
        records: Vec<Record>,
        idempotency: Option<Idempotency>,
        queue: bool,
        most: Option<NonZeroU32>,
        replaces: Option<RequestId>,
    ) -> Result<Accepted, SigningError> {
        let Some(Record { public_key, requester_id, expires_at, .. }) = records.first() else {
            return Err(SigningError::InvalidBatch(0));
        };
        let (key, requester, expires_at) = (*public_key, requester_id.clone(), *expires_at);
        let Some(replaced) = replaces else {
            return self.accept(records, idempotency, queue, (most, None), (key, expires_at)).await;
        };
        for _ in 0..TRIES_TO_REPLACE {
            let place = Some(self.locate_replaced(&requester, &key, replaced).await?);
            let asked = (records.clone(), idempotency.clone());
            let accepted = self.accept(asked.0, asked.1, queue, (most, place), (key, expires_at)).await;
            if accepted != Err(SigningError::UnknownRequest) {
                return accepted;
            }
            if let Some(error) = self.why_not_replaced(&requester, &key, replaced).await {
                return Err(error);
            }
        }
        Err(SigningError::StorageUnavailable)
    }

    async fn accept(
        &self,
        records: Vec<Record>,
        idempotency: Option<Idempotency>,
        queue: bool,
        (most, replaces): (Option<NonZeroU32>, Option<Replaces>),
        (key, expires_at): (PublicKeyBytes, Timestamp),
    ) -> Result<Accepted, SigningError> {
        let is_located = self.locate(&key).await;
        if !queue {
            self.wait_for_arrival(&key).await;
        }
        let accepted = self.begin_durably(records, idempotency, queue, most, replaces);
        let accepted = accepted.map_err(|error| Self::unless_unknown(error, is_located))?;
        tokio::select! {
            biased;
            accepted = accepted => {
                let accepted = accepted.unwrap_or(Err(SigningError::StorageUnavailable));
                accepted.map_err(|error| Self::unless_unknown(error, is_located))
            }
            () = self.overdue(expires_at) => Err(SigningError::StorageUnavailable),
        }
    }

    /// That no wallet is connected can be said where that is known.
    pub(crate) fn unless_unknown(error: SigningError, is_located: bool) -> SigningError {
        if error == SigningError::SignerNotConnected && !is_located { SigningError::StorageUnavailable } else { error }
    }

    pub(crate) fn begin_durably(
        &self,
        records: Vec<Record>,
        idempotency: Option<Idempotency>,
        queue: bool,
        most: Option<NonZeroU32>,
        replaces: Option<Replaces>,
    ) -> Result<oneshot::Receiver<Result<Accepted, SigningError>>, SigningError> {
        if self.0.store.is_none() {
            return Err(SigningError::NoStore);
        }
        let (waiter, accepted) = oneshot::channel();
        let Some(Record { id, public_key, .. }) = records.first() else { return Err(SigningError::InvalidBatch(0)) };
        let first = *id;
        // Outside the lock: it takes as long as a verification.
        if !self.state().dispatcher.knows(public_key) {
            PublicKey::admit(*public_key)?;
        }
        let now = self.now();
        let mut state = self.state();
        state.dispatcher.ask_durably(records, idempotency, queue, most, replaces, now)?;
        state.acceptances.insert(first, waiter);
        self.carry_out(state, now);
        Ok(accepted)
    }

    /// A durable request as it stands, for the one who asked for it.
    ///
    /// # Errors
    /// [`SigningError::UnknownRequest`] where there is none, or it is another requester's; [`SigningError::StorageUnavailable`].
    pub async fn record(&self, requester: &RequesterId, id: RequestId) -> Result<Record, SigningError> {
        self.look_up(requester, id).await.map(|record| self.shown(record))
    }

    async fn look_up(&self, requester: &RequesterId, id: RequestId) -> Result<Record, SigningError> {
        let record = match self.open_record(id) {
            Some(record) => Some(record),
            None => self.read(id).await?,
        };
        record.filter(|record| record.requester_id == *requester).ok_or(SigningError::UnknownRequest)
    }

    /// Follows a durable request: what is told first is how it stands.
    ///
    /// # Errors
    /// As of [`SigningService::record`].
    pub async fn subscribe(&self, requester: &RequesterId, id: RequestId) -> Result<Subscription, SigningError> {
        let (changes, requester) = (self.watch(id), requester.clone());
        let mut subscription = Subscription {
            service: self.clone(),
            requester,
            id,
            changes,
            news: None,
            stale: false,
            last: false,
            told: None,
            owner: None,
        };
        // Looked up after the watch has begun, so that nothing falls in between.
        subscription.news = Some(self.look_up(&subscription.requester, id).await?);
        Ok(subscription)
    }

    /// Waits for a durable request's end, no longer than `time_limit`, and returns how it stands then.
    ///
    /// # Errors
    /// As of [`SigningService::record`], and [`SigningError::Draining`]; [`SigningError::StorageUnavailable`] a second after the
    /// request's own deadline, where its end is not on disk by then.
    pub async fn wait(
        &self,
        requester: &RequesterId,
        id: RequestId,
        time_limit: Duration,
    ) -> Result<Record, SigningError> {
        let mut subscription = self.subscribe(requester, id).await?;
        let expires_at = subscription.expires_at();
        let ended = async {
            loop {
                match subscription.next().await? {
                    Some(record) if record.end.is_some() => return Ok(record),
                    Some(_) => {}
                    None => return self.record(requester, id).await,
                }
            }
        };
        let is_overdue = tokio::select! {
            biased;
            ended = ended => return ended,
            () = sleep(time_limit) => false,
            () = self.overdue(expires_at.unwrap_or_else(|| self.now())) => true,
        };
        let record = self.record(requester, id).await?;
        if record.end.is_none() && is_overdue {
            return Err(SigningError::StorageUnavailable);
        }
        Ok(record)
    }

    /// Resolves when the end of a request with this deadline should have been on disk: whoever waits for it is answered then, whatever
    /// the store does.
    async fn overdue(&self, expires_at: Timestamp) {
        self.due(expires_at).await;
        sleep(STORE_GRACE).await;
    }

    /// Withdraws a durable request. One that has ended stays as it is.
    ///
    /// # Errors
    /// As of [`SigningService::record`].
    pub async fn cancel(&self, requester: &RequesterId, id: RequestId) -> Result<Record, SigningError> {
        self.cancel_by(requester, id, EndedBy::Requester).await
    }

    /// Likewise, on somebody's wish.
    pub(crate) async fn cancel_by(
        &self,
        requester: &RequesterId,
        id: RequestId,
        by: EndedBy,
    ) -> Result<Record, SigningError> {
        let record = self.record(requester, id).await?;
        if record.end.is_some() {
            return Ok(record);
        }
        if self.is_open_here(id) {
            self.withdraw(id, by);
            // It is over once that is on disk, which is a matter of milliseconds; a disk that hangs is not waited for.
            return self.wait(requester, id, CANCEL_TIMEOUT).await;
        }
        self.cancel_elsewhere(requester, record, by).await
    }

    /// Has its owner withdraw a request, whoever that is meanwhile.
    async fn cancel_elsewhere(
        &self,
        requester: &RequesterId,
        mut record: Record,
        by: EndedBy,
    ) -> Result<Record, SigningError> {
        let (id, begun) = (record.id, Instant::now());
        while record.end.is_none() && begun.elapsed() < CANCEL_TIMEOUT {
            self.withdraw_from(id, record.node, by.clone());
            record = self.wait(requester, id, BETWEEN_CANCELS).await?;
        }
        Ok(record)
    }

    pub(crate) fn withdraw_from(&self, id: RequestId, owner: Option<NodeId>, by: EndedBy) {
        match owner {
            Some(owner) if !self.is_open_here(id) => {
                let by_operator = by == EndedBy::Operator;
                self.tell_owner(owner, Mail::Withdraw { request_id: id, by_operator });
            }
            Some(_) | None => self.withdraw(id, by),
        }
    }

    pub(super) fn is_open_here(&self, id: RequestId) -> bool {
        self.state().dispatcher.durable_record(id).is_some()
    }

    /// Ends durable requests whose time is over, and has the store forget what has been kept for long enough, for as long as it is
    /// polled. Run it once beside a service that has a store; requests that somebody waits for end in time without it.
    pub async fn maintain(&self) {
        tokio::join!(self.end_in_time(), self.forget_now_and_then(), self.watch_the_clock(), self.keep_in_touch());
    }

    async fn forget_now_and_then(&self) {
        let Some(store) = &self.0.store else { return };
        // Not at once: a machine that starts with a wrong clock has often put it right by then.
        let mut sweeps = interval_at(Instant::now() + BEFORE_THE_FIRST_SWEEP, BETWEEN_SWEEPS);
        loop {
            sweeps.tick().await;
            store.forget(self.0.clock.believed());
        }
    }

    /// Does in time what there is to do with other nodes.
    async fn keep_in_touch(&self) {
        if self.0.hub.is_none() {
            return;
        }
        let mut looks = interval(BETWEEN_LOOKS_AT_OTHERS);
        loop {
            looks.tick().await;
            self.handle_timeout();
        }
    }

    async fn end_in_time(&self) {
        loop {
            let changed = self.0.deadlines.notified();
            let due = self.next_deadline();
            match due {
                Some(at) => {
                    tokio::select! {
                        () = self.due(at) => self.handle_timeout(),
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Resolves when a deadline is over; for a process that was stopped meanwhile a little later, so that answers which came in time, and
    /// lie in sockets, are read first.
    pub(super) async fn due(&self, deadline: Timestamp) {
        let deadline = self.0.clock.instant_of(deadline);
        let begun = Instant::now();
        sleep_until(deadline).await;
        if begun < deadline && Instant::now().duration_since(deadline) >= OVERSLEPT {
            sleep(READ_GRACE).await;
        }
    }

    /// A store that had failed works again, and has this on disk.
    pub(super) fn recover(&self, mut loaded: Loaded) {
        loaded.open.iter_mut().chain(&mut loaded.ended).for_each(|record| record.move_by(self.behind()));
        let now = self.now();
        let mut state = self.state();
        state.dispatcher.recover(loaded, now);
        self.take_all_set_aside(&mut state, now);
        self.watch_open_keys(&mut state, now);
        self.carry_out(state, now);
        self.0.deadlines.notify_one();
    }

    pub(crate) fn open_record(&self, id: RequestId) -> Option<Record> {
        self.state().dispatcher.durable_record(id).cloned()
    }

    pub(crate) fn withdraw(&self, id: RequestId, by: EndedBy) {
        self.apply(|dispatcher, now| dispatcher.cancel(id, by, now));
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        self.state().dispatcher.poll_timeout()
    }

    /// When [`SigningService::handle_timeout`] is due.
    #[cfg(feature = "simulation")]
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let state = self.state();
        let others = state.cluster.as_ref().and_then(|cluster| cluster.poll_timeout());
        state.dispatcher.poll_timeout().into_iter().chain(others).min()
    }

    fn is_clustered(&self) -> bool {
        self.0.hub.is_some()
    }

    pub(super) async fn read(&self, id: RequestId) -> Result<Option<Record>, SigningError> {
        let Some(store) = &self.0.store else { return Ok(None) };
        let (reader, record) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        store.read(id, Completion::new(move |record| drop(reader.send(record))));
        let record = tokio::select! {
            biased;
            record = record => record,
            // A timer only where the store takes its time.
            () = async { sleep(READ_TIMEOUT).await } => return Err(SigningError::StorageUnavailable),
        };
        match record {
            Ok(Ok(mut record)) => {
                if let Some(record) = &mut record {
                    record.move_by(self.behind());
                }
                Ok(record)
            }
            Ok(Err(StoreError::Full | StoreError::Failed)) | Err(_) => Err(SigningError::StorageUnavailable),
        }
    }

    /// Woken at each change of an open durable request, which may be open on another node; none where it is not open.
    fn watch(&self, id: RequestId) -> Option<watch::Receiver<()>> {
        let mut state = self.state();
        if self.0.hub.is_none() {
            state.dispatcher.durable_record(id)?;
        }
        Some(state.watchers.entry(id).or_insert_with(|| watch::Sender::new(())).subscribe())
    }
}

/// Follows one durable request to its end.
#[derive(Debug)]
pub struct Subscription {
    service: SigningService,
    requester: RequesterId,
    id: RequestId,
    changes: Option<watch::Receiver<()>>,
    news: Option<Record>,
    /// A change has been heard of and not yet looked at.
    stale: bool,
    /// It was the last.
    last: bool,
    told: Option<Told>,
    /// Which node owns it, as of the last look.
    owner: Option<NodeId>,
}

impl Subscription {
    /// When the request has to be answered; none once that has been told.
    fn expires_at(&self) -> Option<Timestamp> {
        self.news.as_ref().map(|record| record.expires_at)
    }

    /// How the request stood when this began; none once that has been told.
    #[cfg(feature = "http")]
    pub(crate) fn first(&self) -> Option<&Record> {
        self.news.as_ref()
    }

    /// How the request stands: at once the first time, then at each change, the last time when it has ended; `None` after that. Changes
    /// that follow each other closely may be told as one.
    ///
    /// # Errors
    /// As of [`SigningService::record`], and [`SigningError::Draining`] when the server stops before the end.
    ///
    /// # Cancel safety
    /// No change is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Record>, SigningError> {
        if let Some(record) = self.news.take() {
            return Ok(Some(self.tell(record)));
        }
        while self.changes.is_some() {
            if !self.stale {
                self.last = self.changed().await;
                self.stale = true;
            }
            let record = self.service.look_up(&self.requester, self.id).await?;
            self.stale = false;
            // It may be another's by now although nothing else is new.
            self.owner = record.node;
            if self.last && record.end.is_none() {
                // Nobody wakes it any more. Another node may own it by now, unless the server stops.
                self.changes = self.service.watch(self.id).filter(|_| !self.service.is_draining());
                if self.changes.is_none() {
                    return Err(SigningError::Draining);
                }
            }
            if self.told != Some(Told::of(&record)) {
                return Ok(Some(self.tell(record)));
            }
        }
        Ok(None)
    }

    fn tell(&mut self, record: Record) -> Record {
        if record.end.is_some() {
            self.changes = None;
        }
        self.told = Some(Told::of(&record));
        self.owner = record.node;
        self.service.shown(record)
    }

    /// Resolves when there may be something new; true where nobody wakes it any more, since the request has ended or is another node's, or
    /// the server stops.
    async fn changed(&mut self) -> bool {
        let Some(changes) = &mut self.changes else { return true };
        if self.service.is_open_here(self.id) || !self.service.is_clustered() {
            return changes.changed().await.is_err();
        }
        if let Some(owner) = self.owner {
            self.service.follow(self.id, owner);
        }
        tokio::select! {
            changed = changes.changed() => changed.is_err(),
            () = sleep(BETWEEN_READS) => false,
        }
    }
}

/// What was told of a request: not again what is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    times: PhaseTimes,
    attempt: u32,
}

impl Told {
    fn of(record: &Record) -> Self {
        Self { times: record.times, attempt: record.attempt }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.changes = None;
        let mut state = self.service.state();
        if state.watchers.get(&self.id).is_some_and(|watchers| watchers.receiver_count() == 0) {
            state.watchers.remove(&self.id);
        }
        drop(state);
        self.service.0.changed.notify_waiters();
    }
}
