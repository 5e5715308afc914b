//! A connection that a store can work with, and which session of which server it is.

use super::{
    error::{ConnectError, DbError},
    own_node::OwnNode,
    statements::Statements,
};
use crate::cluster::NodeId;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

/// The least version, as `server_version_num` has it.
const OLDEST_SERVER: u32 = 150_000;

/// What is asked first, in a form that passes through any pooler.
const WHO: &str = "SELECT pg_backend_pid(), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean, \
    current_setting('server_version_num'), current_setting('server_encoding'), current_setting('server_version'), \
    pg_postmaster_start_time()";

/// Which session it is, of which server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pid: i64,
    /// When the server was started, as it writes it.
    server_started: String,
}

/// Which session this is, if it is one that will do.
pub(super) async fn identify(host: &str, client: &Client) -> Result<Identity, ConnectError> {
    let messages = client.simple_query(WHO).await?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let column =
        |place: usize| row.and_then(|row: &SimpleQueryRow| row.try_get(place).ok().flatten()).unwrap_or_default();
    if column(1) == "t" {
        return Err(ConnectError::ReadOnly { host: host.into() });
    }
    let is_new_enough = column(2).parse().is_ok_and(|version: u32| version >= OLDEST_SERVER);
    if !is_new_enough || column(3) != "UTF8" {
        let found = format!("PostgreSQL {} with a database in {}", column(4), column(3));
        return Err(ConnectError::Unsuitable { host: host.into(), found });
    }
    let pid = column(0).parse().map_err(|_| ConnectError::Database("no process id".into()))?;
    Ok(Identity { pid, server_started: column(5).into() })
}

/// A connection, closed when dropped.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) driver: Driver,
}

/// The task that talks to the server. It may be waiting for one that is not there any more, so it ends with its connection.
pub(super) struct Driver(pub(super) JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection that holds the lock.
pub(super) struct Session {
    link: Link,
    pub(super) statements: Statements,
    identity: Identity,
    database: String,
    own: Arc<OwnNode>,
}

impl Session {
    pub(super) fn new(
        link: Link,
        statements: Statements,
        identity: Identity,
        tables: String,
        own: Arc<OwnNode>,
    ) -> Self {
        let database = format!("{} {tables}", identity.server_started);
        Self { link, statements, identity, database, own }
    }

    pub(super) fn client(&self) -> &Client {
        &self.link.client
    }

    /// As what it writes.
    pub(super) fn own(&self) -> NodeId {
        self.own.id()
    }

    /// The part of the shares that this session counts in.
    pub(super) fn part(&self) -> i64 {
        self.identity.pid % 16
    }

    /// Which database this is: by when its server was started, and by its tables.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Whether statements still come to the session that holds the lock.
    pub(super) async fn check(&self) -> Result<(), DbError> {
        let pid: i32 = self.client().query_one(&self.statements.pid, &[]).await?.try_get(0)?;
        if i64::from(pid) == self.identity.pid { Ok(()) } else { Err(DbError::Pooled) }
    }

    /// Says goodbye, so that the lock is free at once.
    pub(super) async fn close(self) {
        let Link { client, mut driver } = self.link;
        // Goodbye is said once nobody can ask anything any more; whether it was heard is of no matter.
        drop(client);
        let _ = timeout(Duration::from_secs(1), &mut driver.0).await;
    }
}
