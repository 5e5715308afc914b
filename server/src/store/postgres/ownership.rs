//! Which node owns which open requests.

use super::{error::DbError, own_node::column, reads::records, session::Session};
use crate::{record::Record, store::rows::COLUMNS};

/// How many are taken over at once, so that nobody who wants to write waits long.
pub(super) const AT_ONCE: i64 = 500;

/// Two nodes that do this at the same time take each what the other has not. One that has been given up itself takes nothing: what it had
/// would be free again, and taken for ever.
fn take_over_statement() -> String {
    format!(
        "WITH free AS (SELECT id FROM requests WHERE ended_at IS NULL \
         AND (owner IS NULL OR NOT EXISTS (SELECT FROM nodes WHERE nodes.id = owner)) \
         AND EXISTS (SELECT FROM nodes WHERE nodes.id = $1) ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED), \
         taken AS (UPDATE requests SET owner = $1 WHERE id IN (SELECT id FROM free) RETURNING {COLUMNS}, owner, seq) \
         SELECT * FROM taken ORDER BY seq"
    )
}

/// Takes over open requests that no living node owns, at most `limit` of them; gives them in the order in which they were accepted.
pub(super) async fn take_over(session: &Session, limit: i64) -> Result<Vec<Record>, DbError> {
    let rows = session.client().query(&take_over_statement(), &[&column(session.own()), &limit]).await?;
    records(&rows)
}

/// Gives up all open requests of this node.
pub(super) async fn hand_over(session: &Session) -> Result<(), DbError> {
    let give_up = "UPDATE requests SET owner = NULL WHERE ended_at IS NULL AND owner = $1";
    session.client().execute(give_up, &[&column(session.own())]).await?;
    Ok(())
}
