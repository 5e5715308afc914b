//! What the next life of a wallet makes of what was written down.

use super::*;

#[test]
fn what_was_shown_and_not_decided_is_asked_again() {
    let mut shown = Bench::keeping();
    shown.receive(ask(1));
    shown.wallet.displayed(id(1)).unwrap();
    shown.store();
    let mut signing = Bench::keeping();
    signing.receive(ask(1));
    signing.store();
    signing.wallet.approve(signing.now, id(1), ApprovedBy::Human).unwrap();
    for before in [shown, signing] {
        let mut bench = before.reloaded();
        assert_eq!(bench.sent(), []);
        assert!(bench.events().iter().all(|event| matches!(event, Event::State(_))), "nothing before it comes again");
        bench.receive(again(1));
        assert_eq!((bench.sent(), bench.events()), (vec![received(1)], vec![resumed(1)]));
        bench.wallet.displayed(id(1)).unwrap();
        bench.approve(id(1));
        bench.store();
        assert_eq!(bench.sent(), [displayed(1), bench.response(id(1), &message())]);
        bench.receive(ack(1, AckOutcome::Accepted));
        assert_eq!(bench.ends(), [(id(1), End::Accepted)]);
    }
}

#[test]
fn an_answer_without_acknowledgement_is_sent_again_and_nobody_is_asked() {
    let mut before = Bench::keeping();
    before.receive(ask(1));
    before.receive(ask(2));
    before.approve(id(1));
    before.reject(id(2));
    before.store();
    let answers = [before.response(id(1), &message()), user_rejects(2)];
    let mut bench = before.reloaded();
    assert_eq!(bench.sent(), answers);
    bench.receive(again(1));
    bench.receive(again(2));
    assert_eq!(bench.sent(), answers);
    bench.receive(ack(1, AckOutcome::Accepted));
    bench.receive(ack(2, AckOutcome::Accepted));
    assert_eq!(bench.prompts(), 0);
    bench.store();
    assert!(bench.kept.values().all(|record| matches!(record.stage, Stage::Settled { .. })));
    let mut bench = bench.reloaded();
    assert_eq!(bench.sent(), [], "not after its acknowledgement");
    bench.receive(again(1));
    bench.receive(again(2));
    assert_eq!((bench.sent(), bench.prompts()), (answers.into(), 0));
}

#[test]
fn an_answer_sent_before_and_after_has_one_fate() {
    for (outcome, end) in [
        (AckOutcome::Accepted, End::Accepted),
        (AckOutcome::Late, End::Late),
        (AckOutcome::Unknown, End::Failed(Error::Unconfirmed)),
        (AckOutcome::BadSignature, End::Failed(Error::BadSignature)),
    ] {
        let mut before = Bench::keeping();
        before.receive(ask(1));
        before.approve(id(1));
        before.store();
        let mut bench = before.reloaded();
        bench.receive(ack(1, AckOutcome::Duplicate));
        bench.receive(ack(1, outcome));
        bench.receive(ack(1, outcome));
        assert_eq!(bench.ends(), [(id(1), end)]);
    }
}

#[test]
fn never_two_prompts_after_a_decision_was_sent_wherever_it_crashes() {
    for decide in [Bench::approve as fn(&mut Bench, RequestId), Bench::reject] {
        for crash_after in 0..=4 {
            let mut before = Bench::keeping();
            before.receive(ask(1));
            let mut stored = 0;
            let mut store = |bench: &mut Bench| {
                while stored < crash_after && bench.store_one() {
                    stored += 1
                }
            };
            store(&mut before);
            decide(&mut before, id(1));
            store(&mut before);
            let answer = before.sent().into_iter().find(is_answer);
            if answer.is_some() {
                before.receive(ack(1, AckOutcome::Accepted));
                store(&mut before);
            }
            let mut bench = before.reloaded();
            bench.receive(again(1));
            let sent = bench.sent();
            match answer {
                Some(answer) => {
                    assert_eq!(bench.prompts(), 0, "after {crash_after}");
                    assert!(sent.iter().all(|frame| *frame == answer) && !sent.is_empty(), "after {crash_after}");
                }
                None => assert_eq!((bench.prompts(), sent), (1, vec![received(1)]), "after {crash_after}"),
            }
        }
    }
}

#[test]
fn other_contents_under_a_shown_id_are_refused_and_not_shown() {
    let mut before = Bench::keeping();
    before.receive(ask(1));
    before.store();
    let mut bench = before.reloaded();
    bench.clear();
    bench.receive(ServerFrame::SignRequest(SignRequest { purpose: None, ..request(1) }));
    assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)]);
    assert_eq!(bench.events(), [Event::Error(CHANGED)]);
    bench.store();
    let mut bench = bench.reloaded();
    bench.receive(again(1));
    assert_eq!((bench.sent(), bench.prompts()), (vec![refusal(id(1), RejectScope::Device)], 0));
}

#[test]
fn an_answer_is_never_sent_beside_another_message() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.approve(id(1));
    bench.store();
    let other = SignRequest { message: Message::try_from(&b"other"[..]).unwrap(), ..request(1) };
    for _ in 0..2 {
        bench = bench.reloaded();
        bench.clear();
        bench.receive(ServerFrame::SignRequest(other.clone()));
        assert_eq!((bench.sent(), bench.errors()), (vec![], vec!["protocol_error"]));
        bench.receive(ack(1, AckOutcome::Accepted));
        bench.store();
    }
}

