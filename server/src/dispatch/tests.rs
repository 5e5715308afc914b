mod latecomers;
mod replacing;

use super::{
    Accepted, Capacity, Check, Dispatcher, Effect, Ticket, Verdict,
    registry::Arrival,
    testing::{KEY, START, connection, record, request},
};
use crate::{
    SigningError,
    record::{End, Phase, PhaseTimes, Record},
    session::Close,
    steps::EndedBy,
    storage::{Idempotency, Loaded, StoreError, Write, Written},
    time::Timestamp,
};
use countersign_protocol::{
    AckOutcome, ApprovedBy, Batch, BatchId, CancelCause, Device, GoodbyeReason, PublicKeyBytes, RejectCode,
    RejectScope, RequestStatus, ServerFrame, SignRequest, WalletState,
};
use smallvec::SmallVec;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

/// A dispatcher in a world that writes down what it is asked to do.
struct World {
    dispatcher: Dispatcher<(), &'static str>,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self::with(64)
    }

    fn with(max_inflight: usize) -> Self {
        let capacity = Capacity {
            max_inflight,
            max_connections_per_key: 16,
            max_pending: 100,
            max_pending_per_key: 50,
            max_pending_bytes: 10_000,
            max_share_percent: 100,
        };
        Self { dispatcher: Dispatcher::new(capacity, Loaded::default(), START), now: START }
    }

    /// Connections of the key, without a device's name.
    fn connected(connections: &[u8]) -> Self {
        let mut world = Self::new();
        for &n in connections {
            world.introduce(n, None);
        }
        world
    }

    fn introduce(&mut self, n: u8, device: Option<&str>) -> Vec<SignRequest> {
        self.introduce_as(n, KEY.into(), device)
    }

    fn introduce_as(&mut self, n: u8, key: PublicKeyBytes, device: Option<&str>) -> Vec<SignRequest> {
        let device =
            device.map(|id| Arc::new(Device { id: id.parse().unwrap(), label: "Chromium on Linux".parse().unwrap() }));
        assert!(self.dispatcher.connect(connection(n), (), Arrival { address: None, at: self.now }));
        let superseded = || Close::goodbye(GoodbyeReason::Superseded, SECOND, 1000);
        self.dispatcher.introduce(connection(n), key, device, true, superseded, self.now).unwrap();
        self.delivered()
            .into_iter()
            .map(|(to, request)| {
                assert_eq!(to, n);
                request
            })
            .collect()
    }

    fn disconnect(&mut self, n: u8) {
        self.dispatcher.disconnect(connection(n), self.now);
    }

    /// Asks for request 1.
    fn ask(&mut self) -> Result<(), SigningError> {
        self.dispatcher.ask(plain([record(1)]), self.now)
    }

    fn accept(&mut self, records: Vec<Record>, queue: bool) {
        let first = records[0].id;
        self.dispatcher.ask_durably(records, None, queue, None, None, self.now).unwrap();
        self.dispatcher.handle_written(Ticket::Accept(first), Ok(Written::Done), self.now);
    }

    fn effects(&mut self) -> Vec<Effect<&'static str>> {
        std::iter::from_fn(|| self.dispatcher.poll_effect()).collect()
    }

    /// The requests sent, each with the connection it went to.
    fn delivered(&mut self) -> Vec<(u8, SignRequest)> {
        let effects = self.effects();
        self.delivered_among(effects)
    }

    fn delivered_among(&self, effects: Vec<Effect<&'static str>>) -> Vec<(u8, SignRequest)> {
        let now = self.now;
        let delivered = |effect| match effect {
            Effect::Deliver { to, frame, .. } => match ServerFrame::parse(&frame.to_json(now)?).unwrap() {
                ServerFrame::SignRequest(request) => Some((number(to), request)),
                other => panic!("no request: {other:?}"),
            },
            _ => None,
        };
        effects.into_iter().filter_map(delivered).collect()
    }

    fn answer(&mut self, from: u8, verdict: Verdict) -> Option<AckOutcome> {
        self.dispatcher.handle_verdict(&KEY.into(), connection(from), request(1), verdict, self.now)
    }

    fn check(&mut self, from: u8, signature: [u8; 64]) -> Check {
        self.dispatcher.check(&KEY.into(), connection(from), request(1), Some(&signature.into()), self.now)
    }

    fn status(&mut self, from: u8, state: WalletState) -> Option<CancelCause> {
        let status = RequestStatus { request_id: request(1), state };
        self.dispatcher.handle_status(connection(from), status, self.now)
    }

    fn pass(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
        self.dispatcher.handle_timeout(self.now);
    }

    fn ends(&mut self) -> Vec<End> {
        told(&self.effects()).0
    }

    /// Nothing of an ended request may stay behind but the memory of it.
    fn assert_empty(&self) {
        assert_eq!((self.dispatcher.pending(), self.dispatcher.transient()), (0, 0));
        assert!(self.dispatcher.poll_timeout().is_none() && self.dispatcher.account.is_empty());
        assert!(self.dispatcher.open_requests.of_key(&KEY.into()).is_empty());
        assert!((0..20).all(|n| self.dispatcher.open_requests.inflight(connection(n)).is_empty()));
    }
}

fn plain(records: impl IntoIterator<Item = Record>) -> SmallVec<[(Box<Record>, &'static str); 1]> {
    records.into_iter().map(|record| (Box::new(record), "waiter")).collect()
}

fn number(id: countersign_protocol::ConnectionId) -> u8 {
    (0..=255).find(|n| connection(*n) == id).unwrap()
}

/// The ends told, and the withdrawals: to whom and why.
fn told(effects: &[Effect<&'static str>]) -> (Vec<End>, Vec<(u8, CancelCause)>) {
    let (mut ends, mut withdrawn) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Ended(open) => {
                assert_eq!(open.waiter.is_some(), !open.durable);
                ends.push(open.record.end.clone().unwrap());
            }
            Effect::Send { to, text } => match ServerFrame::parse(text).unwrap() {
                ServerFrame::RequestCancel(cancel) => withdrawn.push((number(*to), cancel.cause)),
                other => panic!("{other:?}"),
            },
            _ => {}
        }
    }
    (ends, withdrawn)
}

