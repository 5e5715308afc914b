//! Durable requests whose end could not be written: nobody knows what is on disk until the store works again.

use super::open_request::HeldAck;
use crate::record::End;
use countersign_protocol::{ConnectionId, PublicKeyBytes, Signature};
use smallvec::SmallVec;

/// With so many connections to be told of one request, those that have gone are forgotten. What is left is bounded as a key's connections are.
const MANY: usize = 64;

/// What there is to tell about such a request, if its end shows to be on disk.
#[derive(Debug)]
pub(super) struct Abandoned {
    pub(super) key: PublicKeyBytes,
    pub(super) end: Option<End>,
    /// Whose answers it would be acknowledged with.
    pub(super) acks: Vec<HeldAck>,
    /// Connections that show it, and those that are done with it.
    pub(super) silent: SmallVec<[ConnectionId; 1]>,
    pub(super) answered: SmallVec<[ConnectionId; 1]>,
}

impl Abandoned {
    /// Notes that a connection shows it, which may have come since.
    pub(super) fn note_shown(&mut self, connection: ConnectionId, is_there: impl Fn(ConnectionId) -> bool) {
        if self.silent.contains(&connection) || self.answered.contains(&connection) {
            return;
        }
        if self.silent.len() >= MANY {
            self.silent.retain(|other| is_there(*other));
        }
        self.silent.push(connection);
    }

    /// Notes an answer that is to be acknowledged when its end is known to stand.
    pub(super) fn acknowledge_later(
        &mut self,
        to: ConnectionId,
        signature: Option<&Signature>,
        is_there: impl Fn(ConnectionId) -> bool,
    ) {
        self.silent.retain(|other| *other != to);
        if self.acks.iter().any(|ack| ack.to == to) {
            return;
        }
        if self.acks.len() >= MANY {
            self.acks.retain(|ack| is_there(ack.to));
        }
        self.acks.push(HeldAck::of_late(to, signature, self.end.as_ref()));
    }
}
