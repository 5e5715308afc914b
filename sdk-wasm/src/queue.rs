//! What waits to be done, first in, first out.

use crate::prelude::*;

/// A queue that is drained right after each input, and so is short: moving what follows up by one costs nothing that matters,
/// and a ring buffer would be several times the code to download.
#[derive(Debug, Clone)]
pub(crate) struct Queue<T>(Vec<T>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Queue<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, item: T) {
        self.0.push(item);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}