fn acks(effects: &[Effect<&'static str>]) -> Vec<(u8, AckOutcome)> {
    let acks = effects.iter().filter_map(|effect| match effect {
        Effect::Acknowledge { to, outcome, .. } => Some((number(*to), *outcome)),
        _ => None,
    });
    acks.collect()
}

fn signed(n: u8) -> Verdict {
    Verdict::Signed { signature: [n; 64].into(), approved_by: Some(ApprovedBy::Human) }
}

fn rejected(scope: RejectScope) -> Verdict {
    Verdict::Rejected { code: RejectCode::UserRejected, reason: None, scope }
}

fn at(record: Record, key: [u8; 32]) -> Record {
    Record { public_key: key.into(), ..record }
}

#[test]
fn the_first_signature_wins_and_the_other_devices_are_told() {
    let mut world = World::connected(&[1, 2, 3]);
    world.ask().unwrap();
    assert_eq!(
        world.delivered().iter().map(|(to, request)| (*to, request.attempt)).collect::<Vec<_>>(),
        [(1, 1), (2, 1), (3, 1)]
    );
    assert_eq!(world.answer(2, signed(9)), Some(AckOutcome::Accepted));
    let (ends, withdrawn) = told(&world.effects());
    assert!(matches!(ends[..], [End::Signed { .. }]));
    assert_eq!(withdrawn, [(1, CancelCause::AnsweredElsewhere), (3, CancelCause::AnsweredElsewhere)]);
    world.assert_empty();

    assert_eq!(world.answer(1, signed(8)), Some(AckOutcome::Late));
    assert_eq!(world.answer(2, signed(8)), Some(AckOutcome::Duplicate));
    assert_eq!(world.answer(2, signed(9)), Some(AckOutcome::Accepted), "the one that was taken");
    assert!(world.effects().is_empty());
}

#[test]
fn a_refusal_for_the_key_ends_it_and_for_a_device_only_at_the_last() {
    let mut world = World::connected(&[1, 2]);
    world.ask().unwrap();
    assert_eq!(world.answer(1, rejected(RejectScope::Device)), Some(AckOutcome::Accepted));
    assert!(world.ends().is_empty());
    world.answer(2, rejected(RejectScope::Device));
    assert!(matches!(world.ends()[..], [End::Rejected { .. }]));
    world.assert_empty();

    let mut world = World::connected(&[1, 2]);
    world.ask().unwrap();
    world.answer(1, rejected(RejectScope::Key));
    assert_eq!(told(&world.effects()).1, [(2, CancelCause::AnsweredElsewhere)]);
    world.assert_empty();
}

#[test]
fn a_bad_answer_drops_the_device_and_the_last_reason_is_given() {
    let mut world = World::connected(&[1, 2]);
    world.ask().unwrap();
    assert_eq!(world.answer(1, Verdict::BadSignature), Some(AckOutcome::BadSignature));
    assert_eq!(world.answer(1, signed(9)), Some(AckOutcome::Duplicate), "one answer a device");
    assert_eq!(world.answer(2, Verdict::MessageMismatch), Some(AckOutcome::MessageMismatch));
    assert_eq!(world.ends(), [End::MessageMismatch]);
    world.assert_empty();
}

#[test]
fn foreign_and_unknown_requests_are_the_same() {
    let mut world = World::connected(&[1]);
    world.introduce_as(2, [2; 32].into(), None);
    world.ask().unwrap();
    let stranger = world.dispatcher.check(&[2; 32].into(), connection(2), request(1), None, world.now);
    assert!(matches!(stranger, Check::Acknowledge(AckOutcome::Unknown)));
    let unknown = world.dispatcher.check(&KEY.into(), connection(1), request(2), None, world.now);
    assert!(matches!(unknown, Check::Acknowledge(AckOutcome::Unknown)));
    assert!(matches!(world.check(1, [9; 64]), Check::Judge(_)));
}

#[test]
fn a_wallet_that_comes_back_gets_its_open_requests_again() {
    let mut world = World::new();
    world.introduce(1, Some("phone"));
    world.ask().unwrap();
    world.delivered();
    world.status(1, WalletState::Displayed);
    world.disconnect(1);
    assert!(world.ends().is_empty());
    let again = world.introduce(2, Some("phone"));
    assert_eq!(
        again.iter().map(|request| (request.request_id, request.attempt)).collect::<Vec<_>>(),
        [(request(1), 2)]
    );
    assert_eq!(world.answer(2, signed(9)), Some(AckOutcome::Accepted));
    assert!(matches!(world.ends()[..], [End::Signed { .. }]));
    world.assert_empty();
}

#[test]
fn what_a_device_declined_it_is_not_asked_again() {
    let mut world = World::new();
    world.introduce(1, Some("phone"));
    world.introduce(2, Some("laptop"));
    world.ask().unwrap();
    world.answer(1, rejected(RejectScope::Device));
    world.disconnect(1);
    world.effects();
    assert!(world.introduce(3, Some("phone")).is_empty());
    world.disconnect(2);
    assert!(world.ends().is_empty(), "the laptop may come back");
    assert_eq!(world.introduce(4, Some("laptop")).len(), 1);
    world.answer(4, rejected(RejectScope::Device));
    assert!(matches!(world.ends()[..], [End::Rejected { .. }]));
    world.assert_empty();
}

#[test]
fn a_device_without_a_name_cannot_come_back() {
    let mut world = World::connected(&[1, 2]);
    world.ask().unwrap();
    world.answer(1, rejected(RejectScope::Device));
    assert!(world.ends().is_empty());
    world.disconnect(2);
    assert!(matches!(world.ends()[..], [End::Rejected { .. }]));
    world.assert_empty();
}

#[test]
fn two_tabs_of_one_device_answer_once() {
    let mut world = World::new();
    for n in [1, 2] {
        world.introduce(n, Some("laptop"));
    }
    world.introduce(3, Some("phone"));
    world.ask().unwrap();
    world.effects();
    world.answer(1, rejected(RejectScope::Device));
    assert_eq!(told(&world.effects()).1, [(2, CancelCause::AnsweredElsewhere)]);
    assert_eq!(world.answer(2, signed(9)), Some(AckOutcome::Duplicate));
    world.answer(3, signed(8));
    let (ends, withdrawn) = told(&world.effects());
    assert!(matches!(ends[..], [End::Signed { .. }]) && withdrawn.is_empty());
    world.assert_empty();
}

#[test]
fn an_answer_may_come_on_a_connection_that_was_not_asked() {
    let mut world = World::with(1);
    world.introduce(1, Some("phone"));
    world.ask().unwrap();
    world.dispatcher.ask(plain([record(2)]), world.now).unwrap_err();
    world.disconnect(1);
    // The place of the new connection is taken before the old request comes to it again.
    world.effects();
    world.introduce(2, Some("laptop"));
    world.introduce(3, None);
    assert_eq!(world.answer(3, signed(9)), Some(AckOutcome::Accepted));
    assert_eq!(told(&world.effects()).1, [(2, CancelCause::AnsweredElsewhere)]);
    world.assert_empty();
}

#[test]
fn nobody_has_to_wait_for_a_wallet_that_sleeps() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.effects();
    assert_eq!(world.dispatcher.poll_timeout(), Some(START.after(10 * SECOND)));
    world.pass(10 * SECOND);
    let (ends, withdrawn) = told(&world.effects());
    assert_eq!((ends, withdrawn), (vec![End::DeliveryTimeout], vec![(1, CancelCause::Expired)]));
    world.assert_empty();
}

