//! All servers, each with lives of its own.

use super::{
    backends::Backends,
    coverage::Seen,
    events::{Event, Millis, ServerId, ServerLife, Side, Stop},
    ground::Ground,
    keeper::{Drive, Keeper},
    line::Line,
    network::Network,
    plan::{AUDIENCE_URL, Plan},
    server::Server,
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
    fn service(self, config: Config, ground: &Ground) -> SigningService {
        let (Self { storage, hub, loaded }, clocks) = (self, ground.clocks.clone());
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
    pub(super) fn paused_until(&self, ground: &Ground, id: ServerId) -> Option<Millis> {
        let until = self.machines[id].paused_until;
        (until > ground.now && self.machines[id].server.is_some()).then_some(until)
    }

    /// Whether one of them has been running and connected for so long.
    pub(super) fn is_any_sound(&self, ground: &Ground, lately: Millis) -> bool {
        self.all().any(|server| ground.database.sound_since(server.life.server) + lately <= ground.now)
    }

    /// Until when it may be late with what is due, if it is paused or has just been.
    pub(super) fn late_until(&self, ground: &Ground, id: ServerId) -> Option<Millis> {
        let until = self.machines[id].paused_until + READ_GRACE + 1;
        (until > ground.now && self.machines[id].server.is_some()).then_some(until)
    }

    /// One of those that are running and not paused, as a balancer finds it.
    pub(super) fn awake(&self, ground: &mut Ground) -> Option<ServerId> {
        let awake: Vec<_> = (0..self.len())
            .filter(|id| self.machines[*id].server.is_some() && self.paused_until(ground, *id).is_none())
            .collect();
        (!awake.is_empty()).then(|| ground.pick(&awake))
    }

    /// Lets everything happen that can happen now.
    pub(super) fn settle(&mut self, ground: &mut Ground, network: &mut Network, backends: &mut Backends) {
        for id in std::mem::take(&mut self.touched) {
            let Some(server) = &mut self.machines[id].server else { continue };
            server.settle(ground, network);
            while backends.told(ground, server) {
                server.settle(ground, network);
            }
        }
    }

    /// What is due at a server that is paused waits until it goes on; what is overdue then, until it has read what lies there.
    pub(super) fn defer(&self, ground: &mut Ground, id: ServerId, event: Event) -> Option<Event> {
        let Some(until) = self.paused_until(ground, id) else { return Some(event) };
        let grace = if let Event::ServiceTimer(_) = event { READ_GRACE } else { 0 };
        ground.at(until + grace, event);
        None
    }

    /// A life of a server begins.
    pub(super) fn start(&mut self, ground: &mut Ground, id: ServerId) {
        if self.machines[id].server.is_some() {
            return;
        }
        let Some(place) = self.lives.0.get(self.begun) else {
            return ground.checker.report("servers start over and over", || self.begun.to_string());
        };
        if self.shares_database && !ground.database.is_connected(ground.now, id) {
            return ground.after(1_000, Event::ServerStarts(id));
        }
        ground.checker.started(&disk(&Arc::clone(&ground.disk)));
        self.begun += 1;
        let life = ServerLife { server: id, life: self.begun as u64 };
        ground.server_began = ground.now;
        ground.database.disturb(id, ground.now);
        let (keeper, new) = if self.shares_database { self.on_database(ground, life) } else { self.on_disk(ground) };
        ground.note(("server starts", id, new.loaded.open.len(), new.loaded.ended.len()), || {
            let (open, ended, life) = (new.loaded.open.len(), new.loaded.ended.len(), life.life);
            format!("server {id}: starts life {life} with {open} open and {ended} ended")
        });
        let service = place.get_or_init(|| new.service(self.config.clone(), ground));
        let mut server = Server::new(ground, service, keeper, life, self.max_inflight);
        server.look_at_blocks(ground);
        server.service_timer(ground);
        self.machines[id] = Machine { server: Some(server), paused_until: 0 };
        self.touched.insert(id);
    }

    fn on_disk(&self, ground: &Ground) -> (Keeper, New) {
        let store = Arc::new(Store::new(Arc::clone(&ground.disk)));
        store.set_full(self.is_full);
        let loaded = disk(&ground.disk).loaded();
        (Keeper::disk(Arc::clone(&store)), New { storage: store, hub: None, loaded })
    }

    fn on_database(&self, ground: &mut Ground, life: ServerLife) -> (Keeper, New) {
        let line = Arc::new(Line::new(ground.clocks.clone()));
        let (node, loaded) = worker::begin(ground, life);
        let worker = Worker::new(ground, Arc::clone(&line), life, node);
        (Keeper::Database(Box::new(worker)), New { storage: Arc::clone(&line) as _, hub: Some(line), loaded })
    }

    pub(super) fn stop(
        &mut self,
        ground: &mut Ground,
        network: &mut Network,
        backends: &mut Backends,
        (id, stop): (ServerId, Stop),
    ) {
        let Some(server) = self.running(id).filter(|server| !server.is_draining) else { return };
        match stop {
            Stop::Crash => {
                ground.see(Seen::Crash);
                self.end(ground, network, backends, id);
            }
            Stop::Drain => {
                ground.see(Seen::Drain);
                ground.note(("drain", id), || format!("server {id}: drains"));
                server.is_draining = true;
                server.service.simulate_begin_drain();
                let life = server.life;
                let wait = ground.between(100, 10_000);
                ground.after(wait, Event::DrainEnds(life));
            }
        }
    }

    /// The patience of a drain is over.
    pub(super) fn end_drain(
        &mut self,
        ground: &mut Ground,
        network: &mut Network,
        backends: &mut Backends,
        life: ServerLife,
    ) {
        let Some(server) = self.life(life) else { return };
        server.service.simulate_finish_drain();
        server.settle(ground, network);
        backends.told(ground, server);
        self.end(ground, network, backends, life.server);
    }

    /// A life of a server is over.
    fn end(&mut self, ground: &mut Ground, network: &mut Network, backends: &mut Backends, id: ServerId) {
        let Some(mut server) = self.machines[id].server.take() else { return };
        let survive = ground.rng.usize(0..=4);
        if server.is_draining {
            server.keeper.finish(ground);
        }
        server.keeper.die(ground, survive);
        ground.note(("server stops", id), || format!("server {id}: is gone"));
        for link in server.links() {
            network.leave(ground, link, Side::Server);
        }
        ground.database.disturb(id, ground.now);
        backends.server_gone(ground, &server.callers);
        ground.checker.forgets(id);
        let wait = ground.between(50, 12_000);
        ground.after(if ground.healed { 50 } else { wait }, Event::ServerStarts(id));
    }

    /// It is stopped for a while, and nobody is told.
    pub(super) fn pause(&mut self, ground: &mut Ground, id: ServerId, for_ms: Millis) {
        if self.machines[id].server.is_some() && self.paused_until(ground, id).is_none() {
            ground.see(Seen::Paused);
            ground.note(("server pauses", id, for_ms), || format!("server {id}: is paused for {for_ms} ms"));
            self.machines[id].paused_until = ground.now + for_ms;
            ground.database.disturb(id, ground.now + for_ms);
            ground.checker.paused(ground.now + for_ms);
        }
    }

    /// The disk of the one server, where it has one and is running.
    fn disk(&mut self) -> Option<&Drive> {
        match &self.running(0)?.keeper {
            Keeper::Disk(drive) => Some(drive),
            Keeper::Database(_) => None,
        }
    }

    pub(super) fn set_full(&mut self, ground: &mut Ground, full: bool) {
        self.is_full = full;
        if full {
            ground.see(Seen::DiskFull);
        }
        if let Some(drive) = self.disk() {
            drive.store.set_full(full);
        }
    }

    pub(super) fn fail_disk(&mut self, ground: &mut Ground) {
        if let Some(drive) = self.disk() {
            ground.see(Seen::DiskFailed);
            let survive = ground.rng.usize(0..=2);
            drive.store.fail(survive);
        }
    }

    pub(super) fn recover_disk(&mut self, ground: &mut Ground) {
        if let Some(drive) = self.disk().filter(|drive| drive.store.is_failed()) {
            ground.see(Seen::DiskRecovered);
            ground.note("disk recovers", || "disk: works again".into());
            drive.store.recover();
        }
    }

    /// Somebody sets the clock of the machine.
    pub(super) fn set_clock(&mut self, ground: &mut Ground, by_ms: i64) {
        // By how much a clock was set while there was no server, or none that could write it down, nobody can tell.
        let is_full = self.is_full;
        if self.disk().is_none_or(|drive| is_full || drive.store.is_failed()) {
            return;
        }
        ground.see(Seen::ClockSet);
        ground.note(("clock", by_ms), || format!("the server's clock is set by {by_ms} ms"));
        ground.clocks.epoch.fetch_add(by_ms, Ordering::Relaxed);
        if let Some(server) = self.running(0) {
            server.clock_set();
        }
    }

    /// Server and database do not reach each other for a while.
    pub(super) fn cut_off(&self, ground: &mut Ground, id: ServerId, for_ms: Millis) {
        ground.see(Seen::CutOff);
        ground.note(("cut off", id, for_ms), || format!("server {id}: is cut off the database for {for_ms} ms"));
        ground.database.cut_off(ground.now, id, for_ms);
    }

    /// Nobody reaches the database for a while, and what was not on a disk may be forgotten.
    pub(super) fn outage(&self, ground: &mut Ground, for_ms: Millis, is_failover: bool) {
        ground.see(if is_failover { Seen::Failover } else { Seen::Outage });
        ground.note(("outage", for_ms, is_failover), || {
            format!("database: is away for {for_ms} ms (failover: {is_failover})")
        });
        for id in 0..self.len() {
            ground.database.cut_off(ground.now, id, for_ms);
        }
        if is_failover {
            ground.database.forget_presences();
            if ground.chance(50) {
                put_back(ground);
            }
        }
    }

    /// From here on nothing goes wrong any more, and what is broken is mended.
    pub(super) fn heal(&mut self, ground: &mut Ground) {
        self.is_full = false;
        for id in 0..self.machines.len() {
            self.set_limits(ground, id, None);
        }
        ground.database.heal(ground.now);
        if let Some(drive) = self.disk() {
            drive.store.set_full(false);
            drive.store.recover();
        }
    }

    /// A server that runs goes by lower limits from now on, or by those of its start.
    pub(super) fn set_limits(&mut self, ground: &mut Ground, id: ServerId, lower: Option<(usize, usize, u8)>) {
        let mut config = self.config.clone();
        if let Some(lower) = lower {
            (config.max_inflight, config.max_pending_per_key, config.max_share_percent) = lower;
        }
        if let Some(server) = self.running(id) {
            ground.note("limits", || format!("server {id}: {lower:?}"));
            ground.see(if lower.is_some() { Seen::LimitsLowered } else { Seen::LimitsRaised });
            server.service.reconfigure(config);
        }
    }

    /// Each looks after a while which keys are blocked.
    pub(super) fn will_look_at_blocks(&self, ground: &mut Ground) {
        let lives: Vec<_> = self.all().map(|server| server.life).collect();
        for life in lives {
            let wait = ground.between(0, LONGEST_BETWEEN_LOOKS);
            ground.after(wait, Event::LooksAtBlocks(life));
        }
    }

    /// All is over.
    pub(super) fn finish(&self, ground: &mut Ground) {
        for machine in &self.machines {
            match &machine.server {
                Some(server) => server.finish(ground),
                None => ground.checker.report("a server is not running at the end", String::new),
            }
        }
    }
}

/// The database goes back to an earlier time: a standby lacks the last commits, or a backup was put in its place.
fn put_back(ground: &mut Ground) {
    let calls = ground.rng.usize(1..6);
    let kept = Arc::clone(&ground.disk);
    let (gone, keys) = disk(&kept).put_back(calls);
    if !gone.is_empty() {
        ground.see(Seen::PutBack);
        ground.note(("put back", gone.len()), || format!("database: does not know of {gone:?} any more"));
        ground.checker.put_back(&gone, keys);
    }
}

impl Drop for Servers<'_> {
    /// Nothing is written any more by what is let go of now.
    fn drop(&mut self) {
        for server in self.all() {
            server.keeper.close();
        }
    }
}
