//! Nodes come and go, and with them what they own.

use super::{super::State, BETWEEN_TAKE_OVERS, Cluster, host::conclude};
use crate::{
    cluster::{Links, Listener, Mail, NodeId, Nodes, Packet},
    dispatch::Ticket,
    record::Record,
    service::{SigningService, completed::Completed, gauge},
    storage::{Completion, StoreError, Written},
    time::Timestamp,
};
use std::{
    collections::{BTreeSet, HashSet},
    mem,
    sync::{Arc, Weak},
};

/// Not the service itself: it holds the hub.
struct Hears(Weak<super::super::Inner>);

impl Listener for Hears {
    fn nodes(&self, nodes: Nodes) {
        if let Some(inner) = self.0.upgrade() {
            SigningService(inner).take_nodes(&nodes);
        }
    }

    fn packets(&self, packets: Vec<Packet>) {
        if let Some(inner) = self.0.upgrade() {
            SigningService(inner).take_packets(packets);
        }
    }

    fn renewed(&self) {
        if let Some(inner) = self.0.upgrade() {
            SigningService(inner).take_renewed();
        }
    }
}

impl SigningService {
    /// Hears from now on what the others say.
    pub(in crate::service) fn listen_to_others(&self) {
        if let Some(hub) = &self.0.hub {
            hub.listen(Box::new(Hears(Arc::downgrade(&self.0))));
        }
    }

    fn take_renewed(&self) {
        let now = self.now();
        let mut state = self.state();
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        let own = cluster.links.own();
        let accepted = mem::take(&mut cluster.accepted_as);
        let mut is_anybodys = accepted.iter().any(|(owner, _)| *owner != own);
        for (owner, ticket) in accepted {
            let written = if owner == own { Written::Done } else { Written::Accepted(Some(owner)) };
            dispatcher.handle_written(ticket, Ok(written), now);
        }
        dispatcher.deliver_held_back(now);
        self.adopt_taken_over(&mut state, now);
        if let Some(cluster) = &mut state.cluster {
            // Under a name that it has no more.
            is_anybodys |= !mem::take(&mut cluster.taken_over).is_empty();
        }
        if is_anybodys {
            self.take_over(&mut state);
        }
        self.carry_out(state, now);
        self.0.changed.notify_waiters();
    }

    /// Goes on with requests that were accepted here, if they are this node's. Who was given up while they were being written owns them no more
    /// under its new name, and another node may have taken them over.
    pub(in crate::service) fn take_accepted(
        &self,
        state: &mut State,
        ticket: Ticket,
        owner: Option<NodeId>,
        now: Timestamp,
    ) {
        let written = match (&mut state.cluster, owner) {
            (Some(cluster), Some(owner)) if cluster.is_known() && owner != cluster.links.own() => {
                cluster.accepted_as.push((owner, ticket));
                return;
            }
            (Some(_), None) => Written::Accepted(None),
            (Some(_) | None, _) => Written::Done,
        };
        state.dispatcher.handle_written(ticket, Ok(written), now);
    }

    fn take_nodes(&self, nodes: &Nodes) {
        let now = self.now();
        let mut state = self.state();
        let Some(cluster) = &mut state.cluster else { return };
        cluster.take_over_at.get_or_insert(now.after(BETWEEN_TAKE_OVERS));
        let known = cluster.links.own();
        if known == NodeId::from_bits(0) {
            // Whoever starts may have been stopped, or another one for it to take its place.
            cluster.draining.end(known, now);
        }
        if nodes.own != known {
            self.become_another(&mut state, nodes.own, known != NodeId::from_bits(0), now);
        }
        self.take_others(&mut state, nodes, now);
        if nodes.forgotten || nodes.own != known {
            for connection in state.dispatcher.introduced() {
                self.announce(&state, connection);
            }
        }
        self.0.changed.notify_waiters();
        self.carry_out(state, now);
    }