#[test]
fn one_device_that_declines_leaves_the_others_a_human_s_time() {
    let mut world = World::connected(&[1, 2]);
    world.ask().unwrap();
    world.answer(1, rejected(RejectScope::Device));
    world.pass(10 * SECOND);
    assert!(world.ends().is_empty());
    world.answer(2, signed(9));
    assert!(matches!(world.ends()[..], [End::Signed { .. }]));
}

#[test]
fn a_human_has_the_whole_time() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.status(1, WalletState::Received);
    assert_eq!(world.dispatcher.poll_timeout(), Some(START.after(60 * SECOND)));
    world.pass(10 * SECOND);
    world.pass(49 * SECOND);
    assert!(world.ends().is_empty());
    world.pass(SECOND);
    assert_eq!(world.ends(), [End::Timeout(Phase::Received)]);
    world.assert_empty();
}

#[test]
fn the_end_says_whether_the_wallet_was_still_there() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.status(1, WalletState::Displayed);
    world.disconnect(1);
    world.pass(60 * SECOND);
    assert_eq!(world.ends(), [End::Disconnected(Phase::Displayed)]);
    world.assert_empty();
}

#[test]
fn what_may_be_over_for_its_wallet_is_not_asked_again() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.status(1, WalletState::Displayed);
    world.dispatcher.end_out_of_sight(world.now);
    assert!(world.ends().is_empty(), "the wallet is still here");
    world.disconnect(1);
    world.dispatcher.end_out_of_sight(world.now);
    assert_eq!(world.ends(), [End::Disconnected(Phase::Displayed)]);
    world.assert_empty();
}

#[test]
fn nothing_is_put_to_a_wallet_again_while_the_other_nodes_may_have_said_that_it_is_over() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.accept(vec![record(2)], true);
    world.delivered();
    world.disconnect(1);

    world.dispatcher.note_lease(false);
    assert!(world.introduce(2, None).is_empty(), "the durable one may have another owner, who has had it answered");
    world.dispatcher.ask(plain([record(3)]), world.now).unwrap();
    assert_eq!(world.delivered().len(), 1, "what nobody was asked before is over nowhere");
    world.dispatcher.deliver_held_back(world.now);
    assert!(world.delivered().is_empty());

    world.dispatcher.note_lease(true);
    assert!(world.delivered().is_empty());
    world.dispatcher.deliver_held_back(world.now);
    assert_eq!(
        world.delivered().iter().map(|(to, asked)| (*to, asked.request_id)).collect::<Vec<_>>(),
        [(2, request(1)), (2, request(2))]
    );
    world.dispatcher.deliver_held_back(world.now);
    assert!(world.delivered().is_empty(), "once");
}

#[test]
fn what_was_held_back_may_end_meanwhile() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.delivered();
    world.disconnect(1);
    world.dispatcher.note_lease(false);
    assert!(world.introduce(2, None).is_empty());
    world.pass(10 * SECOND);
    assert_eq!(world.ends(), [End::DeliveryTimeout]);
    world.dispatcher.note_lease(true);
    world.dispatcher.deliver_held_back(world.now);
    assert!(world.delivered().is_empty());
    world.disconnect(2);
    world.assert_empty();
}

#[test]
fn phases_are_never_revisited_and_have_their_times() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.status(1, WalletState::Displayed);
    world.pass(SECOND);
    world.status(1, WalletState::Received);
    world.status(9, WalletState::Received);
    world.answer(1, signed(9));
    let effects = world.effects();
    let times = effects.iter().find_map(|effect| match effect {
        Effect::Ended(open) => Some(open.record.times),
        _ => None,
    });
    let times = times.unwrap();
    assert_eq!((times.queued, times.delivered, times.displayed), (START, Some(START), Some(START)));
    assert_eq!((times.received, times.ended), (None, Some(START.after(SECOND))));
}

#[test]
fn what_a_connection_may_not_have_yet_comes_when_it_has_answered() {
    let mut world = World::with(2);
    world.introduce_as(1, KEY.into(), Some("phone"));
    for n in 1..=4 {
        world.accept(vec![record(n)], true);
    }
    let sent = |world: &mut World| world.delivered().iter().map(|(_, r)| r.request_id).collect::<Vec<_>>();
    assert_eq!(sent(&mut world), [request(1), request(2)]);
    world.dispatcher.cancel(request(2), EndedBy::Requester, world.now);
    world.dispatcher.handle_written(Ticket::End(request(2)), Ok(Written::Done), world.now);
    assert_eq!(sent(&mut world), [request(3)]);
}

