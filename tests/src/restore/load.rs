//! Backends that ask one durable request after the other, and wallets that answer.

use crate::{
    Backend,
    outage::{caller::ask_on, ledger::Ledger, look, wallet::Wallet},
    within,
};
use countersign_protocol::{PublicKey, PublicKeyBytes};
use ed25519_dalek::SigningKey;
use futures_util::future::join_all;
use serde_json::Value;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// The load, and what everybody was told.
#[derive(Debug)]
pub struct Load {
    /// What everybody was told.
    pub ledger: Arc<Ledger>,
    /// The wallets' keys, of which a backend uses one after the other.
    pub keys: Vec<SigningKey>,
    address: watch::Sender<Option<SocketAddr>>,
    stop: watch::Sender<bool>,
    callers: Vec<JoinHandle<()>>,
    wallets: Vec<JoinHandle<()>>,
}

/// What was known at one moment: a backup that begins after it has all of this.
#[derive(Debug)]
pub struct Moment {
    /// Requests that were accepted, each with its wish.
    pub accepted: Vec<(String, String)>,
    /// Those whose end somebody was told: state and signature.
    pub ended: Vec<(String, (String, Value))>,
}

impl Load {
    /// Begins.
    pub fn begin(at: SocketAddr, callers: usize, wallets: u8) -> Self {
        let ledger = Arc::new(Ledger::default());
        let (address, _) = watch::channel(Some(at));
        let (stop, _) = watch::channel(false);
        let keys: Vec<_> = (1..=wallets).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
        let public: Arc<[PublicKeyBytes]> = keys.iter().map(|key| PublicKey::of(key).to_bytes()).collect();
        let wallet = |key: &SigningKey| Wallet::new(key.clone(), Arc::clone(&ledger)).of_restored_server();
        let wallets = keys.iter().map(|key| tokio::spawn(wallet(key).serve(address.subscribe()))).collect();
        let caller = |n| ask_on(n, Arc::clone(&public), Arc::clone(&ledger), address.subscribe(), stop.subscribe());
        let callers = (0..callers).map(|n| tokio::spawn(caller(n))).collect();
        Self { ledger, keys, address, stop, callers, wallets }
    }

    /// Goes on until so many more requests were accepted.
    pub async fn accepted(&self, more: usize) {
        let wanted = self.ledger.all().len() + more;
        within("requests", async {
            while self.ledger.all().len() < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// What is known now.
    pub async fn moment(&self) -> Moment {
        let at = *self.address.borrow();
        look(&self.ledger, at.unwrap(), &self.ledger.open()).await;
        Moment { accepted: self.ledger.all(), ended: self.ledger.ended() }
    }

    /// Ends the callers, each with its last call answered; the wallets go on.
    pub async fn stop_asking(&mut self) {
        self.stop.send_replace(true);
        join_all(self.callers.drain(..)).await.into_iter().for_each(Result::unwrap);
    }

    /// How each request stands, once none is accepted any more and all have ended.
    pub async fn outcome(&mut self) -> BTreeMap<String, Value> {
        self.stop_asking().await;
        let at = self.address.borrow().unwrap();
        within("all ends", async {
            while !self.ledger.open().is_empty() {
                look(&self.ledger, at, &self.ledger.open()).await;
            }
        })
        .await;
        let mut backend = Backend::connect(at).await;
        let mut outcome = BTreeMap::new();
        for (_, request) in self.ledger.all() {
            let resource = backend.get(&format!("/v1/requests/{request}")).await.json;
            outcome.insert(request, resource);
        }
        outcome
    }

    /// Ends the wallets too, once the server has gone.
    pub async fn end(mut self) {
        self.stop_asking().await;
        self.address.send_replace(None);
        let Self { address, wallets, .. } = self;
        drop(address);
        join_all(wallets).await.into_iter().for_each(Result::unwrap);
    }
}
