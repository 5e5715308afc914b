//! Bounds what a peer may have a WebSocket library put together, before it does: a message's bytes and its fragments.
//!
//! The library looks at a limit when a message is complete, and at nothing where a fragment is empty. So the heads of the frames
//! (RFC 6455 §5.2) are read here as they pass by; what is in the frames is not looked at.
//!
//! What has arrived is also read in one go here, however little the library asks for: its own buffer lasts as long as the connection,
//! and is kept small for that.

use crate::connection::ReadLimit;
use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most fragments of one message. Libraries that fragment at all make pieces of some kilobytes.
const MAX_FRAGMENTS: u32 = 1024;

/// The most that is read at once: several frames of a wallet, but for long messages.
const READ_BYTES: usize = 2048;

/// Likewise, while a longer frame is on its way, for all of which the library has made room.
const READ_BYTES_OF_LONG: usize = 16 * 1024;

/// A message has more bytes or fragments than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer, or in more fragments, than allowed here")]
pub(in crate::http) struct MessageTooLong;

/// A byte stream that ends with [`MessageTooLong`] where a peer's message goes beyond its limit.
#[derive(Debug)]
pub(in crate::http) struct FrameGate<T> {
    io: T,
    limit: ReadLimit,
    frames: Frames,
    /// What was read and not taken yet, from here on; nothing while the connection is idle.
    held: Vec<u8>,
    taken: usize,
    is_closed: bool,
}

impl<T> FrameGate<T> {
    /// `ahead` was read before, and goes to the library first: what of it may.
    pub(in crate::http) fn new(io: T, limit: ReadLimit, ahead: &mut Vec<u8>) -> Self {
        let mut gate = Self { io, limit, frames: Frames::default(), held: Vec::new(), taken: 0, is_closed: false };
        if let Err(complete) = gate.frames.pass(ahead, gate.limit.bytes()) {
            gate.is_closed = true;
            ahead.truncate(complete);
        }
        gate
    }

    /// Gives what is held; false where that is nothing.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let left = self.held.get(self.taken..).unwrap_or_default();
        let given = left.get(..buf.remaining()).unwrap_or(left);
        buf.put_slice(given);
        self.taken += given.len();
        let gives = !given.is_empty();
        if self.taken >= self.held.len() {
            (self.held, self.taken) = (Vec::new(), 0);
        }
        gives
    }
}

