//! Nodes on one database, which does nothing until it is told to go on.

use crate::{
    Config, SigningService,
    cluster::{Hub, Listener, Mail, NodeId, Nodes, Packet, Presence},
    record::Record,
    storage::{Completion, Loaded, Recovered, Replaced, Storage, StoreError, Write, Written},
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt, mem,
    sync::{Arc, Mutex},
};

type Task = Box<dyn FnOnce() + Send>;

/// The database, and what it has not come to yet.
#[derive(Default)]
pub(super) struct Database {
    pub(super) records: BTreeMap<RequestId, Record>,
    presences: BTreeMap<ConnectionId, Presence>,
    nodes: BTreeMap<NodeId, Arc<dyn Listener>>,
    tasks: VecDeque<Task>,
    /// It answers nothing and brings nothing.
    pub(super) is_away: bool,
    /// Packets that are lost next.
    pub(super) loses: usize,
    /// The next packet is lost that has such mail.
    pub(super) loses_mail: Option<fn(&Mail) -> bool>,
    /// The next request is taken, and that is said to have failed.
    pub(super) fails_after_accept: bool,
    /// What it says of writes is under way until [`World::answers_arrive`].
    pub(super) answers_late: bool,
    late: Vec<Task>,
    /// Which node each server is, and whom of it is told what.
    names: Vec<NodeId>,
    listeners: Vec<Arc<dyn Listener>>,
    recoveries: Vec<Arc<Mutex<Recovered>>>,
    /// What servers ask whose stores have not come to this database yet.
    held: BTreeMap<usize, Vec<Task>>,
}

type Shared = Arc<Mutex<Database>>;

/// One server's way to it.
pub(super) struct Link {
    place: usize,
    database: Shared,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.place)
    }
}

pub(super) struct World {
    pub(super) database: Shared,
    pub(super) services: Vec<SigningService>,
}

impl World {
    pub(super) fn new(nodes: u64) -> Self {
        let mut world = Self { database: Arc::default(), services: Vec::new() };
        for _ in 0..nodes {
            world.join();
        }
        world.tell_nodes(false);
        world.go_on();
        world
    }

    /// A server begins, and is told nothing yet.
    pub(super) fn join(&mut self) {
        let place = self.services.len();
        self.database.lock().unwrap().names.push(NodeId::from_bits(place as u64 + 1));
        let link = Arc::new(Link { place, database: Arc::clone(&self.database) });
        let config = Config::new(vec!["wss://sign.example/ws".parse().unwrap()]);
        let (store, hub): (Arc<dyn Storage>, Arc<dyn Hub>) = (Arc::clone(&link) as _, link);
        self.services.push(SigningService::clustered(config, store, hub, Loaded::default()));
    }

    /// Lets everything happen that can happen now.
    pub(super) fn go_on(&self) {
        loop {
            let task = self.database.lock().unwrap().tasks.pop_front();
            let Some(task) = task else { break };
            task();
        }
    }

    /// Has every node know of the others.
    pub(super) fn tell_nodes(&self, interrupted: bool) {
        let nodes: Vec<_> = self.database.lock().unwrap().nodes.iter().map(|(id, l)| (*id, Arc::clone(l))).collect();
        for (own, listener) in &nodes {
            let others = nodes.iter().map(|(id, _)| *id).filter(|id| id != own).collect();
            listener.nodes(Nodes { own: *own, others, interrupted, forgotten: false });
            listener.renewed();
        }
    }

    /// Another database takes the place of this one, with these requests and nothing else in it; no server has noticed yet.
    pub(super) fn put_back(&self, records: BTreeMap<RequestId, Record>) {
        let mut database = self.database.lock().unwrap();
        database.records = records;
        database.nodes.clear();
        database.presences.clear();
        database.tasks.clear();
        database.held = (0..self.services.len()).map(|place| (place, Vec::new())).collect();
    }

    /// The connection on which a server exchanges packets comes to another database, which does not know it.
    pub(super) fn hub_comes_back(&self, place: usize) {
        self.rename(place);
        self.tell_name(place);
    }

    /// A server goes on under another name, and has not heard of it.
    pub(super) fn rename(&self, place: usize) {
        let mut database = self.database.lock().unwrap();
        let own = NodeId::from_bits(database.names[place].to_bits() + 100);
        let listener = Arc::clone(&database.listeners[place]);
        database.names[place] = own;
        database.nodes.insert(own, listener);
    }

