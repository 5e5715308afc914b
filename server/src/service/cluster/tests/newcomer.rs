//! A node that has just come: the others do not know it yet, or it does not know them.

use super::{World, ask, cancelled, connect, signing_key};
use countersign_protocol::CancelCause;
use std::time::Duration;
use tokio::sync::oneshot::error::TryRecvError;

#[test]
fn a_wallet_of_a_node_that_is_not_known_yet_is_waited_for() {
    let mut world = World::new(2);
    world.join();
    let mut wallet = connect(&world.services[2], 1);
    world.go_on();
    let key = signing_key().verifying_key().to_bytes().into();
    let mut found = world.services[0].seek(&key).unwrap();
    world.go_on();
    assert_eq!(found.try_recv(), Err(TryRecvError::Empty), "nobody may say that it is not connected");
    world.tell_nodes(false);
    world.go_on();
    assert_eq!(found.try_recv(), Ok(true));
    let _waiting = ask(&world, 0, 1).unwrap();
    wallet.request();
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_know_the_others_yet_closes_no_prompt_of_theirs() {
    let mut world = World::new(2);
    world.join();
    let mut before = connect(&world.services[1], 1);
    world.go_on();
    let waiting = ask(&world, 0, 1).unwrap();
    let request = before.request();
    drop(before);
    world.go_on();
    let mut after = connect(&world.services[2], 1);
    assert_eq!(after.still_shows(request.request_id), None);
    world.go_on();
    assert!(after.frames().is_empty(), "nobody knows");
    world.tell_nodes(false);
    tokio::time::advance(Duration::from_secs(1)).await;
    world.services.iter().for_each(|service| service.handle_timeout());
    world.go_on();
    let again = after.frames();
    assert!(!cancelled(&again, CancelCause::Expired), "{again:?}");
    drop(waiting);
    world.go_on();
    assert!(cancelled(&after.frames(), CancelCause::Cancelled));
}
