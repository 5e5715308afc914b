use super::asked::{CHANGED, refusal, status};
use super::*;
use crate::{
    effect::{Asked, End, StoreAction},
    heartbeat::PONG_TIMEOUT,
    memory::MEMORY,
    open::ACK_GRACE,
    record::{Answer, Contents, Stage},
    request::{MOST_OPEN, STORE_TIMEOUT},
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, Batch, BatchId, CancelCause, ChallengeFrame, ConnectionId, ErrorCode, Message, PublicKey,
    RejectCode, RejectScope, RequestId, Requester, SignReject, SignRequest, Signable, WalletState, WireName as _,
    limits::MAX_TIMEOUT_MS,
};
use ed25519_dalek::SigningKey;
use std::collections::{BTreeMap, VecDeque};

#[path = "wallet_batch_tests.rs"]
mod batches;
#[path = "wallet_signer_tests.rs"]
mod foreign_signer;
#[path = "wallet_store_tests.rs"]
mod keeping;

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
                Transmit::Dial | Transmit::Close(_) => None,
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
    Wallet::new(Config {
        public_key: PublicKey::of(&key()).to_bytes(),
        audience: "wss://sign.example.com/ws".parse().unwrap(),
        origin: "https://app.example.com".parse().unwrap(),
        device: None,
        backoff: BackoffLimits::default(),
        keeps,
    })
}

fn asked(n: u16) -> Event {
    Event::Requests(vec![Asked { request: request(n), resumed: false }])
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

mod connecting {
    use super::*;

    #[test]
    fn proves_its_key_over_the_challenge_its_own_url_and_its_origin() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        assert_eq!(bench.transmits(), [Transmit::Dial]);
        bench.wallet.handle_opened();
        bench.receive(challenge());
        assert_eq!(bench.sent(), [], "nothing is sent before it is signed");
        bench.sign();
        let [ClientFrame::Introduction(introduction)] = &bench.sent()[..] else { panic!("one introduction") };
        let public_key = PublicKey::of(&bench.key).to_bytes();
        assert_eq!(introduction.public_key, public_key);
        let expected = Signable::Introduction {
            challenge: &[5; 32].into(),
            public_key: &public_key,
            audience: &"wss://sign.example.com/ws".parse().unwrap(),
            origin: &"https://app.example.com".parse().unwrap(),
        };
        assert_eq!(expected.verify(&PublicKey::of(&bench.key), &introduction.proof.unwrap()), Ok(()));
        bench.receive(welcome(LIMITS));
        let connection_id = ConnectionId::from_random_bytes([1; 16]);
        assert_eq!(
            bench.events(),
            [State::Connecting, State::Introducing, State::Connected(connection_id)].map(Event::State)
        );
    }

    #[test]
    fn connecting_twice_is_connecting_once() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.wallet.connect(bench.now);
        assert_eq!(bench.transmits(), [Transmit::Dial]);
        bench.welcome();
        bench.clear();
        bench.wallet.connect(bench.now);
        assert_eq!(bench.transmits(), []);
    }

    #[test]
    fn gives_up_after_the_connect_timeout_wherever_it_stands() {
        let stages: [fn(&mut Bench); 3] =
            [|_| (), |bench| bench.wallet.handle_opened(), |bench| bench.receive(challenge())];
        for stage in stages {
            let mut bench = Bench::new();
            bench.wallet.connect(bench.now);
            stage(&mut bench);
            bench.clear();
            bench.wait(Millis(CONNECT_TIMEOUT.0 - 1));
            assert_eq!(bench.transmits(), []);
            bench.wait(Millis(1));
            assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Timeout)]);
            bench.closed(Closed::AsAsked);
            let State::Reconnecting { error, .. } = bench.last_state() else { panic!("reconnecting") };
            assert_eq!(error, Error::ConnectTimeout(CONNECT_TIMEOUT.0));
        }
    }

    #[test]
    fn a_socket_that_cannot_be_made_is_final() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.closed(Closed::NotMade("insecure".into()));
        assert_eq!(bench.last_state(), State::Closed(Some(Error::DialRefused("insecure".into()))));
        assert_eq!(bench.wallet.poll_timeout(), None);
    }

    #[test]
    fn a_key_that_is_gone_is_final() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        let task = bench.tasks.remove(0);
        bench.wallet.handle_sign_failed(bench.now, task.id, Error::KeyFreed);
        assert_eq!(bench.transmits(), [Transmit::Dial, Transmit::Close(CloseCode::Normal)]);
        assert_eq!(bench.last_state(), State::Closed(Some(Error::KeyFreed)));
    }

    #[test]
    fn a_proof_of_an_older_connection_is_not_sent_on_a_newer() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        let old = bench.tasks.remove(0);
        bench.close(1006);
        bench.wait_until_due();
        bench.receive(challenge());
        bench.clear();
        let proof = old.signable().sign(&bench.key);
        bench.wallet.handle_signed(bench.now, old.id, proof);
        assert_eq!(bench.sent(), []);
        bench.sign();
        assert_eq!(bench.sent().len(), 1);
    }

    #[test]
    fn closing_and_connecting_within_one_turn_does_not_mistake_the_old_socket_for_the_new() {
        let mut bench = Bench::welcomed();
        bench.wallet.close();
        bench.wallet.connect(bench.now);
        assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Normal), Transmit::Dial]);
        bench.closed(Closed::AsAsked);
        bench.welcome();
        assert!(matches!(bench.last_state(), State::Connected(_)));
    }
}

