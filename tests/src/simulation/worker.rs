//! The database's end of the connection that one life of a server has with it: carries out what was asked, and tells what came of it.

use super::{
    call_queue::{Asked, CallQueue, Order, Question},
    coverage::Seen,
    database::{LEASE, post},
    environment::{Environment, Fault},
    events::{Event, Lane, Millis, ServerLife, Stop},
    storage::disk,
};
use countersign_protocol::RequestId;
use countersign_server::{
    cluster::{NodeId, Nodes, Packet},
    storage::{Completion, Loaded, StoreError, Write, Written},
};
use std::{collections::VecDeque, sync::Arc};

/// How often a node says that it lives.
const BETWEEN_RENEWALS: Millis = 1_000;

/// For how long after that it counts on not being given up: less than the lease.
const HELD: Millis = 4_500;

/// Two renewals so far apart are an interruption.
const INTERRUPTION: Millis = 2_500;

/// How long what was asked waits for a database that is away, before it is told to have failed.
const PATIENCE: Millis = 5_000;

/// Tells what came of something: that, or that it has failed.
type Answer = Box<dyn FnOnce(bool)>;

/// Things asked for in order, and what has come of them and is not told yet.
struct Queue<T> {
    lane: Lane,
    asked: VecDeque<(Millis, T)>,
    answers: VecDeque<(Millis, Answer)>,
    /// Something is going to be done, and something told.
    is_turning: bool,
    is_answering: bool,
}

impl<T> Queue<T> {
    fn new(lane: Lane) -> Self {
        let (asked, answers) = Default::default();
        Self { lane, asked, answers, is_turning: false, is_answering: false }
    }
}

/// The database's end of it.
pub(super) struct Worker {
    calls: Arc<CallQueue>,
    life: ServerLife,
    /// As what the server is known.
    node: NodeId,
    store: Queue<Question>,
    hub: Queue<Order>,
    packets: Queue<Packet>,
    /// The store has told that something failed, and nothing else gets there before it has told that it works again.
    has_failed: bool,
    renewed: Millis,
    renewing_since: Millis,
    /// What the service was told last.
    others: Option<Vec<NodeId>>,
    breaks: u64,
    oblivions: u64,
}

/// Has a future that was answered with `then` answered when the event loop says so.
fn answer<T: 'static>(then: Completion<T>, outcome: T) -> Answer {
    Box::new(move |comes_through| then.complete(if comes_through { Ok(outcome) } else { Err(StoreError::Failed) }))
}

fn failure<T: 'static>(then: Completion<T>) -> Answer {
    Box::new(move |_| then.complete(Err(StoreError::Failed)))
}

/// What a server starts with: all open requests that no living node owns, and those that have ended.
pub(super) fn begin(environment: &mut Environment, life: ServerLife) -> (NodeId, Loaded) {
    // A server that was killed and is started again need not wait until its lease is over.
    if environment.chance(50) {
        environment.database.forget_killed();
    }
    let node = NodeId::from_bits(environment.rng.u64(..));
    environment.database.register(environment.now, node, life);
    let taken = take_over(environment, node, usize::MAX);
    let kept = Arc::clone(&environment.disk);
    let ended = disk(&kept).loaded().ended;
    (node, Loaded { open: taken, ended })
}

fn take_over(environment: &mut Environment, node: NodeId, most: usize) -> Vec<countersign_server::Record> {
    let kept = Arc::clone(&environment.disk);
    // Who has been given up takes nothing.
    let most = if environment.database.has(node) { most } else { 0 };
    let taken = disk(&kept).take_over(node, most, |owner| environment.database.has(owner));
    if !taken.is_empty() {
        environment.see(Seen::TakenOver);
        let ids: Vec<_> = taken.iter().map(|record| record.id).collect();
        environment.checker.taken_over(&ids);
        environment.note(("taken over", node.to_bits(), &ids), || format!("database: {node} takes over {ids:?}"));
    }
    taken
}

impl Worker {
    pub(super) fn new(environment: &mut Environment, calls: Arc<CallQueue>, life: ServerLife, node: NodeId) -> Self {
        environment.after(0, Event::Renew(life));
        Self {
            calls,
            life,
            node,
            store: Queue::new(Lane::Store),
            hub: Queue::new(Lane::Hub),
            packets: Queue::new(Lane::Packets),
            has_failed: false,
            renewed: environment.now,
            renewing_since: environment.now,
            others: None,
            breaks: environment.database.breaks(life.server),
            oblivions: environment.database.oblivions,
        }
    }

    fn is_connected(&self, environment: &Environment) -> bool {
        environment.database.is_connected(environment.now, self.life.server)
    }

