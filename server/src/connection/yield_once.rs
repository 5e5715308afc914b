//! Yielding to other tasks.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Lets whatever else is ready run before it goes on.
///
/// The runtime's own `yield_now` asks the sockets in between: what that finds is little, as they were asked a moment ago, and goes before what has
/// given way. So many small rounds would take the place of a few large ones.
pub(crate) fn yield_once() -> YieldOnce {
    YieldOnce { has_yielded: false }
}

/// [`yield_once`]. As small as can be: there are two for every wallet.
#[derive(Debug)]
pub(crate) struct YieldOnce {
    has_yielded: bool,
}

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
