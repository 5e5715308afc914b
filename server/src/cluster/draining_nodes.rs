//! Nodes that drain, and the wallets on their way from them to others.

use super::NodeId;
use crate::time::Timestamp;
use std::{collections::BTreeSet, time::Duration};

/// How long a wallet may be on its way from a node that leaves to another: it dials after up to a second.
pub(crate) const ON_THE_WAY: Duration = Duration::from_secs(2);

/// Whether wallets are about to come.
#[derive(Debug, Default)]
pub(crate) struct DrainingNodes {
    /// Nodes that have said that they leave, and have not left.
    leaving: BTreeSet<NodeId>,
    /// Until when wallets of one that has left may be on their way.
    until: Option<Timestamp>,
}

impl DrainingNodes {
    /// A node sends its wallets away from now on.
    pub(crate) fn begin(&mut self, node: NodeId) {
        self.leaving.insert(node);
    }

    /// A node is gone, and its last wallets dial another one.
    pub(crate) fn end(&mut self, node: NodeId, now: Timestamp) {
        self.leaving.remove(&node);
        self.until = Some(now.after(ON_THE_WAY));
    }

    /// Whether any may be on its way.
    pub(crate) fn are_under_way(&self, now: Timestamp) -> bool {
        !self.leaving.is_empty() || self.until.is_some_and(|until| now < until)
    }
}
