//! The same work over NATS core request and reply: wallets subscribe to their key's subject, backends ask there.
//!
//! The frames are the same JSON. What a NATS server does not do is verify; that is added to its figure.

use super::{Ask, Asks, Requester, dialect};
use crate::{Fallible, fixture::Wallet, text::field};
use bytes::{Buf, BytesMut};
use serde_json::json;
use std::{io::Write as _, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// Room for any message.
const BUFFER_BYTES: usize = 4096;

const GREETING: &str = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";

/// A connection that speaks the client protocol of NATS.
struct Client {
    stream: TcpStream,
    inbox: BytesMut,
    outbox: Vec<u8>,
}

/// What the server said.
enum Operation {
    Message { reply_to: Option<String>, payload: String },
    Ping,
    Pong,
    Info,
}

/// One backend, with a subject for its answers.
pub(crate) struct Backend {
    client: Client,
    replies: String,
}

/// Subscribes wallets, and has them answer until the set is dropped.
pub(crate) async fn serve(wallets: &[Arc<Wallet>], address: SocketAddr) -> Fallible<JoinSet<()>> {
    let mut serving = JoinSet::new();
    for wallet in wallets {
        let client = Client::subscribe(address, &subject(wallet)).await?;
        serving.spawn(answer_all(client, Arc::clone(wallet)));
    }
    Ok(serving)
}

/// So many backends, each with a connection of its own.
pub(crate) async fn connect(count: usize, address: SocketAddr) -> Fallible<Vec<Backend>> {
    let mut backends = Vec::with_capacity(count);
    for n in 0..count {
        let replies = format!("_INBOX.{n}");
        backends.push(Backend { client: Client::subscribe(address, &replies).await?, replies });
    }
    Ok(backends)
}

/// Every payload that is asked.
pub(crate) fn asks(wallets: &[Arc<Wallet>]) -> Arc<Asks> {
    // The reply subject joins answer and request, so the id has nothing to do but to be as long as elsewhere.
    let request_id = uuid::Uuid::nil();
    Asks::new(wallets, |_, message| {
        json!({ "type": "sign_request", "request_id": request_id, "message": message }).to_string().into_bytes()
    })
}

fn subject(wallet: &Wallet) -> String {
    format!("sign.{}", wallet.name)
}

async fn answer_all(mut client: Client, wallet: Arc<Wallet>) {
    let mut reply = String::new();
    let ended: Fallible<()> = async {
        loop {
            let (reply_to, payload) = client.message().await?;
            let reply_to = reply_to.ok_or("a request without a reply subject")?;
            reply.clear();
            dialect::answer(&wallet, &payload, &mut reply)?;
            client.publish(&reply_to, None, reply.as_bytes()).await?;
        }
    }
    .await;
    if let Err(error) = ended {
        eprintln!("wallet: {error}");
    }
}

impl Requester for Backend {
    async fn ask(&mut self, ask: &Ask) -> Fallible<()> {
        self.client.publish(&subject(&ask.wallet), Some(&self.replies), &ask.request).await?;
        let (_, answer) = self.client.message().await?;
        match field(&answer, "signature") {
            Some(signature) if signature == ask.signature => Ok(()),
            _ => Err(format!("not the signature: {answer}").into()),
        }
    }
}

impl Client {
    /// Connects, subscribes, and waits until the server has taken note.
    async fn subscribe(address: SocketAddr, subject: &str) -> Fallible<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, inbox: BytesMut::with_capacity(BUFFER_BYTES), outbox: Vec::new() };
        client.outbox.extend(format!("{GREETING}SUB {subject} 1\r\nPING\r\n").bytes());
        while !matches!(client.next().await?, Operation::Pong) {}
        Ok(client)
    }

    async fn publish(&mut self, subject: &str, reply_to: Option<&str>, payload: &[u8]) -> Fallible<()> {
        let (reply_to, length) = (reply_to.unwrap_or_default(), payload.len());
        write!(self.outbox, "PUB {subject} {reply_to} {length}\r\n")?;
        self.outbox.extend(payload);
        self.outbox.extend(b"\r\n");
        self.flush().await
    }

    /// The next message: the subject for its answer, if there is one, and what it says.
    async fn message(&mut self) -> Fallible<(Option<String>, String)> {
        loop {
            match self.next().await? {
                Operation::Message { reply_to, payload } => return Ok((reply_to, payload)),
                Operation::Ping => self.outbox.extend(b"PONG\r\n"),
                Operation::Pong | Operation::Info => {}
            }
        }
    }

    /// Sends what waits, and takes the next operation.
    async fn next(&mut self) -> Fallible<Operation> {
        self.flush().await?;
        loop {
            if let Some((operation, length)) = parse(&self.inbox)? {
                self.inbox.advance(length);
                return Ok(operation);
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err("the server hung up".into());
            }
        }
    }

    async fn flush(&mut self) -> Fallible<()> {
        if !self.outbox.is_empty() {
            self.stream.write_all(&self.outbox).await?;
            self.outbox.clear();
        }
        Ok(())
    }
}

/// The first operation in a buffer and its length there, once it is there in full.
fn parse(inbox: &[u8]) -> Fallible<Option<(Operation, usize)>> {
    let Some(end) = inbox.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = std::str::from_utf8(&inbox[..end])?;
    let start = end + 2;
    let mut words = line.split(' ');
    let operation = match words.next() {
        Some("MSG") => {
            let words: Vec<_> = words.collect();
            let (reply_to, length) = match words[..] {
                [_subject, _subscription, length] => (None, length),
                [_subject, _subscription, reply_to, length] => (Some(reply_to.to_owned()), length),
                _ => return Err(format!("not a message: {line}").into()),
            };
            let length: usize = length.parse()?;
            if inbox.len() < start + length + 2 {
                return Ok(None);
            }
            let payload = std::str::from_utf8(&inbox[start..start + length])?.to_owned();
            return Ok(Some((Operation::Message { reply_to, payload }, start + length + 2)));
        }
        Some("PING") => Operation::Ping,
        Some("PONG") => Operation::Pong,
        Some("INFO") => Operation::Info,
        _ => return Err(format!("the server said {line}").into()),
    };
    Ok(Some((operation, start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_once_it_is_complete() {
        let bytes = b"MSG sign.k 1 _INBOX.7 2\r\nhi\r\nPING\r\n";
        for cut in 0..28 {
            assert!(parse(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        let Some((Operation::Message { reply_to, payload }, 29)) = parse(bytes).unwrap() else { panic!("no message") };
        assert_eq!((reply_to.as_deref(), payload.as_str()), (Some("_INBOX.7"), "hi"));
        assert!(matches!(parse(&bytes[29..]).unwrap(), Some((Operation::Ping, 6))));
        assert!(parse(b"-ERR 'no'\r\n").is_err());
    }
}
