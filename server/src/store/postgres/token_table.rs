//! The table of tokens for a command, which is no server: it comes, reads, writes at most once, and goes.

use super::{
    connector::Connector,
    error::{ConnectError, DbError},
    session::Session,
    tokens,
};
use crate::store::{DatabaseUrl, tokens::TokenRow};
use std::{future::Future, thread, time::Duration};
use tokio::{
    runtime::{self, Runtime},
    time::timeout,
};

/// How long the database has for each thing it is asked.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the table of tokens. Dropped, nothing is written.
pub(crate) struct TokenTable {
    runtime: Runtime,
    session: Session,
}

impl TokenTable {
    /// All tokens there are. Blocks, whatever thread it is.
    pub(crate) fn read(url: &DatabaseUrl) -> Result<Vec<TokenRow>, ConnectError> {
        // A thread that drives tasks may not wait for another runtime's.
        let read = || Self::connect(url)?.rows();
        thread::scope(|scope| scope.spawn(read).join())
            .unwrap_or_else(|_| Err(ConnectError::Database("its thread has panicked".into())))
    }

    /// Connects, and makes the tables where there are none. Blocks, like all that follows, and not on a thread that drives tasks.
    pub(crate) fn connect(url: &DatabaseUrl) -> Result<Self, ConnectError> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let session = runtime.block_on(Connector::new(url)?.connect())?;
        Ok(Self { runtime, session })
    }

    /// From now on nobody else writes tokens, for as long as this is there.
    pub(crate) fn lock(&self) -> Result<(), ConnectError> {
        self.wait(tokens::begin(self.session.client()))
    }

    /// All there are.
    pub(crate) fn rows(&self) -> Result<Vec<TokenRow>, ConnectError> {
        self.wait(tokens::rows(self.session.client()))
    }

    /// How many durable requests a requester has open, on all servers.
    pub(crate) fn open_requests(&self, requester: &str) -> Result<u64, ConnectError> {
        self.wait(tokens::open_requests(self.session.client(), requester))
    }

    /// Writes these, forgets those, after [`TokenTable::lock`], and has all servers told. Where it fails nobody may know whether it is done.
    pub(crate) fn write(self, written: &[TokenRow], forgotten: &[Vec<u8>]) -> Result<(), ConnectError> {
        self.wait(tokens::commit(self.session.client(), written, forgotten))?;
        let Self { runtime, session } = self;
        runtime.block_on(session.close());
        Ok(())
    }

    fn wait<T>(&self, wanted: impl Future<Output = Result<T, DbError>>) -> Result<T, ConnectError> {
        let wanted = async { timeout(PATIENCE, wanted).await.unwrap_or(Err(DbError::Late)) };
        Ok(self.runtime.block_on(wanted)?)
    }
}