mod reconnecting {
    use super::*;

    /// The wait after each of a row of failures, with the jitter at its longest.
    fn waits(bench: &mut Bench, failures: usize) -> Vec<u64> {
        let wait = |_| {
            bench.close(1006);
            bench.wait_until_due().0
        };
        (0..failures).map(wait).collect()
    }

    #[test]
    fn waits_longer_after_each_failure() {
        let mut bench = Bench::welcomed();
        assert_eq!(waits(&mut bench, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn starts_over_only_after_a_connection_that_has_lasted() {
        let mut bench = Bench::welcomed();
        waits(&mut bench, 2);
        bench.welcome();
        bench.wait(Millis(STABLE_AFTER.0 - 1));
        assert_eq!(waits(&mut bench, 1), [4_000]);
        bench.welcome();
        bench.wait(STABLE_AFTER);
        assert_eq!(waits(&mut bench, 1), [1_000]);
    }

    #[test]
    fn a_goodbye_says_how_long_to_wait_within_reason() {
        for (asked, waited) in [(5_000, 6_000), (u64::MAX, LONGEST_GOODBYE.0 + 1_000)] {
            let mut bench = Bench::welcomed();
            bench.receive(goodbye(GoodbyeReason::Shutdown, asked));
            bench.close(1012);
            assert_eq!(bench.wait_until_due(), Millis(waited));
            assert_eq!(bench.transmits(), [Transmit::Dial]);
        }
    }

    #[test]
    fn a_superseded_wallet_stays_away() {
        let mut bench = Bench::welcomed();
        bench.receive(goodbye(GoodbyeReason::Superseded, 0));
        bench.close(1000);
        assert_eq!(bench.last_state(), State::Closed(Some(Error::Superseded)));
        assert_eq!(bench.wallet.poll_timeout(), None);
    }

    #[test]
    fn reconnects_or_not_by_code_and_by_what_was_said_before() {
        use ErrorCode::*;
        let cases = [
            (1000, None, true),
            (1001, None, true),
            (1006, None, true),
            (1011, None, true),
            (1012, None, true),
            (1008, None, false),
            (1003, None, false),
            (1009, None, false),
            (1008, Some(ProofInvalid), false),
            (1006, Some(ProofInvalid), false),
            (1008, Some(ProofRequired), false),
            (1008, Some(KeyRefused), false),
            (1008, Some(TooManyErrors), false),
            (1008, Some(Unrecognised), false),
            (1006, Some(Malformed), true),
            (1008, Some(RateLimited), true),
            (1008, Some(TooManyConnections), true),
            (1008, Some(IntroductionTimeout), true),
        ];
        for (code, told, again) in cases {
            let mut bench = Bench::welcomed();
            if let Some(told) = told {
                bench.receive(error(told));
                assert_eq!(bench.errors(), [told.as_str()]);
            }
            bench.close(code);
            let reconnects = matches!(bench.last_state(), State::Reconnecting { .. });
            assert_eq!(reconnects, again, "{code} after {told:?}");
            assert_eq!(bench.wallet.poll_timeout().is_some(), again);
        }
    }

    #[test]
    fn what_an_old_socket_still_says_is_ignored() {
        let mut bench = Bench::welcomed();
        bench.close(1006);
        bench.clear();
        bench.receive(ask(1));
        bench.close(1008);
        bench.wallet.handle_opened();
        assert_eq!((bench.events(), bench.transmits()), (vec![], vec![]));
    }

    #[test]
    fn closing_while_it_waits_ends_the_waiting() {
        let mut bench = Bench::welcomed();
        bench.close(1006);
        bench.wallet.close();
        assert_eq!(bench.last_state(), State::Closed(None));
        assert_eq!(bench.wallet.poll_timeout(), None);
        bench.wallet.close();
        assert_eq!((bench.events(), bench.transmits()), (vec![], vec![]));
    }
}

mod heartbeat {
    use super::*;

    #[test]
    fn asks_after_a_silence_and_again_after_the_next() {
        let mut bench = Bench::welcomed();
        assert_eq!(bench.wait_until_due(), HEARTBEAT);
        let [ClientFrame::Ping(beat)] = bench.sent()[..] else { panic!("one ping") };
        bench.receive(ServerFrame::Pong(beat));
        assert_eq!(bench.wait_until_due(), HEARTBEAT);
        assert!(matches!(bench.sent()[..], [ClientFrame::Ping(_)]));
    }

    #[test]
    fn any_frame_is_a_sign_of_life() {
        let mut bench = Bench::welcomed();
        bench.wait(Millis(HEARTBEAT.0 - 1));
        bench.receive(error(ErrorCode::RateLimited));
        bench.wait(Millis(HEARTBEAT.0 - 1));
        assert_eq!(bench.sent(), []);
    }

    #[test]
    fn takes_a_socket_without_pong_for_dead() {
        let mut bench = Bench::welcomed();
        bench.wait_until_due();
        bench.clear();
        assert_eq!(bench.wait_until_due(), PONG_TIMEOUT);
        assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Timeout)]);
        bench.closed(Closed::AsAsked);
        let State::Reconnecting { error, retry_in } = bench.last_state() else { panic!("reconnecting") };
        assert_eq!((error, retry_in), (Error::HeartbeatTimeout, Millis(1_000)));
    }

