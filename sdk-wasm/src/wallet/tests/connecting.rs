//! Coming up: dialling, proof, welcome.

use super::*;

#[test]
fn proves_its_key_over_the_challenge_its_own_url_and_its_origin() {
    let mut bench = Bench::new();
    bench.wallet.connect(bench.now);
    assert_eq!(bench.transmits(), [dial()]);
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
    assert_eq!(bench.transmits(), [dial()]);
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
    assert_eq!(bench.transmits(), [dial(), Transmit::Close(CloseCode::Normal)]);
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
    assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Normal), dial()]);
    bench.closed(Closed::AsAsked);
    bench.welcome();
    assert!(matches!(bench.last_state(), State::Connected(_)));
}
