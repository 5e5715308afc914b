//! Keys that an operator has blocked, as they are kept.

use super::{
    columns::{Columns, Unreadable, array, millis, optional, optional_timestamp, timestamp},
    error::DbError,
};
use crate::time::Timestamp;
use countersign_protocol::{PublicKeyBytes, Reason};
use rusqlite::{Connection, params};

/// The most there may be: every server has all of them in memory.
pub(crate) const MOST_BLOCKS: usize = 10_000;

/// A key of which nothing is to be asked, and that nobody is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) public_key: PublicKeyBytes,
    /// As the system's clock shows it, like the next.
    pub(crate) since: Timestamp,
    pub(crate) until: Option<Timestamp>,
    /// In the operator's words.
    pub(crate) reason: Option<Reason>,
}

impl Block {
    pub(crate) fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// What is to become of a key.
#[derive(Debug, Clone)]
pub(crate) enum BlockChange {
    /// In place of what was said of it before.
    Block(Block),
    Unblock(PublicKeyBytes),
}

/// Changes something, if it is to be, and gives all there are then. What is over by `now` is forgotten with a change.
pub(super) fn blocks(
    connection: &Connection,
    change: Option<&BlockChange>,
    now: Timestamp,
) -> Result<Vec<Block>, DbError> {
    if let Some(change) = change {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute("DELETE FROM blocked_keys WHERE until <= ?1", [millis(now)])?;
        match change {
            BlockChange::Block(Block { public_key, since, until, reason }) => transaction.execute(
                "INSERT OR REPLACE INTO blocked_keys (public_key, since, until, reason) VALUES (?1, ?2, ?3, ?4)",
                params![public_key.as_bytes(), millis(*since), until.map(millis), reason.as_ref().map(Reason::as_str)],
            )?,
            BlockChange::Unblock(key) => {
                transaction.execute("DELETE FROM blocked_keys WHERE public_key = ?1", [key.as_bytes()])?
            }
        };
        transaction.commit()?;
    }
    let mut statement =
        connection.prepare_cached("SELECT public_key, since, until, reason FROM blocked_keys ORDER BY public_key")?;
    statement.query_and_then([], |row| Ok::<_, DbError>(block(row)?))?.collect()
}

/// A block, from a row of whichever database.
pub(super) fn block(row: &impl Columns) -> Result<Block, Unreadable> {
    let key: [u8; 32] = array(row, "public_key")?;
    Ok(Block {
        public_key: key.into(),
        since: timestamp(row, "since")?,
        until: optional_timestamp(row, "until")?,
        reason: optional(row, "reason")?,
    })
}
