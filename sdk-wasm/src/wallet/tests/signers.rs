//! Signers that are late, fail, or never answer.

use super::*;

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

fn failure() -> Error {
    Error::SignerFailed("no card".into())
}

impl Bench {
    /// What an honest signer gives, if late.
    fn give(&mut self, task: &SignTask) {
        let signature = task.signable().sign(&self.key);
        self.wallet.handle_signed(self.now, task.id, signature);
        self.collect();
    }

    fn fail(&mut self, task: &SignTask) {
        self.wallet.handle_sign_failed(self.now, task.id, failure());
        self.collect();
    }
}

#[test]
fn good_signatures_are_used_whenever_they_come() {
    let (mut bench, task) = challenged();
    bench.wait(Millis(CONNECT_TIMEOUT.0 - 1));
    bench.give(&task);
    assert!(matches!(&bench.sent()[..], [ClientFrame::Introduction(_)]));

    let (mut bench, task) = approved();
    bench.reconnect();
    bench.clear();
    bench.give(&task);
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
    bench.receive(ack(1, AckOutcome::Accepted));
    assert_eq!(bench.ends(), [(id(1), End::Accepted)]);
}

#[test]
fn without_a_proof_the_wallet_closes_and_nothing_is_sent() {
    let (mut bench, task) = challenged();
    bench.fail(&task);
    assert_eq!(bench.transmits(), [Transmit::Close(CloseCode::Normal)]);
    assert_eq!(bench.last_state(), State::Closed(Some(failure())));
}

#[test]
fn without_a_signature_the_request_is_left_to_other_devices() {
    let (mut bench, task) = approved();
    bench.fail(&task);
    let (code, scope) = (RejectCode::Locked, RejectScope::Device);
    let refused = ClientFrame::SignReject(SignReject { request_id: id(1), code, reason: None, scope });
    assert_eq!(bench.sent(), [refused]);
    assert_eq!(bench.ends(), [(id(1), End::Failed(failure()))]);
    bench.give(&task);
    assert_eq!(bench.sent(), [], "there is no second try");
}

#[test]
fn what_the_host_says_of_a_signer_is_told_as_it_is_and_anything_else_as_its_failure() {
    for code in ["invalid_key", "invalid_signature", "key_freed", "signer_failed"] {
        assert_eq!(Error::of_signer(code, "why").code(), code);
    }
    for code in ["", "proof_invalid", "wasm_not_found"] {
        assert_eq!(Error::of_signer(code, "a\nb"), Error::SignerFailed("a\u{FFFD}b".into()));
    }
}

#[test]
fn only_the_first_answer_to_a_task_counts() {
    let (mut bench, task) = approved();
    bench.give(&task);
    bench.clear();
    bench.give(&task);
    bench.fail(&task);
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
        for answer in [Bench::give, Bench::fail] {
            let (mut bench, task) = approved();
            end(&mut bench);
            answer(&mut bench, &task);
            bench.collect();
            assert_eq!(bench.sent(), [], "{what}");
            let ends = bench.ends();
            assert_eq!(ends.len(), 1, "{what}: {ends:?}");
            assert_ne!(ends[0].1, End::Failed(failure()), "{what}");
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
    bench.give(&task);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_failing_proof_of_an_older_connection_does_not_close_a_newer() {
    let (mut bench, old) = challenged();
    bench.close(1006);
    bench.wait_until_due();
    bench.receive(challenge());
    bench.clear();
    bench.fail(&old);
    assert_eq!(bench.transmits(), []);
    bench.sign();
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn a_task_that_never_was_changes_nothing() {
    let (mut bench, task) = approved();
    let never = SignTask { id: SignTaskId(u64::MAX), ..task };
    bench.give(&never);
    bench.fail(&never);
    assert_eq!((bench.sent(), bench.ends()), (vec![], vec![]));
}
