//! A store and the server's key beside it, as the reference server uses them.

use super::{Event, OpenError, ServerKey, Store, StoreConfig, receipt};
use crate::{
    random,
    record::Record,
    storage::{Completion, Loaded, Recovered, Storage, StoreError, Write, Written},
    time::{Clock, Timestamp},
};
use countersign_protocol::{Audience, RequestId};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// A store that is open, and the server's key beside it. Clones share both.
#[derive(Debug, Clone)]
pub struct DurableStore(Arc<Inner>);

struct Inner {
    store: Store,
    key: ServerKey,
    /// Who signs receipts: the server's URL, as its first audience has it.
    issuer: Option<String>,
    /// Told when a request has ended, which may have made a webhook event.
    ended: Arc<Notify>,
    /// Writes that came to nothing.
    failures: Arc<AtomicU64>,
}

impl DurableStore {
    /// Opens the directory, or makes it, for a server that wallets reach as `audience`; what an earlier process has left in it comes
    /// along. Blocks.
    ///
    /// # Errors
    /// [`OpenError`], which names the directory or file.
    pub fn open(store: StoreConfig, audience: Option<&Audience>) -> Result<(Self, Loaded), OpenError> {
        let dir = store.dir.clone();
        let (store, loaded) = Store::open(store, Clock::new().now())?;
        // Behind the store's lock, so that no two processes make a key.
        let key = ServerKey::load_or_create(&dir, random::bytes)?;
        let inner = Inner { store, key, issuer: audience.map(issuer), ended: Arc::default(), failures: Arc::default() };
        Ok((Self(Arc::new(inner)), loaded))
    }

    /// Reads at most `limit` webhook events of one target that are due, and when the next one after these is.
    pub(crate) fn due_events(
        &self,
        target: &str,
        now: Timestamp,
        limit: usize,
        then: impl FnOnce(Result<(Vec<Event>, Option<Timestamp>), StoreError>) + Send + 'static,
    ) {
        self.0.store.due_events(target, now, limit, then);
    }

    pub(crate) fn key(&self) -> &ServerKey {
        &self.0.key
    }

    /// How a request ended, signed by the server; none while it is open.
    pub(crate) fn receipt(&self, record: &Record) -> Option<String> {
        receipt(record, &self.0.key, self.0.issuer.as_deref())
    }

    /// Resolves when a request has ended since this was last waited for.
    pub(crate) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Whether the last writes came to nothing, because the disk is full or has failed.
    pub(crate) fn is_failed(&self) -> bool {
        self.0.store.is_failed() || self.0.store.is_full()
    }

    /// Transactions committed, writes that came to nothing, and whether nothing can be written any more.
    pub(crate) fn counts(&self) -> (u64, u64, bool) {
        (self.0.store.commits(), self.0.failures.load(Ordering::Relaxed), self.0.store.is_failed())
    }
}

impl Storage for DurableStore {
    fn forget(&self, now: Timestamp) {
        self.0.store.forget(now);
    }

    fn write(&self, write: Write, then: Completion<Written>) {
        let ended = matches!(write, Write::End { .. }).then(|| Arc::clone(&self.0.ended));
        let failures = Arc::clone(&self.0.failures);
        let then = Completion::new(move |written: Result<Written, StoreError>| {
            let failed = written.is_err();
            then.complete(written);
            if failed {
                failures.fetch_add(1, Ordering::Relaxed);
            } else if let Some(ended) = ended {
                ended.notify_one();
            }
        });
        self.0.store.write(write, then);
    }

    fn on_recovery(&self, then: Recovered) {
        self.0.store.on_recovery(then);
    }

    fn read(&self, id: RequestId, then: Completion<Option<Record>>) {
        self.0.store.read(id, then);
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("store", &self.store).finish_non_exhaustive()
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
