//! All servers, each with lives of its own.

use super::{
    backends::Backends,
    call_queue::CallQueue,
    coverage::Seen,
    environment::Environment,
    events::{Event, Millis, ServerId, ServerLife, Side, Stop},
    network::Network,
    plan::{AUDIENCE_URL, Plan},
    server::Server,
    server_storage::{Drive, ServerStorage},
    storage::{Store, disk},
    worker::{self, Worker},
};
use countersign_server::{
    Config, SigningService,
    cluster::Hub,
    simulation,
    storage::{Loaded, Storage},
};
use std::{
    cell::OnceCell,
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

/// A run with more lives than this goes round in circles.
const MOST_LIVES: usize = 256;

/// How long a server may go without looking which keys are blocked.
const LONGEST_BETWEEN_LOOKS: Millis = 3_000;

/// How long after a pause the service has what lies in its sockets read, before it says that something is overdue.
pub(super) const READ_GRACE: Millis = 500;

/// The services of all lives of all servers: a conversation borrows its service, so they are kept until the run is over.
pub(super) struct Lives(Vec<OnceCell<SigningService>>);

impl Default for Lives {
    fn default() -> Self {
        Self((0..MOST_LIVES).map(|_| OnceCell::new()).collect())
    }
}

/// What a service is made of.
struct New {
    storage: Arc<dyn Storage>,
    hub: Option<Arc<dyn Hub>>,
    loaded: Loaded,
}

impl New {
    fn service(self, config: Config, environment: &Environment) -> SigningService {
        let (Self { storage, hub, loaded }, clocks) = (self, environment.clocks.clone());
        match hub {
            Some(hub) => simulation::clustered_service(config, clocks, storage, hub, loaded),
            None => simulation::service(config, clocks, Some(storage), loaded),
        }
    }
}

/// One machine.
#[derive(Default)]
struct Machine<'a> {
    server: Option<Server<'a>>,
    paused_until: Millis,
}

/// All machines on which a server runs, or is about to.
pub(super) struct Servers<'a> {
    lives: &'a Lives,
    begun: usize,
    machines: Vec<Machine<'a>>,
    config: Config,
    max_inflight: usize,
    /// They share a database; the only one has a disk of its own otherwise.
    shares_database: bool,
    is_full: bool,
    /// Those to which something has happened that is to be followed up.
    touched: BTreeSet<ServerId>,
}

impl<'a> Servers<'a> {
    pub(super) fn new(plan: &Plan, lives: &'a Lives) -> Self {
        Self {
            lives,
            begun: 0,
            machines: (0..plan.servers).map(|_| Machine::default()).collect(),
            config: plan.config(&AUDIENCE_URL),
            max_inflight: plan.max_inflight,
            shares_database: plan.shares_database,
            is_full: false,
            touched: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.machines.len()
    }

    /// The server, if it is running; what is done to it is followed up.
    pub(super) fn running(&mut self, id: ServerId) -> Option<&mut Server<'a>> {
        let server = self.machines[id].server.as_mut()?;
        self.touched.insert(id);
        Some(server)
    }

