//! The table of wallets that are connected.

use super::{
    super::{
        error::DbError,
        own_node::{column, of_column},
        row::Id,
    },
    link::Link,
};
use crate::{
    cluster::{NodeId, Presence},
    store::columns::{array, number, optional},
};
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio_postgres::Row;

/// One statement for all: each connection is in it once.
pub(super) const CHANGE: &str = "WITH gone AS (DELETE FROM presence WHERE connection = ANY ($1)) \
    INSERT INTO presence (connection, public_key, node, device_id, device_label) \
    SELECT connection, public_key, $2, device_id, device_label \
    FROM unnest($3::uuid[], $4::bytea[], $5::text[], $6::text[]) AS come (connection, public_key, device_id, device_label) \
    ON CONFLICT (connection) DO UPDATE SET public_key = excluded.public_key, node = excluded.node, \
    device_id = excluded.device_id, device_label = excluded.device_label";

/// No key has everything: as many connections of one as could be asked at all.
pub(super) const FIND: &str = "SELECT found.* FROM unnest($1::bytea[]) AS wanted (key), LATERAL \
    (SELECT connection, public_key, node, device_id, device_label FROM presence JOIN nodes ON nodes.id = node \
    WHERE public_key = key AND node <> $2 LIMIT 64) AS found";

/// What is to become of connections: announced as this, or withdrawn.
pub(super) type Changes = BTreeMap<ConnectionId, Option<Presence>>;

/// Connections by their key.
pub(super) type Found = HashMap<PublicKeyBytes, Vec<Presence>>;

pub(super) async fn change(link: &Link, own: NodeId, changes: &Changes) -> Result<(), DbError> {
    if changes.is_empty() {
        return Ok(());
    }
    let gone: Vec<_> = changes.iter().filter(|(_, to)| to.is_none()).map(|(connection, _)| id(*connection)).collect();
    let come: Vec<&Presence> = changes.values().flatten().collect();
    let device = |presence: &&Presence| presence.device.clone();
    let (connections, keys): (Vec<_>, Vec<_>) =
        come.iter().map(|presence| (id(presence.connection), &presence.public_key.as_bytes()[..])).unzip();
    let devices: Vec<_> = come.iter().map(device).collect();
    let (ids, labels): (Vec<_>, Vec<_>) = devices
        .iter()
        .map(|device| device.as_ref().map(|device| (device.id.as_str(), device.label.as_str())).unzip())
        .unzip();
    link.client.execute(&link.change, &[&gone, &column(own), &connections, &keys, &ids, &labels]).await?;
    Ok(())
}

/// The connections of these keys elsewhere.
pub(super) async fn find(link: &Link, own: NodeId, keys: &[PublicKeyBytes]) -> Result<Found, DbError> {
    let mut found = Found::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key.as_bytes()[..]).collect();
    for row in link.client.query(&link.find, &[&keys, &column(own)]).await? {
        let presence = presence(&row)?;
        found.entry(presence.public_key).or_default().push(presence);
    }
    Ok(found)
}

fn presence(row: &Row) -> Result<Presence, DbError> {
    let device = match (optional(row, "device_id")?, optional(row, "device_label")?) {
        (Some(id), Some(label)) => Some(Arc::new(Device { id, label })),
        (Some(_) | None, _) => None,
    };
    Ok(Presence {
        node: of_column(number(row, "node")?),
        connection: ConnectionId::from_bytes(array(row, "connection")?),
        public_key: array::<32>(row, "public_key")?.into(),
        device,
    })
}

fn id(connection: ConnectionId) -> Id {
    Id(connection.to_bytes())
}
