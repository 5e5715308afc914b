//! Writes, many in one transaction, each as it was submitted after the others.
//!
//! What has to be known first is asked for all of them at once; what they change is sent in their order, without waiting in between.
//! Every write may be made again by who does not know whether it was: requests and ends are known by their ids.

use super::{
    error::{DbError, Severity},
    pipeline::pipeline,
    plan::{Known, Outcome, Plan},
    reads,
    row::Id,
    session::Session,
    statements::CLOCK_SET,
};
use crate::{
    idempotency::IdempotencyKey,
    record::{End, PhaseTimes, Record},
    requester::RequesterId,
    storage::{Idempotency, StoreError, Write, Written},
    store::{
        batch::Job,
        columns::{array, bytes, millis, number, parsed, text},
        end_row::EndRow,
        quota::{self, Limits},
        rows::ended_at,
    },
};
use countersign_protocol::RequestId;
use std::{collections::BTreeMap, future::Future, pin::Pin};

/// A statement under way; gives the number of rows it concerned.
type Statement<'a> = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send + 'a>>;

/// How often a transaction is made again that somebody else was in the way of.
const TRIES: usize = 5;

/// Writes that share a transaction, and by what they are known to have been tried before.
pub(super) struct Group {
    pub(super) jobs: Vec<Job>,
    /// Names this group's corrections of the clock.
    pub(super) token: u128,
    /// Nobody knows whether it has been committed.
    pub(super) is_repeated: bool,
}

/// Makes all the writes in one transaction. Only where one of them contradicts what is there is each made apart, so that it takes no
/// other with it.
pub(super) async fn transact(session: &Session, group: &Group, limits: Limits) -> Result<Vec<Outcome>, DbError> {
    let (mut tries, mut apart) = (TRIES, false);
    loop {
        let result = attempt(session, group, limits, apart).await;
        let Err(error) = result else { return result };
        let severity = error.severity();
        // After a connection broke there is nobody to tell.
        if severity != Severity::Lost {
            session.client().batch_execute("ROLLBACK").await?;
        }
        match severity {
            Severity::Refused if !apart => apart = true,
            Severity::Again if tries > 0 => tries -= 1,
            Severity::Refused | Severity::Again | Severity::Full | Severity::Lost => return Err(error),
        }
    }
}

async fn attempt(session: &Session, group: &Group, limits: Limits, apart: bool) -> Result<Vec<Outcome>, DbError> {
    let client = session.client();
    let (begun, checked) = tokio::join!(biased; client.batch_execute("BEGIN"), session.check());
    begun?;
    checked?;
    let outcomes = if apart {
        let mut outcomes = Vec::with_capacity(group.jobs.len());
        for (place, job) in group.jobs.iter().enumerate() {
            outcomes.push(apply_apart(session, group, place, job, limits).await?);
        }
        outcomes
    } else {
        apply(session, group, 0, &group.jobs, limits).await?
    };
    client.batch_execute("COMMIT").await?;
    Ok(outcomes)
}

/// Makes one write so that it can be undone by itself.
async fn apply_apart(
    session: &Session,
    group: &Group,
    place: usize,
    job: &Job,
    limits: Limits,
) -> Result<Outcome, DbError> {
    let client = session.client();
    client.batch_execute("SAVEPOINT write").await?;
    match apply(session, group, place, std::slice::from_ref(job), limits).await {
        Ok(outcomes) => {
            client.batch_execute("RELEASE write").await?;
            Ok(outcomes.into_iter().next().unwrap_or(Err(StoreError::Failed)))
        }
        Err(error) if error.severity() == Severity::Refused => {
            tracing::error!(%error, "the store refuses a write");
            client.batch_execute("ROLLBACK TO write; RELEASE write").await?;
            Ok(Err(StoreError::Failed))
        }
        Err(error) => Err(error),
    }
}

