//! Which node owns which open requests.

use super::{error::DbError, own_node::column, reads::records, row::Id, session::Session};
use crate::{
    record::Record,
    store::{columns::array, rows::COLUMNS},
};
use countersign_protocol::RequestId;

/// How many are taken over at once, so that nobody who wants to write waits long.
pub(super) const AT_ONCE: i64 = 500;

/// The first that have no living owner, and with each the others of its batch. One node at a time, so that no batch is divided between two:
/// it is shown together or not at all. A node that has been given up itself takes nothing: what it
/// had would be free again, and taken for ever.
fn take_over_statement() -> String {
    let free = "ended_at IS NULL AND (owner IS NULL OR NOT EXISTS (SELECT FROM nodes WHERE nodes.id = owner)) \
         AND EXISTS (SELECT FROM nodes WHERE nodes.id = $1)";
    format!(
        "WITH alone AS MATERIALIZED \
         (SELECT pg_try_advisory_xact_lock(1668248945, hashtext(coalesce(current_schema(), ''))) AS is_alone), \
         first AS (SELECT id, batch_id FROM requests WHERE (SELECT is_alone FROM alone) AND {free} ORDER BY seq LIMIT $2), \
         taken AS (UPDATE requests SET owner = $1 WHERE {free} AND (id IN (SELECT id FROM first) \
         OR batch_id IN (SELECT batch_id FROM first WHERE batch_id IS NOT NULL)) RETURNING {COLUMNS}, owner, seq) \
         SELECT * FROM taken ORDER BY seq"
    )
}

/// Takes over open requests that no living node owns, at most `limit` of them and the rest of the last one's batch, unless another node is
/// about it; gives them in the order in which they were accepted.
pub(super) async fn take_over(session: &Session, limit: i64) -> Result<Vec<Record>, DbError> {
    let rows = session.client().query(&take_over_statement(), &[&column(session.own()), &limit]).await?;
    records(&rows)
}

/// Which of these have ended, whoever owned them.
pub(super) async fn ended(session: &Session, ids: &[RequestId]) -> Result<Vec<RequestId>, DbError> {
    let ids: Vec<Id> = ids.iter().copied().map(Id::from).collect();
    let ended = "SELECT id FROM requests WHERE id = ANY ($1) AND ended_at IS NOT NULL";
    let rows = session.client().query(ended, &[&ids]).await?;
    rows.iter().map(|row| Ok(RequestId::from_bytes(array(row, "id")?))).collect()
}

/// Gives up all open requests of this node.
pub(super) async fn hand_over(session: &Session) -> Result<(), DbError> {
    let give_up = "UPDATE requests SET owner = NULL WHERE ended_at IS NULL AND owner = $1";
    session.client().execute(give_up, &[&column(session.own())]).await?;
    Ok(())
}
