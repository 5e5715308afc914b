//! Packets between servers, and whose wallet is where.

use super::{
    super::{StoreError, id, wait},
    Database,
    cluster::{Node, completion},
    proxy::Mood,
};
use crate::cluster::{Mail, NodeId, Packet, Presence};
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

fn packet(from: NodeId, to: NodeId, number: u64, mail: Vec<Mail>) -> Packet {
    Packet { from, to, epoch: 7, number, received: Some((6, 5)), broken: None, mail }
}

fn connection(n: u8) -> ConnectionId {
    ConnectionId::from_bytes([n; 16])
}

fn presence(node: NodeId, n: u8, key: u8) -> Presence {
    let device = n
        .is_multiple_of(2)
        .then(|| Arc::new(Device { id: "laptop".parse().unwrap(), label: "Anna's laptop".parse().unwrap() }));
    Presence { node, connection: connection(n), public_key: [key; 32].into(), device }
}

fn announce(node: &Node, presence: Presence) -> Result<(), StoreError> {
    let (then, announced) = completion();
    node.hub.announce(presence, then);
    wait(&announced)
}

fn find(node: &Node, keys: &[u8]) -> Result<Vec<Presence>, StoreError> {
    let (then, found) = completion();
    node.hub.find(keys.iter().map(|key| PublicKeyBytes::from([*key; 32])).collect(), then);
    let mut found = wait(&found)?;
    found.sort_by_key(|presence| presence.connection);
    Ok(found)
}

