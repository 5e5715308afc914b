//! Several servers on one database: who owns what, and who is there.

use super::{
    super::{NOW, StoreError, Write, Written, accept, end, hold, id, ids, record, submit, wait, write},
    Database,
    proxy::{Mood, Proxy},
};
use crate::{
    cluster::{Hub, Listener, NodeId, Nodes, Packet},
    record::{End, Record},
    storage::{Completion, Idempotency, Loaded, Storage as _},
    store::{Event, PostgresConfig, Store},
};
use countersign_protocol::RequestId;
use std::{
    mem,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

/// A server, as the others see it.
pub(super) struct Node {
    pub(super) store: Store,
    pub(super) hub: Arc<dyn Hub>,
    pub(super) loaded: Loaded,
    pub(super) nodes: Receiver<Nodes>,
    pub(super) packets: Receiver<Packet>,
    /// Each renewal of its lease.
    renewed: Receiver<()>,
}

struct Told {
    nodes: Sender<Nodes>,
    packets: Sender<Packet>,
    renewed: Sender<()>,
}

impl Listener for Told {
    fn nodes(&self, nodes: Nodes) {
        // A test that has ended hears nothing.
        let _ = self.nodes.send(nodes);
    }

    fn packets(&self, packets: Vec<Packet>) {
        packets.into_iter().for_each(|packet| drop(self.packets.send(packet)));
    }

    fn renewed(&self) {
        let _ = self.renewed.send(());
    }
}

impl Node {
    pub(super) fn on(database: &Database) -> Self {
        Self::at(PostgresConfig::new(database.url()))
    }

    pub(super) fn through(database: &Database) -> (Proxy, Self) {
        let proxy = Proxy::before(database);
        let node = Self::at(PostgresConfig::new(database.url_through(proxy.port)));
        (proxy, node)
    }

    fn at(config: PostgresConfig) -> Self {
        let (store, loaded) = Store::connect(config, NOW).unwrap();
        let hub = store.hub().unwrap();
        let ((told_nodes, nodes), (told_packets, packets)) = (channel(), channel());
        let (told_renewed, renewed) = channel();
        hub.listen(Box::new(Told { nodes: told_nodes, packets: told_packets, renewed: told_renewed }));
        Self { store, hub, loaded, nodes, packets, renewed }
    }

    /// Waits until it is told this of the nodes.
    pub(super) fn until(&self, is_so: impl Fn(&Nodes) -> bool) -> Nodes {
        loop {
            let nodes = wait(&self.nodes);
            if is_so(&nodes) {
                return nodes;
            }
        }
    }

    /// As what it is known at first.
    pub(super) fn id(&self) -> NodeId {
        wait(&self.nodes).own
    }

    fn take_over(&self) -> Result<Vec<Record>, StoreError> {
        let (then, taken) = completion();
        self.hub.take_over(then);
        wait(&taken)
    }

    fn ended(&self, ids: &[u32]) -> Vec<RequestId> {
        let (then, ended) = completion();
        self.hub.ended(ids.iter().map(|n| id(*n)).collect(), then);
        let mut ended = wait(&ended).unwrap();
        ended.sort_unstable();
        ended
    }

    fn due(&self, now: crate::Timestamp) -> (Vec<Event>, Option<crate::Timestamp>) {
        let (sender, due) = channel();
        self.store.due_events(URL, false, now, 10, move |result| sender.send(result).unwrap());
        wait(&due).unwrap()
    }
}

const URL: &str = "https://example.com/hook";

pub(super) fn completion<T: Send + 'static>() -> (Completion<T>, Receiver<Result<T, StoreError>>) {
    let (sender, outcome) = channel();
    (Completion::new(move |result| drop(sender.send(result))), outcome)
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn nodes_see_each_other_come_and_go() {
    let database = Database::new();
    let first = Node::on(&database);
    let alone = wait(&first.nodes);
    assert_eq!(alone, Nodes { own: alone.own, others: vec![], interrupted: false, forgotten: false });
    let second = Node::on(&database);
    let both = wait(&second.nodes);
    assert_eq!((both.others, both.interrupted, both.forgotten), (vec![alone.own], false, false));
    assert_eq!(wait(&first.nodes), Nodes { others: vec![both.own], ..alone.clone() });
    drop(second);
    first.until(|nodes| nodes.others.is_empty());
    // A hub is one more handle to the store.
    let Node { store, hub, .. } = first;
    drop(store);
    assert_eq!(database.number("SELECT count(*) FROM nodes"), 1);
    drop(hub);
    assert_eq!(database.number("SELECT count(*) FROM nodes"), 0);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn what_one_leaves_open_another_takes_over() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let (first_id, second_id) = (first.id(), second.id());
    for n in 1..=3 {
        write(&first.store, accept(n)).unwrap();
    }
    write(&second.store, accept(4)).unwrap();
    assert_eq!(second.take_over(), Ok(vec![]), "each has its own");
    assert_eq!(wait(&submit(&second.store, end(1))), Ok(Written::Elsewhere));

    let (then, handed_over) = completion();
    let submitted = submit(&first.store, end(1));
    first.hub.hand_over(then);
    assert_eq!((wait(&submitted), wait(&handed_over)), (Ok(Written::Done), Ok(())));
    assert_eq!(write(&first.store, end(2)), Ok(Written::Elsewhere), "it has no owner");
    let taken = second.take_over().unwrap();
    assert_eq!(ids(&taken), [id(2), id(3)]);
    assert!(taken.iter().all(|record| record.node == Some(second_id)), "{taken:?}, not {first_id}");
    assert_eq!(write(&first.store, end(2)), Ok(Written::Elsewhere));
    assert_eq!(write(&second.store, end(2)), Ok(Written::Done));
    // Whoever owned them. The first was the first node's, and the ninth is nobody's.
    for node in [&first, &second] {
        assert_eq!(node.ended(&[1, 2, 3, 4, 9]), [id(1), id(2)]);
    }
    assert_eq!(first.ended(&[]), []);
    let told = write(&first.store, end(2)).unwrap();
    assert!(matches!(told, Written::Ended(record) if record.end == Some(End::Cancelled)));

    // Whoever leaves leaves nothing behind.
    drop(second.hub);
    drop(second.store);
    assert_eq!(ids(&first.take_over().unwrap()), [id(3), id(4)]);
}

/// Its process is gone, and nobody has to wait for its lease.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_server_that_was_killed_has_its_requests_back_at_once() {
    let database = Database::new();
    let other = Node::on(&database);
    write(&other.store, accept(1)).unwrap();
    let (proxy, killed) = Node::through(&database);
    let killed_id = killed.id();
    write(&killed.store, accept(2)).unwrap();
    // Nothing more is heard of it: what its sessions held is free, and its connections lead nowhere.
    proxy.set(Mood::Silent);
    database.execute(&format!(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity JOIN pg_locks USING (pid) JOIN nodes ON objid = lock::oid \
         WHERE locktype = 'advisory' AND id = {}",
        killed_id.to_bits().cast_signed()
    ));
    let again = Node::on(&database);
    assert_eq!(ids(&again.loaded.open), [id(2)], "the other one keeps its own");
    mem::forget(killed);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn a_node_that_stands_still_is_given_up_and_goes_on_as_another() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let first_id = first.id();
    second.until(|nodes| nodes.others == [first_id]);
    for n in 1..=2 {
        write(&first.store, accept(n)).unwrap();
    }
    wait(&first.renewed);
    assert!(first.hub.holds_lease());
    let held = hold(&first.store);
    let paused = submit(&first.store, end(1));
    // What it had is nobody's as soon as the other one says so.
    second.until(|nodes| nodes.others.is_empty());
    assert!(!first.hub.holds_lease(), "it knows by itself that it may have been given up");
    while first.renewed.try_recv().is_ok() {}
    assert_eq!(ids(&second.take_over().unwrap()), [id(1), id(2)]);
    assert_eq!(write(&second.store, end(2)), Ok(Written::Done));
    drop(held);
    assert_eq!(wait(&paused), Ok(Written::Elsewhere));
    assert!(matches!(write(&first.store, end(2)), Ok(Written::Ended(_))));
    let renamed = wait(&first.nodes);
    let renamed = if renamed.own == first_id { first.until(|nodes| nodes.own != first_id) } else { renamed };
    assert!(renamed.interrupted && renamed.forgotten, "{renamed:?}");
    wait(&first.renewed);
    assert!(first.hub.holds_lease());
    second.until(|nodes| nodes.others == [renamed.own]);
    assert_eq!(write(&first.store, accept(3)), Ok(Written::Done));
    assert_eq!(write(&first.store, end(3)), Ok(Written::Done));
}

