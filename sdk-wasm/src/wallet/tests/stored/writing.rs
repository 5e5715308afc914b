//! When something is written down, and what waits for it.

use super::*;

#[test]
fn a_request_is_shown_at_once_and_kept_at_once() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    assert_eq!(bench.events(), [asked(1)]);
    let deadline = bench.now + Millis(60_000);
    let record = Record { request_id: id(1), deadline, contents: Contents::of(&request(1)), stage: Stage::Shown };
    let actions: Vec<_> = bench.stores.iter().map(|task| task.action.clone()).collect();
    assert_eq!(actions, [StoreAction::Keep(record)]);
}

#[test]
fn a_signing_that_fails_is_written_down_before_it_is_said_and_said_until_it_is_heard() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.store();
    bench.wallet.approve(bench.now, id(1), ApprovedBy::Human).unwrap();
    bench.collect();
    let task = bench.tasks.remove(0);
    bench.clear();
    bench.wallet.handle_sign_failed(bench.now, task.id, Error::KeyFreed);
    assert_eq!((bench.sent(), bench.ends()), (vec![], vec![(id(1), End::Failed(Error::KeyFreed))]));
    bench.store();
    let (code, scope) = (RejectCode::Locked, RejectScope::Device);
    let refused = ClientFrame::SignReject(SignReject { request_id: id(1), code, reason: None, scope });
    assert_eq!(bench.sent(), std::slice::from_ref(&refused));

    let mut bench = bench.reloaded();
    assert_eq!(bench.sent(), std::slice::from_ref(&refused));
    bench.receive(again(1));
    assert_eq!((bench.sent(), bench.prompts()), (vec![refused], 0));
}

#[test]
fn an_answer_is_sent_only_when_it_is_written_down() {
    for (decide, frame) in [
        (Bench::approve as fn(&mut Bench, RequestId), Bench::keeping().response(id(1), &message())),
        (Bench::reject, user_rejects(1)),
    ] {
        let mut bench = Bench::keeping();
        bench.receive(ask(1));
        bench.store();
        bench.clear();
        decide(&mut bench, id(1));
        assert_eq!((bench.sent(), bench.events()), (vec![], vec![Event::Answered(id(1))]));
        assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::AlreadyAnswered));
        bench.store();
        assert!(matches!(bench.stage(1), Some(Stage::Answered { .. })));
        assert_eq!(bench.sent(), [frame]);
    }
}

#[test]
fn a_promise_in_memory_is_better_than_none() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.store();
    bench.approve(id(1));
    bench.clear();
    bench.fail_to_store();
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
    assert_eq!(bench.errors(), ["storage_failed"]);
}

#[test]
fn a_store_that_hangs_keeps_nothing_back_for_long() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.approve(id(1));
    bench.clear();
    assert_eq!(bench.wait_until_due(), STORE_TIMEOUT);
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
    assert_eq!(bench.errors(), ["storage_failed"]);
    bench.store();
    assert_eq!(bench.sent(), [], "what the store says later changes nothing");
}

#[test]
fn without_a_store_nothing_waits_for_one() {
    let mut bench = Bench::welcomed();
    bench.receive(ask(1));
    bench.approve(id(1));
    bench.receive(ack(1, AckOutcome::Accepted));
    assert!(bench.stores.is_empty());
    assert!(bench.sent().contains(&bench.response(id(1), &message())));
}

#[test]
fn an_acknowledged_message_is_forgotten_and_after_its_time_the_answer_too() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.approve(id(1));
    bench.store();
    bench.receive(ack(1, AckOutcome::Accepted));
    bench.store();
    assert_eq!(bench.stage(1), Some(&Stage::Settled { answer: bench.answer() }));
    bench.wait(Millis(60_000 + MEMORY.0 - 1));
    bench.store();
    assert!(bench.kept.contains_key(&id(1)));
    bench.wait(Millis(1));
    bench.store();
    assert_eq!(bench.kept, BTreeMap::new());
}

#[test]
fn what_the_server_ends_is_forgotten_and_what_runs_out_is_not_asked_again() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.receive(ask(2));
    bench.store();
    bench.receive(cancel(1, CancelCause::Cancelled));
    bench.store();
    assert_eq!((bench.stage(1), bench.stage(2)), (None, Some(&Stage::Shown)));
    bench.wait(Millis(60_000));
    bench.store();
    assert_eq!((bench.stage(1), bench.stage(2)), (None, Some(&Stage::Over)));
    // The clock was set ahead, and the server still has it open.
    let mut bench = bench.reloaded();
    bench.receive(again(2));
    assert_eq!((bench.prompts(), bench.sent()), (0, vec![]));
    bench.wait(Millis(60_000 + MEMORY.0));
    bench.store();
    assert_eq!(bench.kept, BTreeMap::new());
}

#[test]
fn an_answer_written_down_too_late_is_not_sent_in_this_life_or_the_next() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.receive(ServerFrame::SignRequest(SignRequest { expires_in_ms: 1_000, ..request(2) }));
    bench.approve(id(2));
    bench.clear();
    bench.wait(Millis(1_000));
    bench.store();
    assert_eq!((bench.sent(), bench.ends()), (vec![], vec![(id(2), End::Expired)]));
    assert_eq!(bench.reloaded().sent(), []);
}

#[test]
fn an_answer_that_waits_for_its_record_is_not_sent_by_a_reconnect() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.approve(id(1));
    bench.reconnect();
    assert!(!bench.sent().iter().any(is_answer));
    bench.receive(again(1));
    assert_eq!(bench.sent(), []);
    bench.store();
    assert_eq!(bench.sent(), [bench.response(id(1), &message())]);
    bench.receive(ack(1, AckOutcome::Unknown));
    assert_eq!(bench.ends(), [(id(1), End::Failed(Error::UnknownRequest))], "there was one copy only");
}

#[test]
fn an_acknowledgement_of_what_was_not_sent_is_nothing() {
    let mut bench = Bench::keeping();
    bench.receive(ask(1));
    bench.approve(id(1));
    bench.receive(ack(1, AckOutcome::Accepted));
    assert_eq!(bench.ends(), []);
}

#[test]
fn the_device_is_what_it_was_last_said_to_be() {
    let mut bench = Bench::of(wallet(true));
    let device = Device { id: "a1".parse().unwrap(), label: "Laptop".parse().unwrap() };
    bench.wallet.set_device(Some(device.clone()));
    bench.wallet.connect(bench.now);
    bench.welcome();
    let [ClientFrame::Introduction(introduction)] = &bench.sent()[..] else { panic!("one introduction") };
    assert_eq!(introduction.device, Some(device));
}
