//! Requests and answers that come a second time.

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
    let most = u16::try_from(MAX_RECENT).unwrap();
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