/// As after an outage of the database, or when its clock is set.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn leases_that_are_all_over_at_once_cost_nobody_its_place() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let ids = [first.id(), second.id()].map(|id| id.to_bits().cast_signed());
    // Once somebody gives up this one, there is somebody who might.
    database.execute("INSERT INTO nodes (id, lock, lease_until) VALUES (1, 1, clock_timestamp())");
    while database.number("SELECT count(*) FROM nodes WHERE id = 1") > 0 {}
    database.execute("UPDATE nodes SET lease_until = clock_timestamp() - interval '1 hour'");
    let renewed =
        format!("SELECT count(*) FROM nodes WHERE lease_until > clock_timestamp() AND id IN ({}, {})", ids[0], ids[1]);
    while database.number(&renewed) < 2 {
        assert_eq!(database.number("SELECT count(*) FROM nodes"), 2);
    }
}

/// A session that has taken over and was cut off before it could say what.
#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn what_was_taken_over_without_anybody_hearing_of_it_is_told_after_all() {
    let database = Database::new();
    let (proxy, node) = Node::through(&database);
    write(&node.store, accept(1)).unwrap();
    let (then, handed_over) = completion();
    node.hub.hand_over(then);
    wait(&handed_over).unwrap();
    let (sender, recovered) = channel();
    node.store.on_recovery(Box::new(move |loaded| sender.send(loaded).unwrap()));
    super::super::read(&node.store, id(1)).unwrap();
    proxy.set(Mood::CutsAfterTakingOver);
    assert_eq!(node.take_over(), Err(StoreError::Failed));
    assert_eq!(ids(&wait(&recovered).open), [id(1)]);
    assert_eq!(write(&node.store, end(1)), Ok(Written::Done));
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn one_key_from_two_at_once_makes_one_request() {
    let database = Database::new();
    let nodes = [Node::on(&database), Node::on(&database)];
    for round in 0..20 {
        let asked = |n: u32| {
            let record = record(n);
            let key = format!("key-{round}").parse().unwrap();
            let requester = record.requester_id.clone();
            let idempotency = Some(Idempotency { requester, key, fingerprint: [1; 32] });
            Write::Accept { records: vec![record], idempotency, replaced: None }
        };
        let [one, two] = [&nodes[0], &nodes[1]];
        let (n, m) = (2 * round + 1, 2 * round + 2);
        let outcomes = [submit(&one.store, asked(n)), submit(&two.store, asked(m))].map(|outcome| wait(&outcome));
        let expected = [
            [Ok(Written::Done), Ok(Written::Existing(vec![id(n)]))],
            [Ok(Written::Existing(vec![id(m)])), Ok(Written::Done)],
        ];
        assert!(expected.contains(&outcomes), "{outcomes:?}");
    }
    assert_eq!(database.number("SELECT count(*) FROM requests"), 20);
}

