//! The database's end of the connection that one life of a server has with it: carries out what was asked, and tells what came of it.

use super::{
    coverage::Seen,
    database::{LEASE, post},
    events::{Event, Lane, Millis, ServerLife, Stop},
    ground::{Fault, Ground},
    line::{Asked, Line, Order, Question},
    storage::disk,
};
use countersign_server::{
    cluster::{Letter, NodeId, Nodes},
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
    line: Arc<Line>,
    life: ServerLife,
    /// As what the server is known.
    node: NodeId,
    store: Queue<Question>,
    hub: Queue<Order>,
    letters: Queue<Letter>,
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
pub(super) fn begin(ground: &mut Ground, life: ServerLife) -> (NodeId, Loaded) {
    // A server that was killed and is started again need not wait until its lease is over.
    if ground.chance(50) {
        ground.database.forget_killed();
    }
    let node = NodeId::from_bits(ground.rng.u64(..));
    ground.database.register(ground.now, node, life);
    let taken = take_over(ground, node, usize::MAX);
    let kept = Arc::clone(&ground.disk);
    let ended = disk(&kept).loaded().ended;
    (node, Loaded { open: taken, ended })
}

fn take_over(ground: &mut Ground, node: NodeId, most: usize) -> Vec<countersign_server::Record> {
    let kept = Arc::clone(&ground.disk);
    let taken = disk(&kept).take_over(node, most, |owner| ground.database.has(owner));
    if !taken.is_empty() {
        ground.see(Seen::TakenOver);
        let ids: Vec<_> = taken.iter().map(|record| record.id).collect();
        ground.checker.taken_over(&ids);
        ground.note(("taken over", node.to_bits(), &ids), || format!("database: {node} takes over {ids:?}"));
    }
    taken
}

impl Worker {
    pub(super) fn new(ground: &mut Ground, line: Arc<Line>, life: ServerLife, node: NodeId) -> Self {
        ground.after(0, Event::Renew(life));
        Self {
            line,
            life,
            node,
            store: Queue::new(Lane::Store),
            hub: Queue::new(Lane::Hub),
            letters: Queue::new(Lane::Letters),
            has_failed: false,
            renewed: ground.now,
            renewing_since: ground.now,
            others: None,
            breaks: ground.database.breaks(life.server),
            oblivions: ground.database.oblivions,
        }
    }

    fn is_connected(&self, ground: &Ground) -> bool {
        ground.database.is_connected(ground.now, self.life.server)
    }

    /// Takes on what was asked since, and has it done.
    pub(super) fn arm(&mut self, ground: &mut Ground) {
        self.answer_reads(ground);
        let now = ground.now;
        let Asked { questions, orders, reads: _, letters } = self.line.take();
        for question in &questions {
            if let Question::Write(write, _) = question {
                disk(&ground.disk).submitted(write);
            }
        }
        self.store.asked.extend(questions.into_iter().map(|question| (now, question)));
        self.hub.asked.extend(orders.into_iter().map(|order| (now, order)));
        self.letters.asked.extend(letters.into_iter().map(|letter| (now, letter)));
        let Self { store, hub, letters, life, .. } = self;
        arm(ground, *life, store);
        arm(ground, *life, hub);
        arm(ground, *life, letters);
    }

    /// Looks up at once what is looked up: when that is, is chance enough.
    pub(super) fn answer_reads(&self, ground: &Ground) {
        for (id, then) in self.line.take_reads() {
            let is_connected = self.is_connected(ground);
            let record = disk(&ground.disk).record(id).cloned();
            then.complete(if is_connected { Ok(record) } else { Err(StoreError::Failed) });
        }
    }

    /// Something happens on the way there or back.
    pub(super) fn handle(&mut self, ground: &mut Ground, event: &Event) {
        match event {
            Event::Turn(_, lane) => self.turn(ground, *lane),
            Event::Answer(_, lane) => self.answer(ground, *lane),
            Event::Renew(_) => self.renew(ground),
            Event::LetterComes(_) => self.letter_comes(ground),
            _ => {}
        }
    }

    /// Does what was asked in a lane, all at once, as far as it gets there.
    fn turn(&mut self, ground: &mut Ground, lane: Lane) {
        match lane {
            Lane::Store => self.turn_store(ground),
            Lane::Hub => self.turn_hub(ground),
            Lane::Letters => self.turn_letters(ground),
        }
    }

    fn turn_store(&mut self, ground: &mut Ground) {
        self.store.is_turning = false;
        if !self.is_connected(ground) && !self.has_failed {
            return;
        }
        let most = if ground.mishap(20) { ground.rng.usize(1..4) } else { usize::MAX };
        for _ in 0..most {
            let Some((at, question)) = self.store.asked.pop_front() else { break };
            let answer = if self.has_failed { fail(question) } else { self.execute(ground, question) };
            self.store.answers.push_back((at, answer));
        }
        self.break_now_and_then(ground);
    }

    /// A connection breaks after the commit: whether it has come about shows when somebody looks again.
    fn break_now_and_then(&self, ground: &mut Ground) {
        if ground.mishap(1) && !self.store.answers.is_empty() {
            ground.see(Seen::OutcomeUnknown);
            let for_ms = ground.between(300, 9_000);
            ground.note(("breaks", self.life.server, for_ms), || {
                format!("database: the connection of server {} breaks after a commit", self.life.server)
            });
            ground.database.cut_off(ground.now, self.life.server, for_ms);
        }
    }

    fn execute(&mut self, ground: &mut Ground, question: Question) -> Answer {
        let kept = Arc::clone(&ground.disk);
        match question {
            Question::Write(write, then) => {
                if ground.fault == Some(Fault::NodeAsksNobody) && matches!(write, Write::End { .. }) {
                    return answer(then, Written::Done);
                }
                let outcome = disk(&kept).commit(write, Some(self.node));
                match &outcome {
                    Written::Ended(_) => ground.see(Seen::OverruledByNode),
                    Written::Elsewhere => ground.see(Seen::WrittenElsewhere),
                    Written::Unknown => ground.see(Seen::WrittenUnknown),
                    Written::Done | Written::Existing(_) | Written::Reused | Written::OverShare => {}
                }
                answer(then, outcome)
            }
            Question::TakeOver(then) => {
                let most = ground.pick(&[2, 500]);
                answer(then, take_over(ground, self.node, most))
            }
            Question::HandOver(then) => {
                if disk(&kept).hand_over(self.node) {
                    ground.see(Seen::HandedOver);
                }
                answer(then, ())
            }
        }
    }

    fn turn_hub(&mut self, ground: &mut Ground) {
        self.hub.is_turning = false;
        if !self.is_connected(ground) {
            return;
        }
        while let Some((at, order)) = self.hub.asked.pop_front() {
            let answer = match order {
                Order::Announce(presence, then) => {
                    ground.database.announce(presence);
                    answer(then, ())
                }
                Order::Withdraw(connection) => {
                    ground.database.withdraw(connection);
                    continue;
                }
                Order::Find(keys, then) => answer(then, ground.database.find(self.node, &keys)),
            };
            self.hub.answers.push_back((at, answer));
        }
    }

    fn turn_letters(&mut self, ground: &mut Ground) {
        self.letters.is_turning = false;
        let letters = self.letters.asked.drain(..).map(|(_, letter)| letter).collect();
        if self.is_connected(ground) {
            post(ground, letters);
        }
    }

    /// Tells what has come of what was asked in a lane.
    fn answer(&mut self, ground: &Ground, lane: Lane) {
        let is_connected = self.is_connected(ground) || self.has_failed;
        let (is_answering, answers) = match lane {
            Lane::Store => (&mut self.store.is_answering, &mut self.store.answers),
            Lane::Hub => (&mut self.hub.is_answering, &mut self.hub.answers),
            Lane::Letters => (&mut self.letters.is_answering, &mut self.letters.answers),
        };
        *is_answering = false;
        if is_connected {
            for (_, answer) in std::mem::take(answers) {
                answer(true);
            }
        }
    }

    /// A letter has come.
    fn letter_comes(&self, ground: &mut Ground) {
        let mut letters: Vec<_> = ground.database.next_letter(self.node).into_iter().collect();
        if letters.is_empty() {
            return;
        }
        // Several may be read at once.
        if ground.chance(20) {
            letters.extend(ground.database.next_letter(self.node));
        }
        for letter in &letters {
            ground.note(("letter", letter.from.to_bits(), letter.number, letter.mail.len()), || {
                format!("server {}: has a letter: {letter:?}", self.life.server)
            });
        }
        self.line.tell(|listener| listener.letters(letters));
    }

    /// Says that the node lives, gives up others that do not, and tells the service what has changed.
    fn renew(&mut self, ground: &mut Ground) {
        let wait = BETWEEN_RENEWALS + ground.between(0, 50);
        ground.after(wait, Event::Renew(self.life));
        if !self.is_connected(ground) {
            return self.fail_overdue(ground);
        }
        if self.has_failed && ground.chance(50) {
            self.recover(ground);
        }
        let is_known = ground.database.renew(ground.now, self.node);
        if !is_known {
            self.rename(ground);
        }
        if ground.now - self.renewed > INTERRUPTION {
            self.renewing_since = ground.now;
        }
        self.renewed = ground.now;
        if ground.now - self.renewing_since >= LEASE && ground.database.forget_silent(ground.now) {
            ground.see(Seen::GivenUpAlive);
        }
        self.tell_nodes(ground, !is_known);
        self.line.renewed(ground.now + HELD);
        if self.has_failed {
            self.recover(ground);
        }
    }

    /// The others have given it up, so it goes on as another.
    fn rename(&mut self, ground: &mut Ground) {
        let node = NodeId::from_bits(ground.rng.u64(..));
        ground.note(("renamed", node.to_bits()), || {
            format!("server {}: was {}, and goes on as {node}", self.life.server, self.node)
        });
        ground.database.register(ground.now, node, self.life);
        ground.checker.given_up(self.life.server);
        self.node = node;
    }

    fn tell_nodes(&mut self, ground: &mut Ground, is_renamed: bool) {
        let (breaks, oblivions) = (ground.database.breaks(self.life.server), ground.database.oblivions);
        let was_deaf = ground.database.has_noticed_loss(ground.now, self.life.server);
        let interrupted = std::mem::replace(&mut self.breaks, breaks) != breaks || was_deaf;
        let is_another = std::mem::replace(&mut self.oblivions, oblivions) != oblivions;
        let forgotten = is_another || is_renamed;
        let others = ground.database.others(self.node);
        if interrupted || forgotten || self.others.as_ref() != Some(&others) {
            ground.note(("nodes", self.life.server, others.len(), interrupted, forgotten), || {
                let own = self.node;
                format!("server {}: is {own}, others {others:?} ({interrupted}, {forgotten})", self.life.server)
            });
            self.others = Some(others.clone());
            self.line.tell_nodes(Nodes { own: self.node, others, interrupted, forgotten });
        }
        // What a database has that took the place of another is read anew.
        if is_another && !self.has_failed {
            let loaded = disk(&ground.disk).loaded_by(self.node);
            self.line.tell_recovery(loaded);
        }
    }

    /// What has waited too long for a database that is away is told to have failed, whether it got there or not.
    fn fail_overdue(&mut self, ground: &mut Ground) {
        let now = ground.now;
        let is_overdue = |at: Millis| at + PATIENCE <= now;
        let Self { store, hub, .. } = self;
        let store_fails = store.answers.front().map(|(at, _)| *at).is_some_and(is_overdue)
            || store.asked.front().map(|(at, _)| *at).is_some_and(is_overdue);
        if store_fails {
            ground.see(Seen::DatabaseFailed);
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
    fn recover(&mut self, ground: &mut Ground) {
        self.has_failed = false;
        for (_, answer) in std::mem::take(&mut self.store.answers) {
            answer(false);
        }
        let Asked { questions, orders, reads: _, letters } = self.line.take();
        for (_, question) in std::mem::take(&mut self.store.asked) {
            fail(question)(false);
        }
        for question in questions {
            fail(question)(false);
        }
        self.hub.asked.extend(orders.into_iter().map(|order| (ground.now, order)));
        self.letters.asked.extend(letters.into_iter().map(|letter| (ground.now, letter)));
        let kept = Arc::clone(&ground.disk);
        let loaded = disk(&kept).loaded_by(self.node);
        ground.see(Seen::DatabaseRecovered);
        ground.note(("recovers", self.life.server), || format!("server {}: has its database again", self.life.server));
        self.line.tell_recovery(loaded);
    }

    /// The process drains to its end: everything that was asked is done and told.
    pub(super) fn finish(&mut self, ground: &mut Ground) {
        for _ in 0..8 {
            self.arm(ground);
            for lane in [Lane::Store, Lane::Hub, Lane::Letters] {
                self.turn(ground, lane);
                self.answer(ground, lane);
            }
        }
        if self.is_connected(ground) {
            ground.database.unregister(self.node);
        }
    }

    /// The process dies: `survive` of the writes get there, and nobody is told of any. Answers how many do not.
    pub(super) fn die(&mut self, ground: &mut Ground, survive: usize) -> usize {
        ground.database.kill(self.node);
        let survive = if self.is_connected(ground) && !self.has_failed { survive } else { 0 };
        self.arm(ground);
        for _ in 0..survive {
            let Some((_, question)) = self.store.asked.pop_front() else { break };
            drop(self.execute(ground, question));
        }
        self.line.die();
        let lost = self.store.asked.len();
        // What a completion holds on to may ask for more as it is dropped.
        drop((std::mem::take(&mut self.store.asked), std::mem::take(&mut self.store.answers)));
        drop((std::mem::take(&mut self.hub.asked), std::mem::take(&mut self.hub.answers)));
        lost
    }

    /// Nothing that is asked any more gets anywhere.
    pub(super) fn close(&self) {
        self.line.die();
    }
}

fn fail(question: Question) -> Answer {
    match question {
        Question::Write(_, then) => failure(then),
        Question::TakeOver(then) => failure(then),
        Question::HandOver(then) => failure(then),
    }
}

/// Has what was asked done, and what came of it told.
fn arm<T>(ground: &mut Ground, life: ServerLife, queue: &mut Queue<T>) {
    let due = ground.database.connected_at(life.server).max(ground.now);
    if !queue.asked.is_empty() && !std::mem::replace(&mut queue.is_turning, true) {
        let wait = if ground.mishap(5) { ground.between(100, 2_500) } else { ground.between(1, 15) };
        ground.at(due + wait, Event::Turn(life, queue.lane));
        if queue.lane == Lane::Store && ground.mishap(1) && ground.chance(40) {
            let wait = ground.between(0, 2 * wait);
            ground.after(wait, Event::ServerStops(life.server, Stop::Crash));
        }
    }
    if !queue.answers.is_empty() && !std::mem::replace(&mut queue.is_answering, true) {
        let wait = if ground.mishap(5) { ground.between(50, 1_500) } else { ground.between(0, 8) };
        ground.at(due + wait, Event::Answer(life, queue.lane));
    }
}
