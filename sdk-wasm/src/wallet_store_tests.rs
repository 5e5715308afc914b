//! What outlives the page or process: when it is written down, and what a wallet makes of it afterwards.

use super::*;

impl Bench {
    fn keeping() -> Self {
        let mut bench = Self::of(wallet(true));
        bench.connect();
        bench
    }

    fn connect(&mut self) {
        self.wallet.connect(self.now);
        self.welcome();
        self.clear();
    }

    /// Carries out one change to the store, if there is one.
    fn store_one(&mut self) -> bool {
        self.collect();
        let Some(StoreTask { id, action }) = self.stores.pop_front() else { return false };
        match action {
            StoreAction::Keep(record) => drop(self.kept.insert(record.request_id, record)),
            StoreAction::Forget(request) => drop(self.kept.remove(&request)),
        }
        self.wallet.handle_stored(self.now, id, Ok(()));
        self.collect();
        true
    }

    fn store(&mut self) {
        while self.store_one() {}
    }

    fn fail_to_store(&mut self) {
        self.collect();
        for task in std::mem::take(&mut self.stores) {
            self.wallet.handle_stored(self.now, task.id, Err(Error::Storage("the disk is full".into())));
        }
        self.collect();
    }

    /// A new life with what the store has, not connected yet. What was not carried out is lost.
    fn after_crash(&self) -> Self {
        let kept = self.kept.clone();
        let mut bench = Self { now: self.now, kept, ..Self::of(wallet(true)) };
        bench.restore(bench.kept.values().cloned().collect());
        bench
    }

    /// Takes in records as the TypeScript side does, the one that ends last at the end.
    fn restore(&mut self, mut records: Vec<Record>) {
        records.sort_by_key(|record| record.deadline);
        for record in records {
            self.wallet.restore(self.now, record);
        }
    }

    fn reloaded(&self) -> Self {
        let mut bench = self.after_crash();
        bench.wallet.connect(bench.now);
        bench.welcome();
        bench
            .transmits
            .retain(|transmit| !matches!(transmit, Transmit::Dial | Transmit::Frame(ClientFrame::Introduction(_))));
        bench
    }

    fn stage(&self, n: u16) -> Option<&Stage> {
        self.kept.get(&id(n)).map(|record| &record.stage)
    }

    fn answer(&self) -> Answer {
        let signature = Signable::Message(&message()).sign(&self.key);
        Answer::Signed { signature, approved_by: ApprovedBy::Human }
    }
}

fn resumed(n: u16) -> Event {
    let request = SignRequest { attempt: 2, expires_in_ms: 30_000, ..request(n) };
    Event::Requests(vec![Asked { request, resumed: true }])
}

fn is_answer(frame: &ClientFrame) -> bool {
    matches!(frame, ClientFrame::SignResponse(_) | ClientFrame::SignReject(_))
}

mod writing {
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
        bench.wait(Millis(60_000 + ACK_GRACE.0 - 1));
        bench.store();
        assert!(bench.kept.contains_key(&id(1)));
        bench.wait(Millis(1));
        bench.store();
        assert_eq!(bench.kept, BTreeMap::new());
    }

    #[test]
    fn what_ends_without_an_answer_is_forgotten() {
        let mut bench = Bench::keeping();
        bench.receive(ask(1));
        bench.receive(ask(2));
        bench.store();
        bench.receive(cancel(1, CancelCause::Cancelled));
        bench.store();
        assert_eq!((bench.stage(1), bench.stage(2)), (None, Some(&Stage::Shown)));
        bench.wait(Millis(60_000));
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
}

mod reloading {
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
            assert!(
                bench.events().iter().all(|event| matches!(event, Event::State(_))),
                "nothing before it comes again"
            );
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
    fn what_is_past_its_time_is_dropped_and_forgotten() {
        let mut before = Bench::keeping();
        for n in 1..=3 {
            before.receive(ask(n));
        }
        before.approve(id(2));
        before.reject(id(3));
        before.store();
        before.receive(ack(3, AckOutcome::Accepted));
        before.store();
        before.now = before.now + Millis(60_000);
        let mut bench = before.reloaded();
        assert_eq!(bench.sent(), [bench.response(id(2), &message())], "there may still be an acknowledgement");
        bench.store();
        assert_eq!(bench.kept.keys().copied().collect::<Vec<_>>(), [id(2), id(3)]);
        before.now = before.now + ACK_GRACE;
        let mut bench = before.reloaded();
        assert_eq!(bench.sent(), []);
        bench.store();
        assert_eq!(bench.kept, BTreeMap::new());
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
        let most = u16::try_from(MEMORY).unwrap();
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
        assert_eq!(bench.sent().len(), MEMORY);
        bench.store();
        assert_eq!(bench.kept.len(), 2 * MEMORY);
        assert!(!bench.kept.contains_key(&id(1_000)), "the one with the least time is forgotten");
    }

    #[test]
    fn as_many_are_remembered_in_the_store_as_in_memory() {
        let mut bench = Bench::keeping();
        for n in 0..2 * u16::try_from(MEMORY).unwrap() {
            bench.receive(ask(n));
            bench.reject(id(n));
            bench.store();
            bench.receive(ack(n, AckOutcome::Accepted));
            bench.store();
        }
        assert_eq!(bench.kept.len(), MEMORY);
    }
}

mod closing {
    use super::*;

    #[test]
    fn a_closed_wallet_that_connects_again_goes_on_where_it_was() {
        let mut bench = Bench::keeping();
        bench.receive(ask(1));
        bench.receive(ask(2));
        bench.approve(id(2));
        bench.store();
        bench.clear();
        bench.wallet.close();
        let expected = [(id(1), End::Failed(Error::Closed)), (id(2), End::Failed(Error::Unconfirmed))];
        assert_eq!((bench.ends(), bench.wallet.poll_timeout()), (expected.into(), None));
        bench.closed(Closed::AsAsked);
        bench.restore(bench.kept.values().cloned().collect());
        bench.wallet.connect(bench.now);
        bench.welcome();
        assert!(bench.sent().contains(&bench.response(id(2), &message())));
        bench.clear();
        bench.receive(ack(2, AckOutcome::Accepted));
        assert_eq!(bench.events(), [], "its owner knows an end of it already");
        bench.receive(again(1));
        assert_eq!(bench.events(), [resumed(1)]);
    }

    #[test]
    fn a_decision_taken_elsewhere_meanwhile_holds() {
        let mut here = Bench::keeping();
        here.receive(ask(1));
        here.store();
        here.wallet.close();
        let mut elsewhere = here.reloaded();
        elsewhere.receive(again(1));
        elsewhere.approve(id(1));
        elsewhere.store();
        elsewhere.receive(ack(1, AckOutcome::Accepted));
        elsewhere.store();
        here.closed(Closed::AsAsked);
        here.restore(elsewhere.kept.values().cloned().collect());
        here.connect();
        here.receive(again(1));
        assert_eq!((here.sent(), here.prompts()), (vec![here.response(id(1), &message())], 0));
    }

    #[test]
    fn an_older_record_undoes_no_decision() {
        let mut bench = Bench::keeping();
        bench.receive(ask(1));
        bench.store();
        let older: Vec<_> = bench.kept.values().cloned().collect();
        bench.reject(id(1));
        bench.store();
        bench.receive(ack(1, AckOutcome::Accepted));
        bench.restore(older.clone());
        bench.wallet.close();
        bench.closed(Closed::AsAsked);
        bench.restore(older);
        bench.connect();
        bench.receive(again(1));
        assert_eq!((bench.sent(), bench.prompts()), (vec![user_rejects(1)], 0));
    }
}
