//! The wallet, driven by hand: what it does about each frame, each decision and each tick, by subject.

mod batches;
mod connecting;
mod heartbeat;
mod hostile;
mod nodes;
mod reconnecting;
mod repetition;
mod requests;
mod signers;
mod stored;

use super::requests::{CHANGED, refusal};
use super::*;
use crate::requests::status;
use crate::{
    effect::{End, Prompt, StoreAction},
    heartbeat::PONG_TIMEOUT,
    record::{Answer, Contents, Stage},
    requests::{ACK_GRACE, MAX_RECENT, MEMORY, MOST_OPEN, STORE_TIMEOUT},
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, Batch, BatchId, CancelCause, ChallengeFrame, ConnectionId, ErrorCode, Message, PublicKey,
    RejectCode, RejectScope, RequestId, Requester, SignReject, SignRequest, Signable, WalletState, WireName as _,
    limits::MAX_TIMEOUT_MS,
};
use ed25519_dalek::SigningKey;
use std::collections::{BTreeMap, VecDeque};

const HEARTBEAT: Millis = Millis(20_000);
const LIMITS: WelcomeLimits = WelcomeLimits { max_message_bytes: 65_536, max_inflight: 16 };

/// A wallet, a key that signs and a store that keeps when told to, a clock that stands still, and whatever came out so far.
struct Bench {
    wallet: Wallet,
    key: SigningKey,
    now: Timestamp,
    events: Vec<Event>,
    transmits: Vec<Transmit>,
    tasks: Vec<SignTask>,
    stores: VecDeque<StoreTask>,
    /// What would survive a reload.
    kept: BTreeMap<RequestId, Record>,
}

impl Bench {
    fn new() -> Self {
        Self::of(wallet(false))
    }

    fn of(wallet: Wallet) -> Self {
        let (events, transmits, tasks, stores, kept) = Default::default();
        let now = Timestamp::from_millis(1_000_000);
        Self { wallet, key: key(), now, events, transmits, tasks, stores, kept }
    }

    fn welcomed() -> Self {
        let mut bench = Self::new();
        bench.wallet.connect(bench.now);
        bench.welcome();
        bench.clear();
        bench
    }

    /// From the dial to the welcome.
    fn welcome(&mut self) {
        self.wallet.handle_opened();
        self.receive(challenge());
        self.sign();
        self.receive(welcome(LIMITS));
    }

    fn receive(&mut self, frame: ServerFrame) {
        self.receive_text(&frame.to_json());
    }

    fn receive_text(&mut self, text: &str) {
        self.wallet.handle_incoming(self.now, Incoming::Text(text));
        self.collect();
    }

    /// Answers everything that waits for a signature.
    fn sign(&mut self) {
        self.collect();
        for task in std::mem::take(&mut self.tasks) {
            let signature = task.signable().sign(&self.key);
            self.wallet.handle_signed(self.now, task.id, signature);
        }
        self.collect();
    }

    fn approve(&mut self, id: RequestId) {
        self.wallet.approve(self.now, id, ApprovedBy::Human).unwrap();
        self.sign();
    }

    fn reject(&mut self, id: RequestId) {
        self.wallet.reject(self.now, id, RejectCode::UserRejected, None, RejectScope::Key).unwrap();
        self.collect();
    }

    fn close(&mut self, code: u16) {
        self.closed(Closed::Code(code, String::new()));
    }

    fn closed(&mut self, closed: Closed) {
        self.wallet.handle_closed(self.now, closed, Jitter::new(1.0));
        self.collect();
    }

    fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
        self.wallet.handle_timeout(self.now);
        self.collect();
    }

    /// Goes on to the next time something is due, and answers how long that took.
    fn wait_until_due(&mut self) -> Millis {
        let span = self.wallet.poll_timeout().expect("something is due") - self.now;
        self.wait(span);
        span
    }

    /// Loses the connection and comes back.
    fn reconnect(&mut self) {
        self.close(1006);
        self.wait_until_due();
        self.welcome();
    }

    fn collect(&mut self) {
        self.stores.extend(std::iter::from_fn(|| self.wallet.poll_store()));
        self.tasks.extend(std::iter::from_fn(|| self.wallet.poll_sign()));
        self.transmits.extend(std::iter::from_fn(|| self.wallet.poll_transmit()));
        self.events.extend(std::iter::from_fn(|| self.wallet.poll_event()));
    }

    fn clear(&mut self) {
        self.events();
        self.transmits();
    }

    fn events(&mut self) -> Vec<Event> {
        self.collect();
        std::mem::take(&mut self.events)
    }

    fn transmits(&mut self) -> Vec<Transmit> {
        self.collect();
        std::mem::take(&mut self.transmits)
    }

    fn sent(&mut self) -> Vec<ClientFrame> {
        self.transmits()
            .into_iter()
            .filter_map(|transmit| match transmit {
                Transmit::Frame(frame) => Some(frame),
                Transmit::Dial(_) | Transmit::Close(_) => None,
            })
            .collect()
    }

    fn response(&self, id: RequestId, message: &Message) -> ClientFrame {
        let signature = Signable::Message(message).sign(&self.key);
        Answer::Signed { signature, approved_by: ApprovedBy::Human }.frame(id, message)
    }

    fn ends(&mut self) -> Vec<(RequestId, End)> {
        let events = self.events().into_iter();
        events
            .filter_map(|e| if let Event::Ended { request_id, end } = e { Some((request_id, end)) } else { None })
            .collect()
    }

    fn prompts(&mut self) -> usize {
        self.events().iter().map(|event| if let Event::Requests(asked) = event { asked.len() } else { 0 }).sum()
    }

    fn last_state(&mut self) -> State {
        let states =
            self.events().into_iter().rev().find_map(|e| if let Event::State(state) = e { Some(state) } else { None });
        states.expect("a change of state")
    }

    fn errors(&mut self) -> Vec<&'static str> {
        let events = self.events();
        events.iter().filter_map(|e| if let Event::Error(error) = e { Some(error.code()) } else { None }).collect()
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn wallet(keeps: bool) -> Wallet {
    Wallet::new(config(keeps))
}

fn config(keeps: bool) -> Config {
    Config {
        public_key: PublicKey::of(&key()).to_bytes(),
        nodes: Nodes::new(audience("wss://sign.example.com/ws")),
        origin: "https://app.example.com".parse().unwrap(),
        device: None,
        backoff: BackoffLimits::default(),
        keeps,
    }
}

fn audience(url: &str) -> Audience {
    url.parse().unwrap()
}

fn dial() -> Transmit {
    Transmit::Dial(audience("wss://sign.example.com/ws"))
}

fn asked(n: u16) -> Event {
    Event::Requests(vec![Prompt { request: request(n), resumed: false }])
}

fn challenge() -> ServerFrame {
    ServerFrame::Challenge(ChallengeFrame { challenge: [5; 32].into() })
}

fn welcome(limits: WelcomeLimits) -> ServerFrame {
    let connection_id = ConnectionId::from_random_bytes([1; 16]);
    ServerFrame::Welcome(Welcome { connection_id, heartbeat_ms: HEARTBEAT.0, limits })
}

fn id(n: u16) -> RequestId {
    let [a, b] = n.to_be_bytes();
    RequestId::from_random_bytes([a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn message() -> Message {
    Message::try_from(&b"Pay 25 EUR to Alice"[..]).unwrap()
}

fn request(n: u16) -> SignRequest {
    SignRequest {
        request_id: id(n),
        message: message(),
        expires_in_ms: 60_000,
        attempt: 1,
        requester: Requester { name: "Example Shop".parse().unwrap() },
        purpose: Some("Order 1042".parse().unwrap()),
        batch: None,
        replaces: None,
    }
}

fn ask(n: u16) -> ServerFrame {
    ServerFrame::SignRequest(request(n))
}

fn again(n: u16) -> ServerFrame {
    ServerFrame::SignRequest(SignRequest { attempt: 2, expires_in_ms: 30_000, ..request(n) })
}

fn ack(n: u16, outcome: AckOutcome) -> ServerFrame {
    ServerFrame::ResponseAck(ResponseAck { request_id: id(n), outcome })
}

fn cancel(n: u16, cause: CancelCause) -> ServerFrame {
    ServerFrame::RequestCancel(RequestCancel { request_id: id(n), cause })
}

fn error(code: ErrorCode) -> ServerFrame {
    ServerFrame::Error(ErrorFrame { code, message: "because".into(), request_id: None })
}

fn goodbye(reason: GoodbyeReason, reconnect_after_ms: u64) -> ServerFrame {
    ServerFrame::Goodbye(Goodbye { reason, reconnect_after_ms })
}

fn received(n: u16) -> ClientFrame {
    status(id(n), WalletState::Received)
}

fn displayed(n: u16) -> ClientFrame {
    status(id(n), WalletState::Displayed)
}

fn user_rejects(n: u16) -> ClientFrame {
    let (code, scope) = (RejectCode::UserRejected, RejectScope::Key);
    ClientFrame::SignReject(SignReject { request_id: id(n), code, reason: None, scope })
}