/// Withdrawals are told to nobody; what is ordered after them is done after them.
fn settle(node: &Node) {
    find(node, &[]).unwrap();
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn packets_come_whole_and_in_order_however_long() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let (from, to) = (first.id(), second.id());
    let frame = |length: usize| format!("{{\"message\":\"{}ü\\\"\"}}", "a".repeat(length));
    let of = |number: u64, length: usize| {
        packet(from, to, number, vec![Mail::ForWallet { connection: connection(1), frame: frame(length) }])
    };
    // A stranger's first packet comes once it is known who that is.
    first.hub.send(vec![of(0, 1)]);
    assert_eq!(wait(&second.packets), of(0, 1));
    // Short ones, some that just fit or just do not, and those of 64 KiB in base64.
    let lengths = (0..1000).map(|n| n % 400).chain((7_600..7_800).step_by(7)).chain([90_000, 90_000, 10, 400_000]);
    let sent: Vec<_> = (1..).zip(lengths).map(|(number, length)| of(number, length)).collect();
    for packets in sent.chunks(16) {
        first.hub.send(packets.to_vec());
    }
    for expected in &sent {
        let came = wait(&second.packets);
        assert!(came == *expected, "{} instead of {}", came.number, expected.number);
    }
    // What was sent to somebody else does not come here.
    first.hub.send(vec![packet(from, from, 1, vec![Mail::Orphans]), packet(from, to, 2, vec![Mail::Complete])]);
    assert_eq!(wait(&second.packets).mail, [Mail::Complete]);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn what_makes_no_sense_is_not_heard() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let (from, to) = (first.id(), second.id());
    let channel = format!("'countersign_' || lpad(to_hex(hashtext('public')), 8, '0') || '_{to}'");
    for payload in ["", "x", "{}", "+", "+1/0/2\nhalf", "+1/9/3\n", "+1/0/99999999\nx", "[1]", "+1/1/2\nrest"] {
        database.execute(&format!("SELECT pg_notify({channel}, '{payload}')"));
    }
    first.hub.send(vec![packet(from, to, 1, vec![Mail::Changed { request_id: id(1) }])]);
    assert_eq!(wait(&second.packets).number, 1);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn connections_are_found_elsewhere_until_they_are_withdrawn() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let (one, two) = (first.id(), second.id());
    for (n, key) in [(1, 1), (2, 1), (3, 2)] {
        announce(&first, presence(one, n, key)).unwrap();
    }
    announce(&second, presence(two, 4, 1)).unwrap();
    assert_eq!(find(&second, &[1]), Ok(vec![presence(one, 1, 1), presence(one, 2, 1)]));
    assert_eq!(find(&second, &[2, 3, 1, 1]).unwrap().len(), 5, "as often as it was asked for");
    assert_eq!(find(&first, &[1, 2]), Ok(vec![presence(two, 4, 1)]), "not one's own");

    // Again, under another key; and the order counts.
    announce(&first, presence(one, 1, 9)).unwrap();
    let (then, announced) = completion();
    first.hub.withdraw(connection(2));
    first.hub.withdraw(connection(3));
    first.hub.announce(presence(one, 3, 2), then);
    wait(&announced).unwrap();
    assert_eq!(find(&second, &[1]), Ok(vec![]));
    assert_eq!(find(&second, &[9, 2]), Ok(vec![presence(one, 1, 9), presence(one, 3, 2)]));
    let (then, announced) = completion();
    first.hub.announce(presence(one, 5, 2), then);
    first.hub.withdraw(connection(5));
    wait(&announced).unwrap();
    settle(&first);
    assert_eq!(find(&second, &[2]), Ok(vec![presence(one, 3, 2)]));
    drop(first);
    assert_eq!(find(&second, &[9, 2]), Ok(vec![]));
    assert_eq!(database.number("SELECT count(*) FROM presence WHERE public_key <> ''"), 1);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn one_key_is_found_on_so_many_connections_and_no_more() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let one = first.id();
    let announced: Vec<_> = (0..100)
        .map(|n| {
            let (then, announced) = completion();
            first.hub.announce(presence(one, n, 1), then);
            announced
        })
        .collect();
    announced.iter().for_each(|announced| wait(announced).unwrap());
    announce(&first, presence(one, 200, 2)).unwrap();
    let found = find(&second, &[1, 2]).unwrap();
    assert_eq!(found.len(), 65);
    assert_eq!(found.last(), Some(&presence(one, 200, 2)));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_connection_that_is_cut_is_said_to_have_been_and_what_was_announced_stays() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let (one, two) = (first.id(), second.id());
    announce(&first, presence(one, 1, 1)).unwrap();
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'countersign-%-hub'",
    );
    for node in [&first, &second] {
        let nodes = node.until(|nodes| nodes.interrupted);
        assert!(!nodes.forgotten && nodes.others.len() == 1, "{nodes:?}");
    }
    assert_eq!(find(&second, &[1]), Ok(vec![presence(one, 1, 1)]));
    first.hub.send(vec![packet(one, two, 1, vec![Mail::Complete])]);
    assert_eq!(wait(&second.packets).number, 1);

    // What is not logged is empty after a crash.
    database.execute("TRUNCATE presence");
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'countersign-%-hub'",
    );
    assert!(first.until(|nodes| nodes.interrupted).forgotten);
    assert_eq!(find(&second, &[1]), Ok(vec![]));
    announce(&first, presence(one, 1, 1)).unwrap();
    assert_eq!(find(&second, &[1]), Ok(vec![presence(one, 1, 1)]));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_database_that_says_nothing_keeps_nobody_waiting() {
    let database = Database::new();
    let other = Node::on(&database);
    let (proxy, node) = Node::through(&database);
    let own = node.id();
    announce(&node, presence(own, 1, 1)).unwrap();
    announce(&node, presence(own, 2, 1)).unwrap();
    proxy.set(Mood::Silent);
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(find(&node, &[1]), Err(StoreError::Failed));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert_eq!(announce(&node, presence(own, 3, 1)), Err(StoreError::Failed));
    }
    node.hub.withdraw(connection(1));
    proxy.set(Mood::Passes);
    // It is back before anybody gives it up, or as another one, and has to say anew what it has.
    while find(&node, &[]).is_err() {
        thread::yield_now();
    }
    let connections: Vec<_> = find(&other, &[1]).unwrap().into_iter().map(|presence| presence.connection).collect();
    assert!(connections == [connection(2)] || connections.is_empty(), "{connections:?}");
}
