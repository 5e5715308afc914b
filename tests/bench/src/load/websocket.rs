//! As much of a WebSocket client (RFC 6455) as a wallet needs, and no more work than that.

use crate::Fallible;
use bytes::{Buf, BytesMut};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The example nonce of RFC 6455 §1.3 and the answer to it. A random one guards against caches in between, of which there
/// are none here.
const NONCE: (&str, &str) = ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

/// Every frame is masked with the same key, that of the example in RFC 6455 §5.7: a server does the same work to undo it.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Most wallets are idle, so their buffers start small.
const BUFFER_BYTES: usize = 1024;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A connection after its handshake.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// What came and has not been read.
    pub(super) inbox: BytesMut,
    /// What is to be sent.
    pub(super) outbox: Outbox,
}

/// Frames to be sent together.
#[derive(Default)]
pub(super) struct Outbox(Vec<u8>);

/// A frame that came.
pub(super) enum Frame<'a> {
    Text(&'a str),
    Ping(&'a [u8]),
    Pong,
}

impl Socket {
    /// Connects and shakes hands.
    pub(super) async fn dial(address: SocketAddr, endpoint: &str) -> Fallible<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (nonce, accept) = NONCE;
        let request = format!(
            "GET {endpoint} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {nonce}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut inbox = BytesMut::with_capacity(BUFFER_BYTES);
        loop {
            if stream.read_buf(&mut inbox).await? == 0 {
                return Err("closed during the handshake".into());
            }
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut response = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = response.parse(&inbox)? {
                let accepted = |header: &httparse::Header<'_>| {
                    header.name.eq_ignore_ascii_case("sec-websocket-accept") && header.value == accept.as_bytes()
                };
                if response.code != Some(101) || !response.headers.iter().any(accepted) {
                    return Err(format!("the handshake was answered with {:?}", response.code).into());
                }
                inbox.advance(length);
                return Ok(Self { stream, inbox, outbox: Outbox::default() });
            }
        }
    }

    /// Sends what waits, and reads what comes next.
    pub(super) async fn turn(&mut self) -> Fallible<()> {
        if !self.outbox.0.is_empty() {
            self.stream.write_all(&self.outbox.0).await?;
            self.outbox.0.clear();
        }
        if self.stream.read_buf(&mut self.inbox).await? == 0 {
            return Err("the server hung up".into());
        }
        Ok(())
    }
}

impl Outbox {
    pub(super) fn text(&mut self, text: &str) {
        self.put(TEXT, text.as_bytes());
    }

    pub(super) fn ping(&mut self) {
        self.put(PING, b"");
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        self.put(PONG, payload);
    }

    fn put(&mut self, opcode: u8, payload: &[u8]) {
        self.0.push(FIN | opcode);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..=125), _) => self.0.push(MASKED | length),
            (_, Ok(length)) => {
                self.0.push(MASKED | 126);
                self.0.extend(length.to_be_bytes());
            }
            (_, Err(_)) => {
                self.0.push(MASKED | 127);
                self.0.extend((payload.len() as u64).to_be_bytes());
            }
        }
        self.0.extend(MASK);
        self.0.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
}

/// The first frame in a buffer and its length there, once it is there in full.
pub(super) fn parse(inbox: &[u8]) -> Fallible<Option<(Frame<'_>, usize)>> {
    let (head, length) = match *inbox {
        [_, length @ ..=125, ..] => (2, usize::from(length)),
        [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([a, b]))),
        // The longest message in base64, and what is around it, fits in three bytes.
        [_, 127, 0, 0, 0, 0, 0, a, b, c, ..] => (10, u32::from_be_bytes([0, a, b, c]) as usize),
        [_, 127, _, _, _, _, _, _, _, _, ..] => return Err("a frame of 16 MiB or more".into()),
        [_, 128..=255, ..] => return Err("a masked frame from a server".into()),
        _ => return Ok(None),
    };
    let Some(payload) = inbox.get(head..head + length) else { return Ok(None) };
    let frame = match inbox.first() {
        Some(byte) if *byte == FIN | TEXT => Frame::Text(std::str::from_utf8(payload)?),
        Some(byte) if *byte == FIN | PING => Frame::Ping(payload),
        Some(byte) if *byte == FIN | PONG => Frame::Pong,
        Some(byte) if *byte == FIN | CLOSE => return Err("the server closed the connection".into()),
        other => return Err(format!("an unexpected frame: {other:?}").into()),
    };
    Ok(Some((frame, head + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_once_they_are_complete() {
        let mut bytes = vec![0x81, 126, 0, 200];
        bytes.extend([b'a'; 200]);
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        bytes.extend([0x89, 0]);
        let Some((Frame::Text(text), 204)) = parse(&bytes).unwrap() else { panic!("no text") };
        assert_eq!(text, "a".repeat(200));
        assert!(matches!(parse(&bytes[204..]).unwrap(), Some((Frame::Ping(b""), 2))));
        assert!(parse(&[0x88, 0]).is_err());
    }

    #[test]
    fn frames_are_as_long_as_they_say() {
        let mut bytes = vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 1];
        assert!(parse(&bytes[..9]).unwrap().is_none());
        bytes.extend([b'a'; 0x1_0001]);
        assert!(parse(&bytes[..bytes.len() - 1]).unwrap().is_none());
        assert!(matches!(parse(&bytes).unwrap(), Some((Frame::Text(text), 0x1_000B)) if text.len() == 0x1_0001));
        assert!(parse(&[0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0]).is_err());
    }

    #[test]
    fn frames_are_masked() {
        let mut outbox = Outbox::default();
        outbox.text("Hello");
        // The example of RFC 6455 §5.7.
        assert_eq!(outbox.0, [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]);
    }
}
