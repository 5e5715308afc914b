//! The same of events, for all servers that use the database.

use super::{error::DbError, row::Id, session::Session};
use crate::{
    store::{
        columns::{array, millis},
        events::{EventFilter, ListedEvent, RESENT_AT_ONCE, Resend, event},
    },
    time::Timestamp,
};
use countersign_protocol::RequestId;

const LIST: &str = "SELECT request AS id, requester_id, target, attempts, next_at, ended_at FROM \
    (SELECT events.request, requester_id, target, events.attempts, next_at, ended_at FROM events JOIN requests ON id = request \
    WHERE ($1::uuid IS NULL OR request > $1) AND ($2::text IS NULL OR target = $2) AND (NOT $3 OR events.attempts > 0) \
    ORDER BY request LIMIT $4) AS listed ORDER BY id";

const RESEND: &str = "INSERT INTO events (request, target, attempts, next_at) SELECT id, webhook, 0, $2 FROM requests \
    WHERE id = ANY ($1) AND webhook IS NOT NULL AND ended_at IS NOT NULL \
    ON CONFLICT (request) DO UPDATE SET attempts = 0, next_at = excluded.next_at RETURNING request AS id";

const RESEND_OF_TARGET: &str = "UPDATE events SET attempts = 0, next_at = $2 WHERE request IN \
    (SELECT request FROM events WHERE target = $1 AND attempts > 0 ORDER BY request LIMIT $3 FOR UPDATE SKIP LOCKED) \
    RETURNING request AS id";

/// The events, in the order of their requests' ids.
pub(super) async fn list(session: &Session, filter: &EventFilter) -> Result<Vec<ListedEvent>, DbError> {
    let after = filter.after.map(|after| Id(after.to_be_bytes()));
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let rows = session.client().query(LIST, &[&after, &filter.target, &filter.failed, &limit]).await?;
    let listed = rows.iter().map(|row| event(row, u128::from_be_bytes(array(row, "id")?)));
    Ok(listed.collect::<Result<_, _>>()?)
}

/// Has events be told anew; which requests' they are. What a node is about to tell stays its own to tell.
pub(super) async fn resend(session: &Session, which: &Resend, now: Timestamp) -> Result<Vec<RequestId>, DbError> {
    let (client, now) = (session.client(), millis(now));
    let rows = match which {
        Resend::Requests(ids) => {
            let ids: Vec<Id> = ids.iter().map(|id| Id::from(*id)).collect();
            client.query(RESEND, &[&ids, &now]).await?
        }
        Resend::Target(target) => {
            let limit = i64::try_from(RESENT_AT_ONCE).unwrap_or(i64::MAX);
            client.query(RESEND_OF_TARGET, &[target, &now, &limit]).await?
        }
    };
    Ok(rows.iter().map(|row| array(row, "id").map(RequestId::from_bytes)).collect::<Result<_, _>>()?)
}
