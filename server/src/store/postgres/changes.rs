//! The statements that make each write, none of them waited for.

use super::{own_node::column, row::Id, session::Session, statements::CLOCK_SET};
use crate::{
    cluster::NodeId,
    idempotency::IdempotencyKey,
    record::{End, PhaseTimes, Record},
    reference::Reference,
    requester::RequesterId,
    storage::{Idempotency, Replaced, Write},
    store::{columns::millis, end_row::EndRow, metadata, quota, rows::ended_at},
};
use countersign_protocol::RequestId;
use std::{future::Future, pin::Pin};
use tokio_postgres::types::ToSql;

/// A statement under way; gives the number of rows it concerned.
pub(super) type Statement<'a> = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send + 'a>>;

/// The statements that make a write of the node `own`, in order.
pub(super) fn made<'a>(session: &'a Session, own: NodeId, write: &'a Write, token: Id) -> Vec<Statement<'a>> {
    let (client, statements) = (session.client(), &session.statements);
    match write {
        Write::Accept { records, idempotency, replaced } => {
            accept(session, own, records, idempotency.as_ref(), replaced.as_deref())
        }
        Write::Progress { id, times, attempt } => vec![progress(session, own, *id, times, *attempt)],
        Write::End { id, end, times } => vec![conclude(session, *id, (end, times), own)],
        Write::EventDone { id } => {
            let id = Id::from(*id);
            vec![Box::pin(async move { client.execute(&statements.event_done, &[&id]).await })]
        }
        Write::EventFailed { id, attempts, next_at } => {
            let (id, attempts, next_at) = (Id::from(*id), i64::from(*attempts), millis(*next_at));
            vec![Box::pin(async move { client.execute(&statements.event_failed, &[&id, &attempts, &next_at]).await })]
        }
        Write::ClockSet { by_ms } => {
            let own = column(own);
            vec![Box::pin(async move { client.execute(CLOCK_SET, &[by_ms, &token, &own]).await })]
        }
    }
}

fn accept<'a>(
    session: &'a Session,
    own: NodeId,
    records: &'a [Record],
    idempotency: Option<&'a Idempotency>,
    replaced: Option<&'a Replaced>,
) -> Vec<Statement<'a>> {
    let (client, statements) = (session.client(), &session.statements);
    let mut made: Vec<Statement<'a>> = Vec::new();
    made.extend(replaced.map(|replaced| {
        let Replaced { id, end, times, owner } = replaced;
        conclude(session, *id, (end, times), owner.unwrap_or(own))
    }));
    if let Some(Idempotency { requester, key, fingerprint }) = idempotency {
        let ids: Vec<u8> = records.iter().flat_map(|record| record.id.to_bytes()).collect();
        let kept = i64::try_from(records.len()).unwrap_or(i64::MAX);
        made.push(Box::pin(async move {
            let row: [&(dyn ToSql + Sync); 5] = [&requester.as_str(), &key.as_str(), &&fingerprint[..], &ids, &kept];
            client.execute(&statements.remember_key, &row).await
        }));
    }
    for record in records {
        made.push(insert(session, own, record, idempotency.map(|idempotency| &idempotency.key)));
        if record.end.is_some() && record.webhook.is_some() {
            let id = Id::from(record.id);
            made.push(Box::pin(async move { client.execute(&statements.enqueue, &[&id]).await }));
        }
    }
    made
}

fn insert<'a>(session: &'a Session, own: NodeId, record: &'a Record, key: Option<&'a IdempotencyKey>) -> Statement<'a> {
    Box::pin(async move {
        let times = &record.times;
        let end = record.end.as_ref().map(EndRow::from).unwrap_or_default();
        let batch = record.batch.as_ref();
        let name = Some(record.requester.as_str()).filter(|name| *name != record.requester_id.as_str());
        let kept_bytes = i64::try_from(quota::bytes(record)).unwrap_or(i64::MAX);
        session
            .client()
            .execute(
                &session.statements.insert,
                &[
                    &Id::from(record.id),
                    &&record.public_key.as_bytes()[..],
                    &record.requester_id.as_str(),
                    &name,
                    &record.purpose.as_ref().map(|purpose| purpose.as_str()),
                    &batch.map(|batch| batch.id.to_bytes().to_vec()),
                    &batch.map(|batch| i64::from(batch.index)),
                    &batch.map(|batch| i64::from(batch.size)),
                    &record.webhook.as_deref(),
                    &millis(record.deliver_by),
                    &millis(record.expires_at),
                    &i64::from(record.attempt),
                    &millis(times.queued),
                    &times.delivered.map(millis),
                    &times.received.map(millis),
                    &times.displayed.map(millis),
                    &record.end.is_some().then(|| millis(ended_at(times))),
                    &end.kind,
                    &end.phase,
                    &end.signature.map(|signature| &signature[..]),
                    &end.approved_by,
                    &end.device_id,
                    &end.device_label,
                    &end.reject_code,
                    &end.reason,
                    &record.message.as_bytes(),
                    &key.map(IdempotencyKey::as_str),
                    &kept_bytes,
                    &column(own),
                    &record.reference.as_ref().map(Reference::as_str),
                    &record.metadata.as_ref().map(metadata::text),
                ],
            )
            .await
    })
}

fn progress<'a>(
    session: &'a Session,
    own: NodeId,
    id: RequestId,
    times: &'a PhaseTimes,
    attempt: u32,
) -> Statement<'a> {
    Box::pin(async move {
        let PhaseTimes { delivered, received, displayed, .. } = times;
        let row: [&(dyn ToSql + Sync); 6] = [
            &Id::from(id),
            &delivered.map(millis),
            &received.map(millis),
            &displayed.map(millis),
            &i64::from(attempt),
            &column(own),
        ];
        session.client().execute(&session.statements.progress, &row).await
    })
}

/// Ends a request that is open and that node's.
fn conclude<'a>(
    session: &'a Session,
    id: RequestId,
    (end, times): (&'a End, &'a PhaseTimes),
    owner: NodeId,
) -> Statement<'a> {
    Box::pin(async move {
        let end = EndRow::from(end);
        session
            .client()
            .execute(
                &session.statements.end,
                &[
                    &Id::from(id),
                    &times.delivered.map(millis),
                    &times.received.map(millis),
                    &times.displayed.map(millis),
                    &millis(ended_at(times)),
                    &end.kind,
                    &end.phase,
                    &end.signature.map(|signature| &signature[..]),
                    &end.approved_by,
                    &end.device_id,
                    &end.device_label,
                    &end.reject_code,
                    &end.reason,
                    &column(owner),
                ],
            )
            .await
    })
}

pub(super) fn add_share<'a>(session: &'a Session, requester: &'a RequesterId, bytes: i64) -> Statement<'a> {
    Box::pin(async move {
        let part = session.part();
        session.client().execute(&session.statements.add_share, &[&requester.as_str(), &part, &bytes]).await
    })
}
