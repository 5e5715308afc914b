//! The driver over a socket made of channels, with the clock in the test's hand.

// The helpers of a test fail by panicking, as the test itself does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use countersign_protocol::{
    AckOutcome, Audience, CancelCause, Challenge, ClientFrame, ErrorCode, GoodbyeReason, Introduction, Message, Origin,
    PingPong, PublicKey, RequestStatus, ServerFrame, SignRequest, SignResponse, Signable, WalletState,
};
use countersign_server::{
    CallContext, Config, Phase, Signed, SigningError, SigningService, Timestamp,
    connection::{Client, Exit, Halves, Incoming, Outgoing, drive},
    steps::{EndedBy, Observer, Step, WalletConnection},
};
use ed25519_dalek::SigningKey;
use futures_util::{StreamExt, sink};
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, advance},
};

const AUDIENCE: &str = "wss://sign.example/ws";

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The far end of a driven connection.
struct Wallet {
    key: SigningKey,
    incoming: mpsc::Sender<Incoming<String>>,
    outgoing: mpsc::Receiver<Outgoing>,
    exit: JoinHandle<Exit>,
}

fn service() -> SigningService {
    SigningService::new(Config::new(vec![AUDIENCE.parse::<Audience>().unwrap()]))
}

/// Connects with room for `room` frames that the wallet has not read; a write beyond waits.
fn connect(service: &SigningService, room: usize) -> Wallet {
    let (incoming, mut from_wallet) = mpsc::channel(8);
    let (to_wallet, outgoing) = mpsc::channel(room);
    let service = service.clone();
    let exit = tokio::spawn(async move {
        let incoming = futures_util::stream::poll_fn(move |cx| from_wallet.poll_recv(cx)).map(Ok::<_, Infallible>);
        let outgoing = Box::pin(sink::unfold(to_wallet, |to_wallet, frame| async move {
            to_wallet.send(frame).await.map(|()| to_wallet)
        }));
        drive(&service, Halves { incoming, outgoing }, Client::from(Origin::default()).at(ADDRESS)).await
    });
    Wallet { key: SigningKey::from_bytes(&[6; 32]), incoming, outgoing, exit }
}

impl Wallet {
    async fn introduced(service: &SigningService, room: usize) -> Self {
        let mut wallet = connect(service, room);
        let ServerFrame::Challenge(frame) = wallet.next().await else { panic!("no challenge") };
        wallet.send(ClientFrame::Introduction(wallet.introduction(&frame.challenge))).await;
        assert!(matches!(wallet.next().await, ServerFrame::Welcome(_)));
        wallet
    }

