//! `GET /v1/requests/{id}/events`: a request's states as server-sent events.

use super::{app::App, auth::Requester, problem::Problem, resource::Resource};
use crate::{SigningError, Subscription};
use countersign_protocol::RequestId;
use futures_util::{Stream, stream};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use warp::{
    Reply,
    http::{HeaderName, HeaderValue},
    reply::Response,
    sse::{self, Event},
};

/// Proxies and routers forget connections on which nothing is said.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(in crate::http) async fn events(app: Arc<App>, requester: Requester, id: RequestId) -> Result<Response, Problem> {
    if app.service.is_draining() {
        return Err(SigningError::Draining.into());
    }
    let subscription = app.service.subscribe(&requester.id, id).await?;
    let states = sse::keep_alive().interval(KEEP_ALIVE).stream(states(app, subscription));
    let mut response = sse::reply(states).into_response();
    // nginx would otherwise hold events back until there are many.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// One event for each state; the last is a final one, or the problem because of which there are no more.
fn states(app: Arc<App>, subscription: Subscription) -> impl Stream<Item = Result<Event, serde_json::Error>> {
    stream::unfold(Some((app, subscription, 1_u64)), |following| async {
        let (app, mut subscription, sequence) = following?;
        let news = tokio::select! {
            news = subscription.next() => news,
            () = app.draining() => Err(SigningError::Draining),
        };
        match news {
            Ok(Some(record)) => {
                let event = event(record.state(), &Resource::from(&record));
                let next = record.end.is_none().then_some((app, subscription, sequence + 1));
                Some((event.map(|event| event.id(sequence.to_string())), next))
            }
            Ok(None) => None,
            Err(error) => Some((event("problem", &Problem::from(error).document()), None)),
        }
    })
}

fn event(name: &str, data: &impl Serialize) -> Result<Event, serde_json::Error> {
    Event::default().event(name).json_data(data)
}
