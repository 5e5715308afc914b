//! How a wallet's connection is reached, on this node or by way of another.

use super::mailbox::Mailbox;
use crate::cluster::NodeId;
use countersign_protocol::{PublicKey, PublicKeyBytes};
use std::sync::{Arc, OnceLock};

/// The way to a wallet.
#[derive(Debug)]
pub(super) enum Handle {
    /// Its connection's task is here.
    Here(Mailbox),
    /// Another node has it.
    Elsewhere(Elsewhere),
}

/// A connection of another node.
#[derive(Debug)]
pub(super) struct Elsewhere {
    pub(super) node: NodeId,
    /// Made ready for verification when it first answers.
    key: OnceLock<Option<Arc<PublicKey>>>,
}

impl Elsewhere {
    pub(super) fn on(node: NodeId) -> Self {
        Self { node, key: OnceLock::new() }
    }

    /// The key; none where no wallet can hold it, so that a neighbour has lied.
    pub(super) fn key(&self, bytes: PublicKeyBytes) -> Option<Arc<PublicKey>> {
        self.key.get_or_init(|| PublicKey::admit(bytes).ok().map(Arc::new)).clone()
    }
}

impl Handle {
    /// The mailbox of a connection that is here.
    pub(super) fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Here(mailbox) => Some(mailbox),
            Self::Elsewhere(_) => None,
        }
    }
}
