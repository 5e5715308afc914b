//! Several statements under way at once, in order.

use futures_util::future::{MaybeDone, maybe_done};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

/// Begins all of these in this order, and only then waits: the answers come in the same order, after one journey there and back.
/// A statement is sent when its future is first polled.
pub(super) async fn pipeline<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut begun: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|cx| {
        for future in &mut begun {
            // Whether it is done already shows below.
            let _ = future.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    let mut outputs = Vec::with_capacity(begun.len());
    for mut future in begun {
        future.as_mut().await;
        outputs.extend(future.as_mut().take_output());
    }
    outputs
}
