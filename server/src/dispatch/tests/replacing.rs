//! A request in the place of another: never both open, never neither, and nobody is asked again who has decided.

use super::*;
use crate::{cluster::NodeId, dispatch::Replaces, storage::Replaced};
use countersign_protocol::RequestId;

/// Asks for request `n` in the place of another.
fn replace(world: &mut World, n: u128, replaced: u128) -> Result<(), SigningError> {
    world.dispatcher.ask_durably(vec![record(n)], None, true, None, Some(Replaces::Here(request(replaced))), world.now)
}

fn written(world: &mut World, n: u128, written: Result<Written, StoreError>) -> Vec<Effect<&'static str>> {
    world.dispatcher.handle_written(Ticket::Accept(request(n)), written, world.now);
    world.effects()
}

/// Frames to wallets, in order: what is taken back, and what is asked.
fn frames(world: &World, effects: &[Effect<&'static str>]) -> Vec<(u8, &'static str, RequestId)> {
    let frame = |effect: &Effect<_>| match effect {
        Effect::Deliver { to, frame, .. } => Some((number(*to), frame.to_json(world.now)?)),
        Effect::Send { to, text } => Some((number(*to), text.clone())),
        _ => None,
    };
    let frames = effects.iter().filter_map(frame);
    frames
        .map(|(to, text)| match ServerFrame::parse(&text).unwrap() {
            ServerFrame::SignRequest(asked) => (to, "sign_request", asked.request_id),
            ServerFrame::RequestCancel(cancel) => {
                assert_eq!(cancel.cause, CancelCause::Cancelled);
                (to, "request_cancel", cancel.request_id)
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn outcome(effects: &[Effect<&'static str>]) -> Option<Result<Accepted, SigningError>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Accepted { accepted, .. } => Some(accepted.clone()),
        _ => None,
    })
}

#[test]
fn one_ends_and_the_other_is_asked_in_this_order() {
    let mut world = World::connected(&[1, 2]);
    world.accept(vec![record(1)], false);
    world.effects();
    replace(&mut world, 2, 1).unwrap();
    let effects = world.effects();
    let [Effect::Write { write: Write::Accept { records, replaced: Some(replaced), .. }, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    let Replaced { id, end, times, owner } = &**replaced;
    assert_eq!((records.len(), *id, end, times.ended), (1, request(1), &End::Cancelled, Some(world.now)));
    assert_eq!(*owner, None);
    assert!(world.introduce(3, None).is_empty(), "it is put to nobody any more");

    let effects = written(&mut world, 2, Ok(Written::Done));
    let (old, new) = (request(1), request(2));
    let expected =
        [(1, "request_cancel", old), (2, "request_cancel", old), (1, "sign_request", new), (2, "sign_request", new)];
    assert_eq!(frames(&world, &effects)[..4], expected);
    assert_eq!(frames(&world, &effects)[4..], [(3, "sign_request", new)]);
    let replaces: Vec<_> = world.delivered_among(effects).iter().map(|(_, asked)| asked.replaces).collect();
    assert_eq!(replaces, [Some(old); 3]);
    assert_eq!(world.dispatcher.pending(), 1);
    assert!(matches!(world.check(1, [9; 64]), Check::Acknowledge(AckOutcome::Late)));
}

#[test]
fn the_place_is_free_for_the_other_before_anybody_else() {
    let mut world = World::with(1);
    world.introduce(1, None);
    world.accept(vec![record(1)], true);
    world.accept(vec![record(3)], true);
    world.effects();
    // Without a queue, too: the wallet has room for it.
    world
        .dispatcher
        .ask_durably(vec![record(2)], None, false, None, Some(Replaces::Here(request(1))), world.now)
        .unwrap();
    world.effects();
    let effects = written(&mut world, 2, Ok(Written::Done));
    assert_eq!(
        frames(&world, &effects),
        [(1, "request_cancel", request(1)), (1, "sign_request", request(2))],
        "the third goes on waiting"
    );
}

#[test]
fn what_is_said_while_it_is_written_counts_for_nothing() {
    let mut world = World::connected(&[1, 2]);
    world.accept(vec![record(1)], false);
    replace(&mut world, 2, 1).unwrap();
    world.effects();
    assert_eq!(world.answer(1, signed(9)), None, "it hears nothing until that is known");
    assert_eq!(world.answer(2, rejected(RejectScope::Key)), None);
    world.pass(100 * SECOND);
    world.dispatcher.cancel(request(1), EndedBy::Operator, world.now);
    assert!(world.effects().is_empty());
    let effects = written(&mut world, 2, Ok(Written::Done));
    assert_eq!(acks(&effects), [(1, AckOutcome::Late), (2, AckOutcome::Late)]);
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Ended(_))).count(), 1);
}

#[test]
fn nothing_takes_the_place_of_what_is_not_open_and_ones_own() {
    let mut world = World::connected(&[1]);
    let unknown = Err(SigningError::UnknownRequest);
    assert_eq!(replace(&mut world, 2, 1), unknown, "nothing is there");
    world.ask().unwrap();
    assert_eq!(replace(&mut world, 2, 1), unknown, "nobody may know its id");
    world.dispatcher.cancel(request(1), EndedBy::Requester, world.now);
    world.accept(vec![record(3)], false);
    world.effects();
    let others = [at(record(2), [2; 32]), Record { requester_id: "Somebody Else".parse().unwrap(), ..record(2) }];
    for other in others {
        let asked =
            world.dispatcher.ask_durably(vec![other], None, true, None, Some(Replaces::Here(request(3))), world.now);
        assert_eq!(asked, unknown);
    }
    // Being replaced by another one, and about to end.
    replace(&mut world, 4, 3).unwrap();
    assert_eq!(replace(&mut world, 2, 3), unknown);
    written(&mut world, 4, Ok(Written::Done));
    world.dispatcher.cancel(request(4), EndedBy::Requester, world.now);
    assert_eq!(replace(&mut world, 2, 4), unknown);
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(4)), Ok(Written::Done), world.now);
    world.effects();
    world.assert_empty();
}

#[test]
fn a_repeated_call_is_looked_up_although_the_other_has_ended() {
    let mut world = World::connected(&[1]);
    world.accept(vec![record(1)], false);
    world.effects();
    let idempotency = || {
        let (requester, key) = (record(1).requester_id, "key".parse().unwrap());
        Some(Idempotency { requester, key, fingerprint: [1; 32] })
    };
    let replaced = || Some(Replaces::Here(request(1)));
    world.dispatcher.ask_durably(vec![record(2)], idempotency(), true, None, replaced(), world.now).unwrap();
    world.effects();
    written(&mut world, 2, Ok(Written::Done));
    let told = [
        (Written::Existing(vec![request(2)]), Ok(Accepted { request_ids: vec![request(2)], replayed: true })),
        (Written::Done, Err(SigningError::UnknownRequest)),
    ];
    for (looked_up, expected) in told {
        world.dispatcher.ask_durably(vec![record(3)], idempotency(), true, None, replaced(), world.now).unwrap();
        let effects = world.effects();
        assert!(matches!(
            &effects[..],
            [Effect::Write { write: Write::Accept { records, replaced: None, .. }, .. }] if records.is_empty()
        ));
        assert_eq!(outcome(&written(&mut world, 3, Ok(looked_up))), Some(expected));
    }
}

#[test]
fn where_nothing_was_written_it_goes_on_as_it_was_and_everybody_is_asked_again() {
    let refusals: [(Result<Written, StoreError>, SigningError); 3] = [
        (Err(StoreError::Full), SigningError::StorageUnavailable),
        (Ok(Written::Reused), SigningError::IdempotencyKeyReused),
        (Ok(Written::OverShare), SigningError::RequesterLimit),
    ];
    for (refused, error) in refusals {
        let mut world = World::connected(&[1, 2]);
        world.accept(vec![record(1)], false);
        world.answer(2, rejected(RejectScope::Device));
        replace(&mut world, 2, 1).unwrap();
        world.effects();
        assert_eq!(world.answer(1, signed(9)), None);
        assert!(matches!(world.check(2, [8; 64]), Check::Later), "it has answered before, and says something else");
        let effects = written(&mut world, 2, refused);
        assert_eq!(outcome(&effects), Some(Err(error)));
        assert_eq!(acks(&effects), [(2, AckOutcome::Duplicate)]);
        assert_eq!(frames(&world, &effects), [(1, "sign_request", request(1))]);
        assert_eq!(world.answer(1, signed(9)), None, "its answer counts when it is said again");
        world.effects();
        world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
        let effects = world.effects();
        assert_eq!(acks(&effects), [(1, AckOutcome::Accepted)]);
        assert!(matches!(told(&effects).0[..], [End::Signed { .. }]));
        world.assert_empty();
    }
}

#[test]
fn what_happened_to_it_meanwhile_happens_where_nothing_was_written() {
    type Deed = fn(&mut World);
    let deeds: [(Deed, End, &[u8]); 3] = [
        (|world| world.dispatcher.cancel(request(1), EndedBy::Operator, world.now), End::Cancelled, &[1, 2]),
        (|world| world.pass(100 * SECOND), End::Timeout(Phase::Delivered), &[1, 2]),
        (
            |world| {
                world.disconnect(1);
                world.disconnect(2);
            },
            End::Rejected { code: RejectCode::UserRejected, reason: None },
            &[],
        ),
    ];
    for (deed, expected, shows) in deeds {
        let mut world = World::connected(&[1, 2]);
        world.accept(vec![record(1)], false);
        if matches!(expected, End::Rejected { .. }) {
            world.answer(2, rejected(RejectScope::Device));
        }
        replace(&mut world, 2, 1).unwrap();
        world.effects();
        deed(&mut world);
        world.effects();
        let effects = written(&mut world, 2, Err(StoreError::Full));
        let ends: Vec<_> = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Write { write: Write::End { end, .. }, .. } => Some(end.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [expected]);
        world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
        // Whoever shows it is told.
        let told: Vec<_> = told(&world.effects()).1.iter().map(|(to, _)| *to).collect();
        assert_eq!(told, shows);
        world.assert_empty();
    }
}

#[test]
fn the_end_that_stands_is_told_and_the_other_is_not_asked() {
    let mut world = World::connected(&[1]);
    world.accept(vec![record(1)], false);
    replace(&mut world, 2, 1).unwrap();
    world.effects();
    let stands = super::super::testing::ended(1, End::Rejected { code: RejectCode::Locked, reason: None });
    let effects = written(&mut world, 2, Ok(Written::Ended(Box::new(stands.clone()))));
    assert_eq!(outcome(&effects), Some(Err(SigningError::UnknownRequest)));
    assert_eq!(told(&effects).0, [stands.end.unwrap()]);
    world.assert_empty();

    for lost in [Written::Elsewhere, Written::Unknown] {
        let mut world = World::connected(&[1]);
        world.accept(vec![record(1)], false);
        replace(&mut world, 2, 1).unwrap();
        world.effects();
        let effects = written(&mut world, 2, Ok(lost));
        assert_eq!(outcome(&effects), Some(Err(SigningError::UnknownRequest)));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Deliver { .. })));
        assert_eq!(world.dispatcher.pending(), 0);
    }
}

