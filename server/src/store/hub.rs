//! The store as what connects nodes: its handles, seen from the cluster.

use super::{Store, batch::Question, postgres::Order};
use crate::{
    cluster::{Hub, Listener, Packet, Presence},
    record::Record,
    storage::Completion,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes, RequestId};
use std::sync::Arc;

impl Store {
    /// What connects this server with others on the same database; none for a store in a directory. It is one more handle to the store, which
    /// does not end while there is one: a [`Listener`] best holds none.
    pub fn hub(&self) -> Option<Arc<dyn Hub>> {
        self.is_shared().then(|| Arc::new(StoreHub(self.clone())) as Arc<dyn Hub>)
    }
}

#[derive(Debug)]
struct StoreHub(Store);

impl Hub for StoreHub {
    fn listen(&self, listener: Box<dyn Listener>) {
        self.0.order(Order::Listen(listener));
    }

    fn holds_lease(&self) -> bool {
        self.0.holds_lease()
    }

    fn send(&self, packets: Vec<Packet>) {
        self.0.order(Order::Send(packets));
    }

    fn announce(&self, presence: Presence, then: Completion<()>) {
        self.0.order(Order::Announce(presence, then));
    }

    fn withdraw(&self, connection: ConnectionId) {
        self.0.order(Order::Withdraw(connection));
    }

    fn find(&self, keys: Vec<PublicKeyBytes>, then: Completion<Vec<Presence>>) {
        self.0.order(Order::Find(keys, then));
    }

    fn take_over(&self, then: Completion<Vec<Record>>) {
        self.0.ask(Question::TakeOver(then));
    }

    fn ended(&self, ids: Vec<RequestId>, then: Completion<Vec<RequestId>>) {
        self.0.ask(Question::Ended(ids, then));
    }

    fn hand_over(&self, then: Completion<()>) {
        self.0.ask(Question::HandOver(then));
    }
}
