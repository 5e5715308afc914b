//! A disk that keeps what was synced and nothing else, and the store before it.

use super::environment::Fault;
use countersign_protocol::{RequestId, Signature};
use countersign_server::{
    End, PhaseTimes, Record, Timestamp,
    cluster::NodeId,
    storage::{Completion, Loaded, Recovered, Replaced, Storage, StoreError, Write, Written},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What survives.
#[derive(Debug, Default)]
pub(super) struct Disk {
    records: BTreeMap<RequestId, Record>,
    /// In the order in which they were taken in.
    taken: Vec<RequestId>,
    /// In the order in which they ended.
    ended: Vec<RequestId>,
    keys: BTreeMap<(String, String), ([u8; 32], Vec<RequestId>)>,
    /// Requests whose end was ever submitted, whether or not that got here.
    ending: BTreeSet<RequestId>,
    /// Requests that somebody else has ended, of which the service has not heard.
    unheard: BTreeSet<RequestId>,
    /// Requests that were taken in the place of others.
    in_place: BTreeSet<RequestId>,
    /// A second end for a request that had one of the service's own: something nobody may ever ask for.
    pub(super) contradiction: Option<RequestId>,
    pub(super) fault: Option<Fault>,
}

impl Disk {
    pub(super) fn record(&self, id: RequestId) -> Option<&Record> {
        self.records.get(&id)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(super) fn is_ending(&self, id: RequestId) -> bool {
        self.ending.contains(&id)
    }

    /// Takes note of what is on its way here.
    pub(super) fn submitted(&mut self, write: &Write) {
        match write {
            Write::End { id, .. } => drop(self.ending.insert(*id)),
            Write::Accept { replaced: Some(replaced), .. } => drop(self.ending.insert(replaced.id)),
            _ => {}
        }
    }

    /// The requests an idempotency key stands for.
    pub(super) fn of_key(&self, requester: &str, key: &str) -> Option<&([u8; 32], Vec<RequestId>)> {
        self.keys.get(&(requester.into(), key.into()))
    }

    /// Whether it was ended by somebody else, and the service does not know.
    pub(super) fn is_unheard(&self, id: RequestId) -> bool {
        self.unheard.contains(&id)
    }

    /// Somebody else ends a request.
    pub(super) fn end_elsewhere(&mut self, id: RequestId, end: End, at: Timestamp) {
        let Some(record) = self.records.get_mut(&id) else { return };
        (record.end, record.times.ended) = (Some(end), Some(at));
        self.ended.push(id);
        self.ending.insert(id);
        self.unheard.insert(id);
    }

    /// Goes back to a time before the last calls were taken, as far as nobody has ended or is ending what they asked for; gives the requests, and
    /// the keys that are free again.
    pub(super) fn put_back(&mut self, calls: usize) -> (Vec<RequestId>, Vec<String>) {
        let is_open = |id: &RequestId| {
            let is_open = self.records.get(id).is_some_and(|record| record.end.is_none());
            is_open && !self.ending.contains(id) && !self.in_place.contains(id)
        };
        let batch_of = |id: &RequestId| self.records.get(id).and_then(|record| record.batch).map(|batch| batch.id);
        let together = |id: &RequestId| -> Vec<RequestId> {
            let batch = batch_of(id);
            self.taken
                .iter()
                .filter(|other| *other == id || (batch.is_some() && batch_of(other) == batch))
                .copied()
                .collect()
        };
        let mut gone: Vec<RequestId> = Vec::new();
        let mut left = calls;
        for id in self.taken.iter().rev() {
            let all = together(id);
            if left > 0 && !gone.contains(id) && all.iter().all(is_open) {
                gone.extend(all);
                left -= 1;
            }
        }
        self.taken.retain(|id| !gone.contains(id));
        self.records.retain(|id, _| !gone.contains(id));
        let is_gone = |ids: &[RequestId]| ids.iter().any(|id| gone.contains(id));
        let free = self.keys.iter().filter(|(_, (_, ids))| is_gone(ids)).map(|((_, key), _)| key.clone()).collect();
        self.keys.retain(|_, (_, ids)| !is_gone(ids));
        (gone, free)
    }

    pub(super) fn loaded(&mut self) -> Loaded {
        self.unheard.clear();
        let of = |ids: &[RequestId]| ids.iter().filter_map(|id| self.records.get(id)).cloned().collect::<Vec<_>>();
        let open = of(&self.taken).into_iter().filter(|record| record.end.is_none()).collect();
        Loaded { open, ended: of(&self.ended) }
    }

    /// What is open and this node's, and what has ended, whosever it was.
    pub(super) fn loaded_by(&mut self, node: NodeId) -> Loaded {
        let Loaded { mut open, ended } = self.loaded();
        open.retain(|record| record.node == Some(node));
        Loaded { open, ended }
    }

    /// Makes a node the owner of open requests that have none, or one that is gone, the oldest first.
    pub(super) fn take_over(&mut self, node: NodeId, most: usize, is_there: impl Fn(NodeId) -> bool) -> Vec<Record> {
        let mut taken: Vec<Record> = Vec::new();
        for id in &self.taken {
            let Some(record) = self.records.get_mut(id) else { continue };
            let batch = record.batch.map(|batch| batch.id);
            let is_others = |taken: &Record| batch.is_some() && taken.batch.map(|batch| batch.id) == batch;
            // The rest of a batch comes with its first.
            let has_room = taken.len() < most || taken.iter().any(is_others);
            if has_room && record.end.is_none() && !record.node.is_some_and(&is_there) {
                record.node = Some(node);
                taken.push(record.clone());
            }
        }
        taken
    }

    /// Gives up a node's open requests; whether there were any.
    pub(super) fn hand_over(&mut self, node: NodeId) -> bool {
        let own = self.records.values_mut().filter(|record| record.end.is_none() && record.node == Some(node));
        own.map(|record| record.node = None).count() > 0
    }

    /// Writes something, `by` a node where several share this.
    pub(super) fn commit(&mut self, write: Write, by: Option<NodeId>) -> Written {
        match write {
            Write::Accept { records, idempotency, replaced } => {
                if let Some(idempotency) = &idempotency {
                    let name = (idempotency.requester.as_str().to_owned(), idempotency.key.as_str().to_owned());
                    let known = self.keys.get(&name).filter(|_| self.fault != Some(Fault::DiskForgetsKeys));
                    if let Some((fingerprint, ids)) = known {
                        let is_same = *fingerprint == idempotency.fingerprint;
                        return if is_same { Written::Existing(ids.clone()) } else { Written::Reused };
                    }
                    if records.is_empty() {
                        return Written::Done;
                    }
                }
                if let Some(Replaced { id, end, times, owner }) = replaced.map(|replaced| *replaced) {
                    let keeps = self.fault == Some(Fault::DiskKeepsReplaced);
                    let ended = if keeps { Written::Done } else { self.end(id, end, times, owner.or(by)) };
                    if ended != Written::Done {
                        return ended;
                    }
                    if owner.is_some() {
                        self.unheard.insert(id);
                    }
                    self.in_place.extend(records.iter().map(|record| record.id));
                }
                if let Some(idempotency) = idempotency {
                    let name = (idempotency.requester.as_str().to_owned(), idempotency.key.as_str().to_owned());
                    let ids = records.iter().map(|record| record.id).collect();
                    self.keys.insert(name, (idempotency.fingerprint, ids));
                }
                if self.fault != Some(Fault::DiskForgetsRequests) {
                    for mut record in records {
                        record.node = by;
                        self.taken.push(record.id);
                        self.records.insert(record.id, record);
                    }
                }
            }
            Write::Progress { id, times, attempt } => {
                if let Some(record) =
                    self.records.get_mut(&id).filter(|record| record.end.is_none() && record.node == by)
                {
                    (record.times, record.attempt) = (times, attempt);
                }
            }
            Write::End { id, end, times } if self.fault != Some(Fault::DiskForgetsEnds) => {
                return self.end(id, end, times, by);
            }
            Write::ClockSet { by_ms } => {
                let open = self.records.values_mut().filter(|record| record.end.is_none() && record.node == by);
                if self.fault != Some(Fault::DiskKeepsDeadlines) {
                    open.for_each(|record| move_by(record, by_ms));
                }
            }
            Write::End { .. } | Write::EventDone { .. } | Write::EventFailed { .. } => {}
        }
        Written::Done
    }

    fn end(&mut self, id: RequestId, end: End, times: PhaseTimes, by: Option<NodeId>) -> Written {
        let Some(record) = self.records.get_mut(&id) else { return Written::Unknown };
        let takes_any = self.fault == Some(Fault::DatabaseTakesAnyEnd);
        if record.end.is_some() && !takes_any {
            // A node may have taken over what it was about to end.
            if !self.unheard.remove(&id) && by.is_none() {
                self.contradiction = Some(id);
            }
            let conceals = self.fault == Some(Fault::DiskConcealsEnds);
            return if conceals { Written::Done } else { Written::Ended(Box::new(record.clone())) };
        }
        if record.node != by && !takes_any {
            return Written::Elsewhere;
        }
        let end = if self.fault == Some(Fault::DiskSpoilsSignatures) { spoil(end) } else { end };
        (record.times, record.end) = (times, Some(end));
        self.ended.push(id);
        Written::Done
    }
}

fn move_by(record: &mut Record, by_ms: i64) {
    record.deliver_by = record.deliver_by.moved(by_ms);
    record.expires_at = record.expires_at.moved(by_ms);
    record.times = record.times.moved(by_ms);
}

fn spoil(end: End) -> End {
    match end {
        End::Signed { signature, approved_by, device } => {
            let mut bytes = *signature.as_bytes();
            bytes[0] ^= 1;
            End::Signed { signature: Signature::from(bytes), approved_by, device }
        }
        other => other,
    }
}

/// The store of one life of the server. It ends with that.
pub(super) struct Store {
    disk: Arc<Mutex<Disk>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Write, Completion<Written>)>,
    /// Ends that found no room.
    kept: VecDeque<(Write, Completion<Written>)>,
    full: bool,
    failed: bool,
    /// To be told with the next sync that their writes failed.
    told_failed: Vec<Completion<Written>>,
    on_recovery: Option<Recovered>,
    dead: bool,
    submitted: u64,
}

/// What a sync came to, to be told outside of any lock.
#[derive(Default)]
pub(super) struct Synced {
    told: Vec<(Completion<Written>, Result<Written, StoreError>)>,
    pub(super) refused: bool,
    pub(super) kept: bool,
    /// An end was not the first.
    pub(super) overruled: bool,
}

impl Synced {
    pub(super) fn tell(self) {
        for (completion, outcome) in self.told {
            completion.complete(outcome);
        }
    }
}

impl Store {
    pub(super) fn new(disk: Arc<Mutex<Disk>>) -> Self {
        Self { disk, state: Mutex::default() }
    }

    /// How many writes were ever submitted, while some wait for a sync.
    pub(super) fn waiting(&self) -> Option<u64> {
        let state = self.state();
        (!state.queue.is_empty() || !state.told_failed.is_empty()).then_some(state.submitted)
    }

    pub(super) fn set_full(&self, full: bool) {
        let mut state = self.state();
        state.full = full;
        if !full {
            let kept = std::mem::take(&mut state.kept);
            let later = std::mem::replace(&mut state.queue, kept);
            state.queue.extend(later);
        }
    }

    /// The disk fails: `survive` of the queued writes get there all the same, and nobody can know.
    pub(super) fn fail(&self, survive: usize) {
        let mut state = self.state();
        let survive = if state.full { 0 } else { survive.min(state.queue.len()) };
        let queued: Vec<_> = state.queue.drain(..survive).collect();
        let (written, told): (Vec<_>, Vec<_>) = queued.into_iter().unzip();
        written.into_iter().for_each(|write| drop(disk(&self.disk).commit(write, None)));
        state.told_failed.extend(told);
        state.failed = true;
        let kept = std::mem::take(&mut state.kept);
        state.queue.extend(kept);
    }

    /// The disk works again. What waits fails all the same.
    pub(super) fn recover(&self) {
        self.sync(usize::MAX).tell();
        let mut state = self.state();
        state.failed = false;
        let Some(then) = state.on_recovery.take() else { return };
        drop(state);
        let loaded = disk(&self.disk).loaded();
        then(loaded);
        self.state().on_recovery = Some(then);
    }

    pub(super) fn is_failed(&self) -> bool {
        self.state().failed
    }

    /// Commits the oldest `most` writes, all at once.
    pub(super) fn sync(&self, most: usize) -> Synced {
        let mut state = self.state();
        let mut disk = disk(&self.disk);
        let mut synced = Synced::default();
        synced.told.extend(state.told_failed.drain(..).map(|then| (then, Err(StoreError::Failed))));
        for _ in 0..most {
            let Some((write, then)) = state.queue.pop_front() else { break };
            let outcome = match (&write, state.failed, state.full) {
                (_, true, _) => Err(StoreError::Failed),
                (Write::End { .. } | Write::ClockSet { .. }, false, true) => {
                    synced.kept = true;
                    state.kept.push_back((write, then));
                    continue;
                }
                (_, false, true) => Err(StoreError::Full),
                (_, false, false) => Ok(disk.commit(write, None)),
            };
            synced.refused |= outcome.is_err();
            synced.overruled |= matches!(outcome, Ok(Written::Ended(_)));
            synced.told.push((then, outcome));
        }
        synced
    }

    /// The process dies: `survive` of the queued writes are on disk, and nobody is told of any. Answers how many are lost.
    pub(super) fn die(&self, survive: usize) -> usize {
        let mut state = self.state();
        let mut disk = disk(&self.disk);
        state.dead = true;
        let (failed, full) = (state.failed, state.full);
        let queue = std::mem::take(&mut state.queue);
        let (queued, kept) = (queue.len(), std::mem::take(&mut state.kept));
        let told_failed = std::mem::take(&mut state.told_failed);
        let survive = if failed || full { 0 } else { survive.min(queued) };
        let mut dropped = Vec::new();
        for (at, (write, then)) in queue.into_iter().enumerate() {
            if at < survive {
                disk.commit(write, None);
            }
            dropped.push(then);
        }
        drop((state, disk));
        // What a completion holds on to may write as it is dropped.
        drop((dropped, kept, told_failed));
        queued - survive
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is on disk.
pub(super) fn disk(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Storage for Store {
    fn write(&self, write: Write, then: Completion<Written>) {
        let mut state = self.state();
        if !state.dead {
            state.submitted += 1;
            disk(&self.disk).submitted(&write);
            state.queue.push_back((write, then));
        }
    }

    fn on_recovery(&self, then: Recovered) {
        self.state().on_recovery = Some(then);
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        let record = disk(&self.disk).record(id).cloned();
        then.complete(Ok(record));
    }
}