#[test]
fn a_batch_is_delivered_whole_or_not_at_all() {
    let mut world = World::with(3);
    world.introduce(1, Some("phone"));
    world.dispatcher.ask(plain([record(9)]), world.now).unwrap();
    world.effects();
    let id = BatchId::from_random_bytes([5; 16]);
    let batch = |n: u32| Record { batch: Some(Batch { id, index: n, size: 3 }), ..record(u128::from(n) + 1) };
    let requests = || plain([0, 1, 2].map(batch));
    assert_eq!(world.dispatcher.ask(requests(), world.now), Err(SigningError::TooManyInflight));
    world.dispatcher.cancel(request(9), EndedBy::Requester, world.now);
    world.effects();
    world.dispatcher.ask(requests(), world.now).unwrap();
    let places = |delivered: Vec<(u8, SignRequest)>| {
        delivered.into_iter().map(|(_, request)| request.batch.map(|b| (b.index, b.size))).collect::<Vec<_>>()
    };
    assert_eq!(places(world.delivered()), [Some((0, 3)), Some((1, 3)), Some((2, 3))]);
    // What is left of it comes again together.
    world.answer(1, signed(9));
    world.disconnect(1);
    world.effects();
    let again = world.introduce(2, Some("phone"));
    assert_eq!(
        again.iter().map(|r| r.batch.map(|b| (b.index, b.size))).collect::<Vec<_>>(),
        [Some((0, 2)), Some((1, 2))]
    );
    assert_eq!(world.dispatcher.pending(), 2);
}

#[test]
fn nobody_is_told_an_end_before_it_is_on_disk() {
    let mut world = World::connected(&[1, 2]);
    world.dispatcher.ask_durably(vec![record(1)], None, false, None, None, world.now).unwrap();
    world.effects();
    world.dispatcher.handle_written(Ticket::Accept(request(1)), Ok(Written::Done), world.now);
    let effects = world.effects();
    let accepted = Accepted { request_ids: vec![request(1)], replayed: false };
    assert!(effects.iter().any(|e| matches!(e, Effect::Accepted { accepted: Ok(a), .. } if *a == accepted)));

    assert_eq!(world.answer(1, signed(9)), None);
    assert_eq!(world.answer(2, signed(8)), None, "it will have been too late");
    assert!(matches!(world.check(1, [9; 64]), Check::Acknowledge(AckOutcome::Duplicate)));
    assert!(world.dispatcher.durable_record(request(1)).unwrap().end.is_none());
    world.pass(100 * SECOND);
    let effects = world.effects();
    assert!(matches!(effects[..], [Effect::Write { write: Write::End { .. }, ticket: Some(Ticket::End(_)) }]));

    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
    let effects = world.effects();
    assert_eq!(acks(&effects), [(1, AckOutcome::Accepted), (2, AckOutcome::Late)]);
    assert!(matches!(told(&effects).0[..], [End::Signed { .. }]));
    world.assert_empty();
}

#[test]
fn nothing_is_kept_for_who_comes_and_goes_while_the_disk_is_slow() {
    let mut world = World::connected(&[1]);
    world.accept(vec![record(1)], false);
    world.answer(1, signed(9));
    world.effects();
    for n in 2..200 {
        world.introduce(n, None);
        assert_eq!(world.answer(n, signed(8)), None);
        world.disconnect(n);
    }
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
    assert_eq!(acks(&world.effects()), [(1, AckOutcome::Accepted)]);
}

#[test]
fn a_device_that_comes_back_is_told_what_became_of_what_it_shows() {
    type Deed = fn(&mut World);
    let deeds: [(Deed, CancelCause); 5] = [
        (|world| world.dispatcher.cancel(request(1), EndedBy::Requester, world.now), CancelCause::Cancelled),
        (|world| assert!(world.answer(2, signed(9)).is_some()), CancelCause::AnsweredElsewhere),
        (|world| assert!(world.answer(2, rejected(RejectScope::Key)).is_some()), CancelCause::AnsweredElsewhere),
        (|world| world.pass(100 * SECOND), CancelCause::Expired),
        // Another process had it, and took all it knew with it.
        (|world| *world = World::connected(&[2]), CancelCause::Expired),
    ];
    for (deed, cause) in deeds {
        let mut world = World::connected(&[2]);
        world.introduce(1, Some("phone"));
        world.ask().unwrap();
        world.disconnect(1);
        deed(&mut world);
        world.effects();
        assert!(world.introduce(3, Some("phone")).is_empty());
        assert_eq!(world.status(3, WalletState::Displayed), Some(cause));
        world.introduce_as(4, [2; 32].into(), None);
        assert_eq!(
            world.status(4, WalletState::Received),
            Some(CancelCause::Expired),
            "of another key's nothing is told"
        );
    }
}

#[test]
fn a_device_that_answered_on_another_connection_has_nothing_to_show() {
    let mut world = World::connected(&[2]);
    world.introduce(1, Some("phone"));
    world.ask().unwrap();
    assert_eq!(world.status(1, WalletState::Received), None);
    world.answer(1, rejected(RejectScope::Device));
    world.disconnect(1);
    world.effects();
    assert!(world.introduce(3, Some("phone")).is_empty(), "it is not asked again");
    assert_eq!(world.status(3, WalletState::Displayed), Some(CancelCause::AnsweredElsewhere));
    assert_eq!(world.status(2, WalletState::Displayed), None);
}

#[test]
fn what_a_device_goes_on_showing_while_there_is_no_room_for_it_is_taken_back_too() {
    let mut world = World::connected(&[]);
    let most = world.dispatcher.capacity.max_inflight;
    world.introduce(1, Some("phone"));
    world.ask().unwrap();
    world.disconnect(1);
    world.effects();
    world.dispatcher.capacity.max_inflight = 0;
    assert!(world.introduce(2, Some("phone")).is_empty(), "no room");
    assert_eq!(world.status(2, WalletState::Displayed), None);
    world.dispatcher.cancel(request(1), EndedBy::Requester, world.now);
    let effects = world.effects();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send { to, .. } if *to == connection(2))));
    world.dispatcher.capacity.max_inflight = most;
    world.assert_empty();
}

