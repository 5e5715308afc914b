//! Keys that an operator has blocked: the database decides, for all servers that use it.

use super::{error::DbError, session::Session};
use crate::{
    store::{
        blocks::{Block, BlockChange, block},
        columns::millis,
    },
    time::Timestamp,
};
use countersign_protocol::Reason;

const ALL: &str = "SELECT public_key, since, until, reason FROM blocked_keys ORDER BY public_key";
const FORGET: &str = "DELETE FROM blocked_keys WHERE until <= $1";
const UNBLOCK: &str = "DELETE FROM blocked_keys WHERE public_key = $1";
const BLOCK: &str = "INSERT INTO blocked_keys (public_key, since, until, reason) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (public_key) DO UPDATE SET since = excluded.since, until = excluded.until, reason = excluded.reason";

/// Changes something, if it is to be, and gives all there are then. What is over by `now` is forgotten with a change. Each statement may be
/// made again by who does not know whether it was.
pub(super) async fn blocks(
    session: &Session,
    change: Option<&BlockChange>,
    now: Timestamp,
) -> Result<Vec<Block>, DbError> {
    let client = session.client();
    if let Some(change) = change {
        client.execute(FORGET, &[&millis(now)]).await?;
        match change {
            BlockChange::Block(Block { public_key, since, until, reason }) => {
                let (until, reason) = (until.map(millis), reason.as_ref().map(Reason::as_str));
                let key = public_key.as_bytes().as_slice();
                client.execute(BLOCK, &[&key, &millis(*since), &until, &reason]).await?;
            }
            BlockChange::Unblock(key) => drop(client.execute(UNBLOCK, &[&key.as_bytes().as_slice()]).await?),
        }
    }
    let rows = client.query(ALL, &[]).await?;
    Ok(rows.iter().map(block).collect::<Result<_, _>>()?)
}
