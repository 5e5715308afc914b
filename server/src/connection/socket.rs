//! What passes between a connection and the socket it is on, whatever library owns that.

use crate::steps::why;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// What comes from the socket.
#[derive(Debug)]
pub enum Incoming<T> {
    /// A text frame.
    Text(T),
    /// A binary frame; its content does not matter.
    Binary,
    /// A WebSocket ping or pong. The library that owns the socket answers pings.
    Control,
    /// A frame longer than the socket's limit. Nothing more is read.
    TooLarge,
    /// Text that is not UTF-8. Nothing more is read.
    InvalidUtf8,
    /// Bytes that are no WebSocket frame, or none that may stand there. Nothing more is read.
    BrokenFrame,
    /// A close frame.
    Close,
}

/// What goes to the socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text frame.
    Text(String),
    /// A WebSocket ping without payload.
    Ping,
    /// A close frame.
    Close {
        /// RFC 6455 §7.4.
        code: u16,
        /// A short stable word, never longer than the 123 bytes a close frame has room for.
        reason: &'static str,
    },
}

/// A socket whose library gives its two halves apart, put together for [`drive`](super::drive).
#[derive(Debug)]
pub struct Halves<I, O> {
    /// What comes in.
    pub incoming: I,
    /// Where it goes out.
    pub outgoing: O,
}

impl<I: Stream + Unpin, O: Unpin> Stream for Halves<I, O> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_next_unpin(cx)
    }
}

impl<I: Unpin, O: Sink<Outgoing> + Unpin> Sink<Outgoing> for Halves<I, O> {
    type Error = O::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        self.outgoing.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, outgoing: Outgoing) -> Result<(), O::Error> {
        self.outgoing.start_send_unpin(outgoing)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        self.outgoing.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        self.outgoing.poll_close_unpin(cx)
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The wallet closed it or hung up.
    Peer,
    /// The server closed it, for this reason.
    Closed(&'static str),
    /// A write failed or took too long, or the wallet let too much mail pile up.
    Stuck,
    /// The server was about to stop and took no more connections.
    Draining,
}

impl Exit {
    /// A short stable word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Peer => why::HUNG_UP,
            Self::Closed(reason) => reason,
            Self::Stuck => why::STUCK,
            Self::Draining => "draining",
        }
    }
}
