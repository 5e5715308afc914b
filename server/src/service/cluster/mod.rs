//! One of several nodes: the service's side of it. What is known here of the others, and when something is due.

mod drain;
mod ends;
mod host;
mod membership;
mod owner;
mod packets;
#[cfg(test)]
mod tests;

use crate::{
    cluster::{DrainingNodes, EndChecks, Links, Mail, NodeId, OwnerLookups, Packet, PresenceCache, RemoteRequests},
    dispatch::Ticket,
    record::Record,
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId, SignRequest};
use smallvec::SmallVec;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use tokio::sync::oneshot;

/// How long to wait before what the database could not do is asked of it again.
const RETRY: Duration = Duration::from_secs(1);

/// How often it is looked for requests without an owner, beside when a node has gone.
const BETWEEN_TAKE_OVERS: Duration = Duration::from_secs(10);

/// The longest that a caller waits for the wallets on other nodes to be found.
pub(super) const FIND_TIMEOUT: Duration = Duration::from_secs(2);

/// What this node knows of the others.
#[derive(Debug)]
pub(super) struct Cluster {
    links: Links,
    presence: PresenceCache,
    remote_requests: RemoteRequests,
    owner_lookups: OwnerLookups,
    /// What other nodes have sent for wallets here while this node took it for its own, or for over, and when: where it shows that it is not,
    /// the wallet is asked, and answers again.
    set_aside: BTreeMap<(ConnectionId, RequestId), (NodeId, SignRequest, Timestamp)>,
    /// The nodes on which somebody follows a request of this one.
    followers: HashMap<RequestId, SmallVec<[NodeId; 1]>>,
    /// Who waits for a key to have been looked for; told whether it was.
    seekers: HashMap<PublicKeyBytes, Vec<oneshot::Sender<bool>>>,
    draining: DrainingNodes,
    end_checks: EndChecks,
    /// Nodes whose connections are to be looked for once more.
    repairs: BTreeSet<NodeId>,
    /// Connections of this node that the database does not know of yet.
    unannounced: BTreeSet<ConnectionId>,
    /// Requests without an owner are being taken over, and these have been: not one by one, as those of a batch are shown together.
    is_taking_over: bool,
    taken_over: Vec<Record>,
    /// When they are next.
    take_over_at: Option<Timestamp>,
    /// Requests that were accepted here under another name than this node is known by: it shows with the next renewal whether that is a former one.
    accepted_as: Vec<(NodeId, Ticket)>,
    retry_at: Option<Timestamp>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self {
            // None but the database gives it a name.
            links: Links::new(NodeId::from_bits(0)),
            presence: PresenceCache::default(),
            remote_requests: RemoteRequests::default(),
            owner_lookups: OwnerLookups::default(),
            set_aside: BTreeMap::new(),
            followers: HashMap::new(),
            seekers: HashMap::new(),
            draining: DrainingNodes::default(),
            end_checks: EndChecks::default(),
            repairs: BTreeSet::new(),
            unannounced: BTreeSet::new(),
            is_taking_over: false,
            taken_over: Vec::new(),
            take_over_at: None,
            accepted_as: Vec::new(),
            retry_at: None,
        }
    }

    /// When [`SigningService::handle_timeout`](super::SigningService::handle_timeout) is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let own = [self.links.poll_timeout(), self.presence.poll_timeout(), self.owner_lookups.poll_timeout()];
        own.into_iter().chain([self.take_over_at, self.retry_at]).flatten().min()
    }

    /// Which of the indices of requests are empty.
    #[cfg(feature = "simulation")]
    pub(super) fn emptiness(&self) -> [(&'static str, bool); 5] {
        [
            ("remote_requests", self.remote_requests.is_empty()),
            ("owner_lookups", self.owner_lookups.is_empty()),
            ("end_checks", self.end_checks.is_empty()),
            ("followers", self.followers.is_empty()),
            ("seekers", self.seekers.is_empty()),
        ]
    }

    /// Whether the database has said who there is.
    fn is_known(&self) -> bool {
        self.links.own() != NodeId::from_bits(0)
    }

    fn has_others(&self) -> bool {
        !self.links.others().is_empty()
    }

    /// Packets from a node or to it are lost. With them may be what it has said of its requests that wallets here have, or what these have said of
    /// them: it puts to them again what is open, and says that it has; what it has not put is asked after.
    fn lose_packets(&mut self, node: NodeId, now: Timestamp) {
        self.remote_requests.distrust(node);
        self.owner_lookups.restart(node, now);
    }

    /// Leaves something for a node.
    pub(super) fn post(&mut self, to: NodeId, mail: Mail) {
        self.links.post(to, mail);
    }

    /// The packets that are to be sent now.
    pub(super) fn flush(&mut self, now: Timestamp) -> Vec<Packet> {
        self.links.flush(now)
    }

    /// Says to the nodes on which somebody follows a request that it has changed.
    pub(super) fn tell_followers(&mut self, id: RequestId, is_last: bool) {
        let nodes = if is_last { self.followers.remove(&id) } else { self.followers.get(&id).cloned() };
        for node in nodes.into_iter().flatten() {
            self.links.post(node, Mail::Changed { request_id: id });
        }
    }

    /// Tells another node that a request of its has ended: it finds that out when it has it withdrawn.
    pub(super) fn overrule(&mut self, id: RequestId, owner: NodeId) {
        self.links.post(owner, Mail::Withdraw { request_id: id, by_operator: false });
    }

    /// Whether a node is another one than this.
    pub(super) fn is_other(&self, node: NodeId) -> bool {
        node != self.links.own()
    }

    /// A request of another node may have ended here: it is told, if that shows to be so.
    pub(super) fn doubt_end(&mut self, id: RequestId, owner: NodeId, now: Timestamp) {
        self.end_checks.doubt(id, owner);
        self.retry(now);
    }

    fn retry(&mut self, now: Timestamp) {
        self.retry_at.get_or_insert(now.after(RETRY));
    }
}