#[test]
fn an_end_that_cannot_be_written_is_not_told() {
    let mut world = World::connected(&[1, 2]);
    world.dispatcher.ask_durably(vec![record(1)], None, false, None, None, world.now).unwrap();
    world.dispatcher.handle_written(Ticket::Accept(request(1)), Ok(Written::Done), world.now);
    world.answer(1, signed(9));
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    let effects = world.effects();
    assert!(matches!(&effects[..], [Effect::Ended(open)] if open.record.end.is_none()));
    assert_eq!(world.dispatcher.open_requests.inflight(connection(2)), [request(1)], "its wallet still shows it");

    // It is open on disk and comes again after a restart, so nobody is told that it is unknown, but for those who may not know of it.
    let stranger = world.dispatcher.check(&[2; 32].into(), connection(2), request(1), None, world.now);
    assert!(matches!(stranger, Check::Acknowledge(AckOutcome::Unknown)));
    assert!(matches!(world.check(1, [9; 64]), Check::Later));
    assert_eq!(world.status(2, WalletState::Displayed), None);
    assert_eq!(world.answer(2, rejected(RejectScope::Key)), None);
    world.assert_empty();
}

#[test]
fn what_a_failed_store_left_open_goes_on_when_it_works_again() {
    let mut world = World::connected(&[1, 2]);
    for n in 1..=3 {
        world.accept(vec![record(n)], false);
    }
    world.answer(1, signed(9));
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    world.effects();
    // The first is open on disk, the second is known, the third ended there without anybody here knowing, the fourth was
    // refused as something that may not have got there.
    let ended = Record { end: Some(End::Cancelled), ..record(3) };
    let loaded = Loaded { open: vec![record(1), record(2), record(4)], ended: vec![ended] };
    world.dispatcher.recover(loaded, world.now);
    let effects = world.effects();
    let ended = |effect: &Effect<_>| matches!(effect, Effect::Ended(open) if open.record.end == Some(End::Cancelled));
    assert_eq!(effects.iter().filter(|effect| ended(effect)).count(), 1);
    let asked: Vec<_> =
        world.delivered_among(effects).into_iter().map(|(to, request)| (to, request.request_id)).collect();
    assert_eq!(asked, [(1, request(1)), (1, request(4)), (2, request(1)), (2, request(4))]);
    assert_eq!(world.dispatcher.pending(), 3, "the third has ended");
    world.answer(1, signed(9));
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
    assert_eq!(acks(&world.effects()), [(1, AckOutcome::Accepted)]);
}

#[test]
fn what_was_refused_by_a_failed_store_is_asked_only_where_a_repeated_call_would_find_it() {
    let mut world = World::connected(&[1]);
    let idempotency =
        Idempotency { requester: record(2).requester_id, key: "the-same-again".parse().unwrap(), fingerprint: [0; 32] };
    for (n, idempotency) in [(1, None), (2, Some(idempotency)), (3, None)] {
        world.dispatcher.ask_durably(vec![record(n)], idempotency, false, None, None, world.now).unwrap();
        world.dispatcher.handle_written(Ticket::Accept(request(n)), Err(StoreError::Failed), world.now);
    }
    world.effects();
    // The third never got there.
    world.dispatcher.recover(Loaded { open: vec![record(1), record(2)], ended: Vec::new() }, world.now);
    let effects = world.effects();
    let ends = |effect: &Effect<_>| match effect {
        Effect::Write { write: Write::End { id, end, .. }, .. } => Some((*id, end.clone())),
        _ => None,
    };
    assert_eq!(effects.iter().filter_map(ends).collect::<Vec<_>>(), [(request(1), End::Cancelled)]);
    let asked: Vec<_> = world.delivered_among(effects).into_iter().map(|(_, request)| request.request_id).collect();
    assert_eq!(asked, [request(2)]);
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
    world.answer(1, signed(9));
    assert_eq!(world.dispatcher.pending(), 1);
    // What comes later is not taken for it.
    world.dispatcher.recover(Loaded { open: vec![record(2), record(3)], ended: Vec::new() }, world.now);
    let asked: Vec<_> = world.delivered().into_iter().map(|(_, request)| request.request_id).collect();
    assert_eq!(asked, [request(3)]);
}

#[test]
fn what_ran_out_while_the_store_had_failed_is_taken_back_before_anything_else_is_asked() {
    let mut world = World::connected(&[1, 2]);
    world.accept(vec![record(1)], false);
    world.answer(1, signed(9));
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    world.effects();
    let overdue = Record { expires_at: world.now, ..record(1) };
    world.dispatcher.recover(Loaded { open: vec![overdue, record(2)], ended: Vec::new() }, world.now);
    let effects = world.effects();
    assert_eq!(told(&effects).1, [(1, CancelCause::Expired), (2, CancelCause::Expired)]);
    let last_taken_back = effects.iter().rposition(|effect| matches!(effect, Effect::Send { .. }));
    let first_asked = effects.iter().position(|effect| matches!(effect, Effect::Deliver { .. }));
    assert!(first_asked.is_some() && last_taken_back < first_asked);
}

#[test]
fn the_end_that_stands_is_the_one_that_is_told() {
    let signed_elsewhere = End::Signed { signature: [9; 64].into(), approved_by: None, device: None };
    for (stands, expected) in [
        (End::Cancelled, [(1, AckOutcome::Late), (2, AckOutcome::Late)]),
        // What was about to end it is called late, and what would have been late has ended it.
        (signed_elsewhere, [(1, AckOutcome::Late), (2, AckOutcome::Accepted)]),
    ] {
        let mut world = World::connected(&[1, 2]);
        world.accept(vec![record(1)], false);
        assert_eq!(world.answer(1, signed(8)), None);
        assert!(matches!(world.check(2, [9; 64]), Check::Later));
        world.effects();
        let times = PhaseTimes { ended: Some(START.after(SECOND)), ..record(1).times };
        let before = Record { end: Some(stands.clone()), times, ..record(1) };
        world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Ended(Box::new(before))), world.now);
        let effects = world.effects();
        assert_eq!(acks(&effects), expected);
        let told = effects.iter().find_map(|effect| match effect {
            Effect::Ended(open) => Some((open.record.end.clone(), open.record.times)),
            _ => None,
        });
        assert_eq!(told, Some((Some(stands), times)));
        world.assert_empty();
    }
}

