//! What a wallet's storage holds, and what is on its way there.

use super::{
    clocks::{milliseconds, timestamp},
    coverage::Seen,
    environment::{Environment, Fault},
    events::{DeviceId, Event, Millis},
};
use countersign_protocol::RequestId;
use countersign_wasm::{
    effect::{StoreAction, StoreTask, StoreTaskId},
    record::{Record, Stage},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The storage of one device.
#[derive(Debug, Default)]
pub(super) struct WalletStorage {
    /// As JSON, with the time of day at which the request's time is over, by the clock of that moment.
    records: BTreeMap<RequestId, (String, f64)>,
    queue: VecDeque<(StoreTaskId, Change)>,
    /// The latest that anything queued will be done.
    floor: Millis,
    /// It has once kept a wallet waiting for longer than that waits.
    pub(super) has_hung: bool,
    /// What was ever written here of its having been shown, of its having been decided, and of its having run out.
    pub(super) shown: BTreeSet<RequestId>,
    pub(super) decided: BTreeSet<RequestId>,
    pub(super) over: BTreeSet<RequestId>,
}

#[derive(Debug)]
enum Change {
    Keep { id: RequestId, json: String, until: f64, written: Written },
    Forget(RequestId),
}

/// What a record says of its request beside its having been shown.
#[derive(Debug)]
enum Written {
    Shown,
    Decided,
    Over,
}

impl WalletStorage {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Takes on a task; `zero` is the time of day at which the wallet's own clock showed nought.
    pub(super) fn submit(
        &mut self,
        environment: &mut Environment,
        device: (DeviceId, u64),
        task: StoreTask,
        zero: f64,
    ) {
        let change = match task.action {
            StoreAction::Keep(record) => Change::Keep {
                id: record.request_id,
                json: record.to_json(),
                until: milliseconds(record.deadline.as_millis()) + zero,
                written: match record.stage {
                    Stage::Shown => Written::Shown,
                    Stage::Answered { .. } | Stage::Settled { .. } => Written::Decided,
                    Stage::Over => Written::Over,
                },
            },
            StoreAction::Forget(id) => Change::Forget(id),
        };
        self.queue.push_back((task.id, change));
        let wait = match environment.rng.u32(0..200) {
            _ if environment.healed => 5,
            0 => {
                environment.see(Seen::StoreHung);
                self.has_hung = true;
                environment.between(5_000, 9_000)
            }
            1..10 => environment.between(100, 2_000),
            10.. => environment.between(1, 20),
        };
        self.floor = self.floor.max(environment.now + wait);
        // What is said or shown and not written is what a crash is about.
        if environment.mishap(2) {
            let wait = environment.between(0, 2 * wait);
            environment.after(wait, Event::WalletCrashes(device.0));
        }
        environment.at(self.floor, Event::Shelved(device.0, device.1));
    }

    /// Does the oldest thing.
    pub(super) fn step(&mut self) -> Option<StoreTaskId> {
        let (task, change) = self.queue.pop_front()?;
        match change {
            Change::Keep { id, json, until, written } => {
                self.records.insert(id, (json, until));
                self.shown.insert(id);
                match written {
                    Written::Shown => {}
                    Written::Decided => drop(self.decided.insert(id)),
                    Written::Over => drop(self.over.insert(id)),
                }
            }
            Change::Forget(id) => drop(self.records.remove(&id)),
        }
        Some(task)
    }

    /// The process dies; some of what was under way may have been done, in its order.
    pub(super) fn crash(&mut self, environment: &mut Environment) {
        for _ in 0..environment.rng.usize(0..=self.queue.len()) {
            self.step();
        }
        self.queue.clear();
        self.floor = 0;
        if environment.fault == Some(Fault::WalletForgets) {
            self.records.clear();
        }
    }

    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }

    /// As the TypeScript side does, the one that ends last at the end.
    pub(super) fn load(&self, zero: f64) -> Vec<Record> {
        let read = |(json, until): &(String, f64)| Record::from_json(json, timestamp(until - zero)).ok();
        let mut records: Vec<_> = self.records.values().filter_map(read).collect();
        records.sort_by_key(|record| record.deadline);
        records
    }
}