#[test]
fn what_is_past_its_time_by_a_clock_that_was_set_ahead_is_neither_sent_nor_asked_again() {
    let mut before = Bench::keeping();
    for n in 1..=3 {
        before.receive(ask(n));
    }
    before.approve(id(2));
    before.reject(id(3));
    before.store();
    before.receive(ack(3, AckOutcome::Accepted));
    before.store();
    let answers = [before.response(id(2), &message()), user_rejects(3)];
    for ahead in [60_000, 3_600_000, 10 * MAX_TIMEOUT_MS] {
        before.kept.values_mut().for_each(|record| record.deadline = Timestamp::default());
        before.now = before.now + Millis(ahead);
        let mut bench = before.reloaded();
        assert_eq!(bench.sent(), [], "nobody may be there for it");
        bench.clear();
        bench.store();
        assert_eq!(bench.kept.len(), 3);
        assert!(bench.kept.values().all(|record| !record.is_promise()), "the message is needed no more");
        for n in 1..=3 {
            bench.receive(again(n));
        }
        assert_eq!(bench.sent(), [&[received(1)], &answers[..]].concat());
        assert_eq!(bench.events(), [resumed(1)]);
        before = bench;
    }
    before.wait(Millis(60_000 + MEMORY.0));
    before.store();
    assert_eq!(before.kept, BTreeMap::new(), "but not for ever");
}

#[test]
fn an_answer_that_is_never_acknowledged_is_given_up() {
    let mut before = Bench::keeping();
    before.receive(ask(1));
    before.approve(id(1));
    before.store();
    let mut bench = before.reloaded();
    bench.wait(Millis(60_000 + ACK_GRACE.0));
    assert_eq!(bench.ends(), [(id(1), End::Failed(Error::Unconfirmed))]);
    bench.wait(MEMORY);
    bench.store();
    assert_eq!(bench.kept, BTreeMap::new());
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_last_for_ever() {
    let mut before = Bench::keeping();
    before.receive(ask(1));
    before.approve(id(1));
    before.store();
    before.kept.values_mut().for_each(|record| record.deadline = Timestamp::from_millis(u64::MAX));
    let mut bench = before.reloaded();
    bench.clear();
    bench.wait(Millis(MAX_TIMEOUT_MS + ACK_GRACE.0));
    assert_eq!(bench.ends().len(), 1);
}

#[test]
fn a_record_that_was_altered_fails_by_the_word_of_the_server_and_is_not_sent_again() {
    let mut before = Bench::keeping();
    before.receive(ask(1));
    before.approve(id(1));
    before.store();
    let other = Message::try_from(&b"Pay 25,000 EUR to Mallory"[..]).unwrap();
    let forged = Answer::Signed { signature: [0; 64].into(), approved_by: ApprovedBy::Human };
    let altered = [
        (other, before.answer(), AckOutcome::MessageMismatch, Error::MessageMismatch),
        (message(), forged, AckOutcome::BadSignature, Error::BadSignature),
    ];
    for (message, answer, outcome, error) in altered {
        let stage = Stage::Answered { answer: answer.clone(), message: message.clone() };
        before.kept.values_mut().for_each(|record| record.stage = stage.clone());
        let mut bench = before.reloaded();
        assert_eq!(bench.sent(), [answer.frame(id(1), &message)]);
        bench.receive(ack(1, outcome));
        assert_eq!(bench.ends(), [(id(1), End::Failed(error))]);
        bench.reconnect();
        assert_eq!(bench.sent().len(), 1, "nothing but the introduction");
    }
}

#[test]
fn memory_is_bounded_and_keeps_every_answer_that_is_owed() {
    let mut before = Bench::keeping();
    let most = u16::try_from(MAX_RECENT).unwrap();
    for n in 0..most {
        let request = SignRequest { expires_in_ms: 60_000 + u64::from(n), ..request(n) };
        before.receive(ServerFrame::SignRequest(request));
        before.reject(id(n));
    }
    before.store();
    let shown = |n| {
        let deadline = before.now + Millis(60_000 + u64::from(n));
        Record { request_id: id(n), deadline, contents: Contents::of(&request(n)), stage: Stage::Shown }
    };
    before.kept.extend((1_000..1_001 + most).map(|n| (id(n), shown(n))));
    let mut bench = before.reloaded();
    assert_eq!(bench.sent().len(), MAX_RECENT);
    bench.store();
    assert_eq!(bench.kept.len(), 2 * MAX_RECENT);
    assert!(!bench.kept.contains_key(&id(1_000)), "the one with the least time is forgotten");
}

#[test]
fn as_many_are_remembered_in_the_store_as_in_memory() {
    let mut bench = Bench::keeping();
    for n in 0..2 * u16::try_from(MAX_RECENT).unwrap() {
        bench.receive(ask(n));
        bench.reject(id(n));
        bench.store();
        bench.receive(ack(n, AckOutcome::Accepted));
        bench.store();
    }
    assert_eq!(bench.kept.len(), MAX_RECENT);
}