    fn introduction(&self, challenge: &Challenge) -> Introduction {
        let public_key = self.public_key().to_bytes();
        let (audience, origin) = (AUDIENCE.parse().unwrap(), Origin::default());
        let signable =
            Signable::Introduction { challenge, public_key: &public_key, audience: &audience, origin: &origin };
        Introduction { public_key, proof: Some(signable.sign(&self.key)), device: None }
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.key)
    }

    async fn receive(&mut self) -> Outgoing {
        self.outgoing.recv().await.expect("the connection is open")
    }

    async fn next(&mut self) -> ServerFrame {
        match self.receive().await {
            Outgoing::Text(text) => ServerFrame::parse(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    async fn expect_request(&mut self) -> SignRequest {
        match self.next().await {
            ServerFrame::SignRequest(request) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    async fn send(&mut self, frame: ClientFrame) {
        self.incoming.send(Incoming::Text(frame.to_json())).await.unwrap();
    }

    async fn send_received(&mut self, request: &SignRequest) {
        let (request_id, state) = (request.request_id, WalletState::Received);
        self.send(ClientFrame::RequestStatus(RequestStatus { request_id, state })).await;
    }

    async fn send_answer(&mut self, request: &SignRequest) {
        let signature = Signable::Message(&request.message).sign(&self.key);
        let (request_id, message) = (request.request_id, request.message.clone());
        self.send(ClientFrame::SignResponse(SignResponse { request_id, message, signature, approved_by: None })).await;
    }

    async fn expect_ack(&mut self) -> AckOutcome {
        match self.next().await {
            ServerFrame::ResponseAck(ack) => ack.outcome,
            other => panic!("no acknowledgement: {other:?}"),
        }
    }

    /// Hangs up and waits for the connection's end.
    async fn hang_up(self) -> Exit {
        drop(self.incoming);
        self.exit.await.unwrap()
    }
}

fn ask(service: &SigningService, wallet: &Wallet, timeout: Duration) -> JoinHandle<Result<Signed, SigningError>> {
    let (service, key) = (service.clone(), wallet.public_key().to_bytes());
    let message = Message::try_from(&b"hello"[..]).unwrap();
    tokio::spawn(async move { service.request(key, message).timeout(timeout).send().await })
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_minute_is_what_a_wallet_gets() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    let asking = tokio::spawn({
        let (service, key) = (service.clone(), wallet.public_key());
        async move { service.send_to_sign(&key, b"hello").await }
    });
    let request = wallet.expect_request().await;
    assert_eq!(request.expires_in_ms, 60_000);
    wallet.send_received(&request).await;

    let cancel = loop {
        match wallet.receive().await {
            Outgoing::Ping => wallet.incoming.send(Incoming::Control).await.unwrap(),
            Outgoing::Text(text) => break ServerFrame::parse(&text).unwrap(),
            Outgoing::Close { .. } => panic!("closed"),
        }
    };
    let ServerFrame::RequestCancel(cancel) = cancel else { panic!("no cancel") };
    assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Expired));
    assert_eq!(asking.await.unwrap(), Err(SigningError::Timeout(Phase::Received)));
    assert_eq!(started.elapsed().as_secs(), 60);
    assert_eq!(service.pending(), 0);
    wallet.send_answer(&request).await;
    assert_eq!(wallet.expect_ack().await, AckOutcome::Late);
    assert_eq!(wallet.hang_up().await, Exit::Peer);
}

#[tokio::test(start_paused = true)]
async fn on_a_busy_connection_an_acknowledgement_goes_out_with_the_next_frame() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    let first = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    wallet.send_answer(&request).await;
    assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    assert!(first.await.unwrap().is_ok());

    let second = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    wallet.send_answer(&request).await;
    assert!(second.await.unwrap().is_ok(), "no backend waits for it");
    assert_eq!(wallet.outgoing.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    let third = ask(&service, &wallet, MINUTE);
    assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    let request = wallet.expect_request().await;
    assert_eq!(started.elapsed(), Duration::ZERO, "nothing has waited for time to pass");

    wallet.send_answer(&request).await;
    assert!(third.await.unwrap().is_ok());
    assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    let waited = started.elapsed().as_millis();
    assert!((40..=41).contains(&waited), "where no frame follows it goes by itself, after {waited} ms");
    assert_eq!(wallet.receive().await, Outgoing::Ping, "and the heartbeat goes on");
}

#[tokio::test(start_paused = true)]
async fn no_introduction_in_ten_seconds_closes() {
    let service = service();
    let started = Instant::now();
    let mut wallet = connect(&service, 8);
    assert!(matches!(wallet.next().await, ServerFrame::Challenge(_)));
    let ServerFrame::Error(error) = wallet.next().await else { panic!("no error") };
    assert_eq!((error.code, started.elapsed().as_secs()), (ErrorCode::IntroductionTimeout, 10));
    assert_eq!(wallet.receive().await, Outgoing::Close { code: 1008, reason: "introduction_timeout" });
    assert_eq!(wallet.exit.await.unwrap(), Exit::Closed("introduction_timeout"));
    assert_eq!(service.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_goodbye() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    assert_eq!(wallet.receive().await, Outgoing::Ping);
    assert_eq!(started.elapsed().as_secs(), 20);
    let ServerFrame::Goodbye(goodbye) = wallet.next().await else { panic!("no goodbye") };
    assert_eq!((goodbye.reason, started.elapsed().as_secs()), (GoodbyeReason::Idle, 40));
    assert_eq!(wallet.receive().await, Outgoing::Close { code: 1000, reason: "idle" });
    assert_eq!(wallet.exit.await.unwrap(), Exit::Closed("idle"));
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_does_not_read_is_cut_off_and_its_requests_end_undelivered() {
    let service = service();
    let wallet = Wallet::introduced(&service, 1).await;
    // One frame finds room; the write of the next waits in vain.
    let asking: Vec<_> = (0..3).map(|_| ask(&service, &wallet, MINUTE)).collect();
    let started = Instant::now();
    for asking in asking {
        assert_eq!(asking.await.unwrap(), Err(SigningError::DeliveryTimeout));
    }
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(wallet.exit.await.unwrap(), Exit::Stuck);
    assert_eq!((service.pending(), service.connections()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_at_the_very_deadline_counts_or_does_not_and_both_sides_agree() {
    let service = service();
    for answer_first in [true, false].into_iter().cycle().take(50) {
        let mut wallet = Wallet::introduced(&service, 8).await;
        let asking = ask(&service, &wallet, Duration::from_secs(1));
        let request = wallet.expect_request().await;
        let answer = wallet.send_answer(&request);
        if answer_first {
            answer.await;
            advance(Duration::from_secs(1)).await;
        } else {
            advance(Duration::from_secs(1)).await;
            answer.await;
        }
        let result = asking.await.unwrap();
        let outcome = loop {
            match wallet.next().await {
                ServerFrame::RequestCancel(_) => assert!(result.is_err()),
                ServerFrame::ResponseAck(ack) => break ack.outcome,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(outcome, if result.is_ok() { AckOutcome::Accepted } else { AckOutcome::Late }, "{result:?}");
        assert_eq!(service.pending(), 0);
        wallet.hang_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_outlives_its_connection_and_waits_for_the_wallet() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let asking = ask(&service, &wallet, MINUTE);
    let first = wallet.expect_request().await;
    wallet.send_received(&first).await;
    wallet.incoming.send(Incoming::Control).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!(wallet.hang_up().await, Exit::Peer);
    assert_eq!((service.pending(), service.connections()), (1, 0));

    let mut wallet = Wallet::introduced(&service, 8).await;
    let again = wallet.expect_request().await;
    assert_eq!((again.request_id, again.attempt), (first.request_id, 2));
    wallet.send_answer(&again).await;
    assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    assert!(asking.await.unwrap().is_ok());
    assert_eq!(service.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_does_not_come_back_is_waited_for_until_the_deadline() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    let asking = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    wallet.send_received(&request).await;
    wallet.hang_up().await;
    assert_eq!(asking.await.unwrap(), Err(SigningError::SignerDisconnected(Phase::Received)));
    assert_eq!(started.elapsed().as_secs(), 60);
    assert_eq!((service.pending(), service.connections()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wallet_that_does_not_say_that_it_has_a_request_is_not_waited_for() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    let asking = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    assert_eq!(asking.await.unwrap(), Err(SigningError::DeliveryTimeout));
    assert_eq!(started.elapsed().as_secs(), 10);
    let ServerFrame::RequestCancel(cancel) = wallet.next().await else { panic!("no cancel") };
    assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Expired));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_caller_withdraws_the_request() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let asking = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    asking.abort();
    let ServerFrame::RequestCancel(cancel) = wallet.next().await else { panic!("no cancel") };
    assert_eq!((cancel.request_id, cancel.cause), (request.request_id, CancelCause::Cancelled));
    assert_eq!(service.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn frames_that_come_fast_are_read_later_and_each_is_answered() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    for t in 0..6_000 {
        wallet.send(ClientFrame::Ping(PingPong { t })).await;
        assert_eq!(wallet.next().await, ServerFrame::Pong(PingPong { t }));
    }
    // A burst of 4,000, the introduction among it, and from then on a thousand a second.
    let took = started.elapsed();
    assert!((2.0..2.1).contains(&took.as_secs_f64()), "{took:?}");
    // No word of it, and no mark against it.
    assert!(service.metrics().to_text().contains("countersign_rate_limited_total{scope=\"connection\"}"));
    wallet.hang_up().await;
}

/// Each of a burst has to be received, shown and signed, and its wallet may do so as fast as it likes.
#[tokio::test(start_paused = true)]
async fn a_wallet_that_answers_by_itself_keeps_up_with_its_backends() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 64).await;
    for _ in 0..100 {
        let asked: Vec<_> = (0..10).map(|_| ask(&service, &wallet, Duration::from_secs(60))).collect();
        let mut requests = Vec::new();
        for _ in &asked {
            requests.push(wallet.expect_request().await);
        }
        for request in requests {
            wallet.send_received(&request).await;
            let displayed = RequestStatus { request_id: request.request_id, state: WalletState::Displayed };
            wallet.send(ClientFrame::RequestStatus(displayed)).await;
            wallet.send_answer(&request).await;
            wallet.expect_ack().await;
        }
        for asked in asked {
            asked.await.unwrap().unwrap();
        }
    }
    wallet.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn more_than_a_key_s_share_of_connections_is_refused() {
    let mut config = Config::new(vec![AUDIENCE.parse().unwrap()]);
    config.max_connections_per_key = 1;
    let service = SigningService::new(config);
    let first = Wallet::introduced(&service, 8).await;
    let mut second = connect(&service, 8);
    let ServerFrame::Challenge(frame) = second.next().await else { panic!("no challenge") };
    second.send(ClientFrame::Introduction(second.introduction(&frame.challenge))).await;
    let ServerFrame::Error(error) = second.next().await else { panic!("no error") };
    assert_eq!(error.code, ErrorCode::TooManyConnections);
    assert_eq!(second.receive().await, Outgoing::Close { code: 1008, reason: "too_many_connections" });
    assert_eq!(service.connections_of(&first.public_key().to_bytes()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_its_share_of_requests_and_the_next_is_refused_at_once() {
    let mut config = Config::new(vec![AUDIENCE.parse().unwrap()]);
    config.max_inflight = 2;
    let service = SigningService::new(config);
    let mut wallet = Wallet::introduced(&service, 8).await;
    let open = [ask(&service, &wallet, MINUTE), ask(&service, &wallet, MINUTE)];
    let requests = [wallet.expect_request().await, wallet.expect_request().await];
    assert_eq!(ask(&service, &wallet, MINUTE).await.unwrap(), Err(SigningError::TooManyInflight));
    for request in &requests {
        wallet.send_answer(request).await;
        assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    }
    for asking in open {
        assert!(asking.await.unwrap().is_ok());
    }
    let again = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    wallet.send_answer(&request).await;
    assert!(again.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn draining_waits_for_open_requests_and_no_longer_than_told() {
    for answers in [true, false] {
        let service = service();
        let mut wallet = Wallet::introduced(&service, 8).await;
        let asking = ask(&service, &wallet, MINUTE);
        let request = wallet.expect_request().await;
        let started = Instant::now();
        let draining = tokio::spawn({
            let service = service.clone();
            async move { service.drain(Duration::from_secs(5)).await }
        });
        assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
        if answers {
            wallet.send_answer(&request).await;
            assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
        }
        let result = asking.await.unwrap();
        let waited = started.elapsed().as_secs();
        match answers {
            true => assert!(result.is_ok() && waited == 0),
            false => assert_eq!((result, waited), (Err(SigningError::Draining), 5)),
        }
        let close = loop {
            if let close @ Outgoing::Close { .. } = wallet.receive().await {
                break close;
            }
        };
        assert_eq!(close, Outgoing::Close { code: 1012, reason: "shutdown" });
        drop(wallet);
        draining.await.unwrap();
        assert!(service.is_draining() && service.connections() == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_as_many_requests_as_may_be_open_reaches_the_wallet() {
    let mut config = Config::new(vec![AUDIENCE.parse().unwrap()]);
    config.max_inflight = 500;
    config.frames_per_second = None;
    let service = SigningService::new(config);
    let mut wallet = Wallet::introduced(&service, 8).await;
    let asking: Vec<_> = (0..500).map(|_| ask(&service, &wallet, MINUTE)).collect();
    let mut requests = Vec::new();
    for _ in &asking {
        requests.push(wallet.expect_request().await);
    }
    for request in &requests {
        wallet.send_answer(request).await;
        assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    }
    for asking in asking {
        assert!(asking.await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn mail_that_piles_up_ends_the_connection_and_never_as_superseded() {
    let mut config = Config::new(vec![AUDIENCE.parse().unwrap()]);
    config.max_inflight = 1;
    let service = SigningService::new(config);
    let mut wallet = Wallet::introduced(&service, 1).await;
    let mut asked = 0;
    // Asked and withdrawn over and over, without the wallet's reading any of it.
    while service.connections() == 1 {
        let asking = ask(&service, &wallet, MINUTE);
        while !asking.is_finished() && service.pending() == 0 {
            tokio::task::yield_now().await;
        }
        asking.abort();
        while service.pending() > 0 {
            tokio::task::yield_now().await;
        }
        asked += 1;
        assert!(asked < 100, "the mail is bounded");
    }
    // What had been taken in is withdrawn, and what was over before it could be written is not put to the wallet any more.
    let (mut requests, mut cancels) = (0, 0);
    while let Some(Outgoing::Text(text)) = wallet.outgoing.recv().await {
        match ServerFrame::parse(&text).unwrap() {
            ServerFrame::SignRequest(_) => requests += 1,
            ServerFrame::RequestCancel(_) => cancels += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(requests == 1 && cancels > 1, "{requests} requests, {cancels} withdrawn");
    assert_eq!(wallet.exit.await.unwrap(), Exit::Stuck);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_being_closed_is_asked_nothing_more() {
    let service = service();
    let mut wallet = Wallet::introduced(&service, 8).await;
    let started = Instant::now();
    // Pinged in vain, it is told goodbye. Its answer to the close frame is still awaited, and nobody else waits for that.
    assert_eq!(wallet.receive().await, Outgoing::Ping);
    assert!(matches!(wallet.next().await, ServerFrame::Goodbye(_)));
    assert_eq!(started.elapsed().as_secs(), 40);
    assert_eq!((service.connections(), service.connections_of(&wallet.public_key().to_bytes())), (1, 0));
    assert_eq!(ask(&service, &wallet, MINUTE).await.unwrap(), Err(SigningError::SignerNotConnected));
    assert_eq!(wallet.exit.await.unwrap(), Exit::Closed("idle"));
    assert_eq!(service.connections(), 0);
}

#[tokio::test(start_paused = true)]
async fn waits_that_no_clock_reaches_are_for_ever() {
    let mut config = Config::new(vec![AUDIENCE.parse().unwrap()]);
    for wait in [&mut config.heartbeat, &mut config.introduction_timeout, &mut config.write_timeout] {
        *wait = Duration::MAX;
    }
    let service = SigningService::new(config);
    let mut wallet = Wallet::introduced(&service, 8).await;
    let asking = ask(&service, &wallet, MINUTE);
    let request = wallet.expect_request().await;
    wallet.send_received(&request).await;
    tokio::time::sleep(MINUTE / 2).await;
    wallet.send_answer(&request).await;
    assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
    assert!(asking.await.unwrap().is_ok());
}

/// Keeps what it is told.
struct Witness {
    wants_progress: bool,
    steps: Mutex<Vec<Step>>,
}

impl Observer for Witness {
    fn observe(&self, _: Timestamp, step: &Step) {
        self.steps.lock().unwrap().push(step.clone());
    }

    fn wants_progress(&self) -> bool {
        self.wants_progress
    }
}

fn watched(wants_progress: bool) -> (SigningService, Arc<Witness>) {
    let witness = Arc::new(Witness { wants_progress, steps: Mutex::default() });
    let mut config = Config::new(vec![AUDIENCE.parse::<Audience>().unwrap()]);
    config.observers.add(Arc::clone(&witness) as Arc<dyn Observer>);
    (SigningService::new(config), witness)
}

/// What a step says beside the request and the key.
fn told(step: &Step) -> String {
    let from = |wallet: &WalletConnection| wallet.address.map_or("nowhere".into(), |address| address.to_string());
    match step {
        Step::Asked { request, .. } => format!("asked from {:?}", request.call.as_ref().and_then(|c| c.address)),
        Step::Refused(refusal) => format!("refused {}", refusal.outcome),
        Step::Delivered { to, attempt, .. } => format!("delivered {attempt} to {}", from(to)),
        Step::Received { by, .. } => format!("received {}", from(by)),
        Step::Displayed { by, .. } => format!("displayed {}", from(by)),
        Step::Answered { by, outcome, .. } => format!("answered {outcome:?} {}", from(by)),
        Step::AnsweredInVain { by, outcome, .. } => format!("in vain {outcome:?} {}", from(by)),
        Step::Ended { outcome, by: EndedBy::Wallet(wallet), .. } => format!("ended {outcome} {}", from(wallet)),
        Step::Ended { outcome, by, .. } => format!("ended {outcome} {}", by.as_str()),
        Step::Introduced { wallet, proven, .. } => format!("introduced {} {proven}", from(wallet)),
        Step::Left { wallet, why, .. } => format!("left {} {why}", from(wallet)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whoever_looks_on_is_told_each_step_with_the_addresses() {
    for wants_progress in [true, false] {
        let (service, witness) = watched(wants_progress);
        let mut wallet = Wallet::introduced(&service, 8).await;
        let key = wallet.public_key().to_bytes();
        let caller = CallContext::at(Ipv4Addr::LOCALHOST.into());
        let asking = tokio::spawn({
            let service = service.clone();
            async move { service.request(key, Message::try_from(&b"hello"[..]).unwrap()).call(caller).send().await }
        });
        let request = wallet.expect_request().await;
        wallet.send_received(&request).await;
        wallet.send_answer(&request).await;
        assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);
        asking.await.unwrap().unwrap();
        // The same again.
        wallet.send_answer(&request).await;
        assert_eq!(wallet.expect_ack().await, AckOutcome::Accepted);

        // One that nobody waits for any more.
        let asking = ask(&service, &wallet, MINUTE);
        wallet.expect_request().await;
        asking.abort();
        assert!(matches!(wallet.next().await, ServerFrame::RequestCancel(_)));
        wallet.hang_up().await;
        assert_eq!(
            service.request(key, Message::try_from(&b"hello"[..]).unwrap()).send().await.unwrap_err().code(),
            "signer_not_connected"
        );

        let expected = [
            "introduced 192.0.2.7 true",
            "asked from Some(127.0.0.1)",
            "delivered 1 to 192.0.2.7",
            "received 192.0.2.7",
            "answered Accepted 192.0.2.7",
            "ended signed 192.0.2.7",
            "in vain Accepted 192.0.2.7",
            "asked from None",
            "delivered 1 to 192.0.2.7",
            "ended cancelled hang_up",
            "left 192.0.2.7 hung_up",
            "refused signer_not_connected",
        ];
        let is_progress = |step: &&str| step.starts_with("delivered") || step.starts_with("received");
        let expected: Vec<_> = expected.into_iter().filter(|step| wants_progress || !is_progress(step)).collect();
        let steps: Vec<_> = witness.steps.lock().unwrap().iter().map(told).collect();
        assert_eq!(steps, expected);
    }
}