/// Both got to the disk, or neither: the store says which when it works again.
#[test]
fn a_store_that_fails_leaves_both_or_neither() {
    for got_there in [true, false] {
        let mut world = World::new();
        world.introduce(1, Some("phone"));
        world.accept(vec![record(1)], false);
        let idempotency =
            Idempotency { requester: record(1).requester_id, key: "key".parse().unwrap(), fingerprint: [1; 32] };
        let asked = vec![record(2)];
        world
            .dispatcher
            .ask_durably(asked, Some(idempotency), true, None, Some(Replaces::Here(request(1))), world.now)
            .unwrap();
        world.effects();
        let effects = written(&mut world, 2, Err(StoreError::Failed));
        assert_eq!(outcome(&effects), Some(Err(SigningError::StorageUnavailable)));
        assert!(frames(&world, &effects).is_empty());
        assert_eq!(world.dispatcher.pending(), 0);
        let loaded = match got_there {
            true => {
                let ended = vec![super::super::testing::ended(1, End::Cancelled)];
                Loaded { open: vec![record(2)], ended }
            }
            false => Loaded { open: vec![record(1)], ended: Vec::new() },
        };
        world.dispatcher.recover(loaded, world.now);
        let effects = world.effects();
        let expected = match got_there {
            true => vec![(1, "request_cancel", request(1)), (1, "sign_request", request(2))],
            false => vec![(1, "sign_request", request(1))],
        };
        assert_eq!(frames(&world, &effects), expected);
        assert_eq!(world.dispatcher.pending(), 1);
    }
}

