//! The queue of what the hub's task is to do.

use crate::{
    cluster::{Letter, Listener, Mail, Presence},
    storage::Completion,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The most bytes of letters that wait to be sent. What comes beyond is lost, as letters may be.
const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;

/// What a letter, or one thing in it, takes at least, in bytes.
const LEAST_BYTES: usize = 128;

/// What is to be done.
pub(in crate::store) enum Order {
    Listen(Box<dyn Listener>),
    Send(Vec<Letter>),
    Announce(Presence, Completion<()>),
    Withdraw(ConnectionId),
    Find(Vec<PublicKeyBytes>, Completion<Vec<Presence>>),
}

/// Where it is ordered.
pub(in crate::store) struct Post {
    orders: UnboundedSender<Order>,
    queued: Arc<AtomicUsize>,
}

/// Where it arrives.
pub(in crate::store::postgres) struct Posted {
    orders: UnboundedReceiver<Order>,
    queued: Arc<AtomicUsize>,
}

pub(in crate::store::postgres) fn post() -> (Post, Posted) {
    let (sender, receiver) = unbounded_channel();
    let queued = Arc::<AtomicUsize>::default();
    (Post { orders: sender, queued: Arc::clone(&queued) }, Posted { orders: receiver, queued })
}

impl Post {
    /// Only a task that has panicked does nothing; what is not done is dropped, and so answered.
    pub(in crate::store) fn order(&self, mut order: Order) {
        if let Order::Send(letters) = &mut order {
            letters.retain(|letter| self.has_room(letter));
        }
        drop(self.orders.send(order));
    }

    fn has_room(&self, letter: &Letter) -> bool {
        let size = size(letter);
        let had_room = self.queued.fetch_add(size, Ordering::Relaxed) + size <= MAX_QUEUED_BYTES;
        if !had_room {
            self.queued.fetch_sub(size, Ordering::Relaxed);
        }
        had_room
    }
}

impl Posted {
    /// The next order; none once nobody can give one any more.
    pub(super) async fn next(&mut self) -> Option<Order> {
        self.orders.recv().await
    }

    /// One that is there already.
    pub(super) fn waiting(&mut self) -> Option<Order> {
        self.orders.try_recv().ok()
    }

    /// What this letter took is free again.
    pub(super) fn release(&self, letter: &Letter) {
        self.queued.fetch_sub(size(letter), Ordering::Relaxed);
    }
}

/// About how much a letter takes, in bytes.
pub(super) fn size(letter: &Letter) -> usize {
    let of_mail = |mail: &Mail| match mail {
        Mail::ForWallet { frame, .. } | Mail::FromWallet { frame, .. } => frame.len(),
        Mail::Arrived { .. }
        | Mail::Left { .. }
        | Mail::Complete
        | Mail::WhoseIs { .. }
        | Mail::Mine { .. }
        | Mail::Follow { .. }
        | Mail::Changed { .. }
        | Mail::Withdraw { .. }
        | Mail::Orphans
        | Mail::Other => 0,
    };
    letter.mail.iter().map(|mail| LEAST_BYTES + of_mail(mail)).sum::<usize>() + LEAST_BYTES
}
