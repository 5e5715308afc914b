//! A wallet made of a socket and a key, that says whatever a test wants it to.

use crate::within;
use countersign_protocol::{
    AckOutcome, ApprovedBy, ClientFrame, ErrorCode, Introduction, Message, PublicKey, PublicKeyBytes, RequestCancel,
    RequestId, ServerFrame, SignRequest, SignResponse, Signable, Signature, Welcome,
};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

/// One wallet connection.
#[derive(Debug)]
pub struct TestWallet {
    socket: WebSocketStream<TcpStream>,
    url: String,
    origin: String,
    /// The wallet's key.
    pub key: SigningKey,
}

impl TestWallet {
    /// Dials, and takes the challenge no further.
    pub async fn dial(url: &str, seed: u8) -> Self {
        Self::dial_from(url, "", SigningKey::from_bytes(&[seed; 32])).await
    }

    /// Dials as a page of this origin would.
    pub async fn dial_from(url: &str, origin: &str, key: SigningKey) -> Self {
        let mut request = url.into_client_request().unwrap();
        if !origin.is_empty() {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        request.headers_mut().insert("sec-websocket-protocol", "countersign.v1".parse().unwrap());
        let address = request.uri().authority().unwrap().to_string();
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        let (socket, response) = within("the upgrade", client_async(request, stream)).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "countersign.v1");
        Self { socket, url: url.into(), origin: origin.into(), key }
    }

    /// Dials and introduces itself.
    pub async fn introduced(url: &str, seed: u8) -> Self {
        let mut wallet = Self::dial(url, seed).await;
        wallet.introduce().await;
        wallet
    }

    /// Proves the key over the challenge that came.
    pub async fn introduce(&mut self) -> Welcome {
        let challenge = self.challenge().await;
        let proof = self.prove(&challenge);
        self.send(&self.introduction(Some(proof))).await;
        match self.next().await {
            ServerFrame::Welcome(welcome) => welcome,
            other => panic!("no welcome: {other:?}"),
        }
    }

    /// The challenge, which has to be the first frame.
    pub async fn challenge(&mut self) -> countersign_protocol::Challenge {
        match self.next().await {
            ServerFrame::Challenge(frame) => frame.challenge,
            other => panic!("no challenge: {other:?}"),
        }
    }

    /// An honest proof.
    pub fn prove(&self, challenge: &countersign_protocol::Challenge) -> Signature {
        let (audience, origin) = (self.url.parse().unwrap(), self.origin.parse().unwrap());
        let public_key = self.public_key();
        Signable::Introduction { challenge, public_key: &public_key, audience: &audience, origin: &origin }
            .sign(&self.key)
    }

    /// An introduction with this wallet's key.
    pub fn introduction(&self, proof: Option<Signature>) -> ClientFrame {
        ClientFrame::Introduction(Introduction { public_key: self.public_key(), proof, device: None })
    }

    /// The wallet's public key.
    pub fn public_key(&self) -> PublicKeyBytes {
        PublicKey::of(&self.key).to_bytes()
    }

    /// The next frame.
    pub async fn next(&mut self) -> ServerFrame {
        // Pings go on for as long as the connection does, and are not what is waited for.
        within("a frame", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(tungstenite::Message::Text(text))) => return ServerFrame::parse(text.as_str()).unwrap(),
                    Some(Ok(tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_))) => {}
                    other => panic!("no frame: {other:?}"),
                }
            }
        })
        .await
    }

    /// A WebSocket pong, which has to come next.
    pub async fn expect_pong(&mut self) {
        let message = within("a pong", self.socket.next()).await;
        assert!(matches!(message, Some(Ok(tungstenite::Message::Pong(_)))), "{message:?}");
    }

    /// The next frame, which has to be an `error`.
    pub async fn expect_error(&mut self) -> ErrorCode {
        match self.next().await {
            ServerFrame::Error(error) => error.code,
            other => panic!("no error: {other:?}"),
        }
    }

    /// The close that has to come next.
    pub async fn expect_close(&mut self) -> CloseCode {
        within("a close", async {
            loop {
                match self.socket.next().await {
                    Some(Ok(tungstenite::Message::Close(Some(frame)))) => return frame.code,
                    Some(Ok(tungstenite::Message::Ping(_))) => {}
                    other => panic!("no close: {other:?}"),
                }
            }
        })
        .await
    }

    /// Whether the server says goodbye first thing, and closes as one that restarts.
    pub async fn expect_goodbye(&mut self) -> bool {
        matches!(self.next().await, ServerFrame::Goodbye(_)) && self.expect_close().await == CloseCode::Restart
    }

    /// The request that has to come next.
    pub async fn expect_request(&mut self) -> SignRequest {
        match self.next().await {
            ServerFrame::SignRequest(request) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    /// The withdrawal that has to come next.
    pub async fn expect_cancel(&mut self) -> RequestCancel {
        match self.next().await {
            ServerFrame::RequestCancel(cancel) => cancel,
            other => panic!("no cancel: {other:?}"),
        }
    }

    /// The acknowledgement that has to come next.
    pub async fn expect_ack(&mut self, id: RequestId) -> AckOutcome {
        match self.next().await {
            ServerFrame::ResponseAck(ack) if ack.request_id == id => ack.outcome,
            other => panic!("no acknowledgement: {other:?}"),
        }
    }

    /// The acknowledgement that has to come next, behind whatever requests come meanwhile.
    pub async fn expect_ack_behind_requests(&mut self, id: RequestId) -> AckOutcome {
        loop {
            match self.next().await {
                ServerFrame::SignRequest(_) => {}
                ServerFrame::ResponseAck(ack) if ack.request_id == id => return ack.outcome,
                other => panic!("no acknowledgement: {other:?}"),
            }
        }
    }

    /// An honest answer.
    pub fn answer(&self, request: &SignRequest) -> ClientFrame {
        self.answer_with(request.request_id, &request.message)
    }

    /// A valid signature over any message, for any request.
    pub fn answer_with(&self, request_id: RequestId, message: &Message) -> ClientFrame {
        let signature = Signable::Message(message).sign(&self.key);
        let approved_by = Some(ApprovedBy::Human);
        ClientFrame::SignResponse(SignResponse { request_id, message: message.clone(), signature, approved_by })
    }

    /// Takes the next request and signs it.
    pub async fn sign_next(&mut self) -> AckOutcome {
        let request = self.expect_request().await;
        self.send(&self.answer(&request)).await;
        self.expect_ack(request.request_id).await
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &ClientFrame) {
        self.send_raw(tungstenite::Message::text(frame.to_json())).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.send_raw(tungstenite::Message::text(text)).await;
    }

    /// Sends anything.
    pub async fn send_raw(&mut self, message: tungstenite::Message) {
        // The server may have closed before it has read all of it; what it said then is what counts.
        let _ = within("a write", self.socket.send(message)).await;
    }

    /// Sends bytes that need be no frame.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = within("a write", self.socket.get_mut().write_all(bytes)).await;
    }

    /// What comes next, whatever it is; `None` once the server has closed.
    pub async fn next_raw(&mut self) -> Option<tungstenite::Message> {
        within("a frame or the close", self.socket.next()).await?.ok()
    }

    /// Closes in good order.
    pub async fn close(mut self) {
        let _ = self.socket.close(None).await;
        while let Some(Ok(_)) = within("the close", self.socket.next()).await {}
    }

    /// The TCP connection, for what no WebSocket library would send.
    pub fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }
}
