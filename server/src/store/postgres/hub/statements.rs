//! What the hub says to the database over and over, prepared once for each connection.

use super::super::nodes::lease;
use tokio_postgres::{Client, Error, Statement};

/// The rows are as they were before: whether a lease was over shows of one's own as well. The database's clock alone counts.
const RENEW: &str = concat!(
    "WITH renewed AS (UPDATE nodes SET lease_until = ",
    lease!(),
    " WHERE id = $1 RETURNING lease_until) SELECT id, lease_until, lease_until < clock_timestamp() AS is_over, \
     (SELECT lease_until FROM renewed) AS renewed_until FROM nodes"
);

/// One statement for all: each connection is in it once.
const CHANGE: &str = "WITH gone AS (DELETE FROM presence WHERE connection = ANY ($1)) \
    INSERT INTO presence (connection, public_key, node, device_id, device_label) \
    SELECT connection, public_key, $2, device_id, device_label \
    FROM unnest($3::uuid[], $4::bytea[], $5::text[], $6::text[]) AS come (connection, public_key, device_id, device_label) \
    ON CONFLICT (connection) DO UPDATE SET public_key = excluded.public_key, node = excluded.node, \
    device_id = excluded.device_id, device_label = excluded.device_label";

/// No key has everything: as many connections of one as could be asked at all.
const FIND: &str = "SELECT found.* FROM unnest($1::bytea[]) AS wanted (key), LATERAL \
    (SELECT connection, public_key, node, device_id, device_label FROM presence JOIN nodes ON nodes.id = node \
    WHERE public_key = key AND node <> $2 LIMIT 64) AS found";

/// Payloads, in order.
const NOTIFY: &str =
    "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS packets (channel, payload)";

pub(super) struct Statements {
    pub(super) renew: Statement,
    pub(super) change: Statement,
    pub(super) find: Statement,
    pub(super) notify: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            renew: client.prepare(RENEW).await?,
            change: client.prepare(CHANGE).await?,
            find: client.prepare(FIND).await?,
            notify: client.prepare(NOTIFY).await?,
        })
    }
}
