//! A database that several servers share, but for the requests in it: which nodes there are, what they have announced, and the packets on
//! their way to them.

use super::{
    coverage::Seen,
    environment::{Environment, Fault},
    events::{Event, Millis, ServerId, ServerLife},
};
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use countersign_server::cluster::{NodeId, Packet, Presence};
use std::collections::{BTreeMap, VecDeque};

/// How long a node may be silent before others give it up.
pub(super) const LEASE: Millis = 5_000;

/// A node that lives.
#[derive(Debug)]
struct Node {
    life: ServerLife,
    renewed: Millis,
    is_killed: bool,
    /// Packets to it, in the order in which it gets them.
    packets: VecDeque<Packet>,
    /// It gets no packet before that.
    floor: Millis,
}

/// How a server is connected with the database.
#[derive(Debug, Default, Clone, Copy)]
struct Connection {
    /// Nothing comes through until then.
    cut_until: Millis,
    /// How often it has broken.
    breaks: u64,
    /// No packet comes through until then; and whether that is noticed.
    deaf_until: Millis,
    is_noticed: bool,
    /// When the server at this end began, ended, or goes on after a pause.
    disturbed: Millis,
}

/// What is in the database beside requests, and how each server is connected with it.
#[derive(Debug, Default)]
pub(super) struct Database {
    nodes: BTreeMap<NodeId, Node>,
    presences: Vec<Presence>,
    /// How often presences were forgotten.
    pub(super) oblivions: u64,
    connections: BTreeMap<ServerId, Connection>,
}

impl Database {
    /// Whether servers share it.
    pub(super) fn is_in_use(&self) -> bool {
        !self.nodes.is_empty()
    }

    pub(super) fn is_connected(&self, now: Millis, server: ServerId) -> bool {
        self.connected_at(server) <= now
    }

    /// When what a server asks gets there.
    pub(super) fn connected_at(&self, server: ServerId) -> Millis {
        self.connections.get(&server).map_or(0, |connection| connection.cut_until)
    }

    /// How often a server's connection has broken.
    pub(super) fn breaks(&self, server: ServerId) -> u64 {
        self.connections.get(&server).map_or(0, |connection| connection.breaks)
    }

    /// Since when a server has been running and connected, or is going to be.
    pub(super) fn sound_since(&self, server: ServerId) -> Millis {
        let connection = self.connections.get(&server).copied().unwrap_or_default();
        connection.cut_until.max(connection.deaf_until).max(connection.disturbed)
    }

    /// Since when all of them have been.
    pub(super) fn calm_since(&self) -> Millis {
        self.connections.keys().map(|server| self.sound_since(*server)).max().unwrap_or_default()
    }

    /// A server begins or ends, or does nothing until then.
    pub(super) fn disturb(&mut self, server: ServerId, until: Millis) {
        let connection = self.connections.entry(server).or_default();
        connection.disturbed = connection.disturbed.max(until);
    }

    /// A server does not reach the database, nor that the server, for so long.
    pub(super) fn cut_off(&mut self, now: Millis, server: ServerId, for_ms: Millis) {
        let connection = self.connections.entry(server).or_default();
        connection.cut_until = connection.cut_until.max(now + for_ms);
        connection.breaks += 1;
        for node in self.nodes.values_mut().filter(|node| node.life.server == server) {
            node.packets.clear();
        }
    }

    /// Packets to a server are lost for so long.
    pub(super) fn deafen(&mut self, now: Millis, server: ServerId, for_ms: Millis, is_noticed: bool) {
        let connection = self.connections.entry(server).or_default();
        (connection.deaf_until, connection.is_noticed) = (now + for_ms, is_noticed);
    }

    /// Whether packets to a server were lost of late, and that was noticed; told once.
    pub(super) fn has_noticed_loss(&mut self, now: Millis, server: ServerId) -> bool {
        let Some(connection) = self.connections.get_mut(&server) else { return false };
        connection.deaf_until <= now && std::mem::take(&mut connection.is_noticed)
    }

    /// What was not written to a disk is gone.
    pub(super) fn forget_presences(&mut self) {
        self.presences.clear();
        self.oblivions += 1;
    }

