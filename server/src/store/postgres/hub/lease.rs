//! Staying a node: the lease, and what becomes of those of others.

use super::{
    super::{
        nodes::{self, FORGET_PRESENCE},
        own_node::{OwnNode, column, of_column},
    },
    link::Link,
};
use crate::cluster::NodeId;
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio_postgres::Error;

/// How often the lease is renewed.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// How long a node has to have renewed its own without interruption before it may give up others: after an outage of the database
/// everybody finds their lease over, and is to have the time to renew it.
const UNDISTURBED: Duration = Duration::from_secs(5);
/// A renewal that is later than this was interrupted.
const LATE: Duration = Duration::from_millis(2_500);

const GIVE_UP: &str = "DELETE FROM nodes WHERE id = ANY ($1) AND lease_until < clock_timestamp() RETURNING id";

/// Whether what this node has announced is still known.
const IS_KNOWN: &str = "SELECT EXISTS (SELECT FROM presence WHERE node = $1 AND public_key = '')";
const MARK: &str = "INSERT INTO presence (connection, public_key, node) VALUES (gen_random_uuid(), '', $1)";

/// This node's lease.
pub(super) struct Lease {
    own: Arc<OwnNode>,
    /// Since when it has been renewed without interruption, and when last.
    renewed: Option<(Instant, Instant)>,
    /// What the database has of the last renewal, by its own clock.
    until: Option<SystemTime>,
}

/// What a renewal has shown.
pub(super) struct Renewed {
    pub(super) others: Vec<NodeId>,
    /// The others had given this node up, and it goes on as another one.
    pub(super) is_renamed: bool,
}

impl Lease {
    pub(super) fn new(own: Arc<OwnNode>) -> Self {
        Self { own, renewed: None, until: None }
    }

    pub(super) fn own(&self) -> NodeId {
        self.own.id()
    }

    /// Begins with another connection. Tells whether what was announced before is forgotten, as after a crash of the database: rows that
    /// are not logged do not survive that.
    pub(super) async fn resume(&mut self, link: &Link) -> Result<bool, Error> {
        self.renewed = None;
        let own = column(self.own());
        let is_known: bool = link.client.query_one(IS_KNOWN, &[&own]).await?.try_get(0)?;
        if !is_known {
            link.client.execute(MARK, &[&own]).await?;
        }
        Ok(!is_known)
    }

    /// Renews it, and gives up others whose lease is over.
    pub(super) async fn renew(&mut self, link: &Link) -> Result<Renewed, Error> {
        let mut is_renamed = false;
        loop {
            let began = Instant::now();
            let own = self.own();
            let (mut until, mut was_over, mut others, mut over) = (None, false, Vec::new(), Vec::new());
            for row in link.client.query(&link.statements.renew, &[&column(own)]).await? {
                let (id, is_over): (i64, bool) = (row.try_get("id")?, row.try_get("is_over")?);
                until = row.try_get("renewed_until")?;
                match of_column(id) {
                    id if id == own => {
                        was_over = is_over;
                        self.compare(row.try_get("lease_until")?);
                    }
                    id => {
                        others.push(id);
                        over.extend(is_over.then_some(id));
                    }
                }
            }
            self.until = until;
            if until.is_none() {
                self.go_on_as_another(link).await?;
                is_renamed = true;
                continue;
            }
            if self.is_undisturbed(began, was_over) && !over.is_empty() {
                let gone = give_up(link, &over).await?;
                others.retain(|other| !gone.contains(other));
            }
            others.sort_unstable();
            return Ok(Renewed { others, is_renamed });
        }
    }

    /// Compares what the database had of the last renewal with what it said then. Less is what it had before a backup was put back, or
    /// before a crash: renewals do not wait for the disk.
    fn compare(&self, before: SystemTime) {
        if self.until.is_some_and(|until| before < until) {
            self.own.note_gone_back();
        }
    }

    /// Whether this renewal and those before it have been in time for long enough.
    fn is_undisturbed(&mut self, now: Instant, was_over: bool) -> bool {
        let since = match self.renewed {
            Some((since, last)) if !was_over && now.duration_since(last) <= LATE => since,
            Some(_) | None => now,
        };
        self.renewed = Some((since, now));
        now.duration_since(since) >= UNDISTURBED
    }

    async fn go_on_as_another(&mut self, link: &Link) -> Result<(), Error> {
        let id = OwnNode::another();
        // Before anybody can know of it.
        link.listen(id).await?;
        nodes::register(&link.client, id, &self.own).await?;
        link.client.execute(MARK, &[&column(id)]).await?;
        tracing::warn!(before = %self.own(), now = %id, "the other servers have given this one up; it goes on as a new one");
        self.own.rename(id);
        self.renewed = None;
        Ok(())
    }
}

async fn give_up(link: &Link, over: &[NodeId]) -> Result<Vec<NodeId>, Error> {
    let over: Vec<i64> = over.iter().map(|id| column(*id)).collect();
    let rows = link.client.query(GIVE_UP, &[&over]).await?;
    let gone: Vec<NodeId> = rows.iter().map(|row| row.try_get(0).map(of_column)).collect::<Result<_, _>>()?;
    if !gone.is_empty() {
        tracing::warn!(nodes = ?gone, "servers are given up that have not renewed their lease");
        link.client.execute(FORGET_PRESENCE, &[]).await?;
    }
    Ok(gone)
}
