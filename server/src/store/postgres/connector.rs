//! Makes connections: to a server that takes writes, and alone in holding this process's lock.
//!
//! **The session that writes is the session that holds the lock.** So whoever gets the lock after a connection broke knows that the earlier
//! session is over, and with it the transaction that nobody had an answer of.

use super::{
    error::{ConnectError, described},
    locks,
    own_node::OwnNode,
    schema,
    session::{Driver, Identity, Link, Session, identify},
    statements::Statements,
    tls::{Encrypted, Tls},
    url::Target,
};
use crate::{random, store::DatabaseUrl};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, Connection, Socket};

/// How long everything may take that is done before a connection is used, the tables' changes included.
const PREPARATION: Duration = Duration::from_secs(60);

/// What a session begins with. There is no time limit on statements: where a standby has to confirm commits, cancelling one would have it
/// pass for confirmed.
const SETTINGS: &str = "SET statement_timeout = 0; SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '30s'; \
    SET default_transaction_isolation = 'read committed'; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 2; \
    SET tcp_keepalives_count = 5; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// What the role may not do and has to.
const MISSING_PRIVILEGES: &str = "SELECT string_agg(privilege || ' on ' || name, ', ') \
    FROM unnest(ARRAY['countersign_schema', 'requests', 'idempotency', 'events', 'shares', 'clock_moves', 'server_keys', \
    'nodes', 'presence']) name, \
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege WHERE NOT has_table_privilege(name, privilege)";

/// A commit of its own. When it is done, so is all that was visible before: on disk, and on a standby where one has to confirm.
const COMMIT: &str = "UPDATE countersign_schema SET connections = connections + 1";

/// Which tables these are: those that a backup is put into have other numbers, even where they are those of the same server.
const TABLES: &str =
    "SELECT format('%s/%s', oid, to_regclass('requests')::oid) FROM pg_database WHERE datname = current_database()";

/// Makes sessions.
pub(super) struct Connector {
    target: Target,
    tls: Tls,
    /// By which the database knows this server from others.
    name: String,
    own: Arc<OwnNode>,
    /// There was a session before.
    was_in_use: AtomicBool,
}

/// A connection of which nothing is known yet, and what has to be polled for it.
type Raw = (Client, Connection<Socket, Encrypted>);

impl Connector {
    pub(super) fn new(url: &DatabaseUrl) -> Result<Self, ConnectError> {
        let target = url.target()?;
        let tls = Tls::new(&target)?;
        let name = format!("countersign-{:016x}", u64::from_ne_bytes(random::bytes()));
        Ok(Self { target, tls, name, own: Arc::new(OwnNode::new()), was_in_use: AtomicBool::new(false) })
    }

    /// As what this process is known to the others.
    pub(super) fn own(&self) -> &Arc<OwnNode> {
        &self.own
    }

    /// A session with the first host that takes writes.
    pub(super) async fn connect(&self) -> Result<Session, ConnectError> {
        self.first_host(PREPARATION, async |host, config| self.session(host, config).await).await
    }

    /// A connection beside it, for what goes between nodes; whoever has it polls what comes with it. Each host has `limit` beyond the time
    /// it may take to let us in.
    pub(super) async fn connect_messenger<D>(
        &self,
        limit: Duration,
        drive: impl Fn(Connection<Socket, Encrypted>) -> D,
    ) -> Result<(Client, D), ConnectError> {
        let limit = self.target.connect_timeout + limit;
        self.first_host(limit, async |host, config| {
            let name = format!("{}-hub", self.name);
            let (client, connection) = self.raw(host, config, &name).await?;
            let driver = drive(connection);
            identify(host, &client).await?;
            client.batch_execute(SETTINGS).await?;
            locks::take_messenger(&client, &name, &self.own).await?;
            Ok((client, driver))
        })
        .await
    }

    async fn first_host<T>(
        &self,
        limit: Duration,
        make: impl AsyncFn(&str, &Config) -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let mut passed_over = Vec::new();
        for (host, config) in &self.target.hosts {
            let session = timeout(limit, make(host, config));
            let late = |_| ConnectError::Late { host: host.clone(), seconds: limit.as_secs() };
            match session.await.map_err(late).flatten() {
                Err(
                    error @ (ConnectError::Unreachable { .. }
                    | ConnectError::Late { .. }
                    | ConnectError::ReadOnly { .. }),
                ) => {
                    passed_over.push(error.to_string());
                }
                session => return session,
            }
        }
        Err(ConnectError::Database(passed_over.join("; ")))
    }

    async fn session(&self, host: &str, config: &Config) -> Result<Session, ConnectError> {
        let link = self.link(host, config).await?;
        let identity = identify(host, &link.client).await?;
        self.refuse_pooler(host, config, &link.client, &identity).await?;
        let client = &link.client;
        client.batch_execute(SETTINGS).await?;
        locks::take(client, &self.name, &self.own).await?;
        schema::migrate(client, self.was_in_use.load(Ordering::Relaxed)).await?;
        if let Some(missing) = client.query_one(MISSING_PRIVILEGES, &[]).await?.try_get::<_, Option<String>>(0)? {
            return Err(ConnectError::Privileges(format!("missing: {missing}")));
        }
        client.execute(COMMIT, &[]).await?;
        let tables: String = client.query_one(TABLES, &[]).await?.try_get(0)?;
        let statements = Statements::prepare(client).await?;
        self.was_in_use.store(true, Ordering::Relaxed);
        Ok(Session::new(link, statements, identity, tables, Arc::clone(&self.own)))
    }

    async fn link(&self, host: &str, config: &Config) -> Result<Link, ConnectError> {
        let (client, connection) = self.raw(host, config, &self.name).await?;
        // How it ended is told to whoever waits for an answer on it.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Link { client, driver: Driver(driver) })
    }

    async fn raw(&self, host: &str, config: &Config, name: &str) -> Result<Raw, ConnectError> {
        let mut config = config.clone();
        config.application_name(name);
        let limit = self.target.connect_timeout;
        match timeout(limit, config.connect(self.tls.clone())).await {
            Ok(Ok(raw)) => Ok(raw),
            Ok(Err(error)) => Err(ConnectError::Unreachable { host: host.into(), cause: described(&error) }),
            Err(_) => Err(ConnectError::Late { host: host.into(), seconds: limit.as_secs() }),
        }
    }

    /// Two connections that are each alone in their session stay so while both are there. A pooler in transaction mode has given the
    /// first one's session to the second.
    async fn refuse_pooler(
        &self,
        host: &str,
        config: &Config,
        first: &Client,
        known: &Identity,
    ) -> Result<(), ConnectError> {
        // Where there is no place for another connection, there is no pooler that makes one of two.
        let Ok(second) = self.link(host, config).await else { return Ok(()) };
        second.client.simple_query("BEGIN").await?;
        let taken = identify(host, &second.client).await?;
        let is_alone = taken != *known && identify(host, first).await? == *known;
        if is_alone { Ok(()) } else { Err(ConnectError::Pooled) }
    }
}

/// Nothing of it has a place in a log.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}