    /// Takes on what was asked since, and has it done.
    pub(super) fn arm(&mut self, environment: &mut Environment) {
        self.answer_reads(environment);
        let now = environment.now;
        let Asked { questions, orders, reads: _, packets } = self.calls.take();
        for question in &questions {
            if let Question::Write(write, _) = question {
                disk(&environment.disk).submitted(write);
            }
        }
        self.store.asked.extend(questions.into_iter().map(|question| (now, question)));
        self.hub.asked.extend(orders.into_iter().map(|order| (now, order)));
        self.packets.asked.extend(packets.into_iter().map(|packet| (now, packet)));
        let Self { store, hub, packets, life, .. } = self;
        arm(environment, *life, store);
        arm(environment, *life, hub);
        arm(environment, *life, packets);
    }

    /// Looks up at once what is looked up: when that is, is chance enough.
    pub(super) fn answer_reads(&self, environment: &Environment) {
        for (id, then) in self.calls.take_reads() {
            let is_connected = self.is_connected(environment);
            let record = disk(&environment.disk).record(id).cloned();
            then.complete(if is_connected { Ok(record) } else { Err(StoreError::Failed) });
        }
    }

    /// Something happens on the way there or back.
    pub(super) fn handle(&mut self, environment: &mut Environment, event: &Event) {
        match event {
            Event::Turn(_, lane) => self.turn(environment, *lane),
            Event::Answer(_, lane) => self.answer(environment, *lane),
            Event::Renew(_) => self.renew(environment),
            Event::PacketComes(_) => self.packet_comes(environment),
            _ => {}
        }
    }

    /// Does what was asked in a lane, all at once, as far as it gets there.
    fn turn(&mut self, environment: &mut Environment, lane: Lane) {
        match lane {
            Lane::Store => self.turn_store(environment),
            Lane::Hub => self.turn_hub(environment),
            Lane::Packets => self.turn_packets(environment),
        }
    }

    fn turn_store(&mut self, environment: &mut Environment) {
        self.store.is_turning = false;
        if !self.is_connected(environment) && !self.has_failed {
            return;
        }
        let most = if environment.mishap(20) { environment.rng.usize(1..4) } else { usize::MAX };
        for _ in 0..most {
            let Some((at, question)) = self.store.asked.pop_front() else { break };
            let answer = if self.has_failed { fail(question) } else { self.execute(environment, question) };
            self.store.answers.push_back((at, answer));
        }
        self.break_now_and_then(environment);
    }

    /// A connection breaks after the commit: whether it has come about shows when somebody looks again.
    fn break_now_and_then(&self, environment: &mut Environment) {
        if environment.mishap(1) && !self.store.answers.is_empty() {
            environment.see(Seen::OutcomeUnknown);
            let for_ms = environment.between(300, 9_000);
            environment.note(("breaks", self.life.server, for_ms), || {
                format!("database: the connection of server {} breaks after a commit", self.life.server)
            });
            environment.database.cut_off(environment.now, self.life.server, for_ms);
        }
    }

    fn execute(&mut self, environment: &mut Environment, question: Question) -> Answer {
        let kept = Arc::clone(&environment.disk);
        match question {
            Question::Write(write, then) => {
                if environment.fault == Some(Fault::NodeAsksNobody) && matches!(write, Write::End { .. }) {
                    return answer(then, Written::Done);
                }
                let accepts = matches!(&write, Write::Accept { records, .. } if !records.is_empty());
                let mut outcome = disk(&kept).commit(write, Some(self.node));
                if accepts && outcome == Written::Done {
                    outcome = Written::Accepted(Some(self.node));
                }
                match &outcome {
                    Written::Ended(_) => environment.see(Seen::OverruledByNode),
                    Written::Elsewhere => environment.see(Seen::WrittenElsewhere),
                    Written::Unknown => environment.see(Seen::WrittenUnknown),
                    Written::Done
                    | Written::Accepted(_)
                    | Written::Existing(_)
                    | Written::Reused
                    | Written::OverShare => {}
                }
                answer(then, outcome)
            }
            Question::TakeOver(then) => {
                let most = environment.pick(&[2, 500]);
                answer(then, take_over(environment, self.node, most))
            }
            Question::Ended(ids, then) => {
                let kept = disk(&kept);
                let is_over = |id: &RequestId| kept.record(*id).is_some_and(|record| record.end.is_some());
                let ended: Vec<_> = ids.into_iter().filter(is_over).collect();
                if !ended.is_empty() {
                    environment.see(Seen::EndFound);
                }
                answer(then, ended)
            }
            Question::HandOver(then) => {
                if disk(&kept).hand_over(self.node) {
                    environment.see(Seen::HandedOver);
                }
                answer(then, ())
            }
        }
    }

