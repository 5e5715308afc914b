//! The hub's connection, and what is said on it over and over.

use super::{
    super::{
        connector::Connector,
        error::{ConnectError, DbError},
        session::Driver,
    },
    inbox::{Inbox, TOKENS},
    statements::Statements,
};
use crate::cluster::NodeId;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::{Client, Error};

/// What needs no disk: whatever is lost with the database's memory is said again.
const SETTINGS: &str = "SET synchronous_commit = off";

/// Names the channels of this schema: there may be several in a database.
const SCHEMA: &str = "SELECT lpad(to_hex(hashtext(coalesce(current_schema(), ''))), 8, '0')";

/// A connection, closed when dropped.
pub(super) struct Link {
    pub(super) client: Client,
    driver: Driver,
    schema: String,
    pub(super) statements: Statements,
}

impl Link {
    /// Connects; no step takes longer than `limit`.
    pub(super) async fn connect(connector: &Connector, inbox: &Inbox, limit: Duration) -> Result<Self, ConnectError> {
        let drive = |connection| Driver(tokio::spawn(inbox.clone().drive(connection)));
        let (client, driver) = connector.connect_messenger(limit, drive).await?;
        let link = timeout(limit, Self::prepare(client, driver)).await.map_err(|_| DbError::Late)??;
        timeout(limit, link.listen(inbox.own.id())).await.map_err(|_| DbError::Late)??;
        Ok(link)
    }

    async fn prepare(client: Client, driver: Driver) -> Result<Self, DbError> {
        client.batch_execute(SETTINGS).await?;
        Ok(Self {
            driver,
            schema: client.query_one(SCHEMA, &[]).await?.try_get(0)?,
            statements: Statements::prepare(&client).await?,
            client,
        })
    }

    /// Hears what is sent to this node, and no other, and when tokens have changed.
    pub(super) async fn listen(&self, node: NodeId) -> Result<(), Error> {
        let (own, tokens) = (self.channel(node), format!("countersign_{}{TOKENS}", self.schema));
        self.client.batch_execute(&format!("UNLISTEN *; LISTEN \"{own}\"; LISTEN \"{tokens}\"")).await
    }

    /// Sends payloads, in order.
    pub(super) async fn notify(&self, payloads: &[(NodeId, String)]) -> Result<(), Error> {
        if payloads.is_empty() {
            return Ok(());
        }
        let (channels, texts): (Vec<_>, Vec<_>) =
            payloads.iter().map(|(to, text)| (self.channel(*to), text.as_str())).unzip();
        self.client.execute(&self.statements.notify, &[&channels, &texts]).await.map(drop)
    }

    /// Returns when the connection is over.
    pub(super) async fn closed(&mut self) {
        // However its task ended, it is.
        let _ = (&mut self.driver.0).await;
    }

    fn channel(&self, node: NodeId) -> String {
        format!("countersign_{}_{node}", self.schema)
    }
}