    /// It hears of it, and the others do.
    pub(super) fn tell_name(&self, place: usize) {
        let database = self.database.lock().unwrap();
        let (own, listener) = (database.names[place], Arc::clone(&database.listeners[place]));
        let nodes: Vec<_> = database.nodes.iter().map(|(id, listener)| (*id, Arc::clone(listener))).collect();
        drop(database);
        let others = |own| nodes.iter().map(|(id, _)| *id).filter(|id| *id != own).collect();
        listener.nodes(Nodes { own, others: others(own), interrupted: true, forgotten: true });
        for (other, listener) in nodes.iter().filter(|(id, _)| *id != own) {
            listener.nodes(Nodes { own: *other, others: others(*other), interrupted: false, forgotten: false });
        }
    }

    /// What was said of writes comes to whoever made them.
    pub(super) fn answers_arrive(&self) {
        let mut database = self.database.lock().unwrap();
        database.answers_late = false;
        let late = std::mem::take(&mut database.late);
        drop(database);
        late.into_iter().for_each(|answer| answer());
    }

    /// The connection on which it writes requests does, and reads what is there.
    pub(super) fn store_comes_back(&self, place: usize) {
        let mut database = self.database.lock().unwrap();
        let own = Some(database.names[place]);
        let of = |is_wanted: &dyn Fn(&&Record) -> bool| database.records.values().filter(is_wanted).cloned().collect();
        let loaded = Loaded {
            open: of(&|record| record.end.is_none() && record.node == own),
            ended: of(&|record| record.end.is_some()),
        };
        let recovery = Arc::clone(&database.recoveries[place]);
        let held = database.held.remove(&place).unwrap_or_default();
        drop(database);
        (recovery.lock().unwrap())(loaded);
        self.database.lock().unwrap().tasks.extend(held);
    }

    /// The others find that a node is gone.
    pub(super) fn give_up(&self, n: u64) {
        let id = NodeId::from_bits(n);
        let mut database = self.database.lock().unwrap();
        database.nodes.remove(&id);
        database.presences.retain(|_, presence| presence.node != id);
        drop(database);
        self.tell_nodes(false);
    }
}

impl Link {
    fn later(&self, task: impl FnOnce() + Send + 'static) {
        self.database.lock().unwrap().tasks.push_back(Box::new(task));
    }

    fn own(database: &Database, place: usize) -> NodeId {
        database.names[place]
    }

    fn write(database: &mut Database, own: NodeId, write: Write) -> Written {
        match write {
            Write::Accept { records, replaced, idempotency: _ } => {
                if let Some(Replaced { id, end, times, owner }) = replaced.map(|replaced| *replaced) {
                    let ended = Self::write(database, owner.unwrap_or(own), Write::End { id, end, times });
                    if ended != Written::Done {
                        return ended;
                    }
                }
                for mut record in records {
                    record.node = Some(own);
                    database.records.insert(record.id, record);
                }
                return Written::Accepted(Some(own));
            }
            Write::End { id, end, times } => {
                let Some(record) = database.records.get_mut(&id) else { return Written::Unknown };
                if record.end.is_some() {
                    return Written::Ended(Box::new(record.clone()));
                }
                if record.node != Some(own) {
                    return Written::Elsewhere;
                }
                (record.end, record.times) = (Some(end), times);
            }
            Write::Progress { .. } | Write::EventDone { .. } | Write::EventFailed { .. } | Write::ClockSet { .. } => {}
        }
        Written::Done
    }

    fn answer<T: Send + 'static>(
        &self,
        then: Completion<T>,
        question: impl FnOnce(&mut Database, NodeId) -> T + Send + 'static,
    ) {
        let task = self.task(then, question);
        self.later(task);
    }

    /// Likewise, on the connection on which requests are written.
    fn answer_stored<T: Send + 'static>(
        &self,
        then: Completion<T>,
        question: impl FnOnce(&mut Database, NodeId) -> T + Send + 'static,
    ) {
        let task = self.task(then, question);
        let mut database = self.database.lock().unwrap();
        match database.held.get_mut(&self.place) {
            Some(held) => held.push(Box::new(task)),
            None => database.tasks.push_back(Box::new(task)),
        }
    }

    fn task<T: Send + 'static>(
        &self,
        then: Completion<T>,
        question: impl FnOnce(&mut Database, NodeId) -> T + Send + 'static,
    ) -> impl FnOnce() + Send + 'static {
        let (shared, place) = (Arc::clone(&self.database), self.place);
        move || {
            let mut database = shared.lock().unwrap();
            let own = Self::own(&database, place);
            let answer = if database.is_away { Err(StoreError::Failed) } else { Ok(question(&mut database, own)) };
            drop(database);
            then.complete(answer);
        }
    }
}

