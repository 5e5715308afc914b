//! A wallet that knows several servers, and remembers what it has shown and answered, as the specification asks of it.

use super::{Ledger, memory::Memory};
use countersign_protocol::{
    Challenge, ClientFrame, Device as DeviceOnTheWire, Introduction, Origin, PingPong, PublicKey, PublicKeyBytes,
    ServerFrame, Signable,
};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    time::{sleep_until, timeout},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

type Socket = WebSocketStream<TcpStream>;

/// The longest that one waits before it dials, at random; as the specification has it for a first attempt.
const BEFORE_DIALLING_MS: u64 = 1000;
/// How long a server has to let it in. A wallet on the other side of the world would give it more.
const DIALLING: Duration = Duration::from_secs(2);
/// How long a server may say nothing after a ping. The specification has 10 s.
const SILENCE: Duration = Duration::from_secs(3);

/// One device of a key.
#[derive(Debug)]
pub struct Device {
    name: String,
    number: usize,
    key: SigningKey,
    servers: Vec<SocketAddr>,
    ledger: Arc<Ledger>,
    memory: Memory,
    /// Which server is dialled next.
    next: usize,
}

impl Device {
    /// Which has never connected. Of several of a key each has a number of its own.
    pub fn new(key: SigningKey, number: usize, servers: Vec<SocketAddr>, ledger: Arc<Ledger>) -> Self {
        let public_key = PublicKey::of(&key).to_bytes();
        let name = format!("wallet {}/{number}", &public_key.to_string()[..6]);
        let next = usize::from(public_key.as_bytes()[0]) + number;
        let memory = Memory::new(name.clone(), number, Arc::clone(&ledger));
        Self { name, number, key, servers, ledger, memory, next }
    }

    /// Its key.
    pub fn public_key(&self) -> PublicKeyBytes {
        PublicKey::of(&self.key).to_bytes()
    }

    /// Serves whatever server there is, for ever.
    pub async fn live(mut self) {
        let mut is_first = true;
        loop {
            let lost = Instant::now();
            let (socket, heartbeat) = self.connect(is_first).await;
            if is_first {
                self.ledger.has_come();
            } else {
                self.ledger.is_back(lost.elapsed());
            }
            is_first = false;
            self.memory.note("is connected");
            // Ends with the connection; the next server is dialled.
            let _ = self.converse(socket, heartbeat).await;
            self.memory.note("is not connected");
        }
    }

    /// Dials one server after the other until it is welcome.
    async fn connect(&mut self, at_once: bool) -> (Socket, Duration) {
        let mut wait_ms = if at_once { 0 } else { BEFORE_DIALLING_MS };
        loop {
            let dial_at = Instant::now() + Duration::from_millis(fastrand::u64(0..=wait_ms));
            wait_ms = BEFORE_DIALLING_MS;
            // The human goes on meanwhile.
            while let Some(due) = self.memory.next_due().filter(|due| *due < dial_at) {
                sleep_until(due.into()).await;
                self.memory.handle_time(&self.key);
            }
            sleep_until(dial_at.into()).await;
            let server = self.servers[self.next % self.servers.len()];
            self.next += 1;
            if let Ok(Some(connected)) = timeout(DIALLING, self.dial(server)).await {
                return connected;
            }
        }
    }

    async fn dial(&self, server: SocketAddr) -> Option<(Socket, Duration)> {
        let url = format!("ws://{server}/ws");
        let stream = TcpStream::connect(server).await.ok()?;
        let (mut socket, _) = client_async(&url, stream).await.ok()?;
        loop {
            match frame(socket.next().await?.ok()?) {
                Some(ServerFrame::Challenge(challenge)) => {
                    send(&mut socket, &self.introduction(&challenge.challenge, &url)).await?;
                }
                Some(ServerFrame::Welcome(welcome)) => {
                    return Some((socket, Duration::from_millis(welcome.heartbeat_ms)));
                }
                Some(_) => return None,
                None => {}
            }
        }
    }

    fn introduction(&self, challenge: &Challenge, url: &str) -> ClientFrame {
        let public_key = self.public_key();
        let (audience, origin) = (url.parse().unwrap(), Origin::default());
        let proof = Signable::Introduction { challenge, public_key: &public_key, audience: &audience, origin: &origin }
            .sign(&self.key);
        let device = DeviceOnTheWire {
            id: format!("device-{}", self.number).parse().unwrap(),
            label: self.name.parse().unwrap(),
        };
        ClientFrame::Introduction(Introduction { public_key, proof: Some(proof), device: Some(device) })
    }

    async fn converse(&mut self, mut socket: Socket, heartbeat: Duration) -> Option<()> {
        for frame in self.memory.after_welcome() {
            send(&mut socket, &frame).await?;
        }
        let (mut heard, mut pinged) = (Instant::now(), false);
        loop {
            let silent_until = if pinged { heard + heartbeat + SILENCE } else { heard + heartbeat };
            let due = self.memory.next_due().map_or(silent_until, |due| due.min(silent_until));
            tokio::select! {
                biased;
                message = socket.next() => {
                    (heard, pinged) = (Instant::now(), false);
                    if let Some(frame) = frame(message?.ok()?) {
                        for answer in self.memory.handle(&frame, &self.key) {
                            send(&mut socket, &answer).await?;
                        }
                    }
                }
                () = sleep_until(due.into()) => {
                    for answer in self.memory.handle_time(&self.key) {
                        send(&mut socket, &answer).await?;
                    }
                    if silent_until <= Instant::now() {
                        if pinged {
                            return None;
                        }
                        pinged = true;
                        send(&mut socket, &ClientFrame::Ping(PingPong { t: 1 })).await?;
                    }
                }
            }
        }
    }
}

fn frame(message: tungstenite::Message) -> Option<ServerFrame> {
    match message {
        tungstenite::Message::Text(text) => ServerFrame::parse(text.as_str()).ok(),
        tungstenite::Message::Ping(_)
        | tungstenite::Message::Pong(_)
        | tungstenite::Message::Binary(_)
        | tungstenite::Message::Close(_)
        | tungstenite::Message::Frame(_) => None,
    }
}

/// A server that takes nothing in is as good as gone.
async fn send(socket: &mut Socket, frame: &ClientFrame) -> Option<()> {
    timeout(SILENCE, socket.send(tungstenite::Message::text(frame.to_json()))).await.ok()?.ok()
}
