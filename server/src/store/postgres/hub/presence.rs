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
    link.client.execute(&link.statements.change, &[&gone, &column(own), &connections, &keys, &ids, &labels]).await?;
    Ok(())
}

/// The connections of these keys elsewhere.
pub(super) async fn find(link: &Link, own: NodeId, keys: &[PublicKeyBytes]) -> Result<Found, DbError> {
    let mut found = Found::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key.as_bytes()[..]).collect();
    for row in link.client.query(&link.statements.find, &[&keys, &column(own)]).await? {
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
