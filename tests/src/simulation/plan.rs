//! What a run is made of: how large everything is, and what will go wrong.

use super::{
    environment::{Environment, Fault, START},
    events::{Act, DeviceId, Event, Millis, Side, Stop},
};
use countersign_protocol::{Audience, PublicKey};
use countersign_server::Config;
use ed25519_dalek::SigningKey;
use std::{num::NonZeroU32, sync::LazyLock, time::Duration};

/// Where the server is reached.
pub(super) const AUDIENCE: &str = "wss://sign.example/ws";

/// The same, as the servers have it.
pub(super) static AUDIENCE_URL: LazyLock<Audience> = LazyLock::new(|| AUDIENCE.parse().unwrap());

/// How many servers share a database.
const SIZES: &[usize] = &[1, 2, 2, 2, 3, 3, 3];

/// When nothing goes wrong any more, from the start.
pub(super) const HEALED_AFTER: Millis = 100_000;

/// The longest a request may take.
pub(super) const LONGEST: Millis = 60_000;

/// The keys of all wallets.
pub(super) static KEYS: LazyLock<Vec<(SigningKey, PublicKey)>> = LazyLock::new(|| {
    (1..=3u8)
        .map(|seed| {
            let key = SigningKey::from_bytes(&[seed; 32]);
            let public = PublicKey::of(&key);
            (key, public)
        })
        .collect()
});

/// What kind of wallet a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Honest,
    Hostile,
    /// Says again what it has overheard of others.
    Replayer,
}

/// How a run is made.
#[derive(Debug)]
pub(super) struct Plan {
    /// The servers keep their requests in one database.
    pub(super) shares_database: bool,
    /// How many there are.
    pub(super) servers: usize,
    pub(super) devices: Vec<(usize, Kind)>,
    pub(super) calls: usize,
    pub(super) latency: Millis,
    pub(super) max_inflight: usize,
    /// How many requests a backend's token lets it have open on a server.
    pub(super) max_pending: Option<NonZeroU32>,
    max_pending_per_key: usize,
    max_connections_per_key: usize,
}

impl Plan {
    pub(super) fn new(environment: &mut Environment) -> Self {
        // Clocks are set on single servers alone.
        let shares_database = environment.chance(50) && environment.fault != Some(Fault::DiskKeepsDeadlines);
        let servers = if shares_database { environment.pick(SIZES) } else { 1 };
        let mut devices: Vec<_> = (0..environment.rng.usize(1..=3)).map(|_| (0, Kind::Honest)).collect();
        if environment.chance(60) {
            devices.push((1, Kind::Honest));
        }
        if environment.chance(35) {
            let key = environment.pick(&[0, 0, 2]);
            devices.push((key, Kind::Hostile));
        }
        if environment.chance(20) {
            devices.push((0, Kind::Replayer));
        }
        Self {
            shares_database,
            servers,
            devices,
            calls: environment.rng.usize(3..=9),
            latency: environment.pick(&[5, 50, 400]),
            max_inflight: environment.pick(&[2, 4, 64]),
            max_pending: NonZeroU32::new(environment.pick(&[0, 0, 0, 2])),
            max_pending_per_key: environment.pick(&[4, 1_000]),
            max_connections_per_key: environment.pick(&[4, 16]),
        }
    }

    /// The keys that backends ask for: those that are held, and now and then one that nobody holds.
    pub(super) fn keys(&self) -> Vec<usize> {
        let held = self.devices.iter().filter(|(_, kind)| *kind != Kind::Replayer).map(|(key, _)| *key);
        let held: Vec<_> = held.cycle().take(3 * self.devices.len()).collect();
        held.into_iter().chain([2]).collect()
    }

    /// The rules of the service.
    pub(super) fn config(&self, audience: &Audience) -> Config {
        let mut config = Config::new(vec![audience.clone()]);
        config.max_inflight = self.max_inflight;
        config.max_pending_per_key = self.max_pending_per_key.max(self.max_inflight);
        config.max_connections_per_key = self.max_connections_per_key;
        config.heartbeat = Duration::from_secs(20);
        config.frames_per_second = None;
        config
    }