    #[test]
    fn answers_pings_and_ignores_pongs_it_did_not_ask_for() {
        let mut bench = Bench::welcomed();
        bench.receive(ServerFrame::Ping(PingPong { t: 7 }));
        bench.receive(ServerFrame::Pong(PingPong { t: 8 }));
        assert_eq!(bench.sent(), [ClientFrame::Pong(PingPong { t: 7 })]);
    }

    #[test]
    fn no_welcome_makes_it_ping_like_mad_or_never() {
        for (stated, kept) in [(0, 1_000), (u64::MAX, 300_000)] {
            let mut bench = Bench::new();
            bench.wallet.connect(bench.now);
            bench.receive(challenge());
            bench.sign();
            let connection_id = ConnectionId::from_random_bytes([1; 16]);
            bench.receive(ServerFrame::Welcome(Welcome { connection_id, heartbeat_ms: stated, limits: LIMITS }));
            assert_eq!(bench.wait_until_due(), Millis(kept));
        }
    }
}

mod requests {
    use super::*;

    #[test]
    fn is_shown_signed_and_accepted() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        assert_eq!(bench.sent(), [received(1)]);
        assert_eq!(bench.events(), [asked(1)]);
        bench.wallet.displayed(id(1)).unwrap();
        bench.wallet.displayed(id(1)).unwrap();
        assert_eq!(bench.sent(), [displayed(1)]);
        bench.approve(id(1));
        assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
        assert_eq!(bench.events(), [Event::Answered(id(1))]);
        bench.receive(ack(1, AckOutcome::Accepted));
        assert_eq!(bench.ends(), [(id(1), End::Accepted)]);
    }

    #[test]
    fn nothing_is_signed_that_nobody_approved() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.wallet.displayed(id(1)).unwrap();
        bench.wait(Millis(60_000));
        assert_eq!(bench.tasks, []);
    }

    #[test]
    fn is_answered_once() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.wallet.approve(bench.now, id(1), ApprovedBy::Human).unwrap();
        let now = bench.now;
        for answered in [false, true] {
            if answered {
                bench.sign();
            }
            assert_eq!(bench.wallet.approve(now, id(1), ApprovedBy::Human), Err(Error::AlreadyAnswered));
            let rejected = bench.wallet.reject(now, id(1), RejectCode::UserRejected, None, RejectScope::Key);
            assert_eq!(rejected, Err(Error::AlreadyAnswered));
        }
        bench.receive(ack(1, AckOutcome::Accepted));
        assert_eq!(bench.wallet.approve(now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
        assert_eq!(bench.wallet.displayed(id(1)), Err(Error::NotOpen));
        assert_eq!(bench.wallet.approve(now, id(9), ApprovedBy::Human), Err(Error::NotOpen));
    }

    #[test]
    fn every_acknowledgement_of_a_signature_has_its_end() {
        for (outcome, end) in [
            (AckOutcome::Accepted, End::Accepted),
            (AckOutcome::Late, End::Late),
            (AckOutcome::BadSignature, End::Failed(Error::BadSignature)),
            (AckOutcome::MessageMismatch, End::Failed(Error::MessageMismatch)),
            (AckOutcome::Unknown, End::Failed(Error::UnknownRequest)),
        ] {
            let mut bench = Bench::welcomed();
            bench.receive(ask(1));
            bench.approve(id(1));
            bench.receive(ack(1, AckOutcome::Duplicate));
            bench.receive(ack(1, outcome));
            bench.receive(ack(1, AckOutcome::Accepted));
            assert_eq!(bench.ends(), [(id(1), end)]);
        }
    }

    #[test]
    fn a_refusal_is_a_refusal_whatever_becomes_of_it() {
        for outcome in [AckOutcome::Accepted, AckOutcome::Late, AckOutcome::Duplicate, AckOutcome::Unknown] {
            let mut bench = Bench::welcomed();
            bench.receive(ask(1));
            bench.reject(id(1));
            assert_eq!(bench.sent(), [received(1), user_rejects(1)]);
            bench.receive(ack(1, outcome));
            assert_eq!(bench.ends(), [(id(1), End::Declined)]);
        }
    }

    #[test]
    fn an_acknowledgement_of_nothing_is_nothing() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.receive(ack(1, AckOutcome::Accepted));
        bench.receive(ack(2, AckOutcome::Accepted));
        assert_eq!(bench.ends(), []);
        bench.approve(id(1));
    }

    #[test]
    fn is_withdrawn_before_and_while_it_is_signed_but_not_after() {
        for (cause, end) in [
            (CancelCause::Cancelled, End::Cancelled),
            (CancelCause::Expired, End::Expired),
            (CancelCause::AnsweredElsewhere, End::AnsweredElsewhere),
        ] {
            let mut bench = Bench::welcomed();
            for n in 1..=3 {
                bench.receive(ask(n));
            }
            bench.wallet.approve(bench.now, id(2), ApprovedBy::Human).unwrap();
            bench.collect();
            let task = bench.tasks.remove(0);
            bench.approve(id(3));
            bench.clear();
            for n in 1..=4 {
                bench.receive(cancel(n, cause));
            }
            let signature = task.signable().sign(&bench.key);
            bench.wallet.handle_signed(bench.now, task.id, signature);
            assert_eq!(bench.sent(), [], "a signature that nobody waits for stays here");
            assert_eq!(bench.ends(), [(id(1), end.clone()), (id(2), end)]);
            bench.receive(ack(3, AckOutcome::Late));
            assert_eq!(bench.ends(), [(id(3), End::Late)]);
        }
    }

    #[test]
    fn expires_by_itself() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.wait(Millis(59_999));
        assert_eq!(bench.ends(), []);
        bench.wait(Millis(1));
        assert_eq!(bench.ends(), [(id(1), End::Expired)]);
    }

    #[test]
    fn expires_without_a_connection_too() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.close(1006);
        bench.wait(Millis(60_000));
        assert_eq!(bench.ends(), [(id(1), End::Expired)]);
    }

    #[test]
    fn is_not_signed_after_its_time_however_late_the_timers_run() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.receive(ask(2));
        bench.wallet.approve(bench.now, id(2), ApprovedBy::Human).unwrap();
        bench.now = bench.now + Millis(60_000);
        assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
        bench.sign();
        assert_eq!(bench.ends(), [(id(1), End::Expired), (id(2), End::Expired)]);
        assert_eq!(bench.sent(), [received(1), received(2)]);
    }

    #[test]
    fn a_time_without_end_is_cut() {
        let mut bench = Bench::welcomed();
        bench.receive(ServerFrame::SignRequest(SignRequest { expires_in_ms: u64::MAX, ..request(1) }));
        let request = SignRequest { expires_in_ms: MAX_TIMEOUT_MS, ..request(1) };
        assert_eq!(bench.events(), [Event::Requests(vec![Asked { request, resumed: false }])]);
        bench.wait(Millis(MAX_TIMEOUT_MS));
        assert_eq!(bench.ends(), [(id(1), End::Expired)]);
    }

    #[test]
    fn an_answer_without_acknowledgement_is_not_waited_for_for_ever() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.receive(ask(2));
        bench.approve(id(1));
        bench.reject(id(2));
        bench.wait(Millis(60_000 + ACK_GRACE.0 - 1));
        assert_eq!(bench.ends(), []);
        bench.wait(Millis(1));
        assert_eq!(bench.ends(), [(id(1), End::Failed(Error::Unconfirmed)), (id(2), End::Declined)]);
    }

    #[test]
    fn a_signing_that_fails_leaves_the_request_to_other_devices() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.wallet.approve(bench.now, id(1), ApprovedBy::Human).unwrap();
        bench.collect();
        let task = bench.tasks.remove(0);
        bench.clear();
        bench.wallet.handle_sign_failed(bench.now, task.id, Error::KeyFreed);
        let (code, scope) = (RejectCode::Locked, RejectScope::Device);
        let refused = ClientFrame::SignReject(SignReject { request_id: id(1), code, reason: None, scope });
        assert_eq!(bench.sent(), std::slice::from_ref(&refused));
        assert_eq!(bench.ends(), [(id(1), End::Failed(Error::KeyFreed))]);
        bench.receive(again(1));
        assert_eq!(bench.sent(), [refused]);
    }

    #[test]
    fn as_many_are_open_as_the_welcome_allows() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        bench.sign();
        bench.receive(welcome(WelcomeLimits { max_inflight: 1, max_message_bytes: 65_536 }));
        bench.clear();
        bench.receive(ask(1));
        bench.receive(ask(2));
        assert_eq!(bench.sent(), [received(1), refusal(id(2), RejectScope::Device)]);
        assert_eq!(bench.prompts(), 1);
        bench.approve(id(1));
        bench.receive(ack(1, AckOutcome::Accepted));
        bench.receive(ask(2));
        assert_eq!(bench.prompts(), 1);
    }

    #[test]
    fn what_an_earlier_connection_left_open_takes_no_place_on_this_one() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        let limits = WelcomeLimits { max_inflight: 1, max_message_bytes: 65_536 };
        for n in 1..=2 {
            bench.wallet.handle_opened();
            bench.receive(challenge());
            bench.sign();
            bench.receive(welcome(limits));
            bench.receive(ask(n));
            assert_eq!(bench.prompts(), 1);
            bench.close(1006);
            bench.wait_until_due();
        }
    }

    #[test]
    fn closing_the_wallet_ends_them_all() {
        let mut bench = Bench::welcomed();
        for n in 1..=3 {
            bench.receive(ask(n));
        }
        bench.approve(id(2));
        bench.reject(id(3));
        bench.clear();
        bench.wallet.close();
        assert_eq!(
            bench.ends(),
            [(id(1), End::Failed(Error::Closed)), (id(2), End::Failed(Error::Unconfirmed)), (id(3), End::Declined)]
        );
        bench.closed(Closed::AsAsked);
        bench.wallet.connect(bench.now);
        bench.welcome();
        bench.clear();
        for n in 1..=3 {
            bench.receive(again(n));
        }
        let answered = bench.response(id(2), &message());
        assert_eq!(bench.sent(), [received(1), answered, user_rejects(3)]);
        assert_eq!(bench.prompts(), 1, "the one whose prompt had gone unanswered");
    }
}