async fn apply(
    session: &Session,
    group: &Group,
    first: usize,
    jobs: &[Job],
    limits: Limits,
) -> Result<Vec<Outcome>, DbError> {
    let known = known(session, jobs, group.is_repeated, limits).await?;
    let mut plan = Plan::new(known);
    let outcomes: Vec<Option<Outcome>> = jobs.iter().map(|job| plan.decide(&job.write)).collect();
    let shares = plan.into_shares();
    let mut statements: Vec<(usize, Statement<'_>)> = Vec::new();
    for (place, (job, outcome)) in jobs.iter().zip(&outcomes).enumerate() {
        if outcome.is_none() {
            let token = Id(group.token.wrapping_add((first + place) as u128).to_be_bytes());
            statements.extend(made(session, &job.write, token).into_iter().map(|statement| (place, statement)));
        }
    }
    let counted = shares.iter().map(|(requester, bytes)| (jobs.len(), add_share(session, requester, *bytes)));
    statements.extend(counted.collect::<Vec<_>>());
    let (places, statements): (Vec<_>, Vec<_>) = statements.into_iter().unzip();
    let mut rows = BTreeMap::new();
    for (place, result) in places.into_iter().zip(pipeline(statements).await) {
        // A key that was taken between the question and now, an end that is not the first.
        rows.entry(place).or_insert(result?);
    }
    let mut told = Vec::with_capacity(jobs.len());
    for (place, (job, outcome)) in jobs.iter().zip(outcomes).enumerate() {
        told.push(match outcome {
            Some(outcome) => outcome,
            None => concluded(session, &job.write, rows.get(&place) == Some(&0)).await?,
        });
    }
    Ok(told)
}

/// What a write has come to whose first statement concerned nothing, or something.
async fn concluded(session: &Session, write: &Write, nothing: bool) -> Result<Outcome, DbError> {
    match write {
        Write::Accept { idempotency: Some(_), .. } if nothing => Err(DbError::Overtaken),
        Write::End { id, .. } if nothing => {
            let stands = reads::request(session, *id).await?;
            Ok(Ok(stands.map_or(Written::Done, |record| Written::Ended(Box::new(record)))))
        }
        Write::Accept { .. }
        | Write::End { .. }
        | Write::Progress { .. }
        | Write::EventDone { .. }
        | Write::EventFailed { .. }
        | Write::ClockSet { .. } => Ok(Ok(Written::Done)),
    }
}

/// What has to be known before these can be decided.
async fn known(session: &Session, jobs: &[Job], is_repeated: bool, limits: Limits) -> Result<Known, DbError> {
    let (mut requesters, mut keys, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let mut takes_room = false;
    for job in jobs {
        let Write::Accept { records, idempotency } = &job.write else { continue };
        if let Some(idempotency) = idempotency {
            requesters.push(idempotency.requester.as_str());
            keys.push(idempotency.key.as_str());
        }
        takes_room |= !records.is_empty();
        ids.extend(records.first().map(|record| Id::from(record.id)));
    }
    let (client, statements) = (session.client(), &session.statements);
    let mut known = Known::new(limits);
    if !keys.is_empty() {
        for row in client.query(&statements.known_keys, &[&requesters, &keys]).await? {
            let requester: RequesterId = parsed(&text(&row, "requester_id")?, "requester_id")?;
            let key: IdempotencyKey = parsed(&text(&row, "key")?, "key")?;
            let fingerprint: [u8; 32] = array(&row, "fingerprint")?;
            let ids = bytes(&row, "requests")?.as_chunks().0.iter().copied().map(RequestId::from_bytes).collect();
            known.keys.insert((requester, key), (fingerprint, ids));
        }
    }
    if takes_room {
        for row in client.query(&statements.shares, &[]).await? {
            let bytes: i64 = number(&row, "bytes")?;
            known.has_taken(parsed(&text(&row, "requester_id")?, "requester_id")?, u64::try_from(bytes).unwrap_or(0));
        }
    }
    if is_repeated && !ids.is_empty() {
        for row in client.query(&statements.known_requests, &[&ids]).await? {
            known.requests.insert(RequestId::from_bytes(array(&row, "id")?));
        }
    }
    Ok(known)
}

/// The statements that make a write, in order.
fn made<'a>(session: &'a Session, write: &'a Write, token: Id) -> Vec<Statement<'a>> {
    let (client, statements) = (session.client(), &session.statements);
    match write {
        Write::Accept { records, idempotency } => accept(session, records, idempotency.as_ref()),
        Write::Progress { id, times, attempt } => vec![progress(session, *id, times, *attempt)],
        Write::End { id, end, times } => vec![conclude(session, *id, end, times)],
        Write::EventDone { id } => {
            let id = Id::from(*id);
            vec![Box::pin(async move { client.execute(&statements.event_done, &[&id]).await })]
        }
        Write::EventFailed { id, attempts, next_at } => {
            let (id, attempts, next_at) = (Id::from(*id), i64::from(*attempts), millis(*next_at));
            vec![Box::pin(async move { client.execute(&statements.event_failed, &[&id, &attempts, &next_at]).await })]
        }
        Write::ClockSet { by_ms } => vec![Box::pin(async move { client.execute(CLOCK_SET, &[by_ms, &token]).await })],
    }
}

fn accept<'a>(session: &'a Session, records: &'a [Record], idempotency: Option<&'a Idempotency>) -> Vec<Statement<'a>> {
    let (client, statements) = (session.client(), &session.statements);
    let mut made: Vec<Statement<'a>> = Vec::new();
    if let Some(Idempotency { requester, key, fingerprint }) = idempotency {
        let ids: Vec<u8> = records.iter().flat_map(|record| record.id.to_bytes()).collect();
        let kept = i64::try_from(records.len()).unwrap_or(i64::MAX);
        made.push(Box::pin(async move {
            let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                [&requester.as_str(), &key.as_str(), &&fingerprint[..], &ids, &kept];
            client.execute(&statements.remember_key, &row).await
        }));
    }
    for record in records {
        made.push(insert(session, record, idempotency.map(|idempotency| &idempotency.key)));
        if record.end.is_some() && record.webhook.is_some() {
            let id = Id::from(record.id);
            made.push(Box::pin(async move { client.execute(&statements.enqueue, &[&id]).await }));
        }
    }
    made
}

fn insert<'a>(session: &'a Session, record: &'a Record, key: Option<&'a IdempotencyKey>) -> Statement<'a> {
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
                ],
            )
            .await
    })
}

fn progress<'a>(session: &'a Session, id: RequestId, times: &'a PhaseTimes, attempt: u32) -> Statement<'a> {
    Box::pin(async move {
        let PhaseTimes { delivered, received, displayed, .. } = times;
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
            [&Id::from(id), &delivered.map(millis), &received.map(millis), &displayed.map(millis), &i64::from(attempt)];
        session.client().execute(&session.statements.progress, &row).await
    })
}

fn conclude<'a>(session: &'a Session, id: RequestId, end: &'a End, times: &'a PhaseTimes) -> Statement<'a> {
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
                ],
            )
            .await
    })
}

fn add_share<'a>(session: &'a Session, requester: &'a RequesterId, bytes: i64) -> Statement<'a> {
    Box::pin(async move {
        let part = session.part();
        session.client().execute(&session.statements.add_share, &[&requester.as_str(), &part, &bytes]).await
    })
}
