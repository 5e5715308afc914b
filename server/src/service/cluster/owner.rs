//! The owner's side: wallets on other nodes that requests of this one are put to.

use super::{super::State, Cluster, FIND_TIMEOUT};
use crate::{
    SigningService,
    cluster::{Knowledge, Mail, NodeId, Presence},
    service::{
        completed::{Completed, Repair},
        handle::{Elsewhere, Handle},
    },
    storage::{Completion, StoreError},
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use std::collections::HashSet;
use tokio::{sync::oneshot, time::timeout};
#[cfg(feature = "http")]
use {crate::SigningError, std::collections::BTreeSet};

/// The most keys that are looked for at once.
const MOST_KEYS: usize = 1_000;

impl SigningService {
    /// Waits until it is known which connections of a key there are on other nodes, where that matters: whoever has a wallet here goes on
    /// at once, and others are asked as soon as they are found. False where nobody can tell.
    pub(crate) async fn locate(&self, key: &PublicKeyBytes) -> bool {
        if self.0.hub.is_none() {
            return true;
        }
        // A server that has just started takes calls before it knows whom else there is to ask.
        self.until(FIND_TIMEOUT, |state| is_anybody_known(state) || state.dispatcher.connections_of(key) > 0).await;
        if !is_anybody_known(&self.state()) {
            return false;
        }
        let Some(found) = self.seek(key) else { return true };
        // Not told in time, or not at all.
        matches!(timeout(FIND_TIMEOUT, found).await, Ok(Ok(true)))
    }

    /// Has the connections of a key on other nodes looked for; none where there is nothing to wait for.
    pub(crate) fn seek(&self, key: &PublicKeyBytes) -> Option<oneshot::Receiver<bool>> {
        self.0.hub.as_ref()?;
        let now = self.now();
        let mut state = self.state();
        let State { cluster, dispatcher, .. } = &mut *state;
        let cluster = cluster.as_mut().filter(|cluster| !cluster.links.others().is_empty())?;
        let (knowledge, is_new) = cluster.presence.ask(*key, now);
        let found = (knowledge != Knowledge::Known && dispatcher.connections_of(key) == 0).then(|| {
            let (seeker, found) = oneshot::channel();
            cluster.seekers.entry(*key).or_default().push(seeker);
            found
        });
        if is_new {
            self.find(vec![*key], None);
        }
        self.carry_out(state, now);
        found
    }

    /// How many connections on all nodes hold a key.
    ///
    /// # Errors
    /// [`SigningError::StorageUnavailable`].
    #[cfg(feature = "http")]
    pub(crate) async fn connections_everywhere(&self, key: &PublicKeyBytes) -> Result<usize, SigningError> {
        let here = self.state().dispatcher.connections_here(key);
        Ok(here + self.find_elsewhere(key).await?.len())
    }

    /// Whether it is known which nodes there are, where there may be any: until then nobody finds a wallet that comes here.
    #[cfg(feature = "http")]
    pub(crate) fn knows_the_others(&self) -> bool {
        is_anybody_known(&self.state())
    }

    /// Which of several nodes this is; none where it is the only one, or has no name yet.
    #[cfg(feature = "http")]
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.0.hub.as_ref()?;
        let own = self.state().cluster.as_ref().map(|cluster| cluster.links.own());
        own.filter(|own| *own != NodeId::from_bits(0))
    }

    /// The nodes that have a connection of a key.
    ///
    /// # Errors
    /// [`SigningError::StorageUnavailable`].
    #[cfg(feature = "http")]
    pub(crate) async fn holders(&self, key: &PublicKeyBytes) -> Result<BTreeSet<NodeId>, SigningError> {
        let is_here = self.state().dispatcher.connections_here(key) > 0;
        let own = self.node().filter(|_| is_here);
        Ok(self.find_elsewhere(key).await?.into_iter().map(|presence| presence.node).chain(own).collect())
    }

    /// The connections of a key on other nodes.
    #[cfg(feature = "http")]
    async fn find_elsewhere(&self, key: &PublicKeyBytes) -> Result<Vec<Presence>, SigningError> {
        let Some(hub) = &self.0.hub else { return Ok(Vec::new()) };
        let (finder, found) = oneshot::channel();
        // Fails only where nobody waits for it any more.
        hub.find(vec![*key], Completion::new(move |found| drop(finder.send(found))));
        match timeout(FIND_TIMEOUT, found).await {
            Ok(Ok(Ok(elsewhere))) => Ok(elsewhere),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Err(SigningError::StorageUnavailable),
        }
    }

    /// Watches the keys of everything that is open.
    pub(in crate::service) fn watch_open_keys(&self, state: &mut State, now: Timestamp) {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        if cluster.links.others().is_empty() {
            return;
        }
        let mut keys = dispatcher.open_keys();
        keys.retain(|key| cluster.presence.ask(*key, now).1);
        self.find(keys, None);
    }

    /// Looks for keys.
    pub(super) fn find(&self, mut keys: Vec<PublicKeyBytes>, repair: Option<Repair>) {
        let Some(hub) = &self.0.hub else { return };
        while !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(MOST_KEYS));
            let repair = repair.clone().map(|repair| Repair { is_last: rest.is_empty(), ..repair });
            let (service, asked) = (self.clone(), keys.clone());
            let then = Completion::new(move |found| service.complete(Completed::Found { keys: asked, found, repair }));
            self.0.inline_completions.submit(|| hub.find(keys, then));
            keys = rest;
        }
    }

    /// Takes note of which connections hold keys that were looked for.
    pub(in crate::service) fn take_found(
        &self,
        state: &mut State,
        keys: &[PublicKeyBytes],
        found: Result<Vec<Presence>, StoreError>,
        repair: Option<Repair>,
        now: Timestamp,
    ) {
        let Some(cluster) = &mut state.cluster else { return };
        let knowledge = if found.is_ok() { Knowledge::Known } else { Knowledge::Failed };
        if found.is_err() {
            cluster.repairs.extend(repair.as_ref().map(|repair| repair.node));
            cluster.retry(now);
        }
        let repair = repair.filter(|_| knowledge == Knowledge::Known);
        let found = found.unwrap_or_default();
        let told = cluster.take_knowledge(keys, knowledge, &found, now);
        let seekers: Vec<_> = told.iter().filter_map(|key| cluster.seekers.remove(key)).flatten().collect();
        let there: HashSet<_> = found.iter().map(|presence| presence.connection).collect();
        for connection in
            repair.iter().flat_map(|repair| cluster.presence.of_keys(&repair.known, keys)).collect::<Vec<_>>()
        {
            if there.contains(&connection) {
                state.dispatcher.put_again(connection, now);
            } else {
                cluster.presence.remove(connection);
                state.dispatcher.disconnect(connection, now);
            }
        }
        for presence in found {
            meet(state, &presence, now);
        }
        self.0.changed.notify_waiters();
        self.carry_out_effects(state, now);
        if let Some(cluster) = &mut state.cluster
            && let Some(Repair { node, .. }) = repair.filter(|repair| repair.is_last)
        {
            cluster.links.post(node, Mail::Complete);
        }
        for seeker in seekers {
            // Fails only where the caller is gone.
            let _ = seeker.send(knowledge == Knowledge::Known);
        }
    }

    /// Looks for the connections of a node, and puts everything to them again.
    pub(super) fn repair(&self, state: &mut State, node: NodeId, now: Timestamp) {
        // What there is for connections that may be forgotten here.
        self.carry_out_effects(state, now);
        let Some(cluster) = &mut state.cluster else { return };
        self.0.metrics.link_resyncs.inc();
        let keys = cluster.presence.keys();
        if keys.is_empty() {
            for connection in cluster.presence.remove_of(Some(node)) {
                state.dispatcher.disconnect(connection, now);
            }
            cluster.links.post(node, Mail::Complete);
        } else {
            let known = cluster.presence.of_node(node);
            self.find(keys, Some(Repair { node, known, is_last: true }));
        }
    }

    /// Has whoever owns a request say when it changes.
    pub(in crate::service) fn follow(&self, id: RequestId, owner: NodeId) {
        self.tell_owner(owner, Mail::Follow { request_id: id });
    }

    pub(in crate::service) fn tell_owner(&self, owner: NodeId, mail: Mail) {
        let now = self.now();
        let mut state = self.state();
        if let Some(cluster) = &mut state.cluster {
            cluster.links.post(owner, mail);
        }
        self.carry_out(state, now);
    }
}