mod repetition {
    use super::*;

    #[test]
    fn an_open_request_is_not_shown_twice() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.wallet.displayed(id(1)).unwrap();
        bench.receive(ask(2));
        bench.reconnect();
        bench.clear();
        bench.receive(again(1));
        bench.receive(again(2));
        assert_eq!(bench.sent(), [received(1), displayed(1), received(2)]);
        let expires_in = Millis(30_000);
        let repeated = |n| Event::Repeated { request_id: id(n), attempt: 2, expires_in };
        assert_eq!(bench.events(), [repeated(1), repeated(2)]);
        bench.wait(Millis(29_999));
        assert_eq!(bench.ends(), []);
        bench.wait(Millis(1));
        assert_eq!(bench.ends().len(), 2, "the newest deadline counts");
    }

    #[test]
    fn an_answer_given_while_away_is_sent_on_return() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.receive(ask(2));
        bench.close(1006);
        bench.clear();
        bench.approve(id(1));
        bench.reject(id(2));
        bench.wallet.displayed(id(1)).unwrap();
        assert_eq!(bench.sent(), []);
        bench.wait_until_due();
        bench.welcome();
        let [ClientFrame::Introduction(_), ref first, ref second] = bench.sent()[..] else { panic!("three frames") };
        assert_eq!((first, second), (&bench.response(id(1), &message()), &user_rejects(2)));
        bench.clear();
        bench.receive(ack(1, AckOutcome::Late));
        assert_eq!(bench.ends(), [(id(1), End::Late)], "sent once, so its fate is known");
    }

    #[test]
    fn an_answer_given_while_away_that_could_never_be_sent_expires() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.close(1006);
        bench.approve(id(1));
        bench.wait(Millis(60_000));
        assert_eq!(bench.ends(), [(id(1), End::Expired)]);
    }

    #[test]
    fn an_unacknowledged_answer_is_sent_again_and_may_be_taken() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.approve(id(1));
        bench.reconnect();
        let answer = bench.response(id(1), &message());
        assert_eq!(bench.sent().iter().filter(|frame| **frame == answer).count(), 2);
        bench.receive(ack(1, AckOutcome::Accepted));
        assert_eq!(bench.ends(), [(id(1), End::Accepted)]);
        bench.reconnect();
        assert!(!bench.sent().contains(&answer), "not after its acknowledgement");
    }

    #[test]
    fn a_second_copy_has_the_fate_of_the_first_unless_the_server_has_forgotten_it() {
        for (outcome, end) in [
            (AckOutcome::Accepted, End::Accepted),
            (AckOutcome::Late, End::Late),
            (AckOutcome::Unknown, End::Failed(Error::Unconfirmed)),
        ] {
            let mut bench = Bench::welcomed();
            bench.receive(ask(1));
            bench.approve(id(1));
            bench.reconnect();
            bench.receive(ack(1, outcome));
            assert_eq!(bench.ends(), [(id(1), end)]);
        }
    }

    #[test]
    fn an_answered_request_gets_the_same_answer_before_and_after_its_acknowledgement() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.receive(ask(2));
        bench.approve(id(1));
        bench.reject(id(2));
        let answers = [bench.response(id(1), &message()), user_rejects(2)];
        for _ in 0..2 {
            bench.clear();
            bench.receive(again(1));
            bench.receive(again(2));
            assert_eq!(bench.sent(), answers);
            assert_eq!(bench.prompts(), 0);
            bench.receive(ack(1, AckOutcome::Accepted));
            bench.receive(ack(2, AckOutcome::Accepted));
        }
    }

    #[test]
    fn a_request_that_is_over_without_answer_stays_so() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.receive(cancel(1, CancelCause::Cancelled));
        bench.clear();
        bench.receive(again(1));
        assert_eq!((bench.sent(), bench.events()), (vec![], vec![]));
    }

    #[test]
    fn other_contents_under_an_open_id_withdraw_the_prompt() {
        let change: [fn(&mut SignRequest); 3] = [
            |request| request.message = Message::try_from(&b"Pay 25,000 EUR to Mallory"[..]).unwrap(),
            |request| request.requester.name = "Your Bank".parse().unwrap(),
            |request| request.purpose = None,
        ];
        for change in change {
            let mut bench = Bench::welcomed();
            bench.receive(ask(1));
            bench.clear();
            let mut changed = request(1);
            change(&mut changed);
            bench.receive(ServerFrame::SignRequest(changed));
            assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)]);
            assert_eq!(bench.ends(), [(id(1), End::Failed(CHANGED))]);
            assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
        }
    }

    #[test]
    fn an_answer_is_never_sent_beside_another_message() {
        let other = SignRequest { message: Message::try_from(&b"other"[..]).unwrap(), ..request(1) };
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.approve(id(1));
        for _ in 0..2 {
            bench.clear();
            bench.receive(ServerFrame::SignRequest(other.clone()));
            assert_eq!(bench.sent(), []);
            assert_eq!(bench.errors(), ["protocol_error"]);
            bench.receive(ack(1, AckOutcome::Accepted));
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut bench = Bench::welcomed();
        let most = u16::try_from(MEMORY).unwrap();
        for n in 0..=most {
            bench.receive(ask(n));
            bench.reject(id(n));
            bench.receive(ack(n, AckOutcome::Accepted));
        }
        bench.clear();
        bench.receive(again(1));
        assert_eq!((bench.sent(), bench.prompts()), (vec![user_rejects(1)], 0));
        bench.receive(again(0));
        assert_eq!(bench.prompts(), 1, "the oldest is forgotten");
    }
}

