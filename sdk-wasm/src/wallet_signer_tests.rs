use super::*;

/// The order of the prime-order subgroup, little-endian (RFC 8032 §5.1).
#[rustfmt::skip]
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
];

fn not_a_signature(bench: &Bench, task: &SignTask) -> Vec<(&'static str, Vec<u8>)> {
    let good = bench.key.sign(task.signable()).unwrap().as_bytes().to_vec();
    let other = Message::try_from(&b"something else"[..]).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    // The same S plus the order of the group (RFC 8032 §5.1.7): holds for lax verifiers, and is refused by strict ones.
    let mut carry = 0;
    let malleable = good.iter().enumerate().map(|(at, byte)| {
        let sum = carry + u16::from(*byte) + if at < 32 { 0 } else { u16::from(ORDER[at - 32]) };
        carry = sum >> 8;
        u8::try_from(sum & 0xFF).unwrap()
    });
    vec![
        ("nothing", vec![]),
        ("63 bytes", good[..63].to_vec()),
        ("65 bytes", [&good[..], &[0]].concat()),
        ("zeros", vec![0; 64]),
        ("R changed", flipped(0)),
        ("S changed", flipped(63)),
        ("S plus the order", malleable.collect()),
        ("over other bytes", bench.key.sign(Signable::Message(&other)).unwrap().as_bytes().to_vec()),
        ("by another key", {
            let key = Key::from_seed(&Seed::new([9; 32]));
            key.sign(task.signable()).unwrap().as_bytes().to_vec()
        }),
    ]
}

/// At the point where the proof of a new connection is waited for.
fn challenged() -> (Bench, SignTask) {
    let mut bench = Bench::new();
    bench.wallet.connect(bench.now);
    bench.receive(challenge());
    let task = bench.tasks.remove(0);
    bench.clear();
    (bench, task)
}

/// At the point where the signature of an approved request is waited for.
fn approved() -> (Bench, SignTask) {
    let mut bench = Bench::welcomed();
    bench.receive(ask(1));
    bench.wallet.approve(bench.now, id(1), ApprovedBy::Human).unwrap();
    bench.collect();
    let task = bench.tasks.remove(0);
    bench.clear();
    (bench, task)
}

impl Bench {
    fn give(&mut self, task: &SignTask, signature: &[u8]) {
        self.wallet.handle_foreign_signature(self.now, task.id, signature);
        self.collect();
    }

    /// What an honest signer gives, if late.
    fn give_good(&mut self, task: &SignTask) {
        let signature = self.key.sign(task.signable()).unwrap();
        self.give(task, signature.as_bytes());
    }
}

#[test]
fn good_signatures_are_used_whenever_they_come() {
    let (mut bench, task) = challenged();
    bench.wait(Millis(CONNECT_TIMEOUT.0 - 1));
    bench.give_good(&task);
    assert!(matches!(&bench.sent()[..], [ClientFrame::Introduction(_)]));

    let (mut bench, task) = approved();
    bench.reconnect();
    bench.clear();
    bench.give_good(&task);
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
    bench.receive(ack(1, AckOutcome::Accepted));
    assert_eq!(bench.ends(), [(id(1), End::Accepted)]);
}

#[test]
fn a_proof_that_does_not_verify_is_never_sent_and_closes_the_wallet() {
    let (bench, task) = challenged();
    for (what, bytes) in not_a_signature(&bench, &task) {
        let (mut bench, task) = challenged();
        bench.give(&task, &bytes);
        assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Normal)], "{what}");
        let State::Closed(Some(error)) = bench.last_state() else { panic!("{what}: closed for a reason") };
        assert_eq!(error.code(), "invalid_signature", "{what}: {error}");
    }
}

