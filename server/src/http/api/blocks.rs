//! Blocked keys: what the store has of them, or where there is none this process, and the service's knowledge of that.

use super::problem::Problem;
use crate::{
    SigningError, SigningService,
    store::{Block, BlockChange, DurableStore, MOST_BLOCKS},
    time::Timestamp,
};
use std::{collections::BTreeMap, mem, time::Duration};
use tokio::{
    sync::{Mutex, Notify},
    time::{sleep, timeout},
};

/// How long a store has to say which there are. Beyond what one that waits for its database takes to give up.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// How often it is asked: where other servers block keys too, and where nobody else could.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS_ALONE: Duration = Duration::from_secs(60);

/// The keys that are blocked.
pub(in crate::http) struct Blocks {
    service: SigningService,
    store: Option<DurableStore>,
    /// As of the last look. Locked for as long as one takes, so that no older one comes after a newer.
    known: Mutex<Vec<Block>>,
    changed: Notify,
}

impl Blocks {
    pub(super) fn new(service: SigningService, store: Option<DurableStore>) -> Self {
        Self { service, store, known: Mutex::default(), changed: Notify::new() }
    }

    /// Whether they outlive the process.
    pub(in crate::http) fn are_durable(&self) -> bool {
        self.store.is_some()
    }

    /// Those that hold, as of the last look.
    pub(in crate::http) async fn list(&self) -> Vec<Block> {
        let now = Timestamp::of_the_system();
        self.known.lock().await.iter().filter(|block| block.holds_at(now)).cloned().collect()
    }

    /// Blocks a key or ends that, for all servers; how many connections of this one were closed, and whether the key was blocked before.
    pub(in crate::http) async fn change(&self, change: BlockChange) -> Result<(usize, bool), Problem> {
        let mut known = self.known.lock().await;
        let now = Timestamp::of_the_system();
        let key = match &change {
            BlockChange::Block(block) => block.public_key,
            BlockChange::Unblock(key) => *key,
        };
        let was_blocked = known.iter().any(|block| block.public_key == key && block.holds_at(now));
        if matches!(change, BlockChange::Block(_)) && !was_blocked && known.len() >= MOST_BLOCKS {
            return Err(SigningError::Overloaded.into());
        }
        *known = match &self.store {
            Some(store) => self.ask(store, Some(change)).await?,
            None => changed(mem::take(&mut known), change),
        };
        let closed = self.apply(&known);
        self.changed.notify_one();
        Ok((closed, was_blocked))
    }

    /// Looks which there are. Where the store does not say, what was known stays.
    pub(in crate::http) async fn look(&self) {
        let mut known = self.known.lock().await;
        if let Some(store) = &self.store {
            match self.ask(store, None).await {
                Ok(found) => *known = found,
                Err(_) => tracing::debug!("the store does not say which keys are blocked"),
            }
        }
        self.apply(&known);
    }

    /// Keeps the service's knowledge up to date for as long as it is polled.
    pub(in crate::http) async fn keep(&self) {
        loop {
            self.due().await;
            self.look().await;
        }
    }

    async fn ask(&self, store: &DurableStore, change: Option<BlockChange>) -> Result<Vec<Block>, Problem> {
        let answer = timeout(TIME_LIMIT, store.blocks(change, Timestamp::of_the_system())).await;
        answer.ok().and_then(Result::ok).ok_or_else(|| SigningError::StorageUnavailable.into())
    }

    fn apply(&self, known: &[Block]) -> usize {
        let now = Timestamp::of_the_system();
        let blocked = known.iter().filter(|block| block.holds_at(now)).map(|block| block.public_key);
        self.service.set_blocked(blocked.collect())
    }

    /// When it is to be looked again: now and then, and when the next one is over.
    async fn due(&self) {
        let is_shared = self.store.as_ref().is_some_and(|store| store.hub().is_some());
        let between = if is_shared { BETWEEN_LOOKS } else { BETWEEN_LOOKS_ALONE };
        let now = Timestamp::of_the_system();
        let until =
            self.known.lock().await.iter().filter(|block| block.holds_at(now)).filter_map(|block| block.until).min();
        let wait = until.map_or(between, |until| between.min(until.since(now)));
        tokio::select! {
            () = sleep(wait) => {}
            () = self.changed.notified() => {}
        }
    }
}

/// Where there is no store.
fn changed(blocks: Vec<Block>, change: BlockChange) -> Vec<Block> {
    let now = Timestamp::of_the_system();
    let blocks = blocks.into_iter().filter(|block| block.holds_at(now));
    let mut by_key: BTreeMap<_, _> = blocks.map(|block| (block.public_key, block)).collect();
    match change {
        BlockChange::Block(block) => drop(by_key.insert(block.public_key, block)),
        BlockChange::Unblock(key) => drop(by_key.remove(&key)),
    }
    by_key.into_values().collect()
}
