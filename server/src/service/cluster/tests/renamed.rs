//! A node that the others give up while the database's answer is on its way to it.

use super::*;
use crate::{cluster::NodeId, service::completed::Completed};

/// The wallet is asked, and as many requests are open on each node.
fn assert_asked_by<const N: usize>(world: &World, wallet: &mut Wallet<'_>, id: RequestId, open: [usize; N]) {
    world.go_on();
    assert_eq!(wallet.request().request_id, id);
    assert_eq!(world.services.iter().map(|service| service.snapshot().pending).collect::<Vec<_>>(), open);
}

#[test]
fn what_it_accepted_under_its_former_name_is_whose_who_has_taken_it_over() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    let record = record(&world.services[0], 1);
    let id = record.id;
    let mut accepted = world.services[0].begin_durably(vec![record], None, true, None, None).unwrap();
    world.database.lock().unwrap().answers_late = true;
    world.go_on();
    world.give_up(1);
    world.go_on();
    world.hub_comes_back(0);
    world.answers_arrive();
    assert!(accepted.try_recv().is_err(), "not before it shows whose it is");
    world.tell_nodes(false);
    assert!(accepted.try_recv().unwrap().is_ok(), "it is kept, whoever goes on with it");
    assert_asked_by(&world, &mut wallet, id, [0, 1]);
}

#[test]
fn what_it_accepted_under_a_name_that_it_has_not_heard_of_is_its_own() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    let record = record(&world.services[0], 1);
    let id = record.id;
    world.give_up(1);
    world.rename(0);
    let mut accepted = world.services[0].begin_durably(vec![record], None, true, None, None).unwrap();
    world.go_on();
    assert!(accepted.try_recv().is_err(), "not before it shows whose it is");
    world.tell_name(0);
    world.tell_nodes(false);
    assert!(accepted.try_recv().unwrap().is_ok());
    assert_asked_by(&world, &mut wallet, id, [1, 0]);
}

#[test]
fn what_it_has_taken_over_itself_meanwhile_it_goes_on_with() {
    let world = World::new(1);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    let record = record(&world.services[0], 1);
    let id = record.id;
    let mut accepted = world.services[0].begin_durably(vec![record], None, true, None, None).unwrap();
    world.database.lock().unwrap().answers_late = true;
    world.go_on();
    world.give_up(1);
    world.hub_comes_back(0);
    world.go_on();
    world.answers_arrive();
    world.tell_nodes(false);
    assert!(accepted.try_recv().unwrap().is_ok());
    assert_asked_by(&world, &mut wallet, id, [1]);
}

#[test]
fn an_answer_that_is_judged_meanwhile_goes_to_who_has_taken_its_request_over() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    let id = accept(&world, 0, 1);
    let request = wallet.request();
    let Answered::Judging(judgement) = wallet.begin_to_sign(&request) else { panic!("it is judged at once") };
    world.give_up(1);
    world.go_on();
    world.hub_comes_back(0);
    assert_eq!(world.services[0].conclude(wallet.guard.id, &wallet.key, *judgement), None, "not here");
    world.tell_nodes(false);
    world.go_on();
    assert!(is_signed(world.database.lock().unwrap().records[&id].end.as_ref()));
    let frames = wallet.frames();
    assert!(acknowledged(&frames[frames.len() - 1..], AckOutcome::Accepted), "{frames:?}");
    assert!(frames.iter().all(|frame| !matches!(frame, ServerFrame::RequestCancel(_))), "{frames:?}");
}

/// The first node is told that it has taken a request over, under whatever name.
fn tell_taken_over(world: &World, id: RequestId, by: u64) {
    let mut record = world.database.lock().unwrap().records[&id].clone();
    record.node = Some(NodeId::from_bits(by));
    for taken in [vec![record], Vec::new()] {
        world.services[0].complete(Completed::TakenOver(Ok(taken)));
    }
    world.go_on();
}

#[test]
fn what_it_took_over_under_its_former_name_it_does_not_go_on_with() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    world.give_up(1);
    let id = accept(&world, 1, 1);
    world.hub_comes_back(0);
    world.go_on();
    tell_taken_over(&world, id, 1);
    world.tell_nodes(false);
    assert_asked_by(&world, &mut wallet, id, [0, 1]);
}

#[test]
fn what_it_took_over_under_a_name_that_it_has_not_heard_of_it_goes_on_with_when_it_has() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    let id = accept(&world, 1, 1);
    wallet.request();
    world.give_up(1);
    world.give_up(2);
    world.rename(0);
    world.database.lock().unwrap().records.get_mut(&id).unwrap().node = Some(NodeId::from_bits(101));
    tell_taken_over(&world, id, 101);
    assert_eq!(world.services[0].snapshot().pending, 0, "not before it shows whose it is");
    world.tell_name(0);
    world.tell_nodes(false);
    world.go_on();
    assert_eq!(world.services[0].snapshot().pending, 1);
}

#[test]
fn what_it_was_asking_others_about_it_asks_them_again() {
    let world = World::new(2);
    let mut before = connect(&world.services[0], 1);
    world.go_on();
    let mut waiting = ask(&world, 1, 1).unwrap();
    let request = before.request();
    drop(before);
    world.go_on();
    let mut after = connect(&world.services[0], 1);
    assert_eq!(after.still_shows(request.request_id), None);
    world.database.lock().unwrap().loses = usize::MAX;
    world.go_on();
    world.database.lock().unwrap().loses = 0;
    world.hub_comes_back(0);
    world.go_on();
    assert!(after.frames().iter().all(|frame| !matches!(frame, ServerFrame::RequestCancel(_))), "it is open");
    assert_eq!(after.sign(&request), None);
    world.services[0].handle_timeout();
    world.tell_nodes(true);
    world.go_on();
    assert!(is_signed(waiting.poll().unwrap().end.as_ref()));
}