#[test]
fn an_end_that_was_on_disk_after_all_is_told_to_the_wallets() {
    let mut world = World::connected(&[1, 2]);
    world.accept(vec![record(1)], false);
    world.answer(1, signed(9));
    let written = world.effects().into_iter().find_map(|effect| match effect {
        Effect::Write { write: Write::End { end, times, .. }, .. } => Some((end, times)),
        _ => None,
    });
    let (end, times) = written.unwrap();
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    world.effects();
    let ended = vec![Record { end: Some(end), times, ..record(1) }];
    world.dispatcher.recover(Loaded { open: Vec::new(), ended }, world.now);
    let effects = world.effects();
    assert_eq!(acks(&effects), [(1, AckOutcome::Accepted)]);
    let cancelled: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { to, text } => Some((number(*to), text.contains("answered_elsewhere"))),
            _ => None,
        })
        .collect();
    assert_eq!(cancelled, [(2, true)]);
    assert!(matches!(world.check(2, [9; 64]), Check::Acknowledge(AckOutcome::Accepted)));
    world.assert_empty();
}

#[test]
fn what_cannot_be_written_is_not_taken() {
    let mut world = World::connected(&[1]);
    for (written, error) in [
        (Err(StoreError::Full), SigningError::StorageUnavailable),
        (Err(StoreError::Failed), SigningError::StorageUnavailable),
        (Ok(Written::Reused), SigningError::IdempotencyKeyReused),
    ] {
        world.dispatcher.ask_durably(vec![record(1)], None, false, None, None, world.now).unwrap();
        world.effects();
        world.dispatcher.handle_written(Ticket::Accept(request(1)), written, world.now);
        let effects = world.effects();
        assert!(matches!(&effects[..], [Effect::Accepted { accepted: Err(told), .. }] if *told == error));
        world.assert_empty();
    }
}

#[test]
fn what_an_earlier_process_left_is_gone_on_with() {
    let capacity = World::new().dispatcher.capacity;
    let left = Record { attempt: 3, ..record(1) };
    let over = super::testing::ended(2, End::Signed { signature: [9; 64].into(), approved_by: None, device: None });
    let loaded = Loaded { open: vec![left], ended: vec![over] };
    let mut world = World { dispatcher: Dispatcher::new(capacity, loaded, START), now: START };
    let again = world.introduce(1, Some("phone"));
    assert_eq!(again.iter().map(|request| request.attempt).collect::<Vec<_>>(), [4]);
    let check = world.dispatcher.check(&KEY.into(), connection(1), request(2), Some(&[9; 64].into()), world.now);
    assert!(matches!(check, Check::Acknowledge(AckOutcome::Accepted)));
}

#[test]
fn what_may_wait_for_a_wallet_needs_none() {
    let mut world = World::new();
    assert_eq!(world.dispatcher.ask(plain([record(1)]), world.now), Err(SigningError::SignerNotConnected));
    let durable = |world: &mut World, record, queue| {
        world.dispatcher.ask_durably(vec![record], None, queue, None, None, world.now)
    };
    assert_eq!(durable(&mut world, record(1), false), Err(SigningError::SignerNotConnected));
    assert!(!world.dispatcher.knows(&KEY.into()));
    world.accept(vec![record(1)], true);
    assert!(world.dispatcher.knows(&KEY.into()));
    assert_eq!(world.introduce_as(1, KEY.into(), None).len(), 1);
}

#[test]
fn a_repeated_call_is_answered_although_the_wallet_has_gone() {
    let mut world = World::new();
    let idempotency = || {
        Some(Idempotency {
            requester: "Example Shop".parse().unwrap(),
            key: "key".parse().unwrap(),
            fingerprint: [1; 32],
        })
    };
    for (written, accepted) in [
        (Written::Existing(vec![request(7)]), Ok(Accepted { request_ids: vec![request(7)], replayed: true })),
        (Written::Done, Err(SigningError::SignerNotConnected)),
    ] {
        world.dispatcher.ask_durably(vec![record(1)], idempotency(), false, None, None, world.now).unwrap();
        let effects = world.effects();
        assert!(
            matches!(&effects[..], [Effect::Write { write: Write::Accept { records, .. }, .. }] if records.is_empty())
        );
        world.dispatcher.handle_written(Ticket::Accept(request(1)), Ok(written), world.now);
        let effects = world.effects();
        assert!(matches!(&effects[..], [Effect::Accepted { accepted: told, .. }] if *told == accepted), "{effects:?}");
        world.assert_empty();
    }
}

#[test]
fn an_outage_does_not_count_against_the_delivery() {
    let capacity = World::new().dispatcher.capacity;
    let now = START.after(20 * SECOND);
    let loaded = Loaded { open: vec![record(1)], ended: Vec::new() };
    let mut world = World { dispatcher: Dispatcher::new(capacity, loaded, now), now };
    world.pass(29 * SECOND);
    assert!(world.ends().is_empty() && world.effects().is_empty());
    world.pass(SECOND);
    assert!(matches!(world.effects()[..], [Effect::Write { write: Write::End { end: End::DeliveryTimeout, .. }, .. }]));
}

#[test]
fn everything_is_bounded() {
    let mut world = World::with(1000);
    world.introduce(1, None);
    for n in 0..50 {
        world.dispatcher.ask(plain([record(n)]), world.now).unwrap();
    }
    let one_more = plain([record(99)]);
    assert_eq!(world.dispatcher.ask(one_more, world.now), Err(SigningError::TooManyInflight));
    let long = Record { message: Arc::new(vec![1; 9_900].try_into().unwrap()), ..at(record(99), [2; 32]) };
    assert_eq!(world.dispatcher.ask(plain([long]), world.now), Err(SigningError::Overloaded));
}

