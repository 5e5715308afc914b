//! The queue of what the hub's task is to do.

use crate::{
    cluster::{Listener, Mail, Packet, Presence},
    storage::Completion,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{
    Notify,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// The most bytes of packets that wait to be sent. What comes beyond is lost, as packets may be.
const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;

/// What a packet, or one thing in it, takes at least, in bytes.
const LEAST_BYTES: usize = 128;

/// What is to be done.
pub(in crate::store) enum Order {
    Listen(Box<dyn Listener>),
    Send(Vec<Packet>),
    Announce(Presence, Completion<()>),
    Withdraw(ConnectionId),
    Find(Vec<PublicKeyBytes>, Completion<Vec<Presence>>),
}

/// Where it is ordered.
pub(in crate::store) struct OrderSender {
    orders: UnboundedSender<Order>,
    queued: Arc<AtomicUsize>,
    lease: Arc<LeaseWatch>,
    #[cfg(feature = "http")]
    tokens: Arc<Notify>,
}

/// How things stand with what goes between nodes, as an operator is told.
#[derive(Debug, Clone, Copy)]
#[cfg(feature = "http")]
pub(crate) struct HubState {
    /// Packets that wait to be sent, in bytes.
    pub(crate) queued_bytes: usize,
    /// The connection that renews the lease is there.
    pub(crate) is_connected: bool,
    /// How long ago the lease was renewed.
    pub(crate) lease_age: Duration,
}

/// How long after a renewal the others do not give this node up, however a clock may drift: less than the lease, see
/// [`lease!`](super::super::nodes::lease).
const HELD: Duration = Duration::from_millis(4_500);

/// What the hub's task lets others see.
#[derive(Debug)]
struct LeaseWatch {
    is_connected: AtomicBool,
    renewed_at: Mutex<Moment>,
}

/// A moment by both clocks: one stands still while the machine sleeps, the other one may be set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    monotonic: Instant,
    system: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { monotonic: Instant::now(), system: SystemTime::now() }
    }

    /// How long ago it was, by whichever clock says more.
    fn age(self) -> Duration {
        self.monotonic.elapsed().max(self.system.elapsed().unwrap_or_default())
    }
}

impl LeaseWatch {
    fn age(&self) -> Duration {
        self.renewed_at.lock().unwrap_or_else(PoisonError::into_inner).age()
    }
}

/// Where it arrives.
pub(in crate::store::postgres) struct OrderReceiver {
    orders: UnboundedReceiver<Order>,
    queued: Arc<AtomicUsize>,
    lease: Arc<LeaseWatch>,
    /// Told when tokens have changed.
    pub(super) tokens: Arc<Notify>,
}

pub(in crate::store::postgres) fn order_channel() -> (OrderSender, OrderReceiver) {
    let (sender, receiver) = unbounded_channel();
    let queued = Arc::<AtomicUsize>::default();
    // Whoever starts has just registered.
    let lease = Arc::new(LeaseWatch { is_connected: AtomicBool::new(false), renewed_at: Mutex::new(Moment::now()) });
    let tokens = Arc::<Notify>::default();
    let sender = OrderSender {
        orders: sender,
        queued: Arc::clone(&queued),
        lease: Arc::clone(&lease),
        #[cfg(feature = "http")]
        tokens: Arc::clone(&tokens),
    };
    (sender, OrderReceiver { orders: receiver, queued, lease, tokens })
}

impl OrderSender {
    /// Only a task that has panicked does nothing; what is not done is dropped, and so answered.
    pub(in crate::store) fn order(&self, mut order: Order) {
        if let Order::Send(packets) = &mut order {
            packets.retain(|packet| self.has_room(packet));
        }
        drop(self.orders.send(order));
    }

    /// Whether the others cannot have given this node up.
    pub(in crate::store) fn holds_lease(&self) -> bool {
        self.lease.age() < HELD
    }

    /// Resolves when somebody has said that tokens have changed.
    #[cfg(feature = "http")]
    pub(in crate::store) async fn tokens_changed(&self) {
        self.tokens.notified().await;
    }

    #[cfg(feature = "http")]
    pub(in crate::store) fn state(&self) -> HubState {
        HubState {
            queued_bytes: self.queued.load(Ordering::Relaxed),
            is_connected: self.lease.is_connected.load(Ordering::Relaxed),
            lease_age: self.lease.age(),
        }
    }

    fn has_room(&self, packet: &Packet) -> bool {
        let size = size(packet);
        let had_room = self.queued.fetch_add(size, Ordering::Relaxed) + size <= MAX_QUEUED_BYTES;
        if !had_room {
            self.queued.fetch_sub(size, Ordering::Relaxed);
        }
        had_room
    }
}

impl OrderReceiver {
    /// The next order; none once nobody can give one any more.
    pub(super) async fn next(&mut self) -> Option<Order> {
        self.orders.recv().await
    }

    /// One that is there already.
    pub(super) fn waiting(&mut self) -> Option<Order> {
        self.orders.try_recv().ok()
    }

    /// The lease was renewed, by what was said at this time.
    pub(super) fn note_renewed(&self, at: Moment) {
        *self.lease.renewed_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
        self.lease.is_connected.store(true, Ordering::Relaxed);
    }

    pub(super) fn note_disconnected(&self) {
        self.lease.is_connected.store(false, Ordering::Relaxed);
    }

    /// What this packet took is free again.
    pub(super) fn release(&self, packet: &Packet) {
        self.queued.fetch_sub(size(packet), Ordering::Relaxed);
    }
}

/// About how much a packet takes, in bytes.
pub(super) fn size(packet: &Packet) -> usize {
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
    packet.mail.iter().map(|mail| LEAST_BYTES + of_mail(mail)).sum::<usize>() + LEAST_BYTES
}
