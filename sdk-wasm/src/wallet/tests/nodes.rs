//! Several nodes: which one is dialled next, and what it is told.

use super::*;

const URLS: [&str; 3] = ["wss://a.example.com/ws", "wss://b.example.com/ws", "wss://c.example.com/ws"];

/// A wallet of three nodes that has dialled the first.
fn connecting() -> Bench {
    let mut bench = Bench::of(Wallet::new(Config { nodes: Nodes::new(audience(URLS[0])), ..config(false) }));
    for url in &URLS[1..] {
        bench.wallet.add_node(audience(url));
    }
    bench.wallet.connect(bench.now);
    assert_eq!(dialled(&mut bench).as_deref(), Some(URLS[0]));
    bench
}

/// The URL that was dialled since this was last asked, if one was.
fn dialled(bench: &mut Bench) -> Option<String> {
    let transmits = bench.transmits();
    let mut dials = transmits.iter().filter_map(|transmit| match transmit {
        Transmit::Dial(audience) => Some(audience.to_string()),
        Transmit::Frame(_) | Transmit::Close(_) => None,
    });
    let dialled = dials.next();
    assert_eq!(dials.next(), None, "one dial at a time");
    dialled
}

/// Has the present node end the connection, and answers which is dialled next, and after how long with the jitter at its longest.
fn next(bench: &mut Bench, code: u16) -> (String, u64) {
    bench.close(code);
    let wait = bench.wait_until_due().0;
    (dialled(bench).expect("another is dialled"), wait)
}

/// The same for a node that says why.
fn next_after(bench: &mut Bench, said: ErrorCode) -> String {
    bench.receive(error(said));
    next(bench, 1008).0
}

#[test]
fn dials_one_after_another_and_waits_longer_once_all_have_failed() {
    let mut bench = connecting();
    let [a, b, c] = URLS;
    let expected = [(b, 1_000), (c, 1_000), (a, 1_000), (b, 2_000), (c, 2_000), (a, 2_000), (b, 4_000)]
        .map(|(url, wait)| (url.into(), wait));
    assert_eq!([(); 7].map(|()| next(&mut bench, 1006)), expected);
}

#[test]
fn a_connection_that_has_lasted_starts_a_new_round_at_the_next() {
    let mut bench = connecting();
    for _ in 0..4 {
        next(&mut bench, 1006);
    }
    bench.welcome();
    bench.wait(STABLE_AFTER);
    bench.clear();
    let [a, b, c] = URLS;
    let expected = [(c, 1_000), (a, 1_000), (b, 1_000), (c, 2_000)].map(|(url, wait)| (url.into(), wait));
    assert_eq!([(); 4].map(|()| next(&mut bench, 1006)), expected);
}

#[test]
fn the_proof_names_the_node_that_was_dialled() {
    let mut bench = connecting();
    for url in URLS {
        bench.clear();
        bench.welcome();
        let [ClientFrame::Introduction(introduction)] = &bench.sent()[..] else { panic!("one introduction") };
        let signable = Signable::Introduction {
            challenge: &[5; 32].into(),
            public_key: &introduction.public_key,
            audience: &audience(url),
            origin: &"https://app.example.com".parse().unwrap(),
        };
        assert_eq!(signable.verify(&PublicKey::of(&bench.key), &introduction.proof.unwrap()), Ok(()), "{url}");
        next(&mut bench, 1006);
    }
}

#[test]
fn a_goodbye_is_heeded_and_the_next_dialled() {
    let mut bench = connecting();
    bench.welcome();
    bench.clear();
    bench.receive(goodbye(GoodbyeReason::Shutdown, 5_000));
    assert_eq!(next(&mut bench, 1012), (URLS[1].into(), 6_000));
}

#[test]
fn an_owner_in_a_hurry_gets_the_next() {
    let mut bench = connecting();
    bench.close(1006);
    bench.clear();
    bench.wait(LEAST_WAIT);
    bench.wallet.connect(bench.now);
    assert_eq!(dialled(&mut bench).as_deref(), Some(URLS[1]));
}

#[test]
fn a_refusal_is_final_once_all_have_refused_in_a_row() {
    use ErrorCode::*;
    let mut bench = connecting();
    assert_eq!(next_after(&mut bench, ProofInvalid), URLS[1]);
    assert_eq!(next_after(&mut bench, KeyRefused), URLS[2]);
    assert_eq!(next(&mut bench, 1006).0, URLS[0], "one of them may still take it");
    assert_eq!(next_after(&mut bench, ProofInvalid), URLS[1]);
    assert_eq!(next_after(&mut bench, KeyRefused), URLS[2]);
    bench.receive(error(KeyRefused));
    bench.close(1008);
    let State::Closed(Some(Error::Server { code, .. })) = bench.last_state() else { panic!("closed") };
    assert_eq!(code, KeyRefused);
    assert_eq!(bench.wallet.poll_timeout(), None);

    bench.wallet.connect(bench.now);
    assert_eq!(dialled(&mut bench).as_deref(), Some(URLS[0]), "whoever asks again gets all of them again");
    assert_eq!(next_after(&mut bench, ProofInvalid), URLS[1]);
}

#[test]
fn a_socket_that_cannot_be_made_is_final_where_none_can() {
    let mut bench = connecting();
    for url in [URLS[1], URLS[2]] {
        bench.clear();
        bench.closed(Closed::NotMade("insecure".into()));
        bench.wait_until_due();
        assert_eq!(dialled(&mut bench).as_deref(), Some(url));
    }
    bench.closed(Closed::NotMade("insecure".into()));
    assert_eq!(bench.last_state(), State::Closed(Some(Error::DialRefused("insecure".into()))));
}

#[test]
fn a_superseded_wallet_stays_away_from_all() {
    let mut bench = connecting();
    bench.welcome();
    bench.receive(goodbye(GoodbyeReason::Superseded, 0));
    bench.close(1000);
    assert_eq!(bench.last_state(), State::Closed(Some(Error::Superseded)));
    assert_eq!(bench.wallet.poll_timeout(), None);
}

#[test]
fn a_wallet_that_is_closed_and_connected_again_stays_with_its_node() {
    let mut bench = connecting();
    next(&mut bench, 1006);
    bench.welcome();
    bench.clear();
    bench.wallet.close();
    bench.wallet.connect(bench.now);
    assert_eq!(dialled(&mut bench).as_deref(), Some(URLS[1]));
}

#[test]
fn what_one_node_asked_is_answered_to_another_and_asked_once() {
    let mut bench = connecting();
    bench.welcome();
    bench.receive(ask(1));
    bench.receive(ask(2));
    bench.approve(id(2));
    assert_eq!(bench.prompts(), 2);
    next(&mut bench, 1006);
    bench.welcome();
    assert!(bench.sent().contains(&bench.response(id(2), &message())), "the answer goes to whoever is there");
    bench.receive(again(1));
    bench.receive(again(2));
    assert_eq!(bench.prompts(), 0);
    bench.clear();
    bench.approve(id(1));
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
}
