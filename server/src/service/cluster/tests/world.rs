//! Nodes on one database, which does nothing until it is told to go on.

use crate::{
    Config, SigningService,
    cluster::{Hub, Letter, Listener, NodeId, Nodes, Presence},
    record::Record,
    storage::{Completion, Loaded, Storage, StoreError, Write, Written},
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
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
    /// Letters that are lost next.
    pub(super) loses: usize,
}

type Shared = Arc<Mutex<Database>>;

/// One node's way to it.
pub(super) struct Link {
    id: NodeId,
    database: Shared,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.id)
    }
}

pub(super) struct World {
    pub(super) database: Shared,
    pub(super) services: Vec<SigningService>,
}

impl World {
    pub(super) fn new(nodes: u64) -> Self {
        let mut world = Self { database: Arc::default(), services: Vec::new() };
        for n in 1..=nodes {
            let link = Arc::new(Link { id: NodeId::from_bits(n), database: Arc::clone(&world.database) });
            let config = Config::new(vec!["wss://sign.example/ws".parse().unwrap()]);
            let (store, hub): (Arc<dyn Storage>, Arc<dyn Hub>) = (Arc::clone(&link) as _, link);
            world.services.push(SigningService::clustered(config, store, hub, Loaded::default()));
        }
        world.tell_nodes(false);
        world.go_on();
        world
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
        }
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

    fn write(database: &mut Database, own: NodeId, write: Write) -> Written {
        match write {
            Write::Accept { records, .. } => {
                for mut record in records {
                    record.node = Some(own);
                    database.records.insert(record.id, record);
                }
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
        question: impl FnOnce(&mut Database) -> T + Send + 'static,
    ) {
        let shared = Arc::clone(&self.database);
        self.later(move || {
            let mut database = shared.lock().unwrap();
            let answer = if database.is_away { Err(StoreError::Failed) } else { Ok(question(&mut database)) };
            drop(database);
            then.complete(answer);
        });
    }
}

impl Storage for Link {
    fn write(&self, write: Write, then: Completion<Written>) {
        let own = self.id;
        self.answer(then, move |database| Self::write(database, own, write));
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        self.answer(then, move |database| database.records.get(&id).cloned());
    }
}

impl Hub for Link {
    fn listen(&self, listener: Box<dyn Listener>) {
        self.database.lock().unwrap().nodes.insert(self.id, listener.into());
    }

    fn send(&self, letters: Vec<Letter>) {
        let shared = Arc::clone(&self.database);
        self.later(move || {
            for letter in letters {
                let mut database = shared.lock().unwrap();
                if database.loses > 0 {
                    database.loses -= 1;
                    continue;
                }
                let listener = database.nodes.get(&letter.to).filter(|_| !database.is_away).cloned();
                drop(database);
                if let Some(listener) = listener {
                    listener.letters(vec![letter]);
                }
            }
        });
    }

    fn announce(&self, presence: Presence, then: Completion<()>) {
        self.answer(then, move |database| drop(database.presences.insert(presence.connection, presence)));
    }

    fn withdraw(&self, connection: ConnectionId) {
        self.answer(Completion::new(|_| {}), move |database| drop(database.presences.remove(&connection)));
    }

    fn find(&self, keys: Vec<PublicKeyBytes>, then: Completion<Vec<Presence>>) {
        let own = self.id;
        self.answer(then, move |database| {
            let is_asked = |presence: &&Presence| keys.contains(&presence.public_key) && presence.node != own;
            database.presences.values().filter(is_asked).cloned().collect()
        });
    }

    fn take_over(&self, then: Completion<Vec<Record>>) {
        let own = self.id;
        self.answer(then, move |database| {
            let Database { records, nodes, .. } = database;
            let is_orphan =
                |record: &Record| record.end.is_none() && record.node.is_none_or(|node| !nodes.contains_key(&node));
            let taken = records.values_mut().filter(|record| is_orphan(record)).map(|record| {
                record.node = Some(own);
                record.clone()
            });
            taken.collect()
        });
    }

    fn hand_over(&self, then: Completion<()>) {
        let own = self.id;
        self.answer(then, move |database| {
            for record in database.records.values_mut().filter(|record| record.node == Some(own)) {
                record.node = None;
            }
        });
    }
}