    /// Puts into the queue all that is going to go wrong, and the time at which it stops.
    pub(super) fn misfortunes(&self, environment: &mut Environment) {
        for server in 0..self.servers {
            environment.after(0, Event::ServerStarts(server));
        }
        for device in 0..self.devices.len() {
            let wait = environment.between(0, 3_000);
            environment.after(wait, Event::WalletStarts(device));
            self.misfortunes_of(environment, device);
        }
        for _ in 0..environment.pick(&[0, 0, 1, 1, 2]) {
            let stop = environment.pick(&[Stop::Crash, Stop::Crash, Stop::Drain]);
            let at = environment.between(3_000, HEALED_AFTER);
            let server = environment.rng.usize(..self.servers);
            environment.after(at, Event::ServerStops(server, stop));
        }
        for _ in 0..environment.pick(&[0, 0, 1, 2]) {
            let server = environment.rng.usize(..self.servers);
            let longest = environment.pick(&[1_500, 4_000, 20_000]);
            let for_ms = environment.between(500, longest);
            let at = environment.between(1_000, HEALED_AFTER - 20_000);
            environment.after(at, Event::ServerPauses(server, for_ms));
        }
        for _ in 0..environment.pick(&[0, 0, 0, 1, 2, 4]) {
            let key = environment.pick(&self.keys());
            let block = Act::Block(key, environment.between(500, 40_000));
            let act = environment.pick(&[Act::EndOne, Act::EndAllOf(key), Act::Disconnect(key), block]);
            let at = environment.between(1_000, HEALED_AFTER);
            environment.after(at, Event::Operator(act));
        }
        if self.shares_database {
            self.misfortunes_of_the_database(environment);
        } else {
            misfortunes_of_the_disk(environment);
        }
        for _ in 0..environment.pick(&[0, 0, 1, 2, 4]) {
            let server = environment.rng.usize(..self.servers);
            let lower =
                (environment.rng.usize(1..=self.max_inflight), environment.pick(&[1, 4]), environment.pick(&[34, 100]));
            let lower = environment.chance(60).then_some(lower);
            let at = environment.between(1_000, HEALED_AFTER);
            environment.after(at, Event::LimitsSet(server, lower));
        }
        environment.at(START + HEALED_AFTER, Event::Heal);
        environment.at(START + HEALED_AFTER + LONGEST + 90_000, Event::Over);
    }

    fn misfortunes_of_the_database(&self, environment: &mut Environment) {
        for server in 0..self.servers {
            for _ in 0..environment.pick(&[0, 0, 1, 2]) {
                let longest = environment.pick(&[1_500, 6_000, 20_000]);
                let for_ms = environment.between(300, longest);
                let event = match environment.rng.u32(0..100) {
                    0..50 => Event::CutOff(server, for_ms),
                    50.. => Event::Deaf(server, for_ms, environment.chance(30)),
                };
                let at = environment.between(1_000, HEALED_AFTER - 20_000);
                environment.after(at, event);
            }
        }
        for _ in 0..environment.pick(&[0, 0, 0, 1]) {
            let for_ms = environment.between(500, 12_000);
            let event = Event::Outage(for_ms, environment.chance(60));
            let at = environment.between(1_000, HEALED_AFTER - 20_000);
            environment.after(at, event);
        }
    }

    fn misfortunes_of(&self, environment: &mut Environment, device: DeviceId) {
        for _ in 0..environment.pick(&[0, 0, 1, 2]) {
            let stands_still = environment.chance(60);
            let wait = environment.pick(&[1_500, 20_000, 70_000]);
            let by_ms = environment.pick(&[-3_600_000, -20_000, 20_000, 3_600_000, 40_000_000_000]);
            let event = match environment.rng.u32(0..100) {
                0..70 => Event::Sleeps(device, environment.between(1_000, wait), stands_still),
                70.. => Event::DeviceClockSet(device, by_ms),
            };
            let at = environment.between(1_000, HEALED_AFTER);
            environment.after(at, event);
        }
        for _ in 0..environment.pick(&[0, 1, 1, 2, 3]) {
            let side = environment.pick(&[Side::Server, Side::Wallet]);
            let event = match environment.rng.u32(0..100) {
                0..25 => Event::WalletCrashes(device),
                25..45 => Event::Cut(device),
                45..55 => Event::Mute(device, side),
                55..68 => Event::Stall(device, side, environment.between(500, 20_000)),
                68..80 => Event::Offline(device, environment.between(500, 30_000)),
                80..90 => Event::Replay(device),
                90.. => Event::OwnerCloses(device),
            };
            let at = environment.between(1_000, HEALED_AFTER);
            environment.after(at, event);
        }
    }
}

fn misfortunes_of_the_disk(environment: &mut Environment) {
    if environment.chance(15) {
        let at = environment.between(1_000, HEALED_AFTER - 30_000);
        environment.after(at, Event::Full(true));
        let end = at + environment.between(2_000, 25_000);
        environment.after(end, Event::Full(false));
    }
    if environment.chance(10) {
        let at = environment.between(5_000, HEALED_AFTER);
        environment.after(at, Event::DiskFails);
        let wait = environment.between(1_000, 20_000);
        let end = if environment.chance(60) { Event::DiskRecovers } else { Event::ServerStops(0, Stop::Crash) };
        environment.after(at + wait, end);
    }
    for _ in 0..environment.pick(&[0, 0, 0, 0, 2, 5]) {
        let at = environment.between(1_000, HEALED_AFTER);
        environment.after(at, Event::EndedElsewhere);
    }
    for _ in 0..environment.pick(&[0, 0, 0, 1, 2]) {
        let by_ms = environment.pick(&[1_500, -1_500, 20_000, -20_000, 3_600_000, -3_600_000, 40_000_000_000]);
        let at = environment.between(1_000, HEALED_AFTER);
        environment.after(at, Event::ClockSet(by_ms));
    }
    // By chance that would hardly ever matter.
    if environment.fault == Some(Fault::DiskKeepsDeadlines) {
        let at = environment.between(1_000, HEALED_AFTER);
        environment.after(at, Event::ClockSet(20_000));
        let wait = environment.between(500, 5_000);
        environment.after(at + wait, Event::ServerStops(0, Stop::Crash));
    }
}
