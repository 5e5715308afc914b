//! Several nodes as one server: any of them takes a call, any of them has the wallet.
//!
//! A request lives on one node, its *owner*, which decides its end as a single server does. A wallet's connection lives on one node, its
//! *host*. Where these are two, the host's connection is one more connection in the owner's registry, and what they say to each other
//! goes by packet. A packet may be lost, as a socket may break; what was lost is made good by beginning anew, not by sending it again: the
//! owner puts its open requests to the wallet once more, and the wallet says once more what it has answered.

mod draining_nodes;
mod end_checks;
mod hub;
mod links;
mod node;
mod owner_lookups;
mod packet;
mod presence_cache;
mod remote_requests;

pub(crate) use draining_nodes::{DrainingNodes, ON_THE_WAY};
pub(crate) use end_checks::EndChecks;
pub(crate) use links::Links;
pub(crate) use owner_lookups::{Exhausted, OwnerLookups, Step};
pub(crate) use presence_cache::{Knowledge, PresenceCache};
pub(crate) use remote_requests::{RemoteRequest, RemoteRequests, Taken};

pub use hub::{Hub, Listener, Nodes, Presence};
pub use node::NodeId;
pub use packet::{Mail, Packet};