mod hostile {
    use super::*;

    #[test]
    fn a_frame_out_of_order_breaks_the_connection_off() {
        let hostile: [fn(&mut Bench); 6] = [
            |bench| bench.receive(ask(1)),
            |bench| bench.receive(welcome(LIMITS)),
            |bench| {
                bench.receive(challenge());
                bench.receive(challenge());
            },
            |bench| {
                bench.receive(challenge());
                bench.sign();
                bench.receive(challenge());
            },
            |bench| {
                bench.welcome();
                bench.receive(challenge());
            },
            |bench| {
                bench.welcome();
                bench.receive(welcome(LIMITS));
            },
        ];
        for hostile in hostile {
            let mut bench = Bench::new();
            bench.wallet.connect(bench.now);
            hostile(&mut bench);
            assert_eq!(bench.transmits().last(), Some(&Transmit::Close(CloseCode::ProtocolError)));
            assert_eq!(bench.errors(), ["protocol_error"]);
            bench.receive(ask(1));
            bench.sign();
            assert_eq!((bench.events(), bench.transmits()), (vec![], vec![]), "nothing more on this connection");
            bench.closed(Closed::AsAsked);
            assert!(matches!(bench.last_state(), State::Reconnecting { error: Error::Protocol(_), .. }));
        }
    }

