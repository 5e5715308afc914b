//! Which node of its server a wallet dials next.

use crate::queue::Queue;
use core::num::NonZero;
use countersign_protocol::Audience;

/// The nodes of one server, by the URLs that are dialled to get there: at least one.
#[derive(Debug, Clone)]
pub struct Nodes {
    current: Audience,
    /// The others in the order in which they follow.
    others: Queue<Audience>,
    /// How many in a row have refused for good.
    refusals: usize,
}

impl Nodes {
    /// A server of one node.
    pub fn new(audience: Audience) -> Self {
        Self { current: audience, others: Queue::default(), refusals: 0 }
    }

    pub(crate) fn add(&mut self, audience: Audience) {
        self.others.push(audience);
    }

    pub(crate) fn count(&self) -> NonZero<usize> {
        NonZero::<usize>::MIN.saturating_add(self.others.len())
    }

    /// The one that is dialled, or is to be dialled next.
    pub(crate) fn current(&self) -> &Audience {
        &self.current
    }

    /// Goes on to the next, and after the last to the first. `refused` says that the one before would say no again, however
    /// often it is dialled; false where all have said so, one after another.
    pub(crate) fn advance(&mut self, refused: bool) -> bool {
        self.refusals = if refused { self.refusals + 1 } else { 0 };
        if let Some(next) = self.others.pop() {
            self.others.push(core::mem::replace(&mut self.current, next));
        }
        self.refusals < self.count().get()
    }

    /// Forgets who has refused.
    pub(crate) fn forgive(&mut self) {
        self.refusals = 0;
    }
}
