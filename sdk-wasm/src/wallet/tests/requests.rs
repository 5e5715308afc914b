//! A request from its arrival to its end.

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
    assert_eq!(bench.events(), [Event::Requests(vec![Prompt { request, resumed: false }])]);
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
