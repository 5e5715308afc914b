//! A wallet that comes back whenever the server does, and remembers what it has answered, as the specification asks of it.

use super::{Address, ledger::Ledger, up};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use countersign_protocol::{
    AckOutcome, ApprovedBy, ClientFrame, Device, Introduction, Origin, PublicKey, RejectCode, RejectScope, RequestId,
    ServerFrame, SignReject, SignRequest, SignResponse, Signable,
};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite};

type Socket = WebSocketStream<TcpStream>;

/// One request in so many is declined.
const DECLINED: usize = 8;

/// A wallet with its storage, which outlives every connection.
#[derive(Debug)]
pub struct Wallet {
    key: SigningKey,
    ledger: Arc<Ledger>,
    answers: BTreeMap<RequestId, ClientFrame>,
    unacknowledged: BTreeMap<RequestId, ClientFrame>,
    may_be_unknown: bool,
}

impl Wallet {
    /// A wallet that has never connected.
    pub fn new(key: SigningKey, ledger: Arc<Ledger>) -> Self {
        Self { key, ledger, answers: BTreeMap::new(), unacknowledged: BTreeMap::new(), may_be_unknown: false }
    }

    /// One whose server may be put back to an earlier time, when it did not know of everything that was answered since.
    pub fn of_restored_server(self) -> Self {
        Self { may_be_unknown: true, ..self }
    }

    /// Serves whatever server there is, until there will be no more.
    pub async fn serve(mut self, mut address: Address) {
        while let Some(at) = up(&mut address).await {
            // Ends when the server dies; the next one is waited for.
            let _ = self.converse(at).await;
            tokio::task::yield_now().await;
        }
    }

    async fn converse(&mut self, at: SocketAddr) -> Option<()> {
        let url = format!("ws://{at}/ws");
        let stream = TcpStream::connect(at).await.ok()?;
        let (mut socket, _) = timeout(Duration::from_secs(10), client_async(&url, stream)).await.ok()?.ok()?;
        loop {
            match frame(&mut socket).await? {
                ServerFrame::Challenge(challenge) => {
                    let introduction = self.introduction(&challenge.challenge, &url);
                    send(&mut socket, &introduction).await?;
                }
                ServerFrame::Welcome(_) => {
                    for answer in self.unacknowledged.values() {
                        send(&mut socket, answer).await?;
                    }
                }
                ServerFrame::SignRequest(request) => send(&mut socket, &self.answer(&request)).await?,
                ServerFrame::ResponseAck(ack) => {
                    let outcome = ack.outcome;
                    assert!(
                        matches!(outcome, AckOutcome::Accepted | AckOutcome::Duplicate | AckOutcome::Late)
                            || (self.may_be_unknown && outcome == AckOutcome::Unknown),
                        "{ack:?}"
                    );
                    self.unacknowledged.remove(&ack.request_id);
                }
                ServerFrame::Goodbye(_) => return None,
                ServerFrame::RequestCancel(_) | ServerFrame::Error(_) | ServerFrame::Ping(_) | ServerFrame::Pong(_) => {
                }
            }
        }
    }

    fn introduction(&self, challenge: &countersign_protocol::Challenge, url: &str) -> ClientFrame {
        let public_key = PublicKey::of(&self.key).to_bytes();
        let (audience, origin) = (url.parse().unwrap(), Origin::default());
        let proof = Signable::Introduction { challenge, public_key: &public_key, audience: &audience, origin: &origin }
            .sign(&self.key);
        let device = Device { id: "only".parse().unwrap(), label: "A wallet that remembers".parse().unwrap() };
        ClientFrame::Introduction(Introduction { public_key, proof: Some(proof), device: Some(device) })
    }

    fn answer(&mut self, request: &SignRequest) -> ClientFrame {
        let SignRequest { request_id, message, attempt, .. } = request;
        self.ledger.delivered(&request_id.to_string(), &STANDARD.encode(message.as_bytes()), *attempt);
        let asked = self.answers.len();
        let answer = self.answers.entry(*request_id).or_insert_with(|| {
            self.ledger.prompted(&request_id.to_string());
            match asked % DECLINED {
                0 => ClientFrame::SignReject(SignReject {
                    request_id: *request_id,
                    code: RejectCode::UserRejected,
                    reason: None,
                    scope: RejectScope::Key,
                }),
                _ => ClientFrame::SignResponse(SignResponse {
                    request_id: *request_id,
                    message: message.clone(),
                    signature: Signable::Message(message).sign(&self.key),
                    approved_by: Some(ApprovedBy::Human),
                }),
            }
        });
        self.unacknowledged.insert(*request_id, answer.clone());
        answer.clone()
    }
}

async fn frame(socket: &mut Socket) -> Option<ServerFrame> {
    loop {
        match socket.next().await?.ok()? {
            tungstenite::Message::Text(text) => return Some(ServerFrame::parse(text.as_str()).unwrap()),
            tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) => {}
            tungstenite::Message::Binary(_) | tungstenite::Message::Close(_) | tungstenite::Message::Frame(_) => {
                return None;
            }
        }
    }
}

async fn send(socket: &mut Socket, frame: &ClientFrame) -> Option<()> {
    socket.send(tungstenite::Message::text(frame.to_json())).await.ok()
}
