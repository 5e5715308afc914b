//! Requests that may have ended without their owner knowing: another node does that with the write of what it takes in their place. What it says of it
//! may be lost, or the node be gone before it has said anything.

use super::NodeId;
use countersign_protocol::RequestId;
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

/// The most that are asked for at once.
const AT_ONCE: usize = 1_000;

/// The most requests of other nodes of which it is not known whether they have been ended here.
const MOST_IN_DOUBT: usize = 4_096;

/// All of them. One question is under way at a time.
#[derive(Debug, Default)]
pub(crate) struct EndChecks {
    /// To be asked for.
    due: BTreeSet<RequestId>,
    /// To be asked for when the database may be there again.
    failed: BTreeSet<RequestId>,
    /// Requests of other nodes, and which these are.
    in_doubt: BTreeMap<RequestId, NodeId>,
    is_asking: bool,
}

impl EndChecks {
    /// Has these asked for, which are open here.
    pub(crate) fn add(&mut self, ids: impl IntoIterator<Item = RequestId>) {
        self.due.extend(ids);
    }

    /// Has one asked for that is another node's, and may have been ended here.
    pub(crate) fn doubt(&mut self, id: RequestId, owner: NodeId) {
        if self.in_doubt.len() < MOST_IN_DOUBT {
            self.in_doubt.insert(id, owner);
            self.failed.insert(id);
        }
    }

    /// The database may be there again.
    pub(crate) fn retry(&mut self) {
        self.due.append(&mut self.failed);
    }

    /// What is to be asked for now; none where there is nothing, or an answer is waited for.
    pub(crate) fn ask(&mut self) -> Option<Vec<RequestId>> {
        if self.is_asking || self.due.is_empty() {
            return None;
        }
        let rest = self.due.iter().nth(AT_ONCE).copied().map(|at| self.due.split_off(&at)).unwrap_or_default();
        self.is_asking = true;
        Some(mem::replace(&mut self.due, rest).into_iter().collect())
    }

    /// Nobody could say.
    pub(crate) fn fail(&mut self, asked: Vec<RequestId>) {
        self.is_asking = false;
        self.failed.extend(asked);
    }

    /// There is an answer; the owners of those that are other nodes'.
    pub(crate) fn answer(&mut self, asked: &[RequestId]) -> BTreeMap<RequestId, NodeId> {
        self.is_asking = false;
        asked.iter().filter_map(|id| Some((*id, self.in_doubt.remove(id)?))).collect()
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty() && self.failed.is_empty() && self.in_doubt.is_empty() && !self.is_asking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> RequestId {
        RequestId::from_bytes((n as u128).to_be_bytes())
    }

    #[test]
    fn so_many_are_asked_for_at_once_one_question_after_the_other() {
        let mut checks = EndChecks::default();
        checks.add((0..2_500).map(id));
        let mut asked = Vec::new();
        while let Some(ids) = checks.ask() {
            assert_eq!(checks.ask(), None, "there is no answer yet");
            assert!(checks.answer(&ids).is_empty());
            asked.push(ids.len());
        }
        assert_eq!(asked, [1_000, 1_000, 500]);
    }

    #[test]
    fn what_nobody_could_say_is_asked_again() {
        let (mut checks, owner) = (EndChecks::default(), NodeId::from_bits(7));
        checks.doubt(id(1), owner);
        assert_eq!(checks.ask(), None, "the database has just failed");
        checks.retry();
        let asked = checks.ask().unwrap();
        checks.fail(asked);
        assert_eq!(checks.ask(), None);
        checks.retry();
        let asked = checks.ask().unwrap();
        assert_eq!(checks.answer(&asked), BTreeMap::from([(id(1), owner)]));
        assert_eq!(checks.answer(&asked), BTreeMap::new(), "told once");
    }

    #[test]
    fn what_is_in_doubt_is_bounded() {
        let mut checks = EndChecks::default();
        for n in 0..10_000 {
            checks.doubt(id(n), NodeId::from_bits(7));
        }
        assert_eq!((checks.in_doubt.len(), checks.failed.len()), (MOST_IN_DOUBT, MOST_IN_DOUBT));
    }
}
