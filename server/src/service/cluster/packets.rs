//! Packets from other nodes, one thing in them after the other.

use super::{
    super::State,
    owner::{meet, part},
};
use crate::{
    SigningService,
    cluster::{Mail, NodeId, Packet, Presence},
    steps::EndedBy,
    time::Timestamp,
};
use countersign_protocol::{ClientFrame, ConnectionId, RequestId};
use smallvec::smallvec;

impl SigningService {
    pub(super) fn take_packets(&self, packets: Vec<Packet>) {
        for packet in packets {
            let from = packet.from;
            for mail in self.take_packet(packet) {
                match mail {
                    // Judged outside the lock.
                    Mail::FromWallet { connection, frame } => self.take_from_wallet(from, connection, &frame),
                    mail => self.take_mail(from, mail),
                }
            }
        }
    }

    fn take_packet(&self, packet: Packet) -> Vec<Mail> {
        let (now, from) = (self.now(), packet.from);
        let mut state = self.state();
        let Some(cluster) = &mut state.cluster else { return Vec::new() };
        let received = cluster.links.receive(packet, now);
        if received.has_begun || received.was_broken {
            cluster.lose_packets(from, now);
            self.repair(&mut state, from, now);
        }
        if received.has_begun {
            // It may have said what it has ended of this node's.
            self.look_for_ends(&mut state);
        }
        self.carry_out(state, now);
        received.mail
    }

    fn take_mail(&self, from: NodeId, mail: Mail) {
        let now = self.now();
        let mut state = self.state();
        self.take_mail_with(&mut state, from, mail, now);
        self.carry_out(state, now);
    }

    fn take_mail_with(&self, state: &mut State, from: NodeId, mail: Mail, now: Timestamp) {
        let State { cluster: Some(cluster), dispatcher, watchers, .. } = &mut *state else { return };
        match mail {
            Mail::Arrived { connection, public_key, device } => {
                meet(state, &Presence { node: from, connection, public_key, device }, now);
                self.0.changed.notify_waiters();
            }
            Mail::Left { connection } => {
                if cluster.presence.node_of(connection) == Some(from) {
                    part(state, connection, now);
                }
            }
            Mail::ForWallet { connection, frame } => self.take_for_wallet(state, from, connection, frame, now),
            Mail::Complete => {
                for remote in cluster.remote_requests.take_stale(from) {
                    self.ask_after(state, remote);
                }
            }
            Mail::WhoseIs { connection, public_key, device, request_id } => {
                let mine = dispatcher.has_heard_of(request_id);
                if mine {
                    if cluster.presence.ask(public_key, now).1 {
                        self.find(vec![public_key], None);
                    }
                    meet(state, &Presence { node: from, connection, public_key, device }, now);
                }
                // What it has just been put must not come before this.
                self.say_whether_mine(state, from, connection, request_id, mine);
            }
            Mail::Mine { connection, request_id, mine } => {
                self.take_mine(state, from, connection, request_id, mine, now);
            }
            Mail::Follow { request_id } => {
                if dispatcher.durable_record(request_id).is_some() {
                    let nodes = cluster.followers.entry(request_id).or_insert_with(|| smallvec![]);
                    if !nodes.contains(&from) {
                        nodes.push(from);
                    }
                } else {
                    cluster.links.post(from, Mail::Changed { request_id });
                }
            }
            Mail::Changed { request_id } => {
                if let Some(watchers) = watchers.get(&request_id) {
                    watchers.send_replace(());
                }
            }
            Mail::Withdraw { request_id, by_operator } => {
                let by = if by_operator { EndedBy::Operator } else { EndedBy::Requester };
                dispatcher.cancel(request_id, by, now);
            }
            Mail::Orphans => {
                // Said by a node that stops.
                cluster.draining.begin(from);
                self.take_over(state);
            }
            // The one is taken elsewhere, the other for those who know what it means.
            Mail::FromWallet { .. } | Mail::Other => {}
        }
    }

    fn say_whether_mine(
        &self,
        state: &mut State,
        to: NodeId,
        connection: ConnectionId,
        request_id: RequestId,
        mine: bool,
    ) {
        if let Some(cluster) = &mut state.cluster {
            cluster.links.post(to, Mail::Mine { connection, request_id, mine });
        }
    }

    /// Takes a frame from a wallet of another node.
    fn take_from_wallet(&self, from: NodeId, connection: ConnectionId, frame: &str) {
        let id = match ClientFrame::parse(frame) {
            Ok(ClientFrame::RequestStatus(status)) => status.request_id,
            Ok(ClientFrame::SignResponse(response)) => response.request_id,
            Ok(ClientFrame::SignReject(reject)) => reject.request_id,
            Ok(ClientFrame::Introduction(_) | ClientFrame::Ping(_) | ClientFrame::Pong(_)) | Err(_) => {
                tracing::warn!(node = %from, "a node sent a frame from a wallet that is about no request");
                return;
            }
        };
        let now = self.now();
        let mut state = self.state();
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        if cluster.presence.node_of(connection) == Some(from) {
            if dispatcher.has_heard_of(id) {
                state.unanswered.push((connection, frame.to_owned()));
            } else {
                self.say_whether_mine(&mut state, from, connection, id, false);
            }
        }
        // Where the connection is not known, it is about to be, and then the wallet is asked once more.
        self.carry_out(state, now);
    }
}
