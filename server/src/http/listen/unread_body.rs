//! A request's body that comes back from whoever was to read it, so that what nobody wanted to read is read nevertheless.
//!
//! A server that answers and closes while a client is still sending resets the connection, and the client may lose the answer
//! (RFC 9112 §9.6). Proxies report that as a fault of the server.

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// The most that is read of a body nobody wants; more than any call may have.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// What a client sends without waiting for anything.
const SHORT: u64 = 64 * 1024;

/// A body on loan.
pub(in crate::http) struct LentBody {
    /// There until it is given back.
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// Where it comes back to.
pub(in crate::http) struct UnreadBody {
    comes_back: Option<oneshot::Receiver<Incoming>>,
    /// It is announced to be as short as what is sent in one go.
    is_short: bool,
}

/// Lends a body. `is_awaited` where the client sends it only once it is asked for (`Expect: 100-continue`): unread, it is never sent.
pub(in crate::http) fn lend(body: Incoming, is_awaited: bool) -> (LentBody, UnreadBody) {
    let is_short = body.size_hint().exact().is_some_and(|length| length <= SHORT);
    if body.is_end_stream() || is_awaited {
        return (LentBody { body: Some(body), back: None }, UnreadBody { comes_back: None, is_short });
    }
    let (back, comes_back) = oneshot::channel();
    (LentBody { body: Some(body), back: Some(back) }, UnreadBody { comes_back: Some(comes_back), is_short })
}

impl UnreadBody {
    /// Whether it is announced to be as short as what a client sends without waiting for anything.
    pub(in crate::http) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Reads what is left of the body, within bounds, if whoever had it is done with it. Gives whether nothing is left; if something is, the
    /// connection can have no other request.
    pub(in crate::http) async fn drain(self, time_limit: Duration) -> bool {
        let Some(Ok(body)) = self.comes_back.map(|mut comes_back| comes_back.try_recv()) else { return true };
        // Beyond either bound the client has to live with a closed connection.
        body.is_end_stream() || tokio::time::timeout(time_limit, discard(body)).await.unwrap_or(false)
    }
}

/// Whether that was all.
async fn discard(mut body: Incoming) -> bool {
    let mut left = MOST_BYTES;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(read) {
            Some(still) => left = still,
            None => return false,
        }
    }
    true
}

impl Drop for LentBody {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it where the connection has gone.
            let _ = back.send(body);
        }
    }
}

impl Body for LentBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
