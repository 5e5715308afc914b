//! What outlives the process: durable requests, their ends, the webhook events still to be delivered, and the server's key.
//!
//! They are kept in SQLite, in a directory of one's own, or in PostgreSQL, which several servers may share. One thread owns the database and writes in groups: whatever queues up while one commit is on its way to the disk shares
//! the next. A completion runs on that thread once the outcome is certain, in the order in which the writes were submitted.

mod backup;
mod batch;
#[cfg(feature = "http")]
mod blocks;
mod columns;
mod database;
#[cfg(any(feature = "postgres", feature = "http"))]
mod database_url;
mod due_query;
mod durable;
mod end_row;
mod error;
#[cfg(feature = "http")]
mod events;
mod files;
mod handle;
#[cfg(feature = "postgres")]
mod hub;
mod insert;
mod jws;
mod key;
#[cfg(feature = "http")]
mod listing;
mod metadata;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "http")]
mod purge;
mod quota;
mod reads;
mod receipt;
mod reserve;
mod retention;
mod rows;
mod schema;
mod shared;
mod times;
#[cfg(feature = "http")]
mod tokens;
mod usage;
mod webhook_event;
#[cfg(all(feature = "http", not(feature = "postgres")))]
mod without_postgres;
mod worker;
mod writes;

#[cfg(test)]
mod tests;

pub(crate) use crate::storage::{Completion, Idempotency, Loaded, Replaced, StoreError, Write, Written};
pub use backup::{BackedUp, BackupError, Verified, backup, verify_backup};
#[cfg(feature = "http")]
pub(crate) use blocks::{Block, BlockChange, MOST_BLOCKS};
#[cfg(any(feature = "postgres", feature = "http"))]
pub use database_url::DatabaseUrl;
pub use durable::DurableStore;
#[cfg(feature = "http")]
pub(crate) use events::{EventFilter, ListedEvent, RESENT_AT_ONCE, Resend};
#[cfg(feature = "http")]
pub(crate) use files::{PrivateFileError, read_private, sync_directory};
pub use handle::Store;
#[cfg(feature = "http")]
pub(crate) use jws::compact;
#[cfg(feature = "http")]
pub(crate) use key::thumbprint;
pub use key::{KeyFileError, ServerKey};
#[cfg(feature = "http")]
pub(crate) use listing::{Listed, Listing, StateFilter};
#[cfg(feature = "http")]
pub(crate) use open::MIN_MAX_BYTES;
pub use open::{OpenError, StoreConfig};
#[cfg(feature = "postgres")]
pub use postgres::{ConnectError, DatabaseUrlError, PostgresConfig};
#[cfg(all(feature = "http", feature = "postgres"))]
pub(crate) use postgres::{HubState, TokenTable};
#[cfg(feature = "http")]
pub(crate) use purge::{PurgeRecord, PurgeScope, PurgeStep};
pub use receipt::receipt;
#[cfg(feature = "http")]
pub(crate) use retention::NEVER;
pub(crate) use times::Times;
#[cfg(feature = "http")]
pub(crate) use tokens::{MAX_ENTRY_BYTES, MOST_TOKENS, TokenNews, TokenRow};
#[cfg(feature = "http")]
pub(crate) use usage::Usage;
pub use webhook_event::Event;
#[cfg(all(feature = "http", not(feature = "postgres")))]
pub use without_postgres::ConnectError;
#[cfg(all(feature = "http", not(feature = "postgres")))]
pub(crate) use without_postgres::{HubState, PostgresConfig, TokenTable};
