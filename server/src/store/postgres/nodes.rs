//! The table of nodes: who is there, by the database's word.

use super::{
    locks::IS_KILLED,
    own_node::{OwnNode, column},
};
use crate::cluster::NodeId;
use tokio_postgres::{Client, Error};

/// How long a node may be silent before others may give it up, in the database's words.
macro_rules! lease {
    () => {
        "clock_timestamp() + interval '5 seconds'"
    };
}
pub(super) use lease;

const REGISTER: &str = concat!("INSERT INTO nodes (id, lock, lease_until) VALUES ($1, $2, ", lease!(), ")");

/// What nodes that are gone had announced.
pub(super) const FORGET_PRESENCE: &str =
    "DELETE FROM presence WHERE NOT EXISTS (SELECT FROM nodes WHERE nodes.id = presence.node)";

/// Makes this process a node under this id.
pub(super) async fn register(client: &Client, id: NodeId, own: &OwnNode) -> Result<(), Error> {
    client.execute(REGISTER, &[&column(id), &own.lock()]).await.map(drop)
}

/// Forgets nodes whose process has ended without a goodbye: nobody has to wait for their leases to be over.
pub(super) async fn forget_killed(client: &Client) -> Result<(), Error> {
    client.execute(&format!("DELETE FROM nodes WHERE {IS_KILLED}"), &[]).await?;
    client.execute(FORGET_PRESENCE, &[]).await.map(drop)
}

/// Says goodbye: what this node had is anybody's.
pub(super) async fn unregister(client: &Client, id: NodeId) -> Result<(), Error> {
    client.execute("DELETE FROM nodes WHERE id = $1", &[&column(id)]).await?;
    client.execute("DELETE FROM presence WHERE node = $1", &[&column(id)]).await.map(drop)
}