#[test]
fn a_signature_that_does_not_verify_is_never_sent_and_leaves_the_request_to_other_devices() {
    let (bench, task) = approved();
    for (what, bytes) in not_a_signature(&bench, &task) {
        let (mut bench, task) = approved();
        bench.give(&task, &bytes);
        let (code, scope) = (RejectCode::Locked, RejectScope::Device);
        let refused = ClientFrame::SignReject(SignReject { request_id: id(1), code, reason: None, scope });
        assert_eq!(bench.sent(), [refused], "{what}");
        let [(_, End::Failed(error))] = &bench.ends()[..] else { panic!("{what}: failed, once") };
        assert_eq!(error.code(), "invalid_signature", "{what}: {error}");
        bench.give_good(&task);
        assert_eq!(bench.sent(), [], "{what}: there is no second try");
    }
}

#[test]
fn only_the_first_answer_to_a_task_counts() {
    let (mut bench, task) = approved();
    bench.give_good(&task);
    bench.clear();
    bench.give(&task, &[0; 64]);
    bench.give_good(&task);
    bench.wallet.handle_sign_failed(bench.now, task.id, Error::SignerFailed("late".into()));
    bench.collect();
    assert_eq!((bench.sent(), bench.ends()), (vec![], vec![]));
}

#[test]
fn a_signer_that_never_answers_holds_up_neither_the_wallet_nor_the_request() {
    let (mut bench, _) = challenged();
    bench.wait(CONNECT_TIMEOUT);
    assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Timeout)]);

    let (mut bench, _) = approved();
    bench.wait(Millis(60_000));
    assert_eq!(bench.ends(), [(id(1), End::Expired)]);
}

#[test]
fn what_comes_after_the_end_is_dropped_whatever_it_is() {
    type Finish = fn(&mut Bench);
    let ends: [(&str, Finish); 4] = [
        ("cancelled", |bench| bench.receive(cancel(1, CancelCause::Cancelled))),
        ("answered elsewhere", |bench| bench.receive(cancel(1, CancelCause::AnsweredElsewhere))),
        ("closed", |bench| bench.wallet.close()),
        ("expired, with the timers late", |bench| bench.now = bench.now + Millis(60_000)),
    ];
    for (what, end) in ends {
        for answer in [0, 1, 2] {
            let (mut bench, task) = approved();
            end(&mut bench);
            match answer {
                0 => bench.give_good(&task),
                1 => bench.give(&task, &[1, 2, 3]),
                _ => bench.wallet.handle_sign_failed(bench.now, task.id, Error::KeyFreed),
            }
            bench.collect();
            assert_eq!(bench.sent(), [], "{what}");
            let ends = bench.ends();
            assert_eq!(ends.len(), 1, "{what}: {ends:?}");
            assert!(
                !matches!(&ends[0].1, End::Failed(Error::KeyFreed | Error::InvalidSignature(_))),
                "{what}: {ends:?}"
            );
        }
    }
}

#[test]
fn a_closed_wallet_that_connects_again_asks_its_human_again_and_forgets_the_old_task() {
    let (mut bench, task) = approved();
    bench.wallet.close();
    bench.wallet.connect(bench.now);
    bench.welcome();
    bench.clear();
    bench.receive(again(1));
    assert_eq!(bench.prompts(), 1);
    bench.clear();
    bench.give_good(&task);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_failing_proof_of_an_older_connection_does_not_close_a_newer() {
    let (mut bench, old) = challenged();
    bench.close(1006);
    bench.wait_until_due();
    bench.receive(challenge());
    bench.clear();
    bench.give(&old, &[0; 64]);
    bench.wallet.handle_sign_failed(bench.now, old.id, Error::SignerFailed("late".into()));
    bench.collect();
    assert_eq!(bench.transmits(), []);
    bench.sign();
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn a_task_that_never_was_changes_nothing() {
    let (mut bench, _) = approved();
    bench.wallet.handle_foreign_signature(bench.now, SignTaskId(u64::MAX), &[0; 64]);
    bench.collect();
    assert_eq!((bench.sent(), bench.ends()), (vec![], vec![]));
}
