//! Everything together, from the first event to the last.

use super::{
    backends::Backends,
    coverage::{Coverage, Seen},
    events::{DeviceId, Event, LinkId, Side},
    ground::{Ground, Options},
    invariants::Violation,
    keeper::Keeper,
    network::{Network, Wire},
    operator,
    plan::{KEYS, Kind, Plan},
    server::WRITE_TIMEOUT,
    servers::{Lives, Servers},
    storage::disk,
    wallets::Device,
};
use countersign_protocol::Signable;
use countersign_server::{End, Record};
use countersign_wasm::wallet::Closed;
use std::sync::{Arc, LazyLock};
use tokio::runtime::{Builder, Runtime};

/// A run with more events than this goes round in circles.
const MOST_EVENTS: u64 = 50_000;

/// Where the service's own timers live, such as that of a look-up. None of them ever comes due: nothing here takes any time.
static TIMERS: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_time().build().unwrap());

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
    let _timers = TIMERS.enter();
    let lives = Lives::default();
    let mut world = World::new(seed, options, &lives);
    while let Some(event) = world.next() {
        world.handle(event);
        world.settle();
    }
    let World { ground, events, .. } = world;
    let (hash, lines) = ground.trace.finish();
    Outcome { violation: ground.checker.violation, coverage: ground.coverage, hash, lines, events }
}

struct World<'a> {
    ground: Ground,
    network: Network,
    servers: Servers<'a>,
    devices: Vec<Device>,
    backends: Backends,
    is_over: bool,
    events: u64,
}

impl<'a> World<'a> {
    fn new(seed: u64, options: Options, lives: &'a Lives) -> Self {
        let mut ground = Ground::new(seed, options);
        disk(&Arc::clone(&ground.disk)).fault = options.fault;
        let plan = Plan::new(&mut ground);
        ground.note(("plan", seed), || format!("seed {seed}: {plan:?}"));
        let devices = (0..).zip(&plan.devices);
        let devices = devices.map(|(id, (key, kind))| Device::new(&mut ground, id, *key, *kind)).collect();
        plan.misfortunes(&mut ground);
        let backends = Backends::new(&mut ground, &plan);
        let network = Network::new(plan.latency);
        let servers = Servers::new(&plan, lives);
        Self { ground, network, servers, devices, backends, is_over: false, events: 0 }
    }