    /// From here on everything comes through.
    pub(super) fn heal(&mut self, now: Millis) {
        for connection in self.connections.values_mut() {
            (connection.cut_until, connection.deaf_until, connection.disturbed) = (0, 0, now);
        }
    }

    pub(super) fn register(&mut self, now: Millis, node: NodeId, life: ServerLife) {
        let (packets, floor) = Default::default();
        self.nodes.insert(node, Node { life, renewed: now, is_killed: false, packets, floor });
    }

    /// Whether the node still is one; it goes on being one then.
    pub(super) fn renew(&mut self, now: Millis, node: NodeId) -> bool {
        let Some(known) = self.nodes.get_mut(&node) else { return false };
        known.renewed = now;
        true
    }

    pub(super) fn has(&self, node: NodeId) -> bool {
        self.nodes.contains_key(&node)
    }

    pub(super) fn others(&self, own: NodeId) -> Vec<NodeId> {
        self.nodes.keys().copied().filter(|node| *node != own).collect()
    }

    /// The process of a node has ended, and the node has not said goodbye.
    pub(super) fn kill(&mut self, node: NodeId) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.is_killed = true;
        }
    }

    pub(super) fn forget_killed(&mut self) {
        self.retain(|node| !node.is_killed);
    }

    /// Gives up nodes whose lease is over; whether there were any whose process goes on.
    pub(super) fn forget_silent(&mut self, now: Millis) -> bool {
        let is_over = |node: &Node| node.renewed + LEASE < now;
        let was_alive = self.nodes.values().any(|node| is_over(node) && !node.is_killed);
        self.retain(|node| !is_over(node));
        was_alive
    }

    pub(super) fn unregister(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        self.presences.retain(|presence| presence.node != node);
    }

    fn retain(&mut self, is_kept: impl Fn(&Node) -> bool) {
        self.nodes.retain(|_, node| is_kept(node));
        self.presences.retain(|presence| self.nodes.contains_key(&presence.node));
    }

    pub(super) fn announce(&mut self, presence: Presence) {
        self.withdraw(presence.connection);
        self.presences.push(presence);
    }

    pub(super) fn withdraw(&mut self, connection: ConnectionId) {
        self.presences.retain(|presence| presence.connection != connection);
    }

    /// The connections of these keys on all living nodes but one.
    pub(super) fn find(&self, own: NodeId, keys: &[PublicKeyBytes]) -> Vec<Presence> {
        let is_wanted = |presence: &&Presence| {
            keys.contains(&presence.public_key) && presence.node != own && self.nodes.contains_key(&presence.node)
        };
        self.presences.iter().filter(is_wanted).cloned().collect()
    }

    /// The next packet to a node.
    pub(super) fn next_packet(&mut self, node: NodeId) -> Option<Packet> {
        self.nodes.get_mut(&node)?.packets.pop_front()
    }
}

/// Brings packets on their way. They arrive late, twice or never; what arrives does so in order, but for what comes twice.
pub(super) fn post(environment: &mut Environment, packets: Vec<Packet>) {
    let times = if environment.mishap(4) { 2 } else { 1 };
    if times == 2 {
        environment.see(Seen::PacketsDoubled);
    }
    for round in 0..times {
        for packet in &packets {
            let mut packet = packet.clone();
            if round == 1 && environment.fault == Some(Fault::HubRenumbersPackets) {
                packet.number += u64::try_from(packets.len()).unwrap_or_default();
            }
            put(environment, packet);
        }
    }
}

fn put(environment: &mut Environment, packet: Packet) {
    let latency = if environment.mishap(3) { environment.between(200, 4_000) } else { environment.between(1, 15) };
    let now = environment.now;
    let Database { nodes, connections, .. } = &mut environment.database;
    let Some(node) = nodes.get_mut(&packet.to).filter(|node| !node.is_killed) else { return };
    let life = node.life;
    let Connection { cut_until, deaf_until, is_noticed, .. } =
        connections.get(&life.server).copied().unwrap_or_default();
    if cut_until > now || deaf_until > now {
        if cut_until <= now && !is_noticed && !packet.mail.is_empty() {
            environment.see(Seen::PacketsLostSilently);
        }
        return;
    }
    node.floor = node.floor.max(now + latency);
    node.packets.push_back(packet);
    let at = node.floor;
    environment.at(at, Event::PacketComes(life));
}