/// Of another node.
fn owner() -> NodeId {
    NodeId::from_bits(7)
}

fn replace_elsewhere(world: &mut World, n: u128, replaced: u128) -> Result<(), SigningError> {
    let times = record(replaced).times;
    let replaces = Replaces::Elsewhere { id: request(replaced), owner: owner(), times };
    world.dispatcher.ask_durably(vec![record(n)], None, true, None, Some(replaces), world.now)
}

#[test]
fn that_of_another_node_ends_in_the_same_write_and_its_owner_is_told() {
    let mut world = World::connected(&[1]);
    replace_elsewhere(&mut world, 2, 1).unwrap();
    let effects = world.effects();
    let [Effect::Write { write: Write::Accept { replaced: Some(replaced), .. }, .. }] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!((replaced.id, &replaced.end, replaced.owner), (request(1), &End::Cancelled, Some(owner())));
    let effects = written(&mut world, 2, Ok(Written::Done));
    let told = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::TellOwner { id, owner: to } if (*id, *to) == (request(1), owner())));
    assert_eq!(told.count(), 1);
    assert_eq!(frames(&world, &effects), [(1, "sign_request", request(2))]);

    for refused in [Ok(Written::Elsewhere), Ok(Written::Unknown), Err(StoreError::Failed)] {
        let mut world = World::connected(&[1]);
        replace_elsewhere(&mut world, 2, 1).unwrap();
        let effects = written(&mut world, 2, refused);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::TellOwner { .. } | Effect::Deliver { .. })));
        assert_eq!(world.dispatcher.pending(), 0);
    }
}

