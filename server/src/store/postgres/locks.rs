//! The locks that sessions hold, by which servers know of each other whether they live.
//!
//! All hold the schema's lock together, which a server of the version before this takes for itself alone. Each holds one of its own by
//! itself, in the session that writes: whoever has it again after a connection broke knows that the earlier session is over, and with it the
//! transaction that nobody had an answer of. The session that exchanges packets holds another one, so that a process whose connection
//! broke is not taken for one that has ended.

use super::{
    error::{ConnectError, described},
    own_node::OwnNode,
};
use tokio_postgres::{Client, error::SqlState};

/// One lock for each schema: there may be several in a database.
const SCHEMA: &str = "SELECT pg_advisory_lock_shared(1668248942, hashtext(coalesce(current_schema(), '')))";
/// Who is alone with it.
const HOLDER: &str = "SELECT coalesce(application_name, 'unknown') || ' at ' || coalesce(host(client_addr), 'a local socket') \
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted \
    AND classid = 1668248942 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Numbers of their own, which no schema's can be mistaken for.
const WRITER: &str = "SELECT pg_advisory_lock(1668248943, $1)";
const MESSENGER: &str = "SELECT pg_advisory_lock_shared(1668248944, $1)";

/// Whether nobody holds or waits for any of a node's locks.
pub(super) const IS_KILLED: &str = "NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' \
    AND classid IN (1668248943, 1668248944) AND objid = nodes.lock::oid \
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// Earlier sessions of this very server, which may not have noticed that their connection is gone.
const END_OWN: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()";

/// Those of the session that writes, which is called `name`.
pub(super) async fn take(client: &Client, name: &str, own: &OwnNode) -> Result<(), ConnectError> {
    client.query(END_OWN, &[&name]).await?;
    match client.execute(SCHEMA, &[]).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            let holder = client.query_opt(HOLDER, &[]).await?;
            let by = holder.map(|row| row.try_get(0)).transpose()?.unwrap_or_else(|| "unknown".into());
            return Err(ConnectError::InUse { by });
        }
        result => drop(result?),
    }
    match client.execute(WRITER, &[&own.lock()]).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            let what = format!("an earlier session of this server has not ended: {}", described(&error));
            Err(ConnectError::Database(what))
        }
        result => Ok(result.map(drop)?),
    }
}

/// That of the session that exchanges packets, which is called `name`.
pub(super) async fn take_messenger(client: &Client, name: &str, own: &OwnNode) -> Result<(), ConnectError> {
    client.query(END_OWN, &[&name]).await?;
    client.execute(MESSENGER, &[&own.lock()]).await?;
    Ok(())
}
