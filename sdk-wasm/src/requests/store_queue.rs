//! The changes to the store that wait to be carried out.

use crate::{
    effect::{StoreAction, StoreTask, StoreTaskId},
    queue::Queue,
    record::Record,
};
use countersign_protocol::RequestId;

/// Hands out store tasks in order; none where nothing is kept.
#[derive(Debug)]
pub(crate) struct StoreQueue {
    keeps: bool,
    last: u64,
    tasks: Queue<StoreTask>,
}

impl StoreQueue {
    pub(crate) fn new(keeps: bool) -> Self {
        Self { keeps, last: 0, tasks: Queue::default() }
    }

    /// Has a record kept; answers under which name that will be reported, if it is kept at all.
    pub(crate) fn keep(&mut self, record: Record) -> Option<StoreTaskId> {
        self.push(StoreAction::Keep(record))
    }

    pub(crate) fn forget(&mut self, id: RequestId) {
        self.push(StoreAction::Forget(id));
    }

    pub(crate) fn poll(&mut self) -> Option<StoreTask> {
        self.tasks.pop()
    }

    fn push(&mut self, action: StoreAction) -> Option<StoreTaskId> {
        if !self.keeps {
            return None;
        }
        self.last += 1;
        let id = StoreTaskId(self.last);
        self.tasks.push(StoreTask { id, action });
        Some(id)
    }
}
