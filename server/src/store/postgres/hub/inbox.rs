//! Takes in what the database tells of its own accord, for as long as the connection lasts.

use super::{super::own_node::OwnNode, super::tls::Encrypted, envelope::Unpacking};
use crate::cluster::{Listener, NodeId, Packet};
use std::{
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Connection, Socket};

/// How many notifications are handed over at once.
const AT_ONCE: usize = 256;
/// What the channel ends with on which nothing is said but that tokens have changed.
pub(super) const TOKENS: &str = "_tokens";
/// How many packets of strangers are kept.
const MOST_HELD: usize = 256;

/// Whom packets are for.
#[derive(Clone)]
pub(super) struct Inbox {
    pub(super) own: Arc<OwnNode>,
    /// None until somebody listens.
    pub(super) listener: Arc<OnceLock<Box<dyn Listener>>>,
    pub(super) strangers: Arc<Strangers>,
    /// Told when tokens have changed.
    pub(super) tokens: Arc<Notify>,
}

/// Packets of nodes that are so new that the listener does not know of them. They are kept until it does, which is at once: nobody who has
/// just come is to be overlooked by those who were there.
#[derive(Default)]
pub(super) struct Strangers {
    known: Mutex<Vec<NodeId>>,
    packets: Mutex<Vec<Packet>>,
    /// Told when there are any.
    pub(super) have_written: Notify,
}

impl Strangers {
    /// Takes the packets of strangers out of these.
    fn hold_back(&self, packets: &mut Vec<Packet>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if packets.iter().all(|packet| known.contains(&packet.from)) {
            return;
        }
        let mut held = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        let (familiar, strange): (Vec<_>, Vec<_>) =
            mem::take(packets).into_iter().partition(|packet| known.contains(&packet.from));
        *packets = familiar;
        let room = MOST_HELD.saturating_sub(held.len());
        held.extend(strange.into_iter().take(room));
        self.have_written.notify_one();
    }

    /// Notes whom the listener knows, and gives the packets of those it has just come to know. Those of others are dropped.
    pub(super) fn meet(&self, others: &[NodeId]) -> Vec<Packet> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = others.to_vec();
        let mut held = mem::take(&mut *self.packets.lock().unwrap_or_else(PoisonError::into_inner));
        held.retain(|packet| others.contains(&packet.from));
        held
    }
}

impl Inbox {
    /// Drives a connection to its end. How that came is told to whoever waits for an answer on it.
    pub(super) async fn drive(self, mut connection: Connection<Socket, Encrypted>) {
        let mut unpacking = Unpacking::default();
        loop {
            let (payloads, is_over) = poll_fn(|cx| notifications(&mut connection, &self.tokens, cx)).await;
            let mut packets: Vec<_> = payloads.iter().flat_map(|payload| unpacking.unpack(payload)).collect();
            // Those to a node that this one was before came too late.
            packets.retain(|packet| packet.to == self.own.id());
            self.strangers.hold_back(&mut packets);
            if let Some(listener) = self.listener.get().filter(|_| !packets.is_empty()) {
                listener.packets(packets);
            }
            if is_over {
                return;
            }
        }
    }
}

/// The payloads of packets that have come, and whether the connection is over.
fn notifications(
    connection: &mut Connection<Socket, Encrypted>,
    tokens: &Notify,
    cx: &mut Context<'_>,
) -> Poll<(Vec<String>, bool)> {
    let mut payloads = Vec::new();
    while payloads.len() < AT_ONCE {
        match connection.poll_message(cx) {
            Poll::Ready(Some(Ok(AsyncMessage::Notification(other)))) if other.channel().ends_with(TOKENS) => {
                tokens.notify_one();
            }
            Poll::Ready(Some(Ok(AsyncMessage::Notification(notification)))) => {
                payloads.push(notification.payload().to_owned());
            }
            // Notices, and what later versions of the library tell.
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready((payloads, true)),
            Poll::Pending if payloads.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready((payloads, false))
}