    /// The server in this life, if that goes on.
    pub(super) fn life(&mut self, life: ServerLife) -> Option<&mut Server<'a>> {
        self.running(life.server).filter(|server| server.life == life)
    }

    /// All that are running.
    pub(super) fn all(&self) -> impl Iterator<Item = &Server<'a>> {
        self.machines.iter().filter_map(|machine| machine.server.as_ref())
    }

    /// Until when it is paused, if it is.
    pub(super) fn paused_until(&self, environment: &Environment, id: ServerId) -> Option<Millis> {
        let until = self.machines[id].paused_until;
        (until > environment.now && self.machines[id].server.is_some()).then_some(until)
    }

    /// Whether one of them has been running and connected for so long.
    pub(super) fn is_any_sound(&self, environment: &Environment, lately: Millis) -> bool {
        self.all().any(|server| environment.database.sound_since(server.life.server) + lately <= environment.now)
    }

    /// Until when it may be late with what is due, if it is paused or has just been.
    pub(super) fn late_until(&self, environment: &Environment, id: ServerId) -> Option<Millis> {
        let until = self.machines[id].paused_until + READ_GRACE + 1;
        (until > environment.now && self.machines[id].server.is_some()).then_some(until)
    }

    /// One of those that are running and not paused, as a balancer finds it.
    pub(super) fn awake(&self, environment: &mut Environment) -> Option<ServerId> {
        let awake: Vec<_> = (0..self.len())
            .filter(|id| self.machines[*id].server.is_some() && self.paused_until(environment, *id).is_none())
            .collect();
        (!awake.is_empty()).then(|| environment.pick(&awake))
    }

    /// Lets everything happen that can happen now.
    pub(super) fn settle(&mut self, environment: &mut Environment, network: &mut Network, backends: &mut Backends) {
        for id in std::mem::take(&mut self.touched) {
            let Some(server) = &mut self.machines[id].server else { continue };
            server.settle(environment, network);
            while backends.told(environment, server) {
                server.settle(environment, network);
            }
        }
    }

    /// What is due at a server that is paused waits until it goes on; what is overdue then, until it has read what lies there.
    pub(super) fn defer(&self, environment: &mut Environment, id: ServerId, event: Event) -> Option<Event> {
        let Some(until) = self.paused_until(environment, id) else { return Some(event) };
        let grace = if let Event::ServiceTimer(_) = event { READ_GRACE } else { 0 };
        environment.at(until + grace, event);
        None
    }

    /// A life of a server begins.
    pub(super) fn start(&mut self, environment: &mut Environment, id: ServerId) {
        if self.machines[id].server.is_some() {
            return;
        }
        let Some(place) = self.lives.0.get(self.begun) else {
            return environment.checker.report("servers start over and over", || self.begun.to_string());
        };
        if self.shares_database && !environment.database.is_connected(environment.now, id) {
            return environment.after(1_000, Event::ServerStarts(id));
        }
        environment.checker.started(&disk(&Arc::clone(&environment.disk)));
        self.begun += 1;
        let life = ServerLife { server: id, life: self.begun as u64 };
        environment.server_began = environment.now;
        environment.database.disturb(id, environment.now);
        let (storage, new) =
            if self.shares_database { self.on_database(environment, life) } else { self.on_disk(environment) };
        environment.note(("server starts", id, new.loaded.open.len(), new.loaded.ended.len()), || {
            let (open, ended, life) = (new.loaded.open.len(), new.loaded.ended.len(), life.life);
            format!("server {id}: starts life {life} with {open} open and {ended} ended")
        });
        let service = place.get_or_init(|| new.service(self.config.clone(), environment));
        let mut server = Server::new(environment, service, storage, life, self.max_inflight);
        server.look_at_blocks(environment);
        server.service_timer(environment);
        self.machines[id] = Machine { server: Some(server), paused_until: 0 };
        self.touched.insert(id);
    }

    fn on_disk(&self, environment: &Environment) -> (ServerStorage, New) {
        let store = Arc::new(Store::new(Arc::clone(&environment.disk)));
        store.set_full(self.is_full);
        let loaded = disk(&environment.disk).loaded();
        (ServerStorage::disk(Arc::clone(&store)), New { storage: store, hub: None, loaded })
    }

    fn on_database(&self, environment: &mut Environment, life: ServerLife) -> (ServerStorage, New) {
        let calls = Arc::new(CallQueue::new(environment.clocks.clone()));
        let (node, loaded) = worker::begin(environment, life);
        let worker = Worker::new(environment, Arc::clone(&calls), life, node);
        (ServerStorage::Database(Box::new(worker)), New { storage: Arc::clone(&calls) as _, hub: Some(calls), loaded })
    }

    pub(super) fn stop(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        backends: &mut Backends,
        (id, stop): (ServerId, Stop),
    ) {
        let Some(server) = self.running(id).filter(|server| !server.is_draining) else { return };
        match stop {
            Stop::Crash => {
                environment.see(Seen::Crash);
                self.end(environment, network, backends, id);
            }
            Stop::Drain => {
                environment.see(Seen::Drain);
                environment.note(("drain", id), || format!("server {id}: drains"));
                server.is_draining = true;
                server.service.simulate_begin_drain();
                let life = server.life;
                let wait = environment.between(100, 10_000);
                environment.after(wait, Event::DrainEnds(life));
            }
        }
    }

    /// The patience of a drain is over.
    pub(super) fn end_drain(
        &mut self,
        environment: &mut Environment,
        network: &mut Network,
        backends: &mut Backends,
        life: ServerLife,
    ) {
        let Some(server) = self.life(life) else { return };
        server.service.simulate_finish_drain();
        server.settle(environment, network);
        backends.told(environment, server);
        self.end(environment, network, backends, life.server);
    }

    /// A life of a server is over.
    fn end(&mut self, environment: &mut Environment, network: &mut Network, backends: &mut Backends, id: ServerId) {
        let Some(mut server) = self.machines[id].server.take() else { return };
        let survive = environment.rng.usize(0..=4);
        if server.is_draining {
            server.storage.finish(environment);
        }
        server.storage.die(environment, survive);
        environment.note(("server stops", id), || format!("server {id}: is gone"));
        for link in server.links() {
            network.leave(environment, link, Side::Server);
        }
        environment.database.disturb(id, environment.now);
        backends.server_gone(environment, &server.callers);
        environment.checker.forgets(id);
        let wait = environment.between(50, 12_000);
        environment.after(if environment.healed { 50 } else { wait }, Event::ServerStarts(id));
    }

    /// It is stopped for a while, and nobody is told.
    pub(super) fn pause(&mut self, environment: &mut Environment, id: ServerId, for_ms: Millis) {
        if self.machines[id].server.is_some() && self.paused_until(environment, id).is_none() {
            environment.see(Seen::Paused);
            environment.note(("server pauses", id, for_ms), || format!("server {id}: is paused for {for_ms} ms"));
            self.machines[id].paused_until = environment.now + for_ms;
            environment.database.disturb(id, environment.now + for_ms);
            environment.checker.paused(environment.now + for_ms);
        }
    }

    /// The disk of the one server, where it has one and is running.
    fn disk(&mut self) -> Option<&Drive> {
        match &self.running(0)?.storage {
            ServerStorage::Disk(drive) => Some(drive),
            ServerStorage::Database(_) => None,
        }
    }

    pub(super) fn set_full(&mut self, environment: &mut Environment, full: bool) {
        self.is_full = full;
        if full {
            environment.see(Seen::DiskFull);
        }
        if let Some(drive) = self.disk() {
            drive.store.set_full(full);
        }
    }

    pub(super) fn fail_disk(&mut self, environment: &mut Environment) {
        if let Some(drive) = self.disk() {
            environment.see(Seen::DiskFailed);
            let survive = environment.rng.usize(0..=2);
            drive.store.fail(survive);
        }
    }

    pub(super) fn recover_disk(&mut self, environment: &mut Environment) {
        if let Some(drive) = self.disk().filter(|drive| drive.store.is_failed()) {
            environment.see(Seen::DiskRecovered);
            environment.note("disk recovers", || "disk: works again".into());
            drive.store.recover();
        }
    }

    /// Somebody sets the clock of the machine.
    pub(super) fn set_clock(&mut self, environment: &mut Environment, by_ms: i64) {
        // By how much a clock was set while there was no server, or none that could write it down, nobody can tell.
        let is_full = self.is_full;
        if self.disk().is_none_or(|drive| is_full || drive.store.is_failed()) {
            return;
        }
        environment.see(Seen::ClockSet);
        environment.note(("clock", by_ms), || format!("the server's clock is set by {by_ms} ms"));
        environment.clocks.epoch.fetch_add(by_ms, Ordering::Relaxed);
        if let Some(server) = self.running(0) {
            server.clock_set();
        }
    }

    /// Server and database do not reach each other for a while.
    pub(super) fn cut_off(&self, environment: &mut Environment, id: ServerId, for_ms: Millis) {
        environment.see(Seen::CutOff);
        environment.note(("cut off", id, for_ms), || format!("server {id}: is cut off the database for {for_ms} ms"));
        environment.database.cut_off(environment.now, id, for_ms);
    }

    /// Nobody reaches the database for a while, and what was not on a disk may be forgotten.
    pub(super) fn outage(&self, environment: &mut Environment, for_ms: Millis, is_failover: bool) {
        environment.see(if is_failover { Seen::Failover } else { Seen::Outage });
        environment.note(("outage", for_ms, is_failover), || {
            format!("database: is away for {for_ms} ms (failover: {is_failover})")
        });
        for id in 0..self.len() {
            environment.database.cut_off(environment.now, id, for_ms);
        }
        if is_failover {
            environment.database.forget_presences();
            if environment.chance(50) {
                put_back(environment);
            }
        }
    }

    /// From here on nothing goes wrong any more, and what is broken is mended.
    pub(super) fn heal(&mut self, environment: &mut Environment) {
        self.is_full = false;
        for id in 0..self.machines.len() {
            self.set_limits(environment, id, None);
        }
        environment.database.heal(environment.now);
        if let Some(drive) = self.disk() {
            drive.store.set_full(false);
            drive.store.recover();
        }
    }

    /// A server that runs goes by lower limits from now on, or by those of its start.
    pub(super) fn set_limits(
        &mut self,
        environment: &mut Environment,
        id: ServerId,
        lower: Option<(usize, usize, u8)>,
    ) {
        let mut config = self.config.clone();
        if let Some(lower) = lower {
            (config.max_inflight, config.max_pending_per_key, config.max_share_percent) = lower;
        }
        if let Some(server) = self.running(id) {
            environment.note("limits", || format!("server {id}: {lower:?}"));
            environment.see(if lower.is_some() { Seen::LimitsLowered } else { Seen::LimitsRaised });
            server.service.reconfigure(config);
        }
    }

    /// Each looks after a while which keys are blocked.
    pub(super) fn will_look_at_blocks(&self, environment: &mut Environment) {
        let lives: Vec<_> = self.all().map(|server| server.life).collect();
        for life in lives {
            let wait = environment.between(0, LONGEST_BETWEEN_LOOKS);
            environment.after(wait, Event::LooksAtBlocks(life));
        }
    }

    /// All is over.
    pub(super) fn finish(&self, environment: &mut Environment) {
        for machine in &self.machines {
            match &machine.server {
                Some(server) => server.finish(environment),
                None => environment.checker.report("a server is not running at the end", String::new),
            }
        }
    }
}

/// The database goes back to an earlier time: a standby lacks the last commits, or a backup was put in its place.
fn put_back(environment: &mut Environment) {
    let calls = environment.rng.usize(1..6);
    let kept = Arc::clone(&environment.disk);
    let (gone, keys) = disk(&kept).put_back(calls);
    if !gone.is_empty() {
        environment.see(Seen::PutBack);
        environment.note(("put back", gone.len()), || format!("database: does not know of {gone:?} any more"));
        environment.checker.put_back(&gone, keys);
    }
}

impl Drop for Servers<'_> {
    /// Nothing is written any more by what is let go of now.
    fn drop(&mut self) {
        for server in self.all() {
            server.storage.close();
        }
    }
}
