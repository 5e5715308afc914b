//! Everything together, from the first event to the last.

use super::{
    backends::Backends,
    coverage::{Coverage, Seen},
    environment::{Environment, Options},
    events::{DeviceId, Event, LinkId, Side},
    invariants::Violation,
    network::{Network, Wire},
    operator,
    plan::{KEYS, Kind, Plan},
    server::WRITE_TIMEOUT,
    server_storage::ServerStorage,
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
    let World { environment, events, .. } = world;
    let (hash, lines) = environment.trace.finish();
    Outcome { violation: environment.checker.violation, coverage: environment.coverage, hash, lines, events }
}

struct World<'a> {
    environment: Environment,
    network: Network,
    servers: Servers<'a>,
    devices: Vec<Device>,
    backends: Backends,
    is_over: bool,
    events: u64,
}

impl<'a> World<'a> {
    fn new(seed: u64, options: Options, lives: &'a Lives) -> Self {
        let mut environment = Environment::new(seed, options);
        disk(&Arc::clone(&environment.disk)).fault = options.fault;
        let plan = Plan::new(&mut environment);
        environment.note(("plan", seed), || format!("seed {seed}: {plan:?}"));
        let devices = (0..).zip(&plan.devices);
        let devices = devices.map(|(id, (key, kind))| Device::new(&mut environment, id, *key, *kind)).collect();
        plan.misfortunes(&mut environment);
        let backends = Backends::new(&mut environment, &plan);
        let network = Network::new(plan.latency);
        let servers = Servers::new(&plan, lives);
        Self { environment, network, servers, devices, backends, is_over: false, events: 0 }
    }

    /// The next event; none when all is over.
    fn next(&mut self) -> Option<Event> {
        if self.is_over || self.environment.checker.violation.is_some() {
            return None;
        }
        let (at, event) = self.environment.queue.pop()?;
        self.events += 1;
        if self.events > MOST_EVENTS {
            self.environment.checker.report("the world never comes to rest", || format!("{event:?}"));
        }
        self.environment.set_time(at);
        Some(event)
    }

    fn settle(&mut self) {
        self.servers.settle(&mut self.environment, &mut self.network, &mut self.backends);
    }

    /// The event, unless who has to do something with it cannot yet.
    fn due(&mut self, event: Event) -> Option<Event> {
        let device = event.device().or_else(|| Some(self.network.link(event.wallets_link()?).device));
        if let Some(until) =
            device.map(|id| self.devices[id].asleep_until).filter(|until| *until > self.environment.now)
        {
            self.environment.at(until, event);
            return None;
        }
        let server = event.server().or_else(|| Some(self.network.link(event.servers_link()?).server));
        match server {
            Some(server) => self.servers.defer(&mut self.environment, server, event),
            None => Some(event),
        }
    }

