//! Connections that come, or come back, when a request is all but over: whoever shows it is told, and keeps no place for it.

use super::*;

fn cancelled(effects: &[Effect<&'static str>]) -> Vec<(u8, CancelCause)> {
    told(effects).1
}

/// The end that is to be written.
fn end_in(effects: &[Effect<&'static str>]) -> Record {
    let written = effects.iter().find_map(|effect| match effect {
        Effect::Write { write: Write::End { end, times, .. }, .. } => Some((end.clone(), *times)),
        _ => None,
    });
    let (end, times) = written.unwrap();
    Record { end: Some(end), times, ..record(1) }
}

/// Request 1, decided by connection 1, whose end could not be written; as that would have been.
fn abandoned() -> (World, Record) {
    let mut world = World::connected(&[1]);
    world.accept(vec![record(1)], false);
    world.answer(1, signed(9));
    let ended = end_in(&world.effects());
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    world.effects();
    (world, ended)
}

fn recover(world: &mut World, ended: Record) -> Vec<Effect<&'static str>> {
    world.dispatcher.recover(Loaded { open: Vec::new(), ended: vec![ended] }, world.now);
    world.effects()
}

#[test]
fn one_that_has_it_from_another_node_and_answers_too_late_keeps_no_place() {
    let mut world = World::connected(&[1]);
    world.accept(vec![record(1)], false);
    world.answer(1, signed(9));
    world.effects();
    world.introduce(2, None);
    assert!(world.dispatcher.engage(connection(2), &[request(1)]));
    assert_eq!(world.answer(2, signed(8)), None, "it is being written");
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
    assert_eq!(acks(&world.effects()), [(1, AckOutcome::Accepted), (2, AckOutcome::Late)]);
    world.assert_empty();
}

#[test]
fn one_that_was_taken_for_gone_is_told_when_it_shows_what_is_being_ended() {
    let mut world = World::new();
    world.introduce(1, Some("phone"));
    world.accept(vec![record(1)], false);
    world.effects();
    world.disconnect(1);
    world.pass(100 * SECOND);
    // Of another node, whose packets were lost.
    world.introduce(1, Some("phone"));
    assert_eq!(world.status(1, WalletState::Displayed), None, "it is being written");
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Ok(Written::Done), world.now);
    assert_eq!(cancelled(&world.effects()), [(1, CancelCause::Expired)]);
    world.assert_empty();
}

#[test]
fn whoever_shows_or_answers_what_could_not_be_ended_is_told_when_the_store_works_again() {
    let (mut world, ended) = abandoned();
    for n in 2..=4 {
        world.introduce(n, None);
    }
    assert_eq!(world.status(2, WalletState::Displayed), None, "nobody knows yet");
    assert_eq!(world.status(3, WalletState::Displayed), None);
    assert!(matches!(world.check(3, [8; 64]), Check::Later));
    assert!(matches!(world.check(4, [9; 64]), Check::Later));
    assert!(world.effects().is_empty());
    let effects = recover(&mut world, ended);
    assert_eq!(acks(&effects), [(1, AckOutcome::Accepted), (3, AckOutcome::Late), (4, AckOutcome::Accepted)]);
    assert_eq!(cancelled(&effects), [(2, CancelCause::AnsweredElsewhere)]);
    world.assert_empty();
}

#[test]
fn however_many_come_and_go_meanwhile_few_are_remembered_and_those_who_are_there_are_told() {
    let (mut world, ended) = abandoned();
    for n in 2..200 {
        world.introduce(n, None);
        assert_eq!(world.status(n, WalletState::Displayed), None);
        world.disconnect(n);
        world.introduce(n, None);
        assert!(matches!(world.check(n, [8; 64]), Check::Later));
        world.disconnect(n);
    }
    world.introduce(200, None);
    world.introduce(201, None);
    assert_eq!(world.status(200, WalletState::Displayed), None);
    assert!(matches!(world.check(201, [8; 64]), Check::Later));
    let effects = recover(&mut world, ended);
    assert!(acks(&effects).len() <= 64 && acks(&effects).contains(&(201, AckOutcome::Late)));
    assert!(cancelled(&effects).len() <= 64 && cancelled(&effects).contains(&(200, CancelCause::AnsweredElsewhere)));
    world.assert_empty();
}

#[test]
fn what_is_left_of_a_batch_comes_again_whole() {
    let mut world = World::connected(&[1, 2]);
    let id = BatchId::from_random_bytes([5; 16]);
    let batch = |n: u32| Record { batch: Some(Batch { id, index: n, size: 2 }), ..record(u128::from(n) + 1) };
    world.accept(vec![batch(0), batch(1)], false);
    world.answer(1, signed(9));
    world.effects();
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    world.effects();
    world.dispatcher.recover(Loaded { open: vec![batch(0), batch(1)], ended: Vec::new() }, world.now);
    let places = world.delivered().into_iter().map(|(to, request)| (to, request.batch.map(|b| (b.index, b.size))));
    // What it was sent of the second before may not have come.
    let expected = [1, 1, 2, 2].into_iter().zip([(0, 2), (1, 2), (0, 2), (1, 2)].map(Some));
    assert_eq!(places.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn whoever_has_answered_what_could_not_be_ended_has_room_for_what_waits() {
    let mut world = World::with(1);
    world.introduce(1, None);
    world.accept(vec![record(1)], false);
    world.accept(vec![record(2)], true);
    world.answer(1, signed(9));
    let ended = end_in(&world.effects());
    world.dispatcher.handle_written(Ticket::End(request(1)), Err(StoreError::Failed), world.now);
    assert!(world.delivered().is_empty());
    world.dispatcher.recover(Loaded { open: vec![record(2)], ended: vec![ended] }, world.now);
    assert_eq!(
        world.delivered().into_iter().map(|(to, request)| (to, request.request_id)).collect::<Vec<_>>(),
        [(1, request(2))]
    );
}
