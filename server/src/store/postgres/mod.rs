//! Requests kept in PostgreSQL, for one server. What it promises is what SQLite does on a disk of one's own.

mod changes;
mod config;
mod error;
mod pipeline;
mod plan;
mod reads;
mod row;
mod schema;
mod session;
mod start;
mod statements;
mod tls;
mod url;
mod waiting;
mod worker;
mod write;

pub use config::PostgresConfig;
pub use error::ConnectError;
pub(super) use start::start;
pub use url::{DatabaseUrl, DatabaseUrlError};
