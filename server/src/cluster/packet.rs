//! What nodes send each other: packets of mail.

use super::NodeId;
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes, RequestId};
use std::sync::Arc;

/// What one node sends another at once. The way between them may lose packets, or bring one twice or late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub from: NodeId,
    /// Whom to.
    pub to: NodeId,
    /// Packets are numbered from 1 within an epoch. Another one begins when something was lost.
    pub epoch: u32,
    /// Its number. One without mail that is not the first has the last one's, to ask whether that has come, or 0 where it asks nothing.
    pub number: u64,
    /// The last packet that has come from the receiver, by epoch and number.
    pub received: Option<(u32, u64)>,
    /// An epoch of the receiver's of which something is missing: another one is to begin.
    pub broken: Option<u32>,
    /// What it brings, in order.
    pub mail: Vec<Mail>,
}

/// One thing that a node tells another. The *owner* of a request is the node that decides its end; the *host* of a wallet is the node that
/// has its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    /// To all: this connection has introduced itself here, and has been announced.
    Arrived {
        /// The connection.
        connection: ConnectionId,
        /// The key it has proven.
        public_key: PublicKeyBytes,
        /// Which device it is.
        device: Option<Arc<Device>>,
    },
    /// To all: this connection has gone.
    Left {
        /// The connection.
        connection: ConnectionId,
    },
    /// From the owner to the host: a frame for the wallet.
    ForWallet {
        /// The wallet's connection.
        connection: ConnectionId,
        /// A `sign_request`, `request_cancel` or `response_ack`.
        frame: String,
    },
    /// From an owner to a host, after a new epoch has begun: whatever is open there for wallets here has been put to them again.
    Complete,
    /// From the host to the owner: a frame from the wallet.
    FromWallet {
        /// The wallet's connection.
        connection: ConnectionId,
        /// A `request_status`, `sign_response` or `sign_reject`.
        frame: String,
    },
    /// From the host to whoever may be the owner: the wallet says something about a request that the host has not heard of.
    WhoseIs {
        /// The wallet's connection.
        connection: ConnectionId,
        /// The key it has proven.
        public_key: PublicKeyBytes,
        /// Which device it is.
        device: Option<Arc<Device>>,
        /// The request.
        request_id: RequestId,
    },
    /// The answer to that, and to a frame about a request that is not the sender's: whether it owns it, or did when it ended.
    Mine {
        /// The wallet's connection.
        connection: ConnectionId,
        /// The request.
        request_id: RequestId,
        /// Whether it is.
        mine: bool,
    },
    /// To the owner: somebody here follows this request.
    Follow {
        /// The request.
        request_id: RequestId,
    },
    /// From the owner to a follower: it has changed.
    Changed {
        /// The request.
        request_id: RequestId,
    },
    /// To the owner: its requester withdraws it, or an operator does.
    Withdraw {
        /// The request.
        request_id: RequestId,
        /// It is an operator.
        by_operator: bool,
    },
    /// To all: there are durable requests without an owner.
    Orphans,
    /// Something that a node of a later version says. A packet that brings nothing else counts all the same.
    Other,
}
