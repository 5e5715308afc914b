//! The host's side: wallets of this node that requests of others are put to.

use super::{super::State, Cluster};
use crate::{
    SigningService,
    cluster::{Exhausted, Mail, NodeId, Presence, RemoteRequest, Step, Taken},
    dispatch::SignFrame,
    record::Record,
    service::{completed::Completed, handle::Handle, mailbox},
    storage::{Completion, StoreError},
    time::Timestamp,
};
use countersign_protocol::{
    ClientFrame, ConnectionId, RequestCancel, RequestId, RequestStatus, ResponseAck, ServerFrame, SignRequest,
    WalletState,
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// How long to wait for a request to find its owner, before the database is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

impl SigningService {
    /// Passes on what a wallet says about a request of another node; false where it is to be answered here.
    pub(in crate::service) fn pass_on(
        &self,
        state: &mut State,
        connection: ConnectionId,
        id: RequestId,
        frame: impl FnOnce() -> ClientFrame,
    ) -> bool {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return false };
        if let Some(remote) = cluster.remote_requests.get_mut(connection, id) {
            let frame = frame();
            let text = frame.to_json();
            if !matches!(frame, ClientFrame::RequestStatus(_)) {
                remote.answer = Some(text.clone());
            }
            cluster.links.post(remote.owner, Mail::FromWallet { connection, frame: text });
            return true;
        }
        !dispatcher.has_heard_of(id) && self.inquire(cluster, connection, id, frame().to_json())
    }

    /// Likewise an answer that has been judged here, while its request may have become another node's. Where the wallet is on another node, that
    /// says it again.
    pub(in crate::service) fn pass_on_judged(
        &self,
        state: &mut State,
        connection: ConnectionId,
        id: RequestId,
        frame: impl FnOnce() -> ClientFrame,
    ) -> bool {
        if state.cluster.is_none() || state.dispatcher.has_heard_of(id) {
            return false;
        }
        match (state.dispatcher.handle(connection), &mut state.cluster) {
            (Some(Handle::Elsewhere(elsewhere)), Some(cluster)) => {
                cluster.links.post(elsewhere.node, Mail::Mine { connection, request_id: id, mine: false });
                true
            }
            (Some(Handle::Here(_)), Some(_)) => self.pass_on(state, connection, id, frame),
            (None, _) | (_, None) => false,
        }
    }

    /// Looks for a request that a wallet names; false where it names too many.
    fn inquire(&self, cluster: &mut Cluster, connection: ConnectionId, id: RequestId, frame: String) -> bool {
        let is_new = cluster.owner_lookups.add(connection, id, frame);
        if is_new == Some(true) {
            self.read_for(connection, id);
        }
        is_new.is_some()
    }

    pub(super) fn read_for(&self, connection: ConnectionId, id: RequestId) {
        let Some(store) = &self.0.store else { return };
        let service = self.clone();
        let then = Completion::new(move |record: Result<Option<Record>, _>| {
            service.complete(Completed::Read { connection, id, record: record.map(|record| record.map(Box::new)) });
        });
        self.0.inline_completions.submit(|| store.read(id, then));
    }

    /// Takes what the database has of a request that a wallet named.
    pub(in crate::service) fn take_read(
        &self,
        state: &mut State,
        connection: ConnectionId,
        id: RequestId,
        record: Result<Option<Box<Record>>, StoreError>,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        let Some((key, _)) = dispatcher.holder(connection) else { return };
        let record = match record {
            Ok(record) => record.filter(|record| record.public_key == key),
            Err(StoreError::Full | StoreError::Failed) => {
                if let Some(lookup) = cluster.owner_lookups.get_mut(connection, id) {
                    lookup.step = Step::Waiting(now.after(ASK_AGAIN));
                }
                return;
            }
        };
        match &record {
            Some(open) if open.end.is_none() => {
                dispatcher.forget_end(id);
                self.take_set_aside(state, id, now);
            }
            Some(ended) => dispatcher.remember(ended),
            None => {}
        }
        state.drop_set_aside(id);
        self.go_on_asking(state, connection, id, record.map(|record| record.node), now);
    }

    /// Goes on looking for a request that a wallet has named, of which the database says that it is kept, and by which node.
    fn go_on_asking(
        &self,
        state: &mut State,
        connection: ConnectionId,
        id: RequestId,
        kept: Option<Option<NodeId>>,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        let (others, is_known) = (cluster.links.others(), cluster.is_known());
        let Some(lookup) = cluster.owner_lookups.get_mut(connection, id) else { return };
        match kept {
            _ if dispatcher.has_heard_of(id) => answer_here(state, connection, id),
            Some(Some(owner)) if others.contains(&owner) => {
                ask(state, connection, id, &BTreeSet::from([owner]), true);
            }
            Some(_) => lookup.step = Step::Waiting(now.after(ASK_AGAIN)),
            // Who has just started does not know yet whom to ask.
            None if !is_known => lookup.step = Step::Waiting(now.after(ASK_AGAIN)),
            None if others.is_empty() => answer_here(state, connection, id),
            None => ask(state, connection, id, &others, false),
        }
    }

    /// Takes the word of a node about a request that a wallet here has named, or that was its own until now.
    pub(super) fn take_mine(
        &self,
        state: &mut State,
        from: NodeId,
        connection: ConnectionId,
        id: RequestId,
        mine: bool,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        if !mine {
            if cluster.remote_requests.get_mut(connection, id).is_some_and(|remote| remote.owner == from)
                && let Some(remote) = cluster.remote_requests.remove(connection, id)
            {
                self.ask_after(state, (connection, id, remote));
            } else if let Some(exhausted) = cluster.owner_lookups.is_not_of(from, connection, id) {
                conclude(state, connection, id, exhausted, now);
            }
            return;
        }
        let Some(lookup) = cluster.owner_lookups.remove(connection, id) else { return };
        dispatcher.engage(connection, &[id]);
        let is_answer = |frame: &&String| !frame.contains(r#""request_status""#);
        let answer = lookup.frames.iter().rev().find(is_answer).cloned();
        let remote = RemoteRequest { owner: from, frame: None, is_shown: true, batch: None, is_stale: false, answer };
        cluster.remote_requests.insert(connection, id, remote);
        for frame in lookup.frames {
            cluster.links.post(from, Mail::FromWallet { connection, frame });
        }
    }

    /// Finds out what has become of a request that a wallet here has been asked, and whose owner has gone or does not know of it.
    pub(super) fn ask_after(&self, state: &mut State, (connection, id, remote): Taken) {
        let State { cluster: Some(cluster), .. } = state else { return };
        if !remote.is_shown {
            return;
        }
        // It goes on showing it, so it keeps its place.
        let frame = remote.answer.unwrap_or_else(|| received(id));
        if !self.inquire(cluster, connection, id, frame.clone()) {
            // Too much is being looked for: it is told what a wallet is told about what nobody knows.
            state.unanswered.extend([(connection, frame), (connection, received(id))]);
        }
    }

    /// Finds out what has become of a request that a wallet shows, and that was this node's until now. Where the wallet is on another
    /// node, that does so, and is told.
    pub(in crate::service) fn lose_sight(
        &self,
        state: &mut State,
        connection: ConnectionId,
        id: RequestId,
        now: Timestamp,
    ) {
        let State { cluster, dispatcher, .. } = state;
        let is_asked_after = match (dispatcher.handle(connection), cluster) {
            (Some(Handle::Here(_)), Some(cluster)) => self.inquire(cluster, connection, id, received(id)),
            (Some(Handle::Elsewhere(elsewhere)), Some(cluster)) => {
                cluster.links.post(elsewhere.node, Mail::Mine { connection, request_id: id, mine: false });
                false
            }
            (None, _) | (_, None) => false,
        };
        if !is_asked_after {
            dispatcher.release(connection, id, now);
        }
    }

    /// Takes a frame for a wallet of this node.
    pub(super) fn take_for_wallet(
        &self,
        state: &mut State,
        from: NodeId,
        connection: ConnectionId,
        text: String,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        let is_here = dispatcher.handle(connection).is_some_and(|handle| handle.mailbox().is_some());
        if !is_here || dispatcher.holder(connection).is_none() {
            cluster.links.post(from, Mail::Left { connection });
            return;
        }
        match ServerFrame::parse(&text) {
            Ok(ServerFrame::SignRequest(request)) => self.take_request(state, from, connection, request, now),
            Ok(
                ServerFrame::RequestCancel(RequestCancel { request_id, .. })
                | ServerFrame::ResponseAck(ResponseAck { request_id, .. }),
            ) => {
                let remote = cluster.remote_requests.get_mut(connection, request_id);
                let is_anothers = remote.as_ref().is_some_and(|remote| remote.owner != from);
                let is_waiting = remote.is_some_and(|remote| !remote.is_shown);
                // A former owner has no say any more; and what the wallet was never shown need not be taken back.
                if !is_anothers {
                    cluster.remote_requests.take_back(connection, request_id);
                    dispatcher.release(connection, request_id, now);
                    if !is_waiting {
                        self.post(state, connection, mailbox::Mail::Text(text), now);
                    }
                }
            }
            Ok(
                ServerFrame::Challenge(_)
                | ServerFrame::Welcome(_)
                | ServerFrame::Error(_)
                | ServerFrame::Goodbye(_)
                | ServerFrame::Ping(_)
                | ServerFrame::Pong(_),
            )
            | Err(_) => tracing::warn!(node = %from, "a node sent a frame for a wallet that is none of its requests"),
        }
    }

    fn take_request(
        &self,
        state: &mut State,
        from: NodeId,
        connection: ConnectionId,
        request: SignRequest,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        let id = request.request_id;
        if dispatcher.has_heard_of(id) {
            // This node owns it, or has seen its end, or is about to find that it owns it no more, or that the database has no such end.
            let is_over = dispatcher.remembers(id);
            if is_over || dispatcher.may_let_go_of(id) {
                cluster.set_aside.insert((connection, id), (from, request, now));
            }
            if is_over {
                self.read_for(connection, id);
            }
            return;
        }
        let (frame, message) = SignFrame::received(request, now);
        let said = cluster.owner_lookups.remove(connection, id).map(|lookup| lookup.frames).unwrap_or_default();
        let earlier = cluster.remote_requests.remove(connection, id);
        let (was_shown, answer) = earlier.map_or((!said.is_empty(), None), |remote| (remote.is_shown, remote.answer));
        let batch = frame.batch();
        // One of a batch waits for the others.
        let has_place = (was_shown || batch.is_none()) && dispatcher.engage(connection, &[id]);
        let is_shown = has_place || was_shown;
        let frame = (Arc::new(frame), message);
        // A wallet that has answered need not be asked again, only heard.
        let said: Vec<_> = said.into_iter().chain(answer.clone()).collect();
        let remote =
            RemoteRequest { owner: from, frame: Some(frame.clone()), is_shown, batch, is_stale: false, answer };
        if !cluster.remote_requests.insert(connection, id, remote) {
            return;
        }
        let is_heard = !said.is_empty();
        for frame in said {
            cluster.links.post(from, Mail::FromWallet { connection, frame });
        }
        if is_shown && !is_heard {
            // One that it shows is put to it by itself: the rest of its batch may have to wait for room.
            let frame = if batch.is_some() { Arc::new(frame.0.placed(0, 1)) } else { frame.0 };
            self.show(state, connection, frame, now);
        }
    }

    /// Puts to wallets what its owner has sent for them while this node took it for its own, or for over.
    pub(in crate::service) fn take_set_aside(&self, state: &mut State, id: RequestId, now: Timestamp) {
        let Some(cluster) = &mut state.cluster else { return };
        let of_it = cluster.set_aside.extract_if(.., |(_, of), _| *of == id);
        for ((connection, _), (from, mut request, at)) in of_it.collect::<Vec<_>>() {
            let waited = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
            request.expires_in_ms = request.expires_in_ms.saturating_sub(waited);
            if state.cluster.as_ref().is_some_and(|cluster| cluster.links.has(from)) {
                self.take_request(state, from, connection, request, now);
            }
        }
    }

    /// Likewise whatever is not this node's, nor over, as the database has it.
    pub(in crate::service) fn take_all_set_aside(&self, state: &mut State, now: Timestamp) {
        let Some(cluster) = &state.cluster else { return };
        let ids: BTreeSet<_> = cluster.set_aside.keys().map(|(_, id)| *id).collect();
        for id in ids.into_iter().filter(|id| !state.dispatcher.has_heard_of(*id)).collect::<Vec<_>>() {
            self.take_set_aside(state, id, now);
        }
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        cluster.set_aside.retain(|(_, id), _| dispatcher.may_let_go_of(*id));
    }

    fn show(&self, state: &mut State, connection: ConnectionId, frame: Arc<SignFrame>, now: Timestamp) {
        let inflight = state.dispatcher.inflight(connection);
        self.post_request(state, connection, frame, inflight, now);
    }

    /// Puts requests of other nodes to wallets that have had no room for them until now.
    pub(in crate::service) fn show_waiting(&self, state: &mut State, now: Timestamp) {
        let Some(cluster) = &state.cluster else { return };
        for (connection, ids) in cluster.remote_requests.waiting() {
            let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
            if !dispatcher.engage(connection, &ids) {
                continue;
            }
            let frames: Vec<_> = ids.iter().filter_map(|id| cluster.remote_requests.show(connection, *id)).collect();
            for (index, frame) in frames.iter().enumerate() {
                self.show(state, connection, Arc::new(frame.placed(index, frames.len())), now);
            }
        }
    }

    /// Has all nodes find a connection that has introduced itself here.
    pub(in crate::service) fn announce(&self, state: &State, connection: ConnectionId) {
        let (Some(hub), Some(cluster)) = (&self.0.hub, &state.cluster) else { return };
        let Some((public_key, device)) = state.dispatcher.holder(connection) else { return };
        let presence = Presence { node: cluster.links.own(), connection, public_key, device };
        let service = self.clone();
        let then = Completion::new(move |announced| service.complete(Completed::Announced { connection, announced }));
        self.0.inline_completions.submit(|| hub.announce(presence, then));
    }

    pub(in crate::service) fn take_announced(
        state: &mut State,
        connection: ConnectionId,
        announced: Result<(), StoreError>,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
        let Some((public_key, device)) = dispatcher.holder(connection) else { return };
        match announced {
            Ok(()) => cluster.links.post_to_all(&Mail::Arrived { connection, public_key, device }),
            Err(StoreError::Full | StoreError::Failed) => {
                cluster.unannounced.insert(connection);
                cluster.retry(now);
            }
        }
    }

    /// Has nobody find a connection of this node any more.
    pub(in crate::service) fn depart(&self, state: &mut State, connection: ConnectionId) {
        let (Some(hub), State { cluster: Some(cluster), dispatcher, .. }) = (&self.0.hub, state) else { return };
        // One that is being closed may still have named requests.
        cluster.remote_requests.leave(connection);
        cluster.set_aside.retain(|(of, _), _| *of != connection);
        cluster.owner_lookups.leave(connection);
        cluster.unannounced.remove(&connection);
        if dispatcher.holder(connection).is_none() {
            return;
        }
        cluster.links.post_to_all(&Mail::Left { connection });
        hub.withdraw(connection);
    }
}

impl State {
    /// Drops what others have sent of a request, unless it may still show that it is theirs.
    pub(in crate::service) fn drop_set_aside(&mut self, id: RequestId) {
        let Self { cluster: Some(cluster), dispatcher, .. } = self else { return };
        if !dispatcher.may_let_go_of(id) {
            cluster.set_aside.retain(|(_, of), _| *of != id);
        }
    }
}

/// What a wallet says that shows a request.
fn received(request_id: RequestId) -> String {
    ClientFrame::RequestStatus(RequestStatus { request_id, state: WalletState::Received }).to_json()
}

/// Asks nodes whether a request is theirs.
fn ask(state: &mut State, connection: ConnectionId, id: RequestId, nodes: &BTreeSet<NodeId>, is_kept: bool) {
    let State { cluster: Some(cluster), dispatcher, .. } = state else { return };
    let Some((public_key, device)) = dispatcher.holder(connection) else { return };
    let Some(lookup) = cluster.owner_lookups.get_mut(connection, id) else { return };
    lookup.step = Step::Asking { left: nodes.clone(), is_kept };
    for node in nodes {
        let device = device.clone();
        cluster.links.post(*node, Mail::WhoseIs { connection, public_key, device, request_id: id });
    }
}

/// Answers here what a wallet has said about a request: it is this node's by now, or has ended, or is nobody's.
fn answer_here(state: &mut State, connection: ConnectionId, id: RequestId) {
    let Some(lookup) = state.cluster.as_mut().and_then(|cluster| cluster.owner_lookups.remove(connection, id)) else {
        return;
    };
    state.unanswered.extend(lookup.frames.into_iter().map(|frame| (connection, frame)));
}

/// None of the nodes that were asked has the request.
pub(super) fn conclude(
    state: &mut State,
    connection: ConnectionId,
    id: RequestId,
    exhausted: Exhausted,
    now: Timestamp,
) {
    match exhausted {
        Exhausted::Unknown => answer_here(state, connection, id),
        Exhausted::AskAgain => {
            if let Some(lookup) = state.cluster.as_mut().and_then(|c| c.owner_lookups.get_mut(connection, id)) {
                lookup.step = Step::Waiting(now.after(ASK_AGAIN));
            }
        }
    }
}
