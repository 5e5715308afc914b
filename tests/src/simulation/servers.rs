//! All servers, each with lives of its own.

use super::{
    backends::Backends,
    coverage::Seen,
    events::{Event, Millis, ServerId, ServerLife, Side, Stop},
    ground::Ground,
    network::Network,
    plan::{AUDIENCE_URL, Plan},
    server::Server,
    storage::{Store, disk},
};
use countersign_server::{Config, SigningService, simulation, storage::Storage};
use std::{
    cell::OnceCell,
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

/// A run with more lives than this goes round in circles.
const MOST_LIVES: usize = 256;

/// How long after a pause the service has what lies in its sockets read, before it says that something is overdue.
pub(super) const READ_GRACE: Millis = 500;

/// The services of all lives of all servers: a conversation borrows its service, so they are kept until the run is over.
pub(super) struct Lives(Vec<OnceCell<SigningService>>);

impl Default for Lives {
    fn default() -> Self {
        Self((0..MOST_LIVES).map(|_| OnceCell::new()).collect())
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

    /// All that are running.
    pub(super) fn all(&self) -> impl Iterator<Item = &Server<'a>> {
        self.machines.iter().filter_map(|machine| machine.server.as_ref())
    }

    /// Until when it is paused, if it is.
    pub(super) fn paused_until(&self, ground: &Ground, id: ServerId) -> Option<Millis> {
        let until = self.machines[id].paused_until;
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
            if let Some(server) = &mut self.machines[id].server {
                server.settle(ground, network);
                backends.told(ground, server);
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
        let store = Arc::new(Store::new(Arc::clone(&ground.disk)));
        store.set_full(self.is_full);
        let loaded = {
            let mut disk = disk(&ground.disk);
            ground.checker.started(&disk);
            disk.loaded()
        };
        self.begun += 1;
        let life = ServerLife { server: id, life: self.begun as u64 };
        ground.server_began = ground.now;
        ground.note(("server starts", id, loaded.open.len(), loaded.ended.len()), || {
            let (open, ended, life) = (loaded.open.len(), loaded.ended.len(), life.life);
            format!("server {id}: starts life {life} with {open} open and {ended} ended")
        });
        let storage: Arc<dyn Storage> = Arc::clone(&store) as _;
        let config = self.config.clone();
        let service = place.get_or_init(|| simulation::service(config, ground.clocks.clone(), Some(storage), loaded));
        let mut server = Server::new(ground, service, store, life, self.max_inflight);
        server.service_timer(ground);
        self.machines[id] = Machine { server: Some(server), paused_until: 0 };
        self.touched.insert(id);
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
        let Some(server) = self.running(life.server).filter(|server| server.life == life) else { return };
        server.service.simulate_finish_drain();
        server.settle(ground, network);
        backends.told(ground, server);
        self.end(ground, network, backends, life.server);
    }

    /// A life of a server is over.
    fn end(&mut self, ground: &mut Ground, network: &mut Network, backends: &mut Backends, id: ServerId) {
        let Some(server) = self.machines[id].server.take() else { return };
        let survive = ground.rng.usize(0..=4);
        let waiting = server.store.waiting().is_some();
        if server.is_draining {
            // It has had all the time it needs.
            server.store.sync(usize::MAX).tell();
        }
        let lost = server.store.die(survive);
        if lost > 0 {
            ground.see(Seen::CrashLosingWrites);
        } else if waiting && !server.is_draining {
            ground.see(Seen::CrashBetweenSyncAndTelling);
        }
        ground.note(("server stops", id, lost), || format!("server {id}: is gone, and with it {lost} writes"));
        for link in server.links() {
            network.leave(ground, link, Side::Server);
        }
        backends.server_gone(ground, &server.callers);
        let wait = ground.between(50, 12_000);
        ground.after(if ground.healed { 50 } else { wait }, Event::ServerStarts(id));
    }

    /// It is stopped for a while, and nobody is told.
    pub(super) fn pause(&mut self, ground: &mut Ground, id: ServerId, for_ms: Millis) {
        if self.machines[id].server.is_some() {
            ground.see(Seen::Paused);
            ground.note(("server pauses", id, for_ms), || format!("server {id}: is paused for {for_ms} ms"));
            self.machines[id].paused_until = ground.now + for_ms;
            ground.checker.paused(ground.now + for_ms);
        }
    }

    pub(super) fn set_full(&mut self, ground: &mut Ground, full: bool) {
        self.is_full = full;
        if full {
            ground.see(Seen::DiskFull);
        }
        if let Some(server) = self.running(0) {
            server.store.set_full(full);
        }
    }

    pub(super) fn fail_disk(&mut self, ground: &mut Ground) {
        if let Some(server) = self.running(0) {
            ground.see(Seen::DiskFailed);
            let survive = ground.rng.usize(0..=2);
            server.store.fail(survive);
        }
    }

    pub(super) fn recover_disk(&mut self, ground: &mut Ground) {
        if let Some(server) = self.running(0).filter(|server| server.store.is_failed()) {
            ground.see(Seen::DiskRecovered);
            ground.note("disk recovers", || "disk: works again".into());
            server.store.recover();
        }
    }

    /// Somebody sets the clock of the machine.
    pub(super) fn set_clock(&mut self, ground: &mut Ground, by_ms: i64) {
        let is_full = self.is_full;
        // By how much a clock was set while there was no server, or none that could write it down, nobody can tell.
        if let Some(server) = self.running(0).filter(|server| !is_full && !server.store.is_failed()) {
            ground.see(Seen::ClockSet);
            ground.note(("clock", by_ms), || format!("the server's clock is set by {by_ms} ms"));
            ground.clocks.epoch.fetch_add(by_ms, Ordering::Relaxed);
            server.clock_set();
        }
    }

    /// From here on nothing goes wrong any more, and what is broken is mended.
    pub(super) fn heal(&mut self) {
        self.is_full = false;
        for id in 0..self.len() {
            if let Some(server) = self.running(id) {
                server.store.set_full(false);
                server.store.recover();
            }
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

impl Drop for Servers<'_> {
    /// Nothing is written any more by what is let go of now.
    fn drop(&mut self) {
        for server in self.all() {
            server.store.die(0);
        }
    }
}
