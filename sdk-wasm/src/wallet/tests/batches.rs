//! Requests that are shown together or not at all (specification §7.7).

use super::*;

fn member(n: u16, index: u32, size: u32) -> SignRequest {
    let batch = Some(Batch { id: BatchId::from_random_bytes([7; 16]), index, size });
    SignRequest { batch, ..request(n) }
}

fn ask_member(n: u16, index: u32, size: u32) -> ServerFrame {
    ServerFrame::SignRequest(member(n, index, size))
}

fn shown(requests: impl IntoIterator<Item = SignRequest>) -> Event {
    Event::Requests(requests.into_iter().map(|request| Prompt { request, resumed: false }).collect())
}

#[test]
fn is_told_and_received_as_one_and_in_order() {
    let mut bench = Bench::welcomed();
    for (n, index) in [(3, 2), (1, 0)] {
        bench.receive(ask_member(n, index, 3));
        assert_eq!((bench.sent(), bench.events()), (vec![], vec![]));
    }
    bench.receive(ask_member(2, 1, 3));
    assert_eq!(bench.sent(), [received(1), received(2), received(3)]);
    assert_eq!(bench.events(), [shown([member(1, 0, 3), member(2, 1, 3), member(3, 2, 3)])]);
}

#[test]
fn beyond_the_prompt_each_is_a_request_of_its_own() {
    let mut bench = Bench::welcomed();
    for n in 1..=3 {
        bench.receive(ask_member(n, u32::from(n) - 1, 3));
    }
    bench.clear();
    bench.approve(id(1));
    bench.reject(id(2));
    bench.receive(cancel(3, CancelCause::Cancelled));
    assert_eq!(bench.sent(), [bench.response(id(1), &message()), user_rejects(2)]);
    bench.receive(ack(1, AckOutcome::Accepted));
    bench.receive(ack(2, AckOutcome::Accepted));
    assert_eq!(bench.ends(), [(id(3), End::Cancelled), (id(1), End::Accepted), (id(2), End::Declined)]);
}

#[test]
fn one_alone_is_an_ordinary_request() {
    let mut bench = Bench::welcomed();
    bench.receive(ask_member(1, 0, 1));
    assert_eq!(bench.sent(), [received(1)]);
    assert_eq!(bench.events(), [shown([member(1, 0, 1)])]);
}

#[test]
fn the_time_that_others_took_is_taken_from_each() {
    let mut bench = Bench::welcomed();
    bench.receive(ask_member(1, 0, 2));
    bench.wait(Millis(1_000));
    bench.receive(ask_member(2, 1, 2));
    let first = SignRequest { expires_in_ms: 59_000, ..member(1, 0, 2) };
    assert_eq!(bench.events(), [shown([first, member(2, 1, 2)])]);
}

#[test]
fn nothing_can_be_done_to_what_was_not_shown() {
    let mut bench = Bench::welcomed();
    bench.receive(ask_member(1, 0, 2));
    assert_eq!(bench.wallet.displayed(id(1)), Err(Error::NotOpen));
    assert_eq!(bench.wallet.approve(bench.now, id(1), ApprovedBy::Human), Err(Error::NotOpen));
    bench.wallet.close();
    assert_eq!(bench.ends(), []);
}

#[test]
fn what_was_not_shown_is_forgotten_with_its_connection() {
    let mut bench = Bench::welcomed();
    bench.receive(ask_member(1, 0, 3));
    bench.receive(ask_member(2, 1, 3));
    bench.reconnect();
    bench.clear();
    bench.receive(ask_member(3, 0, 2));
    assert_eq!(bench.events(), []);
    bench.receive(ask_member(1, 1, 2));
    assert_eq!(bench.events(), [shown([member(3, 0, 2), member(1, 1, 2)])]);
}

#[test]
fn where_one_is_withdrawn_or_expires_unshown_the_rest_is_shown_when_it_is_there() {
    let gone: [fn(&mut Bench); 2] =
        [|bench| bench.receive(cancel(1, CancelCause::Cancelled)), |bench| bench.wait(Millis(1_000))];
    for gone in gone {
        let mut bench = Bench::welcomed();
        bench.receive(ServerFrame::SignRequest(SignRequest { expires_in_ms: 1_000, ..member(1, 0, 3) }));
        bench.receive(ask_member(2, 1, 3));
        gone(&mut bench);
        bench.receive(ask_member(1, 0, 3));
        assert_eq!((bench.sent(), bench.events()), (vec![], vec![]), "its owner never knew of it, and it is over");
        bench.receive(ask_member(3, 2, 3));
        assert_eq!(bench.sent(), [received(2), received(3)]);
        assert_eq!(bench.prompts(), 2);
    }
}

#[test]
fn a_batch_of_which_all_but_the_last_is_over_shows_the_last() {
    let mut bench = Bench::welcomed();
    bench.receive(ask_member(1, 0, 2));
    bench.receive(cancel(1, CancelCause::Cancelled));
    bench.receive(ask_member(2, 1, 2));
    assert_eq!(bench.events(), [shown([member(2, 1, 2)])]);
}

#[test]
fn what_comes_again_is_not_shown_again() {
    let mut bench = Bench::welcomed();
    for n in 1..=3 {
        bench.receive(ask_member(n, u32::from(n) - 1, 3));
    }
    bench.approve(id(2));
    bench.receive(ack(2, AckOutcome::Accepted));
    bench.reconnect();
    bench.clear();
    bench.receive(ask_member(1, 0, 2));
    bench.receive(ask_member(3, 1, 2));
    assert_eq!(bench.sent(), [received(1), received(3)]);
    assert_eq!(bench.prompts(), 0);
}