    fn turn_hub(&mut self, environment: &mut Environment) {
        self.hub.is_turning = false;
        if !self.is_connected(environment) {
            return;
        }
        while let Some((at, order)) = self.hub.asked.pop_front() {
            let answer = match order {
                Order::Announce(presence, then) => {
                    environment.database.announce(presence);
                    answer(then, ())
                }
                Order::Withdraw(connection) => {
                    environment.database.withdraw(connection);
                    continue;
                }
                Order::Find(keys, then) => answer(then, environment.database.find(self.node, &keys)),
            };
            self.hub.answers.push_back((at, answer));
        }
    }

    fn turn_packets(&mut self, environment: &mut Environment) {
        self.packets.is_turning = false;
        let packets = self.packets.asked.drain(..).map(|(_, packet)| packet).collect();
        if self.is_connected(environment) {
            post(environment, packets);
        }
    }

    /// Tells what has come of what was asked in a lane.
    fn answer(&mut self, environment: &Environment, lane: Lane) {
        let is_connected = self.is_connected(environment) || self.has_failed;
        let (is_answering, answers) = match lane {
            Lane::Store => (&mut self.store.is_answering, &mut self.store.answers),
            Lane::Hub => (&mut self.hub.is_answering, &mut self.hub.answers),
            Lane::Packets => (&mut self.packets.is_answering, &mut self.packets.answers),
        };
        *is_answering = false;
        if is_connected {
            for (_, answer) in std::mem::take(answers) {
                answer(true);
            }
        }
    }

    /// A packet has come.
    fn packet_comes(&self, environment: &mut Environment) {
        let mut packets: Vec<_> = environment.database.next_packet(self.node).into_iter().collect();
        if packets.is_empty() {
            return;
        }
        // Several may be read at once.
        if environment.chance(20) {
            packets.extend(environment.database.next_packet(self.node));
        }
        for packet in &packets {
            environment.note(("packet", packet.from.to_bits(), packet.number, packet.mail.len()), || {
                format!("server {}: has a packet: {packet:?}", self.life.server)
            });
        }
        self.calls.tell(|listener| listener.packets(packets));
    }

    /// Says that the node lives, gives up others that do not, and tells the service what has changed.
    fn renew(&mut self, environment: &mut Environment) {
        let wait = BETWEEN_RENEWALS + environment.between(0, 50);
        environment.after(wait, Event::Renew(self.life));
        if !self.is_connected(environment) {
            return self.fail_overdue(environment);
        }
        if self.has_failed && environment.chance(50) {
            self.recover(environment);
        }
        let is_known = environment.database.renew(environment.now, self.node);
        if !is_known {
            self.rename(environment);
        }
        if environment.now - self.renewed > INTERRUPTION {
            self.renewing_since = environment.now;
        }
        self.renewed = environment.now;
        if environment.now - self.renewing_since >= LEASE && environment.database.forget_silent(environment.now) {
            environment.see(Seen::GivenUpAlive);
        }
        self.tell_nodes(environment, !is_known);
        self.calls.renewed(environment.now + HELD);
        if self.has_failed {
            self.recover(environment);
        }
    }

    /// The others have given it up, so it goes on as another.
    fn rename(&mut self, environment: &mut Environment) {
        let node = NodeId::from_bits(environment.rng.u64(..));
        environment.note(("renamed", node.to_bits()), || {
            format!("server {}: was {}, and goes on as {node}", self.life.server, self.node)
        });
        environment.database.register(environment.now, node, self.life);
        environment.checker.given_up(self.life.server);
        self.node = node;
    }

    fn tell_nodes(&mut self, environment: &mut Environment, is_renamed: bool) {
        let (breaks, oblivions) = (environment.database.breaks(self.life.server), environment.database.oblivions);
        let was_deaf = environment.database.has_noticed_loss(environment.now, self.life.server);
        let interrupted = std::mem::replace(&mut self.breaks, breaks) != breaks || was_deaf;
        let is_another = std::mem::replace(&mut self.oblivions, oblivions) != oblivions;
        let forgotten = is_another || is_renamed;
        let others = environment.database.others(self.node);
        if interrupted || forgotten || self.others.as_ref() != Some(&others) {
            environment.note(("nodes", self.life.server, others.len(), interrupted, forgotten), || {
                let own = self.node;
                format!("server {}: is {own}, others {others:?} ({interrupted}, {forgotten})", self.life.server)
            });
            self.others = Some(others.clone());
            self.calls.tell_nodes(Nodes { own: self.node, others, interrupted, forgotten });
        }
        // What a database has that took the place of another is read anew.
        if is_another && !self.has_failed {
            let loaded = disk(&environment.disk).loaded_by(self.node);
            self.calls.tell_recovery(loaded);
        }
    }

