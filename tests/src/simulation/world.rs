//! Everything together, from the first event to the last.

use super::{
    backends::Backends,
    coverage::{Coverage, Seen},
    events::{DeviceId, Event, LinkId, Side, Stop},
    ground::{Ground, Options},
    invariants::Violation,
    network::{Network, Wire},
    plan::{AUDIENCE, KEYS, Kind, Plan},
    server::{Server, WRITE_TIMEOUT},
    storage::{Store, disk},
    wallets::Device,
};
use countersign_protocol::{Audience, Signable};
use countersign_server::{End, Record, simulation};
use countersign_wasm::wallet::Closed;
use std::sync::{Arc, LazyLock, atomic::Ordering};

static AUDIENCE_URL: LazyLock<Audience> = LazyLock::new(|| AUDIENCE.parse().unwrap());

/// A run with more events than this goes round in circles.
const MOST_EVENTS: u64 = 50_000;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The first promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What it has come across.
    pub coverage: Coverage,
    /// Over everything that happened.
    pub hash: u64,
    /// Everything that happened, where that was asked for.
    pub lines: Vec<String>,
    /// How many events there were.
    pub events: u64,
}

/// Runs one seed.
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut world = World::new(seed, options);
    while !world.is_over {
        world.live();
        world.rest();
    }
    let World { ground, events, .. } = world;
    let (hash, lines) = ground.trace.finish();
    Outcome { violation: ground.checker.violation, coverage: ground.coverage, hash, lines, events }
}

struct World {
    ground: Ground,
    network: Network,
    devices: Vec<Device>,
    backends: Backends,
    plan: Plan,
    lives: u64,
    is_full: bool,
    is_over: bool,
    events: u64,
}

