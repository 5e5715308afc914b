//! Who is at the other end.

use super::{connection_limit::Permit, party::Party};
use std::{net::IpAddr, sync::Arc};

/// The other end of a connection. As long as a clone of this lives, so does its permit.
#[derive(Debug, Clone)]
pub(in crate::http) struct Peer {
    pub(in crate::http) address: IpAddr,
    /// The client's address, where the peer is a trusted proxy that says so; otherwise the peer's.
    pub(in crate::http) client: IpAddr,
    /// Who a request's rate is counted under.
    pub(in crate::http) party: Party,
    _permit: Arc<Permit>,
}

impl Peer {
    /// The peer at this address, while its connection is permitted.
    pub(in crate::http) fn new(address: IpAddr, permit: Permit) -> Self {
        Self { address, client: address, party: address.into(), _permit: Arc::new(permit) }
    }

    /// The same connection, with what is asked on it counted under another party: a client behind a proxy.
    pub(in crate::http) fn on_behalf_of(&self, client: IpAddr) -> Self {
        Self { client, party: client.into(), ..self.clone() }
    }
}
