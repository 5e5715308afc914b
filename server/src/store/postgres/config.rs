//! Where the database is, and how much is kept in it.

use crate::store::{
    DatabaseUrl,
    retention::{DEFAULT_MAX_BYTES, DEFAULT_RETENTION},
};
use std::time::Duration;

/// Where the database is, and how much is kept in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Where it is, with all that it takes to get in.
    pub url: DatabaseUrl,
    /// How long a request is kept after its end. Seven days if not set.
    pub retention: Duration,
    /// The most that requests may take, in bytes, by an estimate of what rows and indexes need. 1 GiB if not set.
    pub max_bytes: u64,
    /// Percent of that which requests of one requester may take, as for [`StoreConfig`](crate::store::StoreConfig).
    pub max_share_percent: u8,
}

impl PostgresConfig {
    /// A store at this URL.
    pub fn new(url: DatabaseUrl) -> Self {
        Self { url, retention: DEFAULT_RETENTION, max_bytes: DEFAULT_MAX_BYTES, max_share_percent: 100 }
    }
}