    /// The others have given this node up under its former name: what it owned is anybody's, and nobody knows it.
    fn become_another(&self, state: &mut State, own: NodeId, was_known: bool, now: Timestamp) {
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        let former = mem::replace(&mut cluster.links, Links::new(own)).others();
        cluster.followers.clear();
        cluster.taken_over.retain(|record| record.node == Some(own));
        cluster.repairs.clear();
        for connection in cluster.presence.remove_of(None) {
            dispatcher.disconnect(connection, now);
        }
        if was_known {
            self.0.metrics.given_up.inc();
            tracing::warn!(node = %own, "this node was given up by the others, and goes on under another name");
            dispatcher.let_go_of_all();
            // Whoever showed these has been told by its node that nobody knows of them.
            dispatcher.end_out_of_sight(now);
        } else {
            tracing::info!(node = %own, "one of the servers on this database");
        }
        for node in former {
            // It has not gone: what it is being asked it is asked once more.
            if let Some(cluster) = &mut state.cluster {
                cluster.owner_lookups.restart(node, now);
            }
            self.forget(state, node, now);
        }
        if was_known {
            self.take_over(state);
        }
    }

    fn take_others(&self, state: &mut State, nodes: &Nodes, now: Timestamp) {
        let Some(cluster) = &mut state.cluster else { return };
        let before = cluster.links.others();
        let gone = cluster.links.keep(&nodes.others, now);
        let others = cluster.links.others();
        let joined = others.difference(&before).count();
        if nodes.interrupted {
            for node in &others {
                if let Some(cluster) = &mut state.cluster {
                    cluster.links.distrust(*node);
                    cluster.links.begin_anew(*node, now);
                    cluster.lose_packets(*node, now);
                }
                self.repair(state, *node, now);
            }
        }
        for node in &gone {
            tracing::info!(%node, "a node is gone");
            self.forget(state, *node, now);
        }
        if !gone.is_empty() {
            // Before what those have taken in the place of others is put to anybody.
            self.look_for_ends(state);
            self.take_over(state);
        }
        self.0.metrics.other_nodes.set(gauge(others.len()));
        if joined > 0 {
            self.watch_open_keys(state, now);
            // Whoever was found before their node was known.
            let strange = state.cluster.as_mut().map(|cluster| cluster.presence.failed()).unwrap_or_default();
            self.find(strange, None);
        }
    }

    /// Takes a node for gone, with its wallets' connections and its requests.
    fn forget(&self, state: &mut State, node: NodeId, now: Timestamp) {
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        cluster.repairs.remove(&node);
        cluster.draining.end(node, now);
        for connection in cluster.presence.remove_of(Some(node)) {
            dispatcher.disconnect(connection, now);
        }
        cluster.remote_requests.distrust(node);
        let exhausted = cluster.owner_lookups.is_gone(node);
        for remote in cluster.remote_requests.take_stale(node) {
            self.ask_after(state, remote);
        }
        for (connection, id, exhausted) in exhausted {
            conclude(state, connection, id, exhausted, now);
        }
    }

    /// Makes this node the owner of what has none.
    pub(super) fn take_over(&self, state: &mut State) {
        let (Some(hub), Some(cluster)) = (&self.0.hub, &mut state.cluster) else { return };
        if cluster.is_taking_over || state.dispatcher.is_draining() {
            return;
        }
        cluster.is_taking_over = true;
        let service = self.clone();
        let then = Completion::new(move |records| service.complete(Completed::TakenOver(records)));
        self.0.inline_completions.submit(|| hub.take_over(then));
    }

    pub(in crate::service) fn take_taken_over(
        &self,
        state: &mut State,
        records: Result<Vec<Record>, StoreError>,
        now: Timestamp,
    ) {
        let Some(cluster) = &mut state.cluster else { return };
        cluster.is_taking_over = false;
        match records {
            Ok(records) if records.is_empty() => {}
            Ok(records) => {
                cluster.taken_over.extend(records);
                return self.take_over(state);
            }
            Err(StoreError::Full | StoreError::Failed) => cluster.take_over_at = Some(now.after(super::RETRY)),
        }
        self.adopt_taken_over(state, now);
    }

