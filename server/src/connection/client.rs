//! Who connects, as the handshake says.

use countersign_protocol::Origin;
use std::net::IpAddr;

/// The other end of a WebSocket. An [`Origin`] makes one of which nothing else is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    pub(crate) origin: Origin,
    pub(crate) address: Option<IpAddr>,
}

impl Client {
    /// The client's own address, not that of a proxy in between. It stands in logs and nothing is decided by it.
    #[must_use]
    pub fn at(self, address: IpAddr) -> Self {
        Self { address: Some(address.to_canonical()), ..self }
    }
}

impl From<Origin> for Client {
    fn from(origin: Origin) -> Self {
        Self { origin, address: None }
    }
}