    fn handle(&mut self, event: Event) {
        let Some(event) = self.due(event) else { return };
        let Self { environment, network, servers, backends, .. } = self;
        match event {
            Event::ServerStarts(id) => servers.start(environment, id),
            Event::ServerStops(id, stop) => servers.stop(environment, network, backends, (id, stop)),
            Event::ServerPauses(id, for_ms) => servers.pause(environment, id, for_ms),
            Event::CutOff(id, for_ms) => servers.cut_off(environment, id, for_ms),
            Event::Deaf(id, for_ms, is_noticed) => environment.database.deafen(environment.now, id, for_ms, is_noticed),
            Event::Outage(for_ms, is_failover) => servers.outage(environment, for_ms, is_failover),
            Event::DrainEnds(life) => servers.end_drain(environment, network, backends, life),
            Event::Heal => self.heal(),
            Event::Over => self.finish(),
            Event::Full(full) => servers.set_full(environment, full),
            Event::DiskFails => servers.fail_disk(environment),
            Event::DiskRecovers => servers.recover_disk(environment),
            Event::EndedElsewhere => end_elsewhere(environment),
            Event::Operator(act) => operator::act(environment, servers, act),
            Event::LooksAtBlocks(life) => {
                if let Some(server) = servers.life(life) {
                    server.look_at_blocks(environment);
                }
            }
            Event::ClockSet(by_ms) => servers.set_clock(environment, by_ms),
            Event::LimitsSet(id, lower) => servers.set_limits(environment, id, lower),
            Event::ServiceTimer(_)
            | Event::ConversationTimer(_)
            | Event::Judge(_)
            | Event::Sync(_)
            | Event::Turn(..)
            | Event::Answer(..)
            | Event::Renew(_)
            | Event::PacketComes(_)
            | Event::Unblock(_)
            | Event::Arrive(..)
            | Event::Lost(..)
            | Event::Reach { .. } => self.handle_traffic(event),
            Event::Ask(call, body) => backends.ask(environment, servers, (call, body)),
            Event::AskAt(server, call, body) => backends.ask_at(environment, servers, server, (call, body)),
            Event::HangUp(call) => backends.hang_up(environment, servers, call),
            Event::Cancel(call) => backends.cancel(environment, servers, call),
            Event::LookUp(call) => backends.look_up(environment, servers, call),
            Event::Sought(life, ticket) => {
                if let Some(server) = servers.life(life) {
                    server.callers.give_up_seeking(ticket);
                }
            }
            Event::EndOverdue(call) => backends.end_overdue(environment, servers, call),
            Event::Overdue(call) => backends.overdue(environment, servers, call),
            Event::AcceptOverdue(call, ticket) => backends.accept_overdue(environment, servers, (call, ticket)),
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
        let Self { environment, network, servers, devices, .. } = self;
        match event {
            Event::ServiceTimer(life) => {
                if let Some(server) = servers.life(life) {
                    server.service_timer(environment);
                }
            }
            Event::Sync(life) => {
                if let Some(ServerStorage::Disk(drive)) = servers.life(life).map(|server| &mut server.storage) {
                    drive.sync(environment);
                }
            }
            Event::Turn(life, _) | Event::Answer(life, _) | Event::Renew(life) | Event::PacketComes(life) => {
                if let Some(ServerStorage::Database(worker)) = servers.life(life).map(|server| &mut server.storage) {
                    worker.handle(environment, &event);
                }
            }
            Event::ConversationTimer(link) => {
                if let Some(server) = servers.running(network.link(link).server) {
                    server.conversation_timer(environment, network, link);
                }
            }
            Event::Judge(link) => {
                if let Some(server) = servers.running(network.link(link).server) {
                    server.judge(environment, network, link);
                }
            }
            Event::Unblock(link) => {
                if std::mem::take(&mut network.link(link).is_blocked)
                    && environment.mishap(40)
                    && let Some(server) = servers.running(network.link(link).server)
                {
                    environment.see(Seen::WriteTimedOut);
                    server.lose(environment, network, link);
                }
            }
            Event::Arrive(link, Side::Server) => {
                let Some(wire) = network.arrive(link, Side::Server) else { return };
                let Some(server) = servers.running(network.link(link).server) else { return };
                if network.is_blocked(link) {
                    network.put_back(environment, link, Side::Server, wire);
                } else {
                    server.incoming(environment, network, link, wire);
                }
            }
            Event::Arrive(link, Side::Wallet) => {
                let Some(wire) = network.arrive(link, Side::Wallet) else { return };
                let device = network.link(link).device;
                devices[device].incoming(environment, network, link, wire);
            }
            Event::Lost(link, Side::Server) => {
                if let Some(server) = servers.running(network.link(link).server) {
                    server.lose(environment, network, link);
                }
            }
            Event::Lost(link, Side::Wallet) => {
                let device = network.link(link).device;
                devices[device].lost(environment, network, link, Closed::Code(1006, String::new()));
            }
            Event::Reach { device, dial } => self.reach(device, dial),
            _ => {}
        }
    }

    fn reach(&mut self, id: DeviceId, dial: u64) {
        let Self { environment, network, servers, devices, .. } = self;
        if devices[id].dial != dial {
            return;
        }
        let at = devices[id].server(environment, servers.len());
        if let Some(until) = servers.paused_until(environment, at) {
            return environment.at(until, Event::Reach { device: id, dial });
        }
        let is_offline = devices[id].offline_until > environment.now;
        match servers.running(at) {
            Some(server) if !is_offline && !environment.mishap(3) => {
                let link = network.connect(id, at);
                devices[id].reached(environment, network, dial, Some(link));
                environment
                    .note(("connect", id, at, link), || format!("device {id}: connection {link} to server {at}"));
                if devices[id].kind == Kind::Replayer {
                    let overheard = devices.iter().find(|other| other.kind == Kind::Honest);
                    let overheard = overheard.map(|other| other.overheard.clone());
                    devices[id].hostile.stolen = overheard.unwrap_or_default();
                }
                server.accept(environment, network, link);
            }
            Some(_) | None => devices[id].reached(environment, network, dial, None),
        }
    }

    fn handle_device(&mut self, event: Event) {
        let Self { environment, network, devices, .. } = self;
        match event {
            Event::WalletStarts(id) => devices[id].start(environment, network),
            Event::WalletTimer(id, life) => devices[id].timer(environment, network, life),
            Event::Shelved(id, life) => devices[id].shelved(environment, network, life),
            Event::KeySigns(id, life, task) => devices[id].key_signs(environment, network, life, &task),
            Event::Human(id, life, request, deed) => devices[id].human(environment, network, life, request, deed),
            Event::OwnerConnects(id) => devices[id].connect(environment, network),
            // Everything else is a misfortune.
            _ if environment.healed => {}
            Event::WalletCrashes(id) => devices[id].crash(environment, network),
            Event::OwnerCloses(id) => devices[id].close(environment, network),
            Event::Sleeps(id, for_ms, stands_still) => devices[id].sleep(environment, for_ms, stands_still),
            Event::DeviceClockSet(id, by_ms) => devices[id].set_clock(environment, by_ms),
            Event::Offline(id, wait) => {
                devices[id].offline_until = environment.now + wait;
                if let Some(link) = devices[id].link {
                    network.cut(environment, link);
                }
            }
            Event::Cut(id) => {
                if let Some(link) = devices[id].link {
                    network.cut(environment, link);
                }
            }
            Event::Mute(id, side) => {
                if let Some(link) = devices[id].link {
                    network.mute(environment, link, side);
                }
            }
            Event::Stall(id, side, wait) => {
                if let Some(link) = devices[id].link {
                    network.stall(environment, link, side, wait);
                    block(environment, network, link, side, wait);
                }
            }
            Event::Replay(id) => {
                let frames = devices[id].overheard.clone();
                if !frames.is_empty() && devices[id].kind == Kind::Honest {
                    environment.see(Seen::FramesReplayed);
                    for _ in 0..3 {
                        let text = frames[environment.rng.usize(0..frames.len())].clone();
                        if let Some(link) = devices[id].link {
                            network.send(environment, link, Side::Server, Wire::Text(text));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// From here on nothing goes wrong any more, and what is broken is mended.
    fn heal(&mut self) {
        self.environment.healed = true;
        self.environment.note("heal", || "nothing goes wrong any more".into());
        for (id, device) in self.devices.iter_mut().enumerate() {
            device.offline_until = 0;
            if device.kind == Kind::Honest && !device.is_running() {
                self.environment.after(100, Event::WalletStarts(id));
            }
        }
        self.servers.heal(&mut self.environment);
    }

    fn finish(&mut self) {
        self.is_over = true;
        self.servers.finish(&mut self.environment);
        for device in &self.devices {
            device.finish(&mut self.environment);
        }
        let kept = Arc::clone(&self.environment.disk);
        self.environment.checker.finished(&disk(&kept));
    }
}

/// Another who writes to the same store ends a request: by its wallet's signature, which is the same wherever it is given, or otherwise.
fn end_elsewhere(environment: &mut Environment) {
    let kept = Arc::clone(&environment.disk);
    let mut disk = disk(&kept);
    let now = environment.time_of_day();
    let is_open = |record: &&Record| record.end.is_none() && record.expires_at > now;
    let open: Vec<_> = disk.records().filter(is_open).cloned().collect();
    let Some(record) = open.get(environment.rng.usize(..open.len().max(1))) else { return };
    let key = KEYS.iter().find(|(_, public)| public.to_bytes() == record.public_key);
    let end = match key.filter(|_| environment.chance(50)) {
        Some((key, _)) => {
            End::Signed { signature: Signable::Message(&record.message).sign(key), approved_by: None, device: None }
        }
        None => End::Cancelled,
    };
    environment.see(Seen::EndedElsewhere);
    environment.note(("ended elsewhere", record.id), || format!("store: {} is ended by another: {end:?}", record.id));
    disk.end_elsewhere(record.id, end, now);
}

/// A connection that stalls towards the wallet keeps the server from writing, once its buffers are full.
fn block(environment: &mut Environment, network: &mut Network, link: LinkId, side: Side, wait: u64) {
    if side == Side::Wallet && environment.chance(50) {
        network.link(link).is_blocked = true;
        environment.after(wait.min(WRITE_TIMEOUT), Event::Unblock(link));
    }
}