#[test]
fn a_new_member_is_shown_beside_those_that_came_again() {
    let mut bench = Bench::welcomed();
    bench.receive(ask(1));
    bench.clear();
    bench.receive(ask_member(1, 0, 2));
    bench.receive(ask_member(2, 1, 2));
    assert_eq!(bench.sent(), [received(1), received(2)]);
    let repeated = Event::Repeated { request_id: id(1), attempt: 1, expires_in: Millis(60_000) };
    assert_eq!(bench.events(), [repeated, shown([member(2, 1, 2)])]);
}

#[test]
fn members_of_other_contents_are_refused_while_they_are_held() {
    let mut bench = Bench::welcomed();
    bench.receive(ask_member(1, 0, 2));
    bench.receive(ServerFrame::SignRequest(SignRequest { purpose: None, ..member(1, 0, 2) }));
    assert_eq!(bench.sent(), [refusal(id(1), RejectScope::Device)]);
    assert_eq!(bench.events(), [Event::Error(CHANGED)]);
    bench.receive(ask_member(2, 1, 2));
    assert_eq!(bench.events(), [shown([member(2, 1, 2)])]);
}

#[test]
fn a_place_that_makes_no_sense_has_the_batch_refused() {
    for (n, index, size) in [(2, 2, 2), (2, 0, 2), (1, 1, 2), (2, 1, 3), (2, 1, 17), (2, 0, 0)] {
        let mut bench = Bench::welcomed();
        bench.receive(ask_member(1, 0, 2));
        bench.receive(ask_member(n, index, size));
        bench.receive(ask_member(3, 1, 2));
        let mut refused = [refusal(id(1), RejectScope::Device), refusal(id(n), RejectScope::Device)].to_vec();
        refused.dedup();
        refused.push(refusal(id(3), RejectScope::Device));
        assert_eq!(bench.sent(), refused, "{n} at {index} of {size}");
        assert_eq!(bench.errors(), ["bad_frame"; 2]);
    }
}

#[test]
fn a_member_that_cannot_be_read_or_taken_is_refused_and_the_rest_is_shown() {
    let unreadable = ask_member(1, 0, 2).to_json().replace("\"attempt\":1", "\"attempt\":-1");
    let message = Message::try_from(vec![1; 100]).unwrap();
    let too_long = ServerFrame::SignRequest(SignRequest { message, ..member(1, 0, 2) }).to_json();
    for bad in [unreadable, too_long] {
        let mut bench = Bench::new();
        bench.wallet.connect(bench.now);
        bench.receive(challenge());
        bench.sign();
        bench.receive(welcome(WelcomeLimits { max_message_bytes: 99, max_inflight: 16 }));
        bench.clear();
        bench.receive(ask_member(2, 1, 2));
        bench.receive_text(&bad);
        let mut sent = bench.sent();
        sent.sort_by_key(|frame| matches!(frame, ClientFrame::RequestStatus(_)));
        assert_eq!(sent, [refusal(id(1), RejectScope::Device), received(2)]);
        assert_eq!(bench.prompts(), 1);
    }
}

#[test]
fn held_requests_count_as_open() {
    let mut bench = Bench::new();
    bench.wallet.connect(bench.now);
    bench.receive(challenge());
    bench.sign();
    bench.receive(welcome(WelcomeLimits { max_message_bytes: 65_536, max_inflight: 2 }));
    bench.clear();
    for n in 1..=3 {
        bench.receive(ask_member(n, u32::from(n) - 1, 3));
    }
    assert_eq!(bench.sent(), [refusal(id(3), RejectScope::Device), received(1), received(2)]);
    assert_eq!(bench.prompts(), 2);
}

#[test]
fn no_server_has_more_held_than_may_be_open() {
    let mut bench = Bench::welcomed();
    for n in 0..1_000_u16 {
        let [a, b] = n.to_be_bytes();
        let batch = Some(Batch {
            id: BatchId::from_random_bytes([a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            index: 0,
            size: 2,
        });
        bench.receive(ServerFrame::SignRequest(SignRequest { batch, ..request(n) }));
    }
    assert_eq!(bench.prompts(), 0);
    assert!(
        bench.transmits().contains(&Transmit::Close(CloseCode::ProtocolError)),
        "so many are a fault of the server"
    );
}

#[test]
fn an_undecided_batch_is_asked_again_after_a_reload_however_often_its_delivery_breaks_off() {
    let mut before = Bench::of(wallet(true));
    before.wallet.connect(before.now);
    before.welcome();
    for n in 1..=3 {
        before.receive(ask_member(n, u32::from(n) - 1, 3));
    }
    before.collect();
    let actions = before.stores.into_iter().map(|task| task.action);
    let mut bench = Bench::of(wallet(true));
    for record in actions.filter_map(|a| if let StoreAction::Keep(record) = a { Some(record) } else { None }) {
        bench.wallet.restore(bench.now, record);
    }
    bench.wallet.connect(bench.now);
    bench.welcome();
    bench.receive(ask_member(1, 0, 2));
    bench.reconnect();
    bench.clear();
    bench.receive(ask_member(1, 0, 2));
    bench.receive(ask_member(3, 1, 2));
    let asked = |request| Prompt { request, resumed: true };
    assert_eq!(bench.events(), [Event::Requests(vec![asked(member(1, 0, 2)), asked(member(3, 1, 2))])]);
}
