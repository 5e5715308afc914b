//! A close that resets nothing: what the peer was sending meanwhile is read, so that it sees the end of the connection after the last
//! answer, and no reset in its place (RFC 9112 §9.6).

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// The most bytes that are read for nothing: a body that was refused without being read may still be on its way, and is shorter.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How long a peer is read for nothing.
const MOST_TIME: Duration = Duration::from_secs(10);

/// A byte stream whose shutdown waits for the peer's, until that has said nothing for `time_limit`.
#[derive(Debug)]
pub(in crate::http) struct LingeringClose<T> {
    io: T,
    time_limit: Duration,
    /// There once our side is closed.
    closed: Option<Closed>,
}

#[derive(Debug)]
struct Closed {
    /// When the peer has been silent for too long.
    silence: Pin<Box<Sleep>>,
    /// When it has talked on for too long.
    end: Pin<Box<Sleep>>,
    left: usize,
}

impl Closed {
    fn now(time_limit: Duration) -> Self {
        Self { silence: Box::pin(sleep(time_limit)), end: Box::pin(sleep(MOST_TIME)), left: MOST_BYTES }
    }
}

impl<T> LingeringClose<T> {
    pub(in crate::http) fn new(io: T, time_limit: Duration) -> Self {
        Self { io, time_limit, closed: None }
    }

    pub(in crate::http) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> LingeringClose<T> {
    /// Ready with whether the peer may have more to say.
    fn poll_discard(io: &mut T, closed: &mut Closed, cx: &mut Context<'_>) -> Poll<bool> {
        let mut room = [0; 4096];
        let mut read = ReadBuf::new(&mut room);
        let result = ready!(Pin::new(io).poll_read(cx, &mut read));
        let count = read.filled().len();
        closed.left = closed.left.saturating_sub(count);
        Poll::Ready(result.is_ok() && count > 0 && closed.left > 0)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for LingeringClose<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringClose<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, time_limit, closed } = self.get_mut();
        if closed.is_none() {
            ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
        }
        let closed = closed.get_or_insert_with(|| Closed::now(*time_limit));
        while closed.silence.as_mut().poll(cx).is_pending() && closed.end.as_mut().poll(cx).is_pending() {
            if !ready!(Self::poll_discard(io, closed, cx)) {
                break;
            }
            closed.silence.as_mut().reset(Instant::now() + *time_limit);
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        net::{TcpListener, TcpStream},
    };

    const TIME_LIMIT: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn what_comes_at_the_last_moment_is_not_reset() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (near, _) = listener.accept().await.unwrap();
        peer.write_all(b"a request").await.unwrap();
        let closing = tokio::spawn(async move {
            let mut near = LingeringClose::new(near, Duration::from_secs(60));
            near.shutdown().await.unwrap();
        });
        assert_eq!(peer.read(&mut [0; 16]).await.unwrap(), 0, "an end and no reset");
        peer.write_all(b"another").await.unwrap();
        drop(peer);
        closing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stays_is_waited_for_so_long_and_no_longer() {
        let (near, _far) = duplex(16);
        let started = Instant::now();
        LingeringClose::new(near, TIME_LIMIT).shutdown().await.unwrap();
        assert_eq!(started.elapsed(), TIME_LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_talks_on_is_not_read_for_ever() {
        let (near, mut far) = duplex(16 * 1024);
        let started = Instant::now();
        let talking = tokio::spawn(async move { while far.write_all(&[0; 1024]).await.is_ok() {} });
        LingeringClose::new(near, TIME_LIMIT).shutdown().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        talking.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_a_little_now_and_then_is_not_waited_for_for_ever() {
        let (near, mut far) = duplex(16);
        let started = Instant::now();
        let talking = tokio::spawn(async move {
            while far.write_all(b"x").await.is_ok() {
                sleep(TIME_LIMIT / 2).await;
            }
        });
        LingeringClose::new(near, TIME_LIMIT).shutdown().await.unwrap();
        assert_eq!(started.elapsed(), MOST_TIME);
        talking.await.unwrap();
    }
}
