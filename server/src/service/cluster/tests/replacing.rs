//! A request in the place of another where there are several nodes.

use super::{super::RETRY, *};
use crate::cluster::Mail;

/// What a caller is told who asks for a request in the place of another.
async fn replace(world: &World, node: usize, n: u8, replaced: RequestId) -> Result<RequestId, SigningError> {
    let service = &world.services[node];
    let mut asked = pin!(service.ask_durably(vec![record(service, n)], None, true, None, Some(replaced)));
    for _ in 0..1_000 {
        tokio::select! {
            biased;
            accepted = &mut asked => return accepted.map(|accepted| accepted.request_ids[0]),
            () = tokio::task::yield_now() => world.go_on(),
        }
    }
    panic!("it was not answered");
}

#[tokio::test(start_paused = true)]
async fn its_owner_has_the_one_end_and_the_other_asked() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let old = accept(&world, 0, 1);
    let shown = wallet.request();
    let new = replace(&world, 0, 3, old).await.unwrap();
    world.go_on();
    let frames = wallet.frames();
    let [ServerFrame::RequestCancel(cancel), ServerFrame::SignRequest(request)] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert_eq!((cancel.request_id, request.request_id, request.replaces), (old, new, Some(shown.request_id)));
    assert_over(&world, old).await;
    assert_eq!(wallet.sign(request), None);
    world.go_on();
    assert!(acknowledged(&wallet.frames(), AckOutcome::Accepted));
}

/// Whichever node has the wallet. What its human says of the old one comes too late, although its owner has asked.
#[tokio::test(start_paused = true)]
async fn any_other_node_has_both_and_the_owner_takes_its_prompt_back() {
    for host in [0, 1] {
        let world = World::new(2);
        let mut wallet = connect(&world.services[host], 1);
        world.go_on();
        let old = accept(&world, 0, 1);
        let shown = wallet.request();
        let new = replace(&world, 1, 3, old).await.unwrap();
        world.go_on();
        let mut frames = wallet.frames();
        let at = frames.iter().position(|frame| matches!(frame, ServerFrame::SignRequest(_))).unwrap();
        let ServerFrame::SignRequest(request) = frames.remove(at) else { unreachable!() };
        assert_eq!((request.request_id, request.replaces), (new, Some(old)));
        assert!(cancelled(&frames, CancelCause::Cancelled), "{frames:?}");
        assert_over(&world, old).await;
        assert_ne!(wallet.sign(&shown), Some(AckOutcome::Accepted));
        assert_eq!(wallet.sign(&request), None);
        world.go_on();
        let is_accepted = |frame: &ServerFrame| matches!(frame, ServerFrame::ResponseAck(ack) if (ack.request_id, ack.outcome) == (new, AckOutcome::Accepted));
        assert!(wallet.frames().iter().any(is_accepted));
        assert_over(&world, old).await;
    }
}

/// What is said of it is lost, and it shows that it is with the next packet, or the node that said it is gone.
#[tokio::test(start_paused = true)]
async fn an_owner_that_has_not_heard_of_the_end_finds_it() {
    for is_gone in [false, true] {
        let world = World::new(2);
        let mut wallet = connect(&world.services[0], 1);
        world.go_on();
        let old = accept(&world, 0, 1);
        wallet.request();
        world.database.lock().unwrap().loses_mail = Some(|mail| matches!(mail, Mail::Withdraw { .. }));
        replace(&world, 1, 3, old).await.unwrap();
        assert!(!is_withdrawn(&wallet.frames(), old), "lost");
        if is_gone {
            world.give_up(2);
        } else {
            accept(&world, 1, 5);
        }
        world.go_on();
        assert!(is_withdrawn(&wallet.frames(), old));
        assert!(world.services[0].open_record(old).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_is_told_of_an_end_of_which_nobody_knew_whether_it_was_written() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[0], 1);
    world.go_on();
    let old = accept(&world, 0, 1);
    wallet.request();
    world.database.lock().unwrap().fails_after_accept = true;
    assert_eq!(replace(&world, 1, 3, old).await, Err(SigningError::StorageUnavailable));
    world.go_on();
    assert!(!is_withdrawn(&wallet.frames(), old), "nobody knows");
    tokio::time::advance(RETRY).await;
    world.services[1].handle_timeout();
    world.go_on();
    assert!(is_withdrawn(&wallet.frames(), old));
}

fn is_withdrawn(frames: &[ServerFrame], id: RequestId) -> bool {
    let is_of = |cancel: &RequestCancel| (cancel.request_id, cancel.cause) == (id, CancelCause::Cancelled);
    frames.iter().any(|frame| matches!(frame, ServerFrame::RequestCancel(cancel) if is_of(cancel)))
}

/// It has ended as withdrawn, whichever node looks.
async fn assert_over(world: &World, old: RequestId) {
    for node in [0, 1] {
        let refused = replace(world, node, 4, old).await.unwrap_err();
        let SigningError::ReplacedRequestEnded(record) = refused else { panic!("{refused}") };
        assert_eq!((record.id, record.end), (old, Some(End::Cancelled)));
    }
}