    /// What has waited too long for a database that is away is told to have failed, whether it got there or not.
    fn fail_overdue(&mut self, environment: &mut Environment) {
        let now = environment.now;
        let is_overdue = |at: Millis| at + PATIENCE <= now;
        let Self { store, hub, .. } = self;
        let store_fails = store.answers.front().map(|(at, _)| *at).is_some_and(is_overdue)
            || store.asked.front().map(|(at, _)| *at).is_some_and(is_overdue);
        if store_fails {
            environment.see(Seen::DatabaseFailed);
            self.has_failed = true;
            for (_, answer) in std::mem::take(&mut store.answers) {
                answer(false);
            }
            for (_, question) in std::mem::take(&mut store.asked) {
                fail(question)(false);
            }
        }
        for (_, answer) in std::mem::take(&mut hub.answers) {
            answer(false);
        }
        for (_, order) in std::mem::take(&mut hub.asked) {
            match order {
                Order::Announce(_, then) => then.complete(Err(StoreError::Failed)),
                Order::Withdraw(_) => {}
                Order::Find(_, then) => then.complete(Err(StoreError::Failed)),
            }
        }
    }

    /// The store works again. What waits fails all the same.
    fn recover(&mut self, environment: &mut Environment) {
        self.has_failed = false;
        for (_, answer) in std::mem::take(&mut self.store.answers) {
            answer(false);
        }
        let Asked { questions, orders, reads: _, packets } = self.calls.take();
        for (_, question) in std::mem::take(&mut self.store.asked) {
            fail(question)(false);
        }
        for question in questions {
            fail(question)(false);
        }
        self.hub.asked.extend(orders.into_iter().map(|order| (environment.now, order)));
        self.packets.asked.extend(packets.into_iter().map(|packet| (environment.now, packet)));
        let kept = Arc::clone(&environment.disk);
        let loaded = disk(&kept).loaded_by(self.node);
        environment.see(Seen::DatabaseRecovered);
        environment
            .note(("recovers", self.life.server), || format!("server {}: has its database again", self.life.server));
        self.calls.tell_recovery(loaded);
    }

    /// The process drains to its end: everything that was asked is done and told.
    pub(super) fn finish(&mut self, environment: &mut Environment) {
        for _ in 0..8 {
            self.arm(environment);
            for lane in [Lane::Store, Lane::Hub, Lane::Packets] {
                self.turn(environment, lane);
                self.answer(environment, lane);
            }
        }
        if self.is_connected(environment) {
            environment.database.unregister(self.node);
        }
    }

    /// The process dies: `survive` of the writes get there, and nobody is told of any. Answers how many do not.
    pub(super) fn die(&mut self, environment: &mut Environment, survive: usize) -> usize {
        environment.database.kill(self.node);
        let survive = if self.is_connected(environment) && !self.has_failed { survive } else { 0 };
        self.arm(environment);
        for _ in 0..survive {
            let Some((_, question)) = self.store.asked.pop_front() else { break };
            drop(self.execute(environment, question));
        }
        self.calls.die();
        let lost = self.store.asked.len();
        // What a completion holds on to may ask for more as it is dropped.
        drop((std::mem::take(&mut self.store.asked), std::mem::take(&mut self.store.answers)));
        drop((std::mem::take(&mut self.hub.asked), std::mem::take(&mut self.hub.answers)));
        lost
    }

    /// Nothing that is asked any more gets anywhere.
    pub(super) fn close(&self) {
        self.calls.die();
    }
}

fn fail(question: Question) -> Answer {
    match question {
        Question::Write(_, then) => failure(then),
        Question::TakeOver(then) => failure(then),
        Question::Ended(_, then) => failure(then),
        Question::HandOver(then) => failure(then),
    }
}

/// Has what was asked done, and what came of it told.
fn arm<T>(environment: &mut Environment, life: ServerLife, queue: &mut Queue<T>) {
    let due = environment.database.connected_at(life.server).max(environment.now);
    if !queue.asked.is_empty() && !std::mem::replace(&mut queue.is_turning, true) {
        let wait = if environment.mishap(5) { environment.between(100, 2_500) } else { environment.between(1, 15) };
        environment.at(due + wait, Event::Turn(life, queue.lane));
        if queue.lane == Lane::Store && environment.mishap(1) && environment.chance(40) {
            let wait = environment.between(0, 2 * wait);
            environment.after(wait, Event::ServerStops(life.server, Stop::Crash));
        }
    }
    if !queue.answers.is_empty() && !std::mem::replace(&mut queue.is_answering, true) {
        let wait = if environment.mishap(5) { environment.between(50, 1_500) } else { environment.between(0, 8) };
        environment.at(due + wait, Event::Answer(life, queue.lane));
    }
}
