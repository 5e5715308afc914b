//! In PostgreSQL's place, where the program is built without: settings and commands are as ever, and what would connect says why it does not.

use super::{
    DatabaseUrl, TokenRow,
    retention::{DEFAULT_MAX_BYTES, DEFAULT_RETENTION},
};
use std::{convert::Infallible, path::Path, time::Duration};
use thiserror::Error;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this program is built without PostgreSQL; the Cargo feature `postgres`, which is on by default, has it")]
pub struct ConnectError;

impl DatabaseUrl {
    /// There is no command without PostgreSQL.
    ///
    /// # Errors
    /// Always.
    pub fn dump_command(&self, _: &Path) -> Result<String, ConnectError> {
        Err(ConnectError)
    }
}

/// Where the database would be, and how much would be kept in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresConfig {
    pub(crate) url: DatabaseUrl,
    pub(crate) retention: Duration,
    pub(crate) max_bytes: u64,
    pub(crate) max_share_percent: u8,
}

impl PostgresConfig {
    pub(crate) fn new(url: DatabaseUrl) -> Self {
        Self { url, retention: DEFAULT_RETENTION, max_bytes: DEFAULT_MAX_BYTES, max_share_percent: 100 }
    }
}

/// How things stand with what goes between nodes, of which there are none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HubState {
    pub(crate) queued_bytes: usize,
    pub(crate) is_connected: bool,
    pub(crate) lease_age: Duration,
}

/// The table of tokens, of which there is none.
pub(crate) struct TokenTable(Infallible);

impl TokenTable {
    pub(crate) fn read(_: &DatabaseUrl) -> Result<Vec<TokenRow>, ConnectError> {
        Err(ConnectError)
    }

    pub(crate) fn connect(_: &DatabaseUrl) -> Result<Self, ConnectError> {
        Err(ConnectError)
    }

    pub(crate) fn lock(&self) -> Result<(), ConnectError> {
        match self.0 {}
    }

    pub(crate) fn rows(&self) -> Result<Vec<TokenRow>, ConnectError> {
        match self.0 {}
    }

    pub(crate) fn open_requests(&self, _: &str) -> Result<u64, ConnectError> {
        match self.0 {}
    }

    pub(crate) fn write(self, _: &[TokenRow], _: &[Vec<u8>]) -> Result<(), ConnectError> {
        match self.0 {}
    }
}