    #[test]
    fn what_is_no_frame_is_dropped_and_too_much_of_it_is_enough() {
        let mut bench = Bench::welcomed();
        let deep = "[".repeat(50_000);
        let texts = ["", "null", "{", "{\"type\":\"sign_reject\"}", "{\"type\":\"nonsense\"}", &deep];
        for text in texts {
            bench.receive_text(text);
        }
        bench.wallet.handle_incoming(bench.now, Incoming::Binary);
        bench.wallet.handle_incoming(bench.now, Incoming::TooLong(usize::MAX));
        bench.receive_text(&" ".repeat(MAX_FRAME_BYTES + 1));
        assert_eq!(bench.errors(), ["bad_frame"; 9]);
        bench.receive(ask(1));
        assert_eq!(bench.prompts(), 1);
        bench.clear();
        for _ in 9..MOST_FAULTS {
            assert_eq!(bench.transmits(), []);
            bench.receive_text("");
        }
        assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::ProtocolError)]);
        bench.closed(Closed::AsAsked);
        assert!(matches!(bench.last_state(), State::Reconnecting { error: Error::BadFrame(_), .. }));
    }

    #[test]
    fn before_the_welcome_frames_are_short() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive_text(&format!("{}{}", challenge().to_json(), " ".repeat(MAX_INTRODUCTION_FRAME_BYTES)));
        assert_eq!(bench.errors(), ["bad_frame"]);
        assert_eq!(bench.tasks, []);
    }

    #[test]
    fn the_reserved_prefix_is_refused_for_the_key_and_never_shown_or_signed() {
        let mut bench = Bench::welcomed();
        // base64 of 0xFF "countersign/v1/introduction"
        let text = ask(1)
            .to_json()
            .replace(&serde_json::to_string(&message()).unwrap(), "\"/2NvdW50ZXJzaWduL3YxL2ludHJvZHVjdGlvbg==\"");
        bench.receive_text(&text);
        assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Key)]);
        assert_eq!(bench.errors(), ["bad_frame"]);
        assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
    }

    #[test]
    fn a_request_of_which_only_the_id_can_be_read_is_refused_for_the_device() {
        for (good, bad) in [
            ("\"Order 1042\"", "\"line\\nbreak\""),
            ("\"attempt\":1", "\"attempt\":-1"),
            ("\"message\":\"", "\"message\":\"~"),
            ("\"message\"", "\"massage\""),
        ] {
            let mut bench = Bench::welcomed();
            let text = ask(1).to_json().replace(good, bad);
            assert_ne!(text, ask(1).to_json());
            bench.receive_text(&text);
            assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)], "{bad}");
            assert_eq!(bench.prompts(), 0);
        }
    }

    #[test]
    fn an_unreadable_repetition_changes_nothing() {
        let mut bench = Bench::welcomed();
        bench.receive(ask(1));
        bench.clear();
        bench.receive_text(&ask(1).to_json().replace("\"attempt\":1", "\"attempt\":-1"));
        assert_eq!(bench.sent(), []);
        bench.approve(id(1));
        assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
    }

    #[test]
    fn a_message_longer_than_the_welcome_allows_is_refused() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        bench.sign();
        bench.receive(welcome(WelcomeLimits { max_message_bytes: message().len() - 1, max_inflight: 16 }));
        bench.clear();
        bench.receive(ask(1));
        assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)]);
        assert_eq!(bench.prompts(), 0);
    }

    #[test]
    fn no_welcome_opens_the_wallet_without_bound() {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        bench.sign();
        bench.receive(welcome(WelcomeLimits { max_message_bytes: usize::MAX, max_inflight: usize::MAX }));
        for n in 0..300 {
            bench.receive(ask(n));
        }
        assert_eq!(bench.prompts(), MOST_OPEN);
    }

    #[test]
    fn texts_from_outside_are_cut_and_cannot_forge_lines() {
        let mut bench = Bench::welcomed();
        let message = format!("first\nsecond{}", "x".repeat(10_000));
        bench.receive(ServerFrame::Error(ErrorFrame { code: ErrorCode::Malformed, message, request_id: None }));
        let [Event::Error(Error::Server { message, .. })] = &bench.events()[..] else { panic!("one error") };
        assert!(message.starts_with("first\u{FFFD}second") && message.chars().count() == 200);
    }
}