#[test]
fn draining_ends_what_does_not_outlive_the_process() {
    let mut world = World::connected(&[1]);
    world.ask().unwrap();
    world.accept(vec![record(2)], false);
    world.effects();
    let goodbye = || Close::goodbye(GoodbyeReason::Shutdown, SECOND, 1012);
    world.dispatcher.begin_drain(&goodbye().frame);
    assert_eq!(world.ask(), Err(SigningError::Draining));
    assert!(!world.dispatcher.connect(connection(2), (), Arrival { address: None, at: world.now }));
    world.effects();
    world.dispatcher.finish_drain(goodbye, world.now);
    assert_eq!(world.ends(), [End::Draining]);
    assert_eq!((world.dispatcher.pending(), world.dispatcher.transient()), (1, 0));
}

#[test]
fn what_is_being_written_counts_like_what_is_open() {
    let mut world = World::new();
    for n in 0..50 {
        world.dispatcher.ask_durably(vec![record(n)], None, true, None, None, world.now).unwrap();
    }
    assert_eq!(world.dispatcher.pending(), 50);
    assert_eq!(
        world.dispatcher.ask_durably(vec![record(99)], None, true, None, None, world.now),
        Err(SigningError::TooManyInflight)
    );
    let long = Record { message: Arc::new(vec![1; 9_900].try_into().unwrap()), ..at(record(99), [2; 32]) };
    assert_eq!(
        world.dispatcher.ask_durably(vec![long], None, true, None, None, world.now),
        Err(SigningError::Overloaded)
    );
    for n in 0..50 {
        world.dispatcher.handle_written(Ticket::Accept(request(n)), Err(StoreError::Failed), world.now);
    }
    world.effects();
    world.assert_empty();
}

#[test]
fn one_requester_leaves_room_for_the_others() {
    let mut world = World::with(16);
    world.dispatcher.capacity.max_share_percent = 25;
    world.introduce(1, None);
    let of = |n, requester: &str| Record {
        requester_id: requester.parse().unwrap(),
        requester: requester.parse().unwrap(),
        ..record(n)
    };
    // Of all that wait for the key, and of what one wallet shows.
    for n in 0..12 {
        world.accept(vec![of(n, "Greedy")], true);
    }
    assert_eq!(
        world.dispatcher.ask_durably(vec![of(99, "Greedy")], None, true, None, None, world.now),
        Err(SigningError::RequesterLimit)
    );
    assert_eq!(world.delivered().len(), 4);
    world.dispatcher.ask(plain([of(50, "Modest")]), world.now).unwrap();
    assert_eq!(world.delivered().len(), 1);
    // When the wallet comes back, too.
    world.accept(vec![of(51, "Modest")], true);
    world.effects();
    world.disconnect(1);
    let requesters: Vec<_> = world.introduce(2, None).into_iter().map(|request| request.requester.name).collect();
    let modest = requesters.iter().filter(|name| name.as_str() == "Modest").count();
    assert_eq!((requesters.len(), modest), (6, 2));
}

/// Whatever it asked with, and before it was so: what a token may be exchanged for is no way around it.
#[test]
fn a_token_s_own_limit_is_on_all_that_its_requester_has_open() {
    let mut world = World::with(16);
    world.introduce(1, None);
    let [two, three] = [2, 3].map(NonZeroU32::new);
    let requester = record(0).requester_id;
    let idempotency = |n: u128| {
        Some(Idempotency {
            requester: requester.clone(),
            key: format!("key-{n}").parse().unwrap(),
            fingerprint: [0; 32],
        })
    };
    world.ask().unwrap();
    world.dispatcher.ask_durably(vec![record(2)], idempotency(2), true, two, None, world.now).unwrap();
    assert_eq!(world.dispatcher.check_own(&requester, 1, two), Err(SigningError::RequesterLimit));
    assert_eq!(world.dispatcher.check_own(&requester, 1, three), Ok(()), "another token of the same requester");
    assert_eq!(world.dispatcher.check_own(&requester, 2, three), Err(SigningError::RequesterLimit), "a batch");
    assert_eq!(
        world.dispatcher.ask_durably(vec![record(3)], None, true, two, None, world.now),
        Err(SigningError::RequesterLimit)
    );
    world.dispatcher.handle_written(Ticket::Accept(request(2)), Ok(Written::Done), world.now);
    world.effects();

    // A repetition takes no room, and is answered; what is none is refused all the same.
    for (n, written, answer) in [
        (4, Written::Existing(vec![request(2)]), Ok(Accepted { request_ids: vec![request(2)], replayed: true })),
        (5, Written::Done, Err(SigningError::RequesterLimit)),
    ] {
        world.dispatcher.ask_durably(vec![record(n)], idempotency(n), true, two, None, world.now).unwrap();
        world.dispatcher.handle_written(Ticket::Accept(request(n)), Ok(written), world.now);
        let told = world.effects().into_iter().find_map(|effect| match effect {
            Effect::Accepted { accepted, .. } => Some(accepted),
            _ => None,
        });
        assert_eq!(told, Some(answer));
    }
    world.dispatcher.cancel(request(1), EndedBy::Requester, world.now);
    assert_eq!(world.dispatcher.check_own(&requester, 1, two), Ok(()));
}