impl Cluster {
    /// Takes note of how looking for keys went, and gives those of which that is known. A wallet of a node that has just come cannot be asked before
    /// that is known, and its key is looked for again.
    fn take_knowledge(
        &mut self,
        keys: &[PublicKeyBytes],
        knowledge: Knowledge,
        found: &[Presence],
        now: Timestamp,
    ) -> Vec<PublicKeyBytes> {
        let strange: HashSet<_> =
            found.iter().filter(|found| !self.links.has(found.node)).map(|found| found.public_key).collect();
        let (again, told): (Vec<_>, Vec<_>) = keys.iter().copied().partition(|key| strange.contains(key));
        self.presence.found(&told, knowledge);
        if !again.is_empty() {
            self.presence.found(&again, Knowledge::Failed);
            self.retry(now);
        }
        told
    }
}

/// Whether it is known which nodes there are, where there may be any.
fn is_anybody_known(state: &State) -> bool {
    state.cluster.as_ref().is_none_or(Cluster::is_known)
}

/// Makes a connection of another node known, if its key is watched.
pub(super) fn meet(state: &mut State, presence: &Presence, now: Timestamp) {
    let Some(cluster) = &mut state.cluster else { return };
    if !cluster.links.has(presence.node) || !cluster.presence.add(presence) {
        return;
    }
    let Presence { node, connection, public_key, ref device } = *presence;
    let handle = Handle::Elsewhere(Elsewhere::on(node));
    state.dispatcher.connect_elsewhere(connection, public_key, device.clone(), handle, now);
}

/// Forgets a connection of another node.
pub(super) fn part(state: &mut State, connection: ConnectionId, now: Timestamp) {
    let Some(cluster) = &mut state.cluster else { return };
    if cluster.presence.remove(connection) {
        state.dispatcher.disconnect(connection, now);
    }
}
