//! A request in the place of another where there are several nodes.

use super::*;

/// What a caller is told who asks for a request in the place of another.
async fn replace(world: &World, node: usize, n: u8, replaced: RequestId) -> Result<RequestId, SigningError> {
    let service = &world.services[node];
    let mut asked = pin!(service.ask_durably(vec![record(service, n)], None, true, Some(replaced)));
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
async fn its_owner_has_the_one_end_and_the_other_asked_and_no_other_node_does() {
    let world = World::new(2);
    let mut wallet = connect(&world.services[1], 1);
    world.go_on();
    let old = accept(&world, 0, 1);
    let shown = wallet.request();
    let refused = replace(&world, 1, 2, old).await.unwrap_err();
    assert_eq!(refused, SigningError::ReplacedRequestElsewhere);
    assert!(wallet.frames().is_empty());

    let new = replace(&world, 0, 3, old).await.unwrap();
    world.go_on();
    let frames = wallet.frames();
    let [ServerFrame::RequestCancel(cancel), ServerFrame::SignRequest(request)] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert_eq!((cancel.request_id, request.request_id, request.replaces), (old, new, Some(shown.request_id)));

    // It has ended, whichever node looks.
    for node in [0, 1] {
        let refused = replace(&world, node, 4, old).await.unwrap_err();
        let SigningError::ReplacedRequestEnded(record) = refused else { panic!("{refused}") };
        assert_eq!((record.id, record.end), (old, Some(End::Cancelled)));
    }
    assert_eq!(wallet.sign(request), None);
    world.go_on();
    assert!(acknowledged(&wallet.frames(), AckOutcome::Accepted));
}
