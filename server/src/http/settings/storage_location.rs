//! Where durable requests are kept.

use crate::store::{PostgresConfig, StoreConfig};

/// Where durable requests are kept.
#[derive(Debug)]
pub(super) enum StorageLocation {
    Nowhere,
    Directory(StoreConfig),
    Database(PostgresConfig),
}
