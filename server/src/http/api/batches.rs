//! `/v1/batches/{id}`: how several requests of one prompt stand, and withdrawing them.

use super::{
    any_case::parse_any_case,
    app::App,
    call::{Caller, admit, refused},
    list::{page, store},
    problem::Problem,
    query::Parameters,
    send_to_sign::several,
};
use crate::{
    Record, RequesterId,
    store::{DurableStore, Listing},
};
use countersign_protocol::{BatchId, limits::MAX_BATCH};
use futures_util::future::try_join_all;
use warp::{
    http::{Method, StatusCode},
    reply::Response,
};

const METHODS: &str = "GET, HEAD, DELETE";

pub(in crate::http) async fn batches(
    app: &App,
    path: &str,
    method: &Method,
    query: &str,
    caller: &Caller,
) -> Result<Response, Problem> {
    let cancels = match *method {
        _ if path.is_empty() => return Err(Problem::method_not_allowed("POST", "not with this method")),
        _ if path.contains('/') => return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing is here")),
        Method::GET | Method::HEAD => false,
        Method::DELETE => true,
        _ => return Err(Problem::method_not_allowed(METHODS, "not with this method")),
    };
    let requester = admit(app, caller)?;
    let malformed = |detail| refused(app, caller, Problem::malformed(detail));
    let id: BatchId = parse_any_case(path).map_err(|_| malformed("the path has no batch's id"))?;
    Parameters::of_form(query).end().map_err(|problem| refused(app, caller, problem))?;
    if cancels {
        requester.scope.check_writing()?;
    }
    let found = batch_members(store(app)?, &requester.id, id).await?;
    let Some(first) = found.first() else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_request", "there is no such batch"));
    };
    requester.scope.check_key(&first.public_key)?;
    let records = found.into_iter().map(async |record| match record.end {
        Some(_) => Ok(record),
        None if cancels => app.service.cancel(&requester.id, record.id).await,
        // What is not yet written down of how far it is.
        None => app.service.record(&requester.id, record.id).await,
    });
    Ok(several(&try_join_all(records).await?))
}

/// All that are kept of a batch, in the order of the messages.
pub(in crate::http) async fn batch_members(
    store: &DurableStore,
    requester: &RequesterId,
    id: BatchId,
) -> Result<Vec<Record>, Problem> {
    let mut wanted = Listing { batch: Some(id), ..Listing::of(requester.clone(), MAX_BATCH) };
    let mut members = Vec::new();
    loop {
        let found = page(store, wanted.clone()).await?;
        members.extend(found.records);
        wanted.before = found.next;
        if wanted.before.is_none() {
            break;
        }
    }
    members.sort_unstable_by_key(|record| record.batch.map(|batch| batch.index));
    Ok(members)
}