/// What is held stays, and counts: by a capacity that has shares, too, of whatever was taken before.
#[test]
fn another_capacity_holds_for_what_comes_and_lets_what_is_there_be() {
    let mut world = World::with(4);
    world.introduce(1, None);
    let of = |n, requester: &str| Record {
        requester_id: requester.parse().unwrap(),
        requester: requester.parse().unwrap(),
        ..record(n)
    };
    let before = world.dispatcher.capacity;
    for n in 0..3 {
        world.dispatcher.ask(plain([of(n, "Greedy")]), world.now).unwrap();
    }
    world.dispatcher.ask_durably(vec![of(3, "Greedy")], None, true, None, None, world.now).unwrap();
    assert_eq!(world.delivered().len(), 3);
    let ask = |world: &mut World, n, requester| world.dispatcher.ask(plain([of(n, requester)]), world.now);
    let set = |world: &mut World, capacity| world.dispatcher.set_capacity(capacity, world.now);

    set(&mut world, Capacity { max_pending: 4, ..before });
    assert_eq!(ask(&mut world, 9, "Modest"), Err(SigningError::Overloaded));
    set(&mut world, Capacity { max_pending: 8, max_share_percent: 50, ..before });
    assert_eq!(
        ask(&mut world, 9, "Greedy"),
        Err(SigningError::RequesterLimit),
        "one that is being written counts as well"
    );
    assert_eq!(ask(&mut world, 9, "Modest"), Ok(()));
    set(&mut world, Capacity { max_inflight: 1, ..before });
    assert_eq!(ask(&mut world, 10, "Modest"), Err(SigningError::TooManyInflight));
    // Four were told, and there are four.
    set(&mut world, Capacity { max_inflight: 64, ..before });
    assert_eq!(ask(&mut world, 10, "Modest"), Err(SigningError::TooManyInflight));
    // Whoever waited for room has it.
    world.dispatcher.handle_written(Ticket::Accept(request(3)), Ok(Written::Done), world.now);
    world.effects();
    set(&mut world, Capacity { max_inflight: 1, ..before });
    for n in [0, 1, 2, 9] {
        world.dispatcher.cancel(request(n), EndedBy::Requester, world.now);
    }
    assert_eq!(world.delivered().len(), 1, "the one that waited");
    world.dispatcher.cancel(request(3), EndedBy::Requester, world.now);
    world.dispatcher.handle_written(Ticket::End(request(3)), Ok(Written::Done), world.now);
    world.effects();
    world.assert_empty();
}

/// What a node may not have got goes to its wallet again, which may show it already.
#[test]
fn what_is_put_again_has_room_where_it_was() {
    let mut world = World::with(4);
    world.introduce(1, None);
    for n in 0..3 {
        world.dispatcher.ask(plain([record(n)]), world.now).unwrap();
    }
    assert_eq!(world.delivered().len(), 3);
    let before = world.dispatcher.capacity;
    world.dispatcher.set_capacity(Capacity { max_inflight: 1, ..before }, world.now);
    world.dispatcher.put_again(connection(1), world.now);
    assert_eq!(world.delivered().len(), 3);
    for n in 0..3 {
        world.dispatcher.cancel(request(n), EndedBy::Requester, world.now);
    }
    let withdrawn = world.effects().iter().filter(|effect| matches!(effect, Effect::Send { .. })).count();
    assert_eq!(withdrawn, 3, "whoever shows it is told");
    world.assert_empty();
}

#[test]
fn what_was_written_too_late_is_shown_to_nobody() {
    let mut world = World::connected(&[1]);
    world.dispatcher.ask_durably(vec![record(1)], None, false, None, None, world.now).unwrap();
    world.effects();
    world.now = world.now.after(120 * SECOND);
    world.dispatcher.handle_written(Ticket::Accept(request(1)), Ok(Written::Done), world.now);
    let effects = world.effects();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Deliver { .. })), "{effects:?}");
    let is_end = |effect: &Effect<_>| matches!(effect, Effect::Write { write: Write::End { .. }, .. });
    assert_eq!(effects.iter().filter(|effect| is_end(effect)).count(), 1);
}

/// A database that was put back to an earlier time does not know what was accepted since.
#[test]
fn what_the_store_does_not_know_any_more_ends_for_everybody_and_with_no_end_of_ours() {
    let mut world = World::connected(&[1, 2]);
    world.accept(vec![record(1)], false);
    assert_eq!(world.answer(1, signed(9)), None);
    assert!(matches!(world.check(2, [8; 64]), Check::Later));
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Unknown), world.now);
    let effects = world.effects();
    assert_eq!(acks(&effects), [(1, AckOutcome::Unknown), (2, AckOutcome::Unknown)]);
    let ended = |effect: &Effect<_>| matches!(effect, Effect::Ended(open) if open.record.end.is_none());
    assert_eq!(effects.iter().filter(|effect| ended(effect)).count(), 1, "whoever watches it looks, and finds nothing");
    assert!(matches!(world.check(1, [9; 64]), Check::Acknowledge(AckOutcome::Unknown)));
    world.assert_empty();
}

#[test]
fn a_prompt_for_what_the_store_does_not_know_any_more_is_taken_back() {
    let mut world = World::connected(&[1, 2]);
    world.accept(vec![record(1)], false);
    world.effects();
    world.dispatcher.cancel(request(1), EndedBy::Requester, world.now);
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Unknown), world.now);
    let cancelled: Vec<_> = world
        .effects()
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { to, text } => Some((number(*to), text.contains("expired"))),
            _ => None,
        })
        .collect();
    assert_eq!(cancelled, [(1, true), (2, true)]);
    world.assert_empty();
}

#[test]
fn a_store_that_has_gone_back_in_time_has_its_own_say_about_what_is_open() {
    let mut world = World::connected(&[1]);
    for n in 1..=3 {
        world.accept(vec![record(n)], false);
    }
    world.dispatcher.cancel(request(3), EndedBy::Requester, world.now);
    world.effects();
    // The first is there. The second was accepted later; of the third the store will say what it knows.
    world.dispatcher.recover(Loaded { open: vec![record(1)], ended: Vec::new() }, world.now);
    let let_go: Vec<_> = world
        .effects()
        .iter()
        .filter_map(|effect| match effect {
            Effect::LetGo { id, shown } => Some((*id, shown.iter().map(|to| number(*to)).collect::<Vec<_>>())),
            _ => None,
        })
        .collect();
    assert_eq!(let_go, [(request(2), vec![1])]);
    assert_eq!(world.dispatcher.pending(), 2);
}