impl Storage for Link {
    fn write(&self, write: Write, then: Completion<Written>) {
        let shared = Arc::clone(&self.database);
        let then = Completion::new(move |written| {
            let mut database = shared.lock().unwrap();
            let is_accept = matches!(written, Ok(Written::Accepted(_)));
            let is_lost = is_accept && mem::take(&mut database.fails_after_accept);
            let written = if is_lost { Err(StoreError::Failed) } else { written };
            if database.answers_late {
                database.late.push(Box::new(|| then.complete(written)));
            } else {
                drop(database);
                then.complete(written);
            }
        });
        self.answer_stored(then, |database, own| Self::write(database, own, write));
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        self.answer_stored(then, move |database, _| database.records.get(&id).cloned());
    }

    fn on_recovery(&self, then: Recovered) {
        self.database.lock().unwrap().recoveries.push(Arc::new(Mutex::new(then)));
    }
}

impl Hub for Link {
    fn listen(&self, listener: Box<dyn Listener>) {
        let listener: Arc<dyn Listener> = listener.into();
        let mut database = self.database.lock().unwrap();
        let own = Self::own(&database, self.place);
        database.nodes.insert(own, Arc::clone(&listener));
        database.listeners.push(listener);
    }

    fn holds_lease(&self) -> bool {
        !self.database.lock().unwrap().is_away
    }

    fn send(&self, packets: Vec<Packet>) {
        let shared = Arc::clone(&self.database);
        self.later(move || {
            for packet in packets {
                let mut database = shared.lock().unwrap();
                if database.loses > 0 {
                    database.loses -= 1;
                    continue;
                }
                if database.loses_mail.take_if(|is_lost| packet.mail.iter().any(&*is_lost)).is_some() {
                    continue;
                }
                let listener = database.nodes.get(&packet.to).filter(|_| !database.is_away).cloned();
                drop(database);
                if let Some(listener) = listener {
                    listener.packets(vec![packet]);
                }
            }
        });
    }

    fn announce(&self, presence: Presence, then: Completion<()>) {
        self.answer(then, move |database, own| {
            database.presences.insert(presence.connection, Presence { node: own, ..presence });
        });
    }

    fn withdraw(&self, connection: ConnectionId) {
        self.answer(Completion::new(|_| {}), move |database, _| drop(database.presences.remove(&connection)));
    }

    fn find(&self, keys: Vec<PublicKeyBytes>, then: Completion<Vec<Presence>>) {
        self.answer(then, move |database, own| {
            let is_asked = |presence: &&Presence| keys.contains(&presence.public_key) && presence.node != own;
            database.presences.values().filter(is_asked).cloned().collect()
        });
    }

    fn take_over(&self, then: Completion<Vec<Record>>) {
        self.answer_stored(then, |database, own| {
            let Database { records, nodes, .. } = database;
            // Whoever is none itself takes nothing.
            let is_node = nodes.contains_key(&own);
            let is_free = |record: &Record| record.node.is_none_or(|node| !nodes.contains_key(&node));
            let is_orphan = |record: &Record| is_node && record.end.is_none() && is_free(record);
            let taken = records.values_mut().filter(|record| is_orphan(record)).map(|record| {
                record.node = Some(own);
                record.clone()
            });
            taken.collect()
        });
    }

    fn ended(&self, ids: Vec<RequestId>, then: Completion<Vec<RequestId>>) {
        self.answer_stored(then, move |database, _| {
            let is_over = |id: &RequestId| database.records.get(id).is_some_and(|record| record.end.is_some());
            ids.into_iter().filter(is_over).collect()
        });
    }

    fn hand_over(&self, then: Completion<()>) {
        self.answer_stored(then, |database, own| {
            for record in database.records.values_mut().filter(|record| record.node == Some(own)) {
                record.node = None;
            }
        });
    }
}