    /// The next event; none when all is over.
    fn next(&mut self) -> Option<Event> {
        if self.is_over || self.ground.checker.violation.is_some() {
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

    fn settle(&mut self) {
        self.servers.settle(&mut self.ground, &mut self.network, &mut self.backends);
    }

    /// The event, unless who has to do something with it cannot yet.
    fn due(&mut self, event: Event) -> Option<Event> {
        let device = event.device().or_else(|| Some(self.network.link(event.wallets_link()?).device));
        if let Some(until) = device.map(|id| self.devices[id].asleep_until).filter(|until| *until > self.ground.now) {
            self.ground.at(until, event);
            return None;
        }
        let server = event.server().or_else(|| Some(self.network.link(event.servers_link()?).server));
        match server {
            Some(server) => self.servers.defer(&mut self.ground, server, event),
            None => Some(event),
        }
    }

    fn handle(&mut self, event: Event) {
        let Some(event) = self.due(event) else { return };
        let Self { ground, network, servers, backends, .. } = self;
        match event {
            Event::ServerStarts(id) => servers.start(ground, id),
            Event::ServerStops(id, stop) => servers.stop(ground, network, backends, (id, stop)),
            Event::ServerPauses(id, for_ms) => servers.pause(ground, id, for_ms),
            Event::CutOff(id, for_ms) => servers.cut_off(ground, id, for_ms),
            Event::Deaf(id, for_ms, is_noticed) => ground.database.deafen(ground.now, id, for_ms, is_noticed),
            Event::Outage(for_ms, is_failover) => servers.outage(ground, for_ms, is_failover),
            Event::DrainEnds(life) => servers.end_drain(ground, network, backends, life),
            Event::Heal => self.heal(),
            Event::Over => self.finish(),
            Event::Full(full) => servers.set_full(ground, full),
            Event::DiskFails => servers.fail_disk(ground),
            Event::DiskRecovers => servers.recover_disk(ground),
            Event::EndedElsewhere => end_elsewhere(ground),
            Event::Operator(act) => operator::act(ground, servers, act),
            Event::LooksAtBlocks(life) => {
                if let Some(server) = servers.life(life) {
                    server.look_at_blocks(ground);
                }
            }
            Event::ClockSet(by_ms) => servers.set_clock(ground, by_ms),
            Event::LimitsSet(id, lower) => servers.set_limits(ground, id, lower),
            Event::ServiceTimer(_)
            | Event::ConversationTimer(_)
            | Event::Judge(_)
            | Event::Sync(_)
            | Event::Turn(..)
            | Event::Answer(..)
            | Event::Renew(_)
            | Event::LetterComes(_)
            | Event::Unblock(_)
            | Event::Arrive(..)
            | Event::Lost(..)
            | Event::Reach { .. } => self.handle_traffic(event),
            Event::Ask(call, body) => backends.ask(ground, servers, (call, body)),
            Event::AskAt(server, call, body) => backends.ask_at(ground, servers, server, (call, body)),
            Event::HangUp(call) => backends.hang_up(ground, servers, call),
            Event::Cancel(call) => backends.cancel(ground, servers, call),
            Event::LookUp(call) => backends.look_up(ground, servers, call),
            Event::Sought(life, ticket) => {
                if let Some(server) = servers.life(life) {
                    server.callers.give_up_seeking(ticket);
                }
            }
            Event::EndOverdue(call) => backends.end_overdue(ground, servers, call),
            Event::Overdue(call) => backends.overdue(ground, servers, call),
            Event::AcceptOverdue(call, ticket) => backends.accept_overdue(ground, servers, (call, ticket)),
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
    }

    fn handle_traffic(&mut self, event: Event) {
        let Self { ground, network, servers, devices, .. } = self;
        match event {
            Event::ServiceTimer(life) => {
                if let Some(server) = servers.life(life) {
                    server.service_timer(ground);
                }
            }
            Event::Sync(life) => {
                if let Some(Keeper::Disk(drive)) = servers.life(life).map(|server| &mut server.keeper) {
                    drive.sync(ground);
                }
            }
            Event::Turn(life, _) | Event::Answer(life, _) | Event::Renew(life) | Event::LetterComes(life) => {
                if let Some(Keeper::Database(worker)) = servers.life(life).map(|server| &mut server.keeper) {
                    worker.handle(ground, &event);
                }
            }
            Event::ConversationTimer(link) => {
                if let Some(server) = servers.running(network.link(link).server) {
                    server.conversation_timer(ground, network, link);
                }
            }
            Event::Judge(link) => {
                if let Some(server) = servers.running(network.link(link).server) {
                    server.judge(ground, network, link);
                }
            }
            Event::Unblock(link) => {
                if std::mem::take(&mut network.link(link).is_blocked)
                    && ground.mishap(40)
                    && let Some(server) = servers.running(network.link(link).server)
                {
                    ground.see(Seen::WriteTimedOut);
                    server.lose(ground, network, link);
                }
            }
            Event::Arrive(link, Side::Server) => {
                let Some(wire) = network.arrive(link, Side::Server) else { return };
                let Some(server) = servers.running(network.link(link).server) else { return };
                if network.is_blocked(link) {
                    network.put_back(ground, link, Side::Server, wire);
                } else {
                    server.incoming(ground, network, link, wire);
                }
            }
            Event::Arrive(link, Side::Wallet) => {
                let Some(wire) = network.arrive(link, Side::Wallet) else { return };
                let device = network.link(link).device;
                devices[device].incoming(ground, network, link, wire);
            }
            Event::Lost(link, Side::Server) => {
                if let Some(server) = servers.running(network.link(link).server) {
                    server.lose(ground, network, link);
                }
            }
            Event::Lost(link, Side::Wallet) => {
                let device = network.link(link).device;
                devices[device].lost(ground, network, link, Closed::Code(1006, String::new()));
            }
            Event::Reach { device, dial } => self.reach(device, dial),
            _ => {}
        }
    }

    fn reach(&mut self, id: DeviceId, dial: u64) {
        let Self { ground, network, servers, devices, .. } = self;
        if devices[id].dial != dial {
            return;
        }
        let at = devices[id].server(ground, servers.len());
        if let Some(until) = servers.paused_until(ground, at) {
            return ground.at(until, Event::Reach { device: id, dial });
        }
        let is_offline = devices[id].offline_until > ground.now;
        match servers.running(at) {
            Some(server) if !is_offline && !ground.mishap(3) => {
                let link = network.connect(id, at);
                devices[id].reached(ground, network, dial, Some(link));
                ground.note(("connect", id, at, link), || format!("device {id}: connection {link} to server {at}"));
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

    /// From here on nothing goes wrong any more, and what is broken is mended.
    fn heal(&mut self) {
        self.ground.healed = true;
        self.ground.note("heal", || "nothing goes wrong any more".into());
        for (id, device) in self.devices.iter_mut().enumerate() {
            device.offline_until = 0;
            if device.kind == Kind::Honest && !device.is_running() {
                self.ground.after(100, Event::WalletStarts(id));
            }
        }
        self.servers.heal(&mut self.ground);
    }

    fn finish(&mut self) {
        self.is_over = true;
        self.servers.finish(&mut self.ground);
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
    let now = ground.time_of_day();
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