/// Whether the server is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
    Start,
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut ground = Ground::new(seed, options);
        disk(&Arc::clone(&ground.disk)).fault = options.fault;
        let plan = Plan::new(&mut ground);
        ground.note(("plan", seed), || format!("seed {seed}: {plan:?}"));
        let devices = (0..).zip(&plan.devices);
        let devices = devices.map(|(id, (key, kind))| Device::new(&mut ground, id, *key, *kind)).collect();
        plan.misfortunes(&mut ground);
        let backends = Backends::new(&mut ground, &plan);
        let network = Network::new(plan.latency);
        Self { ground, network, devices, backends, plan, lives: 0, is_full: false, is_over: false, events: 0 }
    }

    /// One life of the server.
    fn live(&mut self) {
        self.lives += 1;
        let config = self.plan.config(&AUDIENCE_URL);
        let store = Arc::new(Store::new(Arc::clone(&self.ground.disk)));
        store.set_full(self.is_full);
        let loaded = {
            let mut disk = disk(&self.ground.disk);
            self.ground.checker.started(&disk);
            disk.loaded()
        };
        let lives = self.lives;
        self.ground.server_began = self.ground.now;
        self.ground.ahead = self.ground.epoch();
        self.ground.note(("server starts", loaded.open.len(), loaded.ended.len()), || {
            format!("server: starts its life {lives} with {} open and {} ended", loaded.open.len(), loaded.ended.len())
        });
        let dynamic: Arc<dyn countersign_server::storage::Storage> = Arc::clone(&store) as _;
        let service = simulation::service(config, self.ground.clocks.clone(), Some(dynamic), loaded);
        let mut server = Server::new(&service, store, self.lives, self.plan.max_inflight);
        server.service_timer(&mut self.ground);
        let stopped = loop {
            server.settle(&mut self.ground, &mut self.network);
            self.backends.told(&mut self.ground, &mut server);
            let Some(event) = self.next() else { break false };
            if self.handle(Some(&mut server), event) == Next::Stop {
                break true;
            }
        };
        if stopped {
            self.stop(server);
        } else {
            self.finish(&server);
            server.store.die(0);
        }
    }

    /// The time in which there is no server.
    fn rest(&mut self) {
        while let Some(event) = self.next() {
            if self.handle(None, event) == Next::Start {
                return;
            }
        }
    }

    /// The next event; none when all is over.
    fn next(&mut self) -> Option<Event> {
        if self.is_over || self.ground.checker.violation.is_some() {
            self.is_over = true;
            return None;
        }
        let (at, event) = self.ground.queue.pop()?;
        self.events += 1;
        if self.events > MOST_EVENTS {
            self.ground.checker.report("the world never comes to rest", || format!("{event:?}"));
        }
        self.ground.set_time(at);
        Some(event)
    }

    fn stop(&mut self, server: Server<'_>) {
        let survive = self.ground.rng.usize(0..=4);
        let waiting = server.store.waiting().is_some();
        if server.is_draining {
            // It has had all the time it needs.
            server.store.sync(usize::MAX).tell();
        }
        let lost = server.store.die(survive);
        if lost > 0 {
            self.ground.see(Seen::CrashLosingWrites);
        } else if waiting && !server.is_draining {
            self.ground.see(Seen::CrashBetweenSyncAndTelling);
        }
        self.ground.note(("server stops", lost), || format!("server: is gone, and with it {lost} writes"));
        for link in server.links() {
            self.network.leave(&mut self.ground, link, Side::Server);
        }
        self.backends.server_gone(&mut self.ground, &server.callers);
        let wait = self.ground.between(50, 12_000);
        self.ground.after(if self.ground.healed { 50 } else { wait }, Event::ServerStarts);
    }

    fn handle(&mut self, server: Option<&mut Server<'_>>, event: Event) -> Next {
        let device = event.device().or_else(|| Some(self.network.link(event.wallets_link()?).device));
        if let Some(until) = device.map(|id| self.devices[id].asleep_until).filter(|until| *until > self.ground.now) {
            self.ground.at(until, event);
            return Next::GoOn;
        }
        match event {
            Event::ServerStarts => return Next::Start,
            Event::ServerStops(stop) => return self.server_stops(server, stop),
            Event::DrainEnds => {
                let Some(server) = server.filter(|server| server.is_draining) else { return Next::GoOn };
                server.service.simulate_finish_drain();
                server.settle(&mut self.ground, &mut self.network);
                self.backends.told(&mut self.ground, server);
                return Next::Stop;
            }
            Event::Heal => return self.heal(server),
            Event::Over => self.is_over = true,
            Event::Full(full) => {
                self.is_full = full;
                if full {
                    self.ground.see(Seen::DiskFull);
                }
                if let Some(server) = server {
                    server.store.set_full(full);
                }
            }
            Event::DiskFails => {
                if let Some(server) = server {
                    self.ground.see(Seen::DiskFailed);
                    let survive = self.ground.rng.usize(0..=2);
                    server.store.fail(survive);
                }
            }
            Event::DiskRecovers => {
                if let Some(server) = server.filter(|server| server.store.is_failed()) {
                    self.ground.see(Seen::DiskRecovered);
                    self.ground.note("disk recovers", || "disk: works again".into());
                    server.store.recover();
                }
            }
            Event::EndedElsewhere => end_elsewhere(&mut self.ground),
            Event::ClockSet(by_ms) => {
                // By how much a clock was set while there was no server, or none that could write it down, nobody can tell.
                if let Some(server) = server.filter(|server| !self.is_full && !server.store.is_failed()) {
                    self.ground.see(Seen::ClockSet);
                    self.ground.note(("clock", by_ms), || format!("the server's clock is set by {by_ms} ms"));
                    self.ground.clocks.epoch.fetch_add(by_ms, Ordering::Relaxed);
                    server.clock_set();
                }
            }
            Event::ServiceTimer
            | Event::ConversationTimer(_)
            | Event::Sync(_)
            | Event::Unblock(_)
            | Event::Arrive(..)
            | Event::Lost(..)
            | Event::Reach { .. } => self.handle_traffic(server, event),
            Event::Ask(..)
            | Event::HangUp(_)
            | Event::Cancel(_)
            | Event::LookUp(_)
            | Event::Overdue(_)
            | Event::AcceptOverdue(..) => self.handle_backend(server, event),
            Event::Sleeps(..)
            | Event::DeviceClockSet(..)
            | Event::Offline(..)
            | Event::Cut(_)
            | Event::Mute(..)
            | Event::Stall(..)
            | Event::Replay(_)
            | Event::WalletStarts(_)
            | Event::WalletCrashes(_)
            | Event::WalletTimer(..)
            | Event::Shelved(..)
            | Event::KeySigns(..)
            | Event::Human(..)
            | Event::OwnerCloses(_)
            | Event::OwnerConnects(_) => self.handle_device(event),
        }
        Next::GoOn
    }

    fn handle_traffic(&mut self, server: Option<&mut Server<'_>>, event: Event) {
        let Self { ground, network, devices, .. } = self;
        match (event, server) {
            (Event::ServiceTimer, Some(server)) => server.service_timer(ground),
            (Event::ConversationTimer(link), Some(server)) => server.conversation_timer(ground, network, link),
            (Event::Sync(life), Some(server)) if life == server.life => server.sync(ground),
            (Event::Unblock(link), server) => {
                if std::mem::take(&mut network.link(link).is_blocked)
                    && ground.mishap(40)
                    && let Some(server) = server
                {
                    ground.see(Seen::WriteTimedOut);
                    server.lose(ground, network, link);
                }
            }
            (Event::Arrive(link, Side::Server), server) => {
                let Some(wire) = network.arrive(link, Side::Server) else { return };
                match server {
                    Some(_) if network.is_blocked(link) => network.put_back(ground, link, Side::Server, wire),
                    Some(server) => server.incoming(ground, network, link, wire),
                    None => {}
                }
            }
            (Event::Arrive(link, Side::Wallet), _) => {
                let Some(wire) = network.arrive(link, Side::Wallet) else { return };
                let device = network.link(link).device;
                devices[device].incoming(ground, network, link, wire);
            }
            (Event::Lost(link, Side::Server), Some(server)) => server.lose(ground, network, link),
            (Event::Lost(link, Side::Wallet), _) => {
                let device = network.link(link).device;
                devices[device].lost(ground, network, link, Closed::Code(1006, String::new()));
            }
            (Event::Reach { device, dial }, server) => self.reach(server, device, dial),
            // There is nobody to do it.
            (_, _) => {}
        }
    }

    fn reach(&mut self, server: Option<&mut Server<'_>>, id: DeviceId, dial: u64) {
        let Self { ground, network, devices, .. } = self;
        if devices[id].dial != dial {
            return;
        }
        let is_offline = devices[id].offline_until > ground.now;
        match server {
            Some(server) if !is_offline && !ground.mishap(3) => {
                let link = network.connect(id);
                devices[id].reached(ground, network, dial, Some(link));
                ground.note(("connect", id, link), || format!("device {id}: connection {link}"));
                if devices[id].kind == Kind::Replayer {
                    let overheard = devices.iter().find(|other| other.kind == Kind::Honest);
                    let overheard = overheard.map(|other| other.overheard.clone());
                    devices[id].hostile.stolen = overheard.unwrap_or_default();
                }
                server.accept(ground, network, link);
            }
            Some(_) | None => devices[id].reached(ground, network, dial, None),
        }
    }

    fn handle_backend(&mut self, server: Option<&mut Server<'_>>, event: Event) {
        let Self { ground, backends, .. } = self;
        match event {
            Event::Ask(call, body) => backends.ask(ground, server, call, body),
            Event::HangUp(call) => backends.hang_up(ground, server, call),
            Event::Cancel(call) => backends.cancel(ground, server, call),
            Event::LookUp(call) => backends.look_up(ground, server, call),
            Event::Overdue(call) => backends.overdue(ground, server, call),
            Event::AcceptOverdue(call, ticket) => backends.accept_overdue(ground, server, (call, ticket)),
            _ => {}
        }
    }

    fn handle_device(&mut self, event: Event) {
        let Self { ground, network, devices, .. } = self;
        match event {
            Event::WalletStarts(id) => devices[id].start(ground, network),
            Event::WalletTimer(id, life) => devices[id].timer(ground, network, life),
            Event::Shelved(id, life) => devices[id].shelved(ground, network, life),
            Event::KeySigns(id, life, task) => devices[id].key_signs(ground, network, life, &task),
            Event::Human(id, life, request, deed) => devices[id].human(ground, network, life, request, deed),
            Event::OwnerConnects(id) => devices[id].connect(ground, network),
            // Everything else is a misfortune.
            _ if ground.healed => {}
            Event::WalletCrashes(id) => devices[id].crash(ground, network),
            Event::OwnerCloses(id) => devices[id].close(ground, network),
            Event::Sleeps(id, for_ms, stands_still) => devices[id].sleep(ground, for_ms, stands_still),
            Event::DeviceClockSet(id, by_ms) => devices[id].set_clock(ground, by_ms),
            Event::Offline(id, wait) => {
                devices[id].offline_until = ground.now + wait;
                if let Some(link) = devices[id].link {
                    network.cut(ground, link);
                }
            }
            Event::Cut(id) => {
                if let Some(link) = devices[id].link {
                    network.cut(ground, link);
                }
            }
            Event::Mute(id, side) => {
                if let Some(link) = devices[id].link {
                    network.mute(ground, link, side);
                }
            }
            Event::Stall(id, side, wait) => {
                if let Some(link) = devices[id].link {
                    network.stall(ground, link, side, wait);
                    block(ground, network, link, side, wait);
                }
            }
            Event::Replay(id) => {
                let frames = devices[id].overheard.clone();
                if !frames.is_empty() && devices[id].kind == Kind::Honest {
                    ground.see(Seen::FramesReplayed);
                    for _ in 0..3 {
                        let text = frames[ground.rng.usize(0..frames.len())].clone();
                        if let Some(link) = devices[id].link {
                            network.send(ground, link, Side::Server, Wire::Text(text));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn server_stops(&mut self, server: Option<&mut Server<'_>>, stop: Stop) -> Next {
        let Some(server) = server.filter(|server| !server.is_draining) else { return Next::GoOn };
        match stop {
            Stop::Crash => {
                self.ground.see(Seen::Crash);
                Next::Stop
            }
            Stop::Drain => {
                self.ground.see(Seen::Drain);
                self.ground.note("drain", || "server: drains".into());
                server.is_draining = true;
                server.service.simulate_begin_drain();
                let wait = self.ground.between(100, 10_000);
                self.ground.after(wait, Event::DrainEnds);
                Next::GoOn
            }
        }
    }

    /// From here on nothing goes wrong any more, and what is broken is mended.
    fn heal(&mut self, server: Option<&mut Server<'_>>) -> Next {
        self.ground.healed = true;
        self.ground.note("heal", || "nothing goes wrong any more".into());
        self.is_full = false;
        for (id, device) in self.devices.iter_mut().enumerate() {
            device.offline_until = 0;
            if device.kind == Kind::Honest && !device.is_running() {
                self.ground.after(100, Event::WalletStarts(id));
            }
        }
        let Some(server) = server else { return Next::GoOn };
        server.store.set_full(false);
        server.store.recover();
        Next::GoOn
    }

    fn finish(&mut self, server: &Server<'_>) {
        if self.ground.checker.violation.is_some() {
            return;
        }
        let pending = server.service.pending();
        if pending != 0 {
            self.ground.checker.report("requests are pending at the end", || pending.to_string());
        }
        server.callers.finish(&mut self.ground);
        if !server.service.simulate_is_idle() {
            self.ground.checker.report("something is left of requests that are over", || "in the service".into());
        }
        for device in &self.devices {
            device.finish(&mut self.ground);
        }
        let kept = Arc::clone(&self.ground.disk);
        self.ground.checker.finished(&disk(&kept));
    }
}

/// Another who writes to the same store ends a request: by its wallet's signature, which is the same wherever it is given, or otherwise.
fn end_elsewhere(ground: &mut Ground) {
    let kept = Arc::clone(&ground.disk);
    let mut disk = disk(&kept);
    let now = ground.server_time();
    let is_open = |record: &&Record| record.end.is_none() && record.expires_at > now;
    let open: Vec<_> = disk.records().filter(is_open).cloned().collect();
    let Some(record) = open.get(ground.rng.usize(..open.len().max(1))) else { return };
    let key = KEYS.iter().find(|(_, public)| public.to_bytes() == record.public_key);
    let end = match key.filter(|_| ground.chance(50)) {
        Some((key, _)) => {
            End::Signed { signature: Signable::Message(&record.message).sign(key), approved_by: None, device: None }
        }
        None => End::Cancelled,
    };
    ground.see(Seen::EndedElsewhere);
    ground.note(("ended elsewhere", record.id), || format!("store: {} is ended by another: {end:?}", record.id));
    disk.end_elsewhere(record.id, end, now);
}

/// A connection that stalls towards the wallet keeps the server from writing, once its buffers are full.
fn block(ground: &mut Ground, network: &mut Network, link: LinkId, side: Side, wait: u64) {
    if side == Side::Wallet && ground.chance(50) {
        network.link(link).is_blocked = true;
        ground.after(wait.min(WRITE_TIMEOUT), Event::Unblock(link));
    }
}