impl<T: AsyncRead + Unpin> FrameGate<T> {
    /// Reads what has arrived, of which nothing is held.
    fn arrive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if let Err(complete) = self.frames.pass(read, self.limit.bytes()) {
            // What was sent before it counts. Without any, an empty read would look like the end.
            self.is_closed = true;
            buf.set_filled(before + complete);
            if complete == 0 {
                return Poll::Ready(Err(io::Error::other(MessageTooLong)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Where in the frames the stream is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Frames {
    head: Head,
    /// What is left of the frame's payload.
    payload: u64,
    /// Of the message that is being put together.
    bytes: u64,
    fragments: u32,
}

/// The bytes of a frame's head so far: two, and then as many as they say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Head {
    bytes: [u8; 10],
    read: usize,
}

impl Head {
    /// Takes in one byte, and gives the opcode and the payload's length once the head is complete but for its mask.
    fn take(&mut self, byte: u8) -> Option<(u8, u64)> {
        if let Some(place) = self.bytes.get_mut(self.read) {
            *place = byte;
        }
        self.read += 1;
        let [first, second, rest @ ..] = &self.bytes;
        let [a, b, ..] = *rest;
        let length = match second & 0x7f {
            126 if self.read >= 4 => u64::from(u16::from_be_bytes([a, b])),
            127 if self.read >= 10 => u64::from_be_bytes(*rest),
            126 | 127 => return None,
            short if self.read >= 2 => u64::from(short),
            _ => return None,
        };
        Some((first & 0x0f, length))
    }

    /// How long the mask behind it is.
    fn mask(&self) -> u64 {
        if self.bytes.get(1).is_some_and(|second| second & 0x80 != 0) { 4 } else { 0 }
    }
}

impl Frames {
    /// Follows what was read; where a message goes beyond `limit`, says how many bytes come before that frame.
    fn pass(&mut self, mut read: &[u8], limit: usize) -> Result<(), usize> {
        let all = read.len();
        let mut complete = 0;
        while let [byte, rest @ ..] = read {
            if self.payload > 0 {
                let skipped = usize::try_from(self.payload).unwrap_or(usize::MAX).min(read.len());
                self.payload -= skipped as u64;
                read = read.get(skipped..).unwrap_or_default();
            } else {
                read = rest;
                let Some((opcode, length)) = self.head.take(*byte) else { continue };
                self.payload = length.saturating_add(self.head.mask());
                self.head = Head::default();
                self.count(opcode, length, limit).map_err(|MessageTooLong| complete)?;
            }
            if self.payload == 0 && self.head.read == 0 {
                complete = all - read.len();
            }
        }
        Ok(())
    }

    fn count(&mut self, opcode: u8, length: u64, limit: usize) -> Result<(), MessageTooLong> {
        const CONTINUATION: u8 = 0;
        const FIRST_CONTROL: u8 = 8;
        if opcode >= FIRST_CONTROL {
            // Between the fragments of a message, and no part of it.
            return Ok(());
        }
        if opcode != CONTINUATION {
            (self.bytes, self.fragments) = (0, 0);
        }
        self.bytes = self.bytes.saturating_add(length);
        self.fragments = self.fragments.saturating_add(1);
        if self.bytes > limit as u64 || self.fragments > MAX_FRAGMENTS { Err(MessageTooLong) } else { Ok(()) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FrameGate<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        if gate.give(buf) {
            return Poll::Ready(Ok(()));
        }
        if gate.is_closed {
            return Poll::Ready(Err(io::Error::other(MessageTooLong)));
        }
        let most = if gate.frames.payload > READ_BYTES as u64 { READ_BYTES_OF_LONG } else { READ_BYTES };
        if buf.remaining() >= most {
            return gate.arrive(cx, buf);
        }
        let mut room = [const { MaybeUninit::uninit() }; READ_BYTES_OF_LONG];
        let mut arrived = ReadBuf::uninit(room.get_mut(..most).unwrap_or_default());
        ready!(gate.arrive(cx, &mut arrived))?;
        let (given, held) = arrived.filled().split_at(arrived.filled().len().min(buf.remaining()));
        buf.put_slice(given);
        gate.held.extend_from_slice(held);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FrameGate<T> {
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    const CONTINUATION: u8 = 0x00;
    const TEXT: u8 = 0x01;
    const PING: u8 = 0x89;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
            126..0x1_0000 => bytes.extend([&[0xfe][..], &u16::try_from(length).unwrap().to_be_bytes()].concat()),
            _ => bytes.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
        }
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + length, 0xff);
        bytes
    }

    /// However the stream is cut, it is the same stream.
    fn passes(stream: &[u8]) -> Result<(), usize> {
        let whole = Frames::default().pass(stream, 1000);
        for piece in [1, 2, 3, 7, 1000] {
            let mut frames = Frames::default();
            let cut = stream.chunks(piece).try_for_each(|piece| frames.pass(piece, 1000).map_err(drop));
            assert_eq!(cut, whole.map_err(drop), "in pieces of {piece}");
        }
        whole
    }

    #[test]
    fn a_message_has_so_many_bytes_in_all_its_fragments() {
        assert_eq!(passes(&frame(0x81, 1000)), Ok(()));
        assert_eq!(passes(&frame(0x81, 1001)), Err(0));
        assert_eq!(passes(&frame(0x81, 70_000)), Err(0));
        assert_eq!(passes(&[frame(TEXT, 500), frame(PING, 125), frame(0x80, 500), frame(0x81, 1000)].concat()), Ok(()));
        let before = [frame(0x81, 3), frame(TEXT, 500), frame(PING, 125)].concat();
        assert_eq!(passes(&[before.clone(), frame(CONTINUATION, 501)].concat()), Err(before.len()));
    }

    #[test]
    fn a_message_has_so_many_fragments() {
        let empty = [frame(TEXT, 0), frame(CONTINUATION, 0).repeat(MAX_FRAGMENTS as usize - 1)].concat();
        assert_eq!(passes(&[empty.clone(), frame(PING, 0), frame(0x81, 1)].concat()), Ok(()));
        assert_eq!(passes(&[empty.clone(), frame(CONTINUATION, 0)].concat()), Err(empty.len()));
    }

    #[test]
    fn no_length_overflows() {
        let longest = [&[0x81, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(passes(&longest), Err(0));
        let control = [&[PING, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 100]].concat();
        assert_eq!(passes(&control), Ok(()), "no control frame is that long, as the library says");
    }

    /// Reads to the end or the refusal of what is longer than 100,000 bytes, so many at a time.
    async fn read(stream: &[u8], at_a_time: usize) -> (Vec<u8>, bool) {
        let limit = ReadLimit::lifted(100_000);
        let mut gate = FrameGate::new(stream, limit, &mut Vec::new());
        let (mut all, mut piece) = (Vec::new(), vec![0; at_a_time]);
        loop {
            match gate.read(&mut piece).await {
                Ok(0) => break,
                Ok(read) => all.extend_from_slice(&piece[..read]),
                Err(error) => {
                    assert!(error.get_ref().unwrap().is::<MessageTooLong>());
                    assert_eq!(gate.held.capacity(), 0, "nothing is kept");
                    return (all, true);
                }
            }
        }
        assert_eq!(gate.held.capacity(), 0, "nothing is kept");
        (all, false)
    }

    #[tokio::test]
    async fn however_little_is_asked_for_it_is_the_same_stream_and_nothing_is_held_when_it_is_idle() {
        let long = [frame(TEXT, 1), frame(0x80, 99_999)].concat();
        let good = [frame(0x81, 200), long, frame(PING, 3), frame(0x81, 900), frame(0x81, 100_000)].concat();
        let bad = [good.clone(), frame(0x81, 100_001)].concat();
        for at_a_time in [1, 14, 512, READ_BYTES - 1, READ_BYTES, 100_000] {
            assert_eq!(read(&good, at_a_time).await, (good.clone(), false), "{at_a_time}");
            assert_eq!(read(&bad, at_a_time).await, (good.clone(), true), "{at_a_time}");
        }
    }
}
