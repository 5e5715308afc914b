//! Takes in what the database tells of its own accord, for as long as the connection lasts.

use super::{super::own_node::OwnNode, super::tls::Encrypted, envelope::Unpacking};
use crate::cluster::Listener;
use std::{
    future::poll_fn,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};
use tokio_postgres::{AsyncMessage, Connection, Socket};

/// How many notifications are handed over at once.
const AT_ONCE: usize = 256;

/// Whom letters are for.
#[derive(Clone)]
pub(super) struct Inbox {
    pub(super) own: Arc<OwnNode>,
    /// None until somebody listens.
    pub(super) listener: Arc<OnceLock<Box<dyn Listener>>>,
}

impl Inbox {
    /// Drives a connection to its end. How that came is told to whoever waits for an answer on it.
    pub(super) async fn drive(self, mut connection: Connection<Socket, Encrypted>) {
        let mut unpacking = Unpacking::default();
        loop {
            let (payloads, is_over) = poll_fn(|cx| notifications(&mut connection, cx)).await;
            let mut letters: Vec<_> = payloads.iter().flat_map(|payload| unpacking.unpack(payload)).collect();
            // Those to a node that this one was before came too late.
            letters.retain(|letter| letter.to == self.own.id());
            if let Some(listener) = self.listener.get().filter(|_| !letters.is_empty()) {
                listener.letters(letters);
            }
            if is_over {
                return;
            }
        }
    }
}

/// The payloads of what has come, and whether the connection is over.
fn notifications(connection: &mut Connection<Socket, Encrypted>, cx: &mut Context<'_>) -> Poll<(Vec<String>, bool)> {
    let mut payloads = Vec::new();
    while payloads.len() < AT_ONCE {
        match connection.poll_message(cx) {
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