    /// Goes on with what was taken over under the name that this node has. What it has taken under another one waits until it shows whether that is
    /// its name by then.
    fn adopt_taken_over(&self, state: &mut State, now: Timestamp) {
        let Some(cluster) = &mut state.cluster else { return };
        let own = cluster.links.own();
        let is_own = |record: &mut Record| record.node.is_none_or(|node| node == own);
        let mut records: Vec<_> = cluster.taken_over.extract_if(.., is_own).collect();
        if records.is_empty() {
            return;
        }
        self.0.metrics.taken_over.inc_by(u64::try_from(records.len()).unwrap_or(u64::MAX));
        tracing::info!(requests = records.len(), "goes on with requests of a node that is gone");
        records.iter_mut().for_each(|record| record.move_by(self.behind()));
        let ids: HashSet<_> = records.iter().map(|record| record.id).collect();
        // What wallets have said to the former owner, and had no answer to.
        state.unanswered.append(&mut cluster.owner_lookups.take_of(&ids));
        let answers = cluster.remote_requests.take_of(&ids).into_iter();
        state.unanswered.extend(answers.filter_map(|(connection, _, remote)| Some((connection, remote.answer?))));
        state.dispatcher.adopt(records, now);
        self.watch_open_keys(state, now);
        self.0.deadlines.notify_one();
    }

    /// Gives up what this node owns, for others to go on with.
    pub(in crate::service) fn hand_over(&self, state: &State) {
        let (Some(hub), Some(_)) = (&self.0.hub, &state.cluster) else { return };
        let service = self.clone();
        let then = Completion::new(move |handed_over| service.complete(Completed::HandedOver(handed_over)));
        self.0.inline_completions.submit(|| hub.hand_over(then));
    }

    pub(in crate::service) fn take_handed_over(state: &mut State, handed_over: Result<(), StoreError>) {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        // Where that failed they are taken over when this node has gone.
        if handed_over.is_ok() {
            cluster.taken_over.clear();
            dispatcher.let_go_of_all();
            cluster.links.post_to_all(&Mail::Orphans);
        }
    }

    /// Does what is due at `now`.
    pub(in crate::service) fn cluster_timeout(&self, state: &mut State, now: Timestamp) {
        // What there is for the connections that are forgotten below.
        self.carry_out_effects(state, now);
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        if cluster.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        let (packets, broken) = cluster.links.handle_timeout(now);
        if let Some(hub) = self.0.hub.as_ref().filter(|_| !packets.is_empty()) {
            hub.send(packets);
        }
        for connection in cluster.presence.sweep(now, |key| dispatcher.has_open(key)) {
            dispatcher.disconnect(connection, now);
        }
        let again = cluster.owner_lookups.take_due(now);
        for (connection, id) in again {
            self.read_for(connection, id);
        }
        for node in &broken {
            cluster.lose_packets(*node, now);
        }
        let mut repairs: BTreeSet<NodeId> = broken.into_iter().collect();
        if cluster.retry_at.take_if(|due| now >= *due).is_some() {
            cluster.end_checks.retry();
            repairs.append(&mut cluster.repairs);
            let failed = cluster.presence.failed();
            let unannounced = mem::take(&mut cluster.unannounced);
            self.find(failed, None);
            for connection in unannounced {
                self.announce(state, connection);
            }
        }
        for node in repairs {
            self.repair(state, node, now);
        }
        self.check_ends(state);
        let is_due = |cluster: &mut Cluster| cluster.take_over_at.is_some_and(|due| now >= due);
        if state.cluster.as_mut().is_some_and(is_due) {
            if let Some(cluster) = &mut state.cluster {
                cluster.take_over_at = Some(now.after(BETWEEN_TAKE_OVERS));
            }
            self.take_over(state);
        }
    }
}
