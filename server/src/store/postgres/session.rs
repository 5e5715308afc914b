//! A connection that a store can work with: to a server that takes writes, and alone in holding this process's lock.
//!
//! **The session that writes is the session that holds the lock.** So whoever gets the lock after a connection broke knows that the earlier
//! session is over, and with it the transaction that nobody had an answer of.

use super::{
    error::{ConnectError, DbError, described},
    locks,
    own_node::OwnNode,
    schema,
    statements::Statements,
    tls::{Encrypted, Tls},
    url::{DatabaseUrl, Target},
};
use crate::{cluster::NodeId, random};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, Connection, SimpleQueryMessage, SimpleQueryRow, Socket};

/// How long everything may take that is done before a connection is used, the tables' changes included.
const PREPARATION: Duration = Duration::from_secs(60);

/// The least version, as `server_version_num` has it.
const OLDEST_SERVER: u32 = 150_000;

/// What is asked first, in a form that passes through any pooler.
const WHO: &str = "SELECT pg_backend_pid(), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean, \
    current_setting('server_version_num'), current_setting('server_encoding'), current_setting('server_version'), \
    pg_postmaster_start_time()";

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

/// Makes sessions.
pub(super) struct Connector {
    target: Target,
    tls: Tls,
    /// By which the database knows this server from others.
    name: String,
    own: Arc<OwnNode>,
}

/// A connection of which nothing is known yet, and what has to be polled for it.
type Raw = (Client, Connection<Socket, Encrypted>);

impl Connector {
    pub(super) fn new(url: &DatabaseUrl) -> Result<Self, ConnectError> {
        let target = url.target()?;
        let tls = Tls::new(&target)?;
        let name = format!("countersign-{:016x}", u64::from_ne_bytes(random::bytes()));
        Ok(Self { target, tls, name, own: Arc::new(OwnNode::new()) })
    }

    /// As what this process is known to the others.
    pub(super) fn own(&self) -> &Arc<OwnNode> {
        &self.own
    }

    /// A session with the first host that takes writes.
    pub(super) async fn connect(&self) -> Result<Session, ConnectError> {
        self.first_host(async |host, config| self.session(host, config).await).await
    }

    /// A connection beside it, for what goes between nodes; whoever has it polls what comes with it.
    pub(super) async fn connect_messenger<D>(
        &self,
        drive: impl Fn(Connection<Socket, Encrypted>) -> D,
    ) -> Result<(Client, D), ConnectError> {
        self.first_host(async |host, config| {
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
        make: impl AsyncFn(&str, &Config) -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let mut passed_over = Vec::new();
        for (host, config) in &self.target.hosts {
            let session = timeout(PREPARATION, make(host, config));
            let late = |_| ConnectError::Late { host: host.clone(), seconds: PREPARATION.as_secs() };
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
        schema::migrate(client).await?;
        if let Some(missing) = client.query_one(MISSING_PRIVILEGES, &[]).await?.try_get::<_, Option<String>>(0)? {
            return Err(ConnectError::Privileges(format!("missing: {missing}")));
        }
        client.execute(COMMIT, &[]).await?;
        let statements = Statements::prepare(client).await?;
        Ok(Session { link, statements, identity, own: Arc::clone(&self.own) })
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

/// Which session it is, of which server.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    pid: i64,
    /// When the server was started, as it writes it.
    server_started: String,
}

/// Which session this is, if it is one that will do.
async fn identify(host: &str, client: &Client) -> Result<Identity, ConnectError> {
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
struct Link {
    client: Client,
    driver: Driver,
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
    own: Arc<OwnNode>,
}

impl Session {
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

    /// By when it was started, which server this is.
    pub(super) fn server_started(&self) -> &str {
        &self.identity.server_started
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
