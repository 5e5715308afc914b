//! What another node has ends with what takes its place.

use super::{
    super::{NOW, Write, Written, accept, end, ended_at, id, read, record, submit, wait, write},
    Database,
    cluster::Node,
};
use crate::{record::End, storage::Replaced};

/// One ends what another has, with what it takes in its place; whichever of them is first, it ends once.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn what_one_has_another_ends_with_what_is_in_its_place() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let (first_id, second_id) = (first.id(), second.id());
    let in_place = |n, replaced, owner| Write::Accept {
        records: vec![record(n)],
        idempotency: None,
        replaced: Some(Box::new(Replaced { id: id(replaced), end: End::Cancelled, times: ended_at(NOW), owner })),
    };
    for n in 1..=3 {
        write(&first.store, accept(n)).unwrap();
    }
    assert_eq!(write(&second.store, in_place(4, 1, Some(first_id))), Ok(Written::Done));
    let told = write(&first.store, end(1)).unwrap();
    assert!(matches!(told, Written::Ended(record) if record.end == Some(End::Cancelled)));
    assert_eq!(write(&first.store, end(4)), Ok(Written::Elsewhere));
    assert_eq!(write(&second.store, end(4)), Ok(Written::Done), "it has the new one itself");

    // It was another's than was thought, or has ended: nothing is written.
    for (n, replaced, owner) in [(5, 2, None), (5, 2, Some(second_id))] {
        assert_eq!(write(&second.store, in_place(n, replaced, owner)), Ok(Written::Elsewhere));
    }
    let told = write(&second.store, in_place(5, 1, Some(first_id))).unwrap();
    assert!(matches!(told, Written::Ended(record) if record.id == id(1)));
    assert_eq!(read(&second.store, id(5)), Ok(None));

    // Both at once.
    let (ends, replaces) = (submit(&first.store, end(3)), submit(&second.store, in_place(6, 3, Some(first_id))));
    let (ended, replaced) = (wait(&ends).unwrap(), wait(&replaces).unwrap());
    let is_taken = read(&second.store, id(6)).unwrap().is_some();
    assert_eq!((replaced == Written::Done, ended != Written::Done), (is_taken, is_taken), "{ended:?} {replaced:?}");
}
