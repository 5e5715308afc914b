//! Writes, many in one transaction, each as it was submitted after the others.
//!
//! What has to be known first is asked for all of them at once; what they change is sent in their order, without waiting in between.
//! Every write may be made again by who does not know whether it was: requests and ends are known by their ids.

use super::{
    changes::{Statement, add_share, made},
    error::{DbError, Severity},
    own_node::of_column,
    pipeline::pipeline,
    plan::{Known, Outcome, Plan},
    reads,
    row::Id,
    session::Session,
};
use crate::{
    cluster::NodeId,
    idempotency::IdempotencyKey,
    record::Record,
    requester::RequesterId,
    storage::{Replaced, StoreError, Write, Written},
    store::{
        batch::Job,
        columns::{array, bytes, number, parsed, text},
        quota::Limits,
    },
};
use countersign_protocol::RequestId;
use std::collections::{BTreeMap, HashMap};

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

/// Makes all the writes in one transaction. Only where one of them contradicts what is there, or builds on another, is each made apart: it takes no other
/// with it, and sees what was made before it.
pub(super) async fn transact(session: &Session, group: &Group, limits: Limits) -> Result<Vec<Outcome>, DbError> {
    let (mut tries, mut apart) = (TRIES, builds_on_itself(&group.jobs));
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

/// Whether one of the writes replaces a request that another one before it makes or ends: what is asked for beforehand does not show that.
fn builds_on_itself(jobs: &[Job]) -> bool {
    let concerns = |write: &Write, id: RequestId| match write {
        Write::Accept { records, replaced, .. } => {
            records.iter().any(|record| record.id == id) || replaced.as_ref().is_some_and(|replaced| replaced.id == id)
        }
        Write::End { id: ended, .. } => *ended == id,
        Write::Progress { .. } | Write::EventDone { .. } | Write::EventFailed { .. } | Write::ClockSet { .. } => false,
    };
    jobs.iter().enumerate().any(|(place, job)| {
        let Write::Accept { replaced: Some(replaced), .. } = &job.write else { return false };
        jobs.iter().take(place).any(|earlier| concerns(&earlier.write, replaced.id))
    })
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
    // One name for all of it, whatever the others call this node meanwhile.
    let own = session.own();
    let known = known(session, own, jobs, group.is_repeated, limits).await?;
    let mut plan = Plan::new(known);
    let outcomes: Vec<Option<Outcome>> = jobs.iter().map(|job| plan.decide(&job.write)).collect();
    let shares = plan.into_shares();
    let mut statements: Vec<(usize, Statement<'_>)> = Vec::new();
    for (place, (job, outcome)) in jobs.iter().zip(&outcomes).enumerate() {
        if outcome.is_none() {
            let token = Id(group.token.wrapping_add((first + place) as u128).to_be_bytes());
            statements.extend(made(session, own, &job.write, token).into_iter().map(|statement| (place, statement)));
        }
    }
    let counted = shares.iter().map(|(requester, bytes)| (jobs.len(), add_share(session, requester, *bytes)));
    statements.extend(counted.collect::<Vec<_>>());
    let (places, statements): (Vec<_>, Vec<_>) = statements.into_iter().unzip();
    let mut rows = BTreeMap::new();
    for (place, result) in places.into_iter().zip(pipeline(statements).await) {
        // A key that was taken between the question and now, an end that is not the first.
        let changed = result?;
        rows.entry(place).and_modify(|least: &mut u64| *least = changed.min(*least)).or_insert(changed);
    }
    let mut told = Vec::with_capacity(jobs.len());
    for (place, (job, outcome)) in jobs.iter().zip(outcomes).enumerate() {
        told.push(match outcome {
            Some(outcome) => outcome,
            None => concluded(session, own, &job.write, rows.get(&place) == Some(&0)).await?,
        });
    }
    Ok(told)
}

/// What a write has come to of which a statement concerned nothing, or each something.
async fn concluded(session: &Session, own: NodeId, write: &Write, nothing: bool) -> Result<Outcome, DbError> {
    match write {
        // A key was taken since it was asked for, or what was to be replaced has ended.
        Write::Accept { .. } if nothing => Err(DbError::Overtaken),
        Write::End { id, .. } if nothing => Ok(Ok(not_open(reads::request(session, *id).await?))),
        Write::Accept { .. } => Ok(Ok(Written::Accepted(Some(own)))),
        Write::End { .. }
        | Write::Progress { .. }
        | Write::EventDone { .. }
        | Write::EventFailed { .. }
        | Write::ClockSet { .. } => Ok(Ok(Written::Done)),
    }
}

/// What is to be said of a request that is not open, or not that node's.
fn not_open(stands: Option<Record>) -> Written {
    match stands {
        None => Written::Unknown,
        Some(record) if record.end.is_some() => Written::Ended(Box::new(record)),
        Some(_) => Written::Elsewhere,
    }
}

/// What has to be known before these can be decided.
async fn known(
    session: &Session,
    own: NodeId,
    jobs: &[Job],
    is_repeated: bool,
    limits: Limits,
) -> Result<Known, DbError> {
    let (mut requesters, mut keys, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let mut takes_room = false;
    let mut replaced_ones = HashMap::new();
    for job in jobs {
        let Write::Accept { records, idempotency, replaced } = &job.write else { continue };
        if let Some(Replaced { id, owner, .. }) = replaced.as_deref() {
            let stands = reads::request(session, *id).await?;
            let owner = owner.unwrap_or(own);
            let is_open_there = |record: &Record| record.end.is_none() && record.node == Some(owner);
            if !stands.as_ref().is_some_and(is_open_there) {
                replaced_ones.insert(*id, not_open(stands));
            }
        }
        if let Some(idempotency) = idempotency {
            requesters.push(idempotency.requester.as_str());
            keys.push(idempotency.key.as_str());
        }
        takes_room |= !records.is_empty();
        ids.extend(records.first().map(|record| Id::from(record.id)));
    }
    let (client, statements) = (session.client(), &session.statements);
    let mut known = Known::new(limits);
    known.replaced = replaced_ones;
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
            let owner: Option<i64> = row.try_get("owner")?;
            known.requests.insert(RequestId::from_bytes(array(&row, "id")?), owner.map(of_column));
        }
    }
    Ok(known)
}
