//! Where a test's store is, so that the same tests hold for both.

use super::{NOW, Store, StoreConfig, without_node};
use crate::{storage::Loaded, time::Timestamp};
use std::time::Duration;
use tempfile::TempDir;

/// A place that nobody else has.
pub(super) enum StoreLocation {
    Directory(TempDir),
    #[cfg(feature = "postgres")]
    Database(super::postgres::Database),
}

/// What is kept in it.
pub(super) struct Kept {
    pub(super) retention: Duration,
    pub(super) max_bytes: u64,
    pub(super) max_share_percent: u8,
}

impl Default for Kept {
    fn default() -> Self {
        let StoreConfig { retention, max_bytes, max_share_percent, .. } = StoreConfig::new("");
        Self { retention, max_bytes, max_share_percent }
    }
}

impl StoreLocation {
    pub(super) fn directory() -> Self {
        Self::Directory(tempfile::tempdir().unwrap())
    }

    pub(super) fn open(&self) -> (Store, Loaded) {
        self.open_with(Kept::default(), NOW)
    }

    pub(super) fn open_with(&self, kept: Kept, now: Timestamp) -> (Store, Loaded) {
        let Kept { retention, max_bytes, max_share_percent } = kept;
        match self {
            Self::Directory(dir) => {
                let config = StoreConfig { retention, max_bytes, max_share_percent, ..StoreConfig::new(dir.path()) };
                Store::open(config, now).unwrap()
            }
            #[cfg(feature = "postgres")]
            Self::Database(database) => {
                let config = crate::store::PostgresConfig {
                    retention,
                    max_bytes,
                    max_share_percent,
                    ..crate::store::PostgresConfig::new(database.url())
                };
                let (store, loaded) = Store::connect(config, now).unwrap();
                let without_nodes = |records: Vec<_>| records.into_iter().map(without_node).collect();
                (store, Loaded { open: without_nodes(loaded.open), ended: without_nodes(loaded.ended) })
            }
        }
    }
}

/// Makes each of these functions a test of both stores.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[test]
                fn $test() {
                    super::$test(&super::super::StoreLocation::directory());
                }
            )*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            $(
                #[test]
                #[ignore = "needs PostgreSQL: make postgres-tests"]
                fn $test() {
                    super::$test(&super::super::StoreLocation::Database(super::super::postgres::Database::new()));
                }
            )*
        }
    };
}
pub(super) use on_both;
