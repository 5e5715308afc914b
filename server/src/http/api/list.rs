//! `/v1/requests`: all of a requester's own, to be found by what is known of them, and withdrawn.

use super::{
    app::App,
    auth::Requester,
    call::json,
    cursor::{cursor, request_id},
    field_error::{FieldCode, FieldError},
    problem::Problem,
    query::Parameters,
    resource::Resource,
    send_to_sign_body::{invalid_public_key, parse_reference},
};
use crate::{
    End, SigningError, Timestamp,
    store::{DurableStore, Listed, Listing, StateFilter, StoreError},
};
use countersign_protocol::{PublicKeyBytes, RequestId};
use futures_util::future::join_all;
use serde::Serialize;
use warp::reply::Response;

const DEFAULT_LIMIT: usize = 20;
const MOST: usize = 100;

/// A page.
#[derive(Serialize)]
struct Requests<'a> {
    requests: Vec<Resource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Cancelled {
    cancelled: usize,
    has_more: bool,
}

pub(super) async fn list(app: &App, requester: Requester, query: &str) -> Result<Response, Problem> {
    let mut parameters = Parameters::of_form(query);
    let limit = parameters.take_within("limit", 1..=MOST).unwrap_or(DEFAULT_LIMIT);
    let before = parameters.take_with("cursor", |text| request_id(&requester.id, text));
    let wanted = Listing { before, limit, ..filters(parameters, &requester)? };
    let Listed { mut records, next } = page(store(app)?, wanted).await?;
    records.retain(|record| requester.scope.check_key(&record.public_key).is_ok());
    let next_cursor = next.map(|last| cursor(&requester.id, last));
    Ok(json(&Requests { requests: records.iter().map(Resource::from).collect(), next_cursor }))
}

/// Withdraws what is open of what the filters take, a hundred at most.
pub(super) async fn cancel_all(app: &App, requester: Requester, query: &str) -> Result<Response, Problem> {
    requester.scope.check_writing()?;
    let wanted = filters(Parameters::of_form(query), &requester)?;
    if wanted.state.is_some_and(|state| state != StateFilter::Open) {
        let error = FieldError::of_parameter("state", FieldCode::Conflict, "only what is open can be withdrawn");
        return Err(Problem::malformed("state: only what is open can be withdrawn").with_errors(vec![error]));
    }
    if !is_narrowed(&wanted) {
        let detail = "which ones? The query has to have public_key, reference, batch_id, idempotency_key, created_after_ms or \
                      created_before_ms";
        return Err(Problem::malformed(detail));
    }
    let mut found = open_ones(store(app)?, wanted, &requester).await?;
    let has_more = found.len() > MOST;
    found.truncate(MOST);
    let mut cancelled = 0;
    for ended in join_all(found.into_iter().map(|id| app.service.cancel(&requester.id, id))).await {
        match ended {
            Ok(record) => cancelled += usize::from(record.end == Some(End::Cancelled)),
            // Forgotten meanwhile.
            Err(SigningError::UnknownRequest) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(json(&Cancelled { cancelled, has_more }))
}

/// One more than may be withdrawn at once, if there are as many.
async fn open_ones(
    store: &DurableStore,
    mut wanted: Listing,
    requester: &Requester,
) -> Result<Vec<RequestId>, Problem> {
    (wanted.state, wanted.limit) = (Some(StateFilter::Open), MOST + 1);
    let mut found = Vec::new();
    loop {
        let Listed { records, next } = page(store, wanted.clone()).await?;
        let own = records.iter().filter(|record| requester.scope.check_key(&record.public_key).is_ok());
        found.extend(own.map(|record| record.id));
        // What is open is bounded, and so are the pages.
        match next {
            Some(_) if found.len() <= MOST => wanted.before = next,
            Some(_) | None => return Ok(found),
        }
    }
}

/// Everything of a requester is nothing that it should be one slip away from.
fn is_narrowed(wanted: &Listing) -> bool {
    let Listing { key, reference, batch, idempotency_key, created_after, created_before, .. } = wanted;
    key.is_some()
        || reference.is_some()
        || batch.is_some()
        || idempotency_key.is_some()
        || created_after.is_some()
        || created_before.is_some()
}

fn filters(mut parameters: Parameters, requester: &Requester) -> Result<Listing, Problem> {
    // As described: what a signed number of 64 bits can say, as in most languages and in both databases.
    let mut time = |name| parameters.take_within(name, 0..=i64::MAX as u64).map(Timestamp::from_millis);
    let (created_after, created_before) = (time("created_after_ms"), time("created_before_ms"));
    let wanted = Listing {
        state: parameters.take_with("state", state),
        key: parameters.take_with("public_key", public_key),
        reference: parameters.take_with("reference", parse_reference),
        batch: parameters.take_id("batch_id"),
        idempotency_key: parameters.take("idempotency_key"),
        created_after,
        created_before,
        ..Listing::of(requester.id.clone(), MOST)
    };
    parameters.end()?;
    if let Some(key) = &wanted.key {
        requester.scope.check_key(key)?;
    }
    Ok(wanted)
}

fn state(text: &str) -> Result<StateFilter, Problem> {
    let all = StateFilter::ALL;
    all.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        Problem::malformed(format!("state has to be one of {}", all.map(StateFilter::as_str).join(", ")))
    })
}

/// No spelling of a key has spaces: where one is, a plus sign of base64 was meant.
fn public_key(text: &str) -> Result<PublicKeyBytes, Problem> {
    PublicKeyBytes::from_any_text(&text.replace(' ', "+")).map_err(invalid_public_key)
}

pub(super) fn store(app: &App) -> Result<&DurableStore, Problem> {
    // A service may keep its requests elsewhere, where nobody has a list of them.
    app.store.as_ref().ok_or_else(|| SigningError::NoStore.into())
}

pub(super) async fn page(store: &DurableStore, wanted: Listing) -> Result<Listed, Problem> {
    store.list(wanted).await.map_err(|error| match error {
        StoreError::Full | StoreError::Failed => SigningError::StorageUnavailable.into(),
    })
}
