//! Requests kept in PostgreSQL, which several servers may share: each request has one owner among them, who alone writes how it ends. What is
//! promised to each is what SQLite does on a disk of one's own.

#[cfg(feature = "http")]
mod blocks;
mod changes;
mod config;
mod connector;
mod dump;
mod error;
#[cfg(feature = "http")]
mod events;
mod hub;
#[cfg(feature = "http")]
mod listing;
mod locks;
mod nodes;
mod own_node;
mod ownership;
mod pipeline;
mod plan;
#[cfg(feature = "http")]
mod purge;
mod reads;
mod row;
mod schema;
mod session;
mod start;
mod statements;
mod tls;
#[cfg(feature = "http")]
mod token_table;
#[cfg(feature = "http")]
mod tokens;
mod url;
mod waiting;
mod worker;
mod write;

pub use config::PostgresConfig;
pub use error::ConnectError;
#[cfg(feature = "http")]
pub(crate) use hub::HubState;
pub(super) use hub::{Order, OrderSender};
pub(super) use start::start;
#[cfg(feature = "http")]
pub(crate) use token_table::TokenTable;
pub use url::DatabaseUrlError;