#[test]
#[ignore = "needs PostgreSQL: make postgres-tests"]
fn an_event_is_claimed_by_one_until_that_one_fails() {
    let database = Database::new();
    let (first, second) = (Node::on(&database), Node::on(&database));
    let with_webhook = |n| Record { webhook: Some(URL.into()), ..record(n) };
    write(
        &first.store,
        Write::Accept { records: vec![with_webhook(1), with_webhook(2)], idempotency: None, replaced: None },
    )
    .unwrap();
    write(&first.store, end(1)).unwrap();
    let due = |node: &Node| node.due(NOW).0.iter().map(|event| event.record.id).collect::<Vec<_>>();
    assert_eq!(due(&first), [id(1)]);
    assert_eq!(due(&first), [id(1)], "it knows what it is about");
    assert_eq!(second.due(NOW), (vec![], None));
    write(&first.store, end(2)).unwrap();
    assert_eq!(due(&second), [id(2)]);
    assert_eq!(due(&first), [id(1)]);

    let later = NOW.after(Duration::from_secs(60));
    write(&first.store, Write::EventFailed { id: id(1), attempts: 1, next_at: later }).unwrap();
    assert_eq!(second.due(later).0.len(), 2, "whoever is first");
    assert_eq!(first.due(later), (vec![], None));
    // A claim is over with its time, or with the node.
    database.execute("UPDATE events SET claimed_until = now() - interval '1 second' WHERE attempts = 1");
    assert_eq!(first.due(later).0.len(), 1);
    drop(second.hub);
    drop(second.store);
    assert_eq!(first.due(later).0.len(), 2);
}