/// Taken over before the call, or while it is being written.
#[test]
fn that_of_another_node_may_be_here_by_now() {
    let mut world = World::connected(&[1]);
    world.accept(vec![record(1)], false);
    replace_elsewhere(&mut world, 2, 1).unwrap();
    world.effects();
    let effects = written(&mut world, 2, Ok(Written::Done));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::TellOwner { .. })));
    assert_eq!(frames(&world, &effects), [(1, "request_cancel", request(1)), (1, "sign_request", request(2))]);

    let mut world = World::connected(&[1]);
    replace_elsewhere(&mut world, 2, 1).unwrap();
    world.dispatcher.recover(Loaded { open: vec![record(1)], ended: Vec::new() }, world.now);
    world.effects();
    let effects = written(&mut world, 2, Ok(Written::Done));
    let ends = effects
        .iter()
        .any(|effect| matches!(effect, Effect::Write { write: Write::End { id, .. }, .. } if *id == request(1)));
    assert!(ends, "as if it were withdrawn: {effects:?}");
    let stands = super::super::testing::ended(1, End::Cancelled);
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Ended(Box::new(stands))), world.now);
    let effects = world.effects();
    assert_eq!(told(&effects).0, [End::Cancelled]);
    assert_eq!(world.dispatcher.pending(), 1);
}
