//! What the server keeps on disk: requests, webhook events, and the key it signs with.

use super::SettingsError;
use crate::{
    Config, Record, SigningService, random,
    storage::{Completion, Reader, Storage, Write},
    store::{ServerKey, Store, StoreConfig, receipt},
    time::{Clock, Timestamp},
};
use countersign_protocol::{Audience, RequestId};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// A store that is open, and the server's key beside it. Clones share both.
#[derive(Debug, Clone)]
pub struct Kept(Arc<Inner>);

struct Inner {
    store: Store,
    key: ServerKey,
    /// Who signs receipts: the server's URL, as its first audience has it.
    issuer: Option<String>,
    retention: Duration,
    /// Told when a request has ended, which may have made a webhook event.
    ended: Arc<Notify>,
    /// Writes that came to nothing.
    failures: Arc<AtomicU64>,
}

impl Kept {
    /// Opens the directory, or makes it, and has a service go on with what is in it. Blocks.
    ///
    /// # Errors
    /// [`SettingsError::Store`] and [`SettingsError::ServerKey`].
    pub fn open(store: StoreConfig, config: Config) -> Result<(Self, SigningService), SettingsError> {
        let (dir, retention) = (store.dir.clone(), store.retention);
        let (store, loaded) = Store::open(store, Clock::new().now())?;
        // Behind the store's lock, so that no two processes make a key.
        let key = ServerKey::load_or_create(&dir, random::bytes)?;
        let kept = Self(Arc::new(Inner {
            store,
            key,
            issuer: config.audiences.first().map(issuer),
            retention,
            ended: Arc::default(),
            failures: Arc::default(),
        }));
        let service = SigningService::with_storage(config, Arc::new(kept.clone()), loaded);
        Ok((kept, service))
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn key(&self) -> &ServerKey {
        &self.0.key
    }

    /// How a request ended, signed by the server; none while it is open.
    pub(super) fn receipt(&self, record: &Record) -> Option<String> {
        receipt(record, &self.0.key, self.0.issuer.as_deref())
    }

    /// Resolves when a request has ended since this was last waited for.
    pub(super) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Forgets what ended longer ago than it is to be kept.
    pub(super) fn forget(&self, now: Timestamp) {
        let retention = u64::try_from(self.0.retention.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_millis(now.as_millis().saturating_sub(retention));
        self.0.store.forget_ended_before(before, |forgotten| match forgotten {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "requests forgotten whose time to be kept is over"),
            Err(error) => tracing::warn!(%error, "requests could not be forgotten"),
        });
    }

    /// Transactions committed, writes that came to nothing, and whether nothing can be written any more.
    pub(super) fn counts(&self) -> (u64, u64, bool) {
        (self.0.store.commits(), self.0.failures.load(Ordering::Relaxed), self.0.store.is_failed())
    }
}

impl Storage for Kept {
    fn write(&self, write: Write, then: Completion) {
        let ended = matches!(write, Write::End { .. }).then(|| Arc::clone(&self.0.ended));
        let failures = Arc::clone(&self.0.failures);
        let then: Completion = Box::new(move |written| {
            let failed = written.is_err();
            then(written);
            if failed {
                failures.fetch_add(1, Ordering::Relaxed);
            } else if let Some(ended) = ended {
                ended.notify_one();
            }
        });
        self.0.store.write(write, then);
    }

    fn read(&self, id: RequestId, then: Reader) {
        self.0.store.read(id, then);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("retention", &self.retention).finish_non_exhaustive()
    }
}

/// The origin that an audience is at, as a browser would name it.
fn issuer(audience: &Audience) -> String {
    let url = audience.to_string();
    let url = url.strip_prefix("ws").unwrap_or(&url);
    let path = url.find("://").and_then(|at| url.get(at + 3..)?.find('/').map(|path| at + 3 + path));
    format!("http{}", path.and_then(|path| url.get(..path)).unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_the_origin_that_wallets_dial() {
        for (audience, expected) in [
            ("wss://sign.example/ws", "https://sign.example"),
            ("ws://127.0.0.1:8080/ws", "http://127.0.0.1:8080"),
            ("wss://sign.example:444/a/b", "https://sign.example:444"),
        ] {
            assert_eq!(issuer(&audience.parse().unwrap()), expected);
        }
    }
}
