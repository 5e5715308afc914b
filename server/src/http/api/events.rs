//! `GET /v1/requests/{id}/events`: a request's states as server-sent events, each once, however often a follower connects anew.

use super::{
    app::App, auth::Requester, call::Caller, last_event_id::LastEventId, problem::Problem, resource::Resource,
};
use crate::{Record, SigningError, Subscription, call_context::CallContext};
use countersign_protocol::RequestId;
use futures_util::{Stream, stream};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use warp::{
    Reply,
    http::{HeaderName, HeaderValue, StatusCode},
    reply::Response,
    sse::{self, Event},
};

/// Proxies and routers forget connections on which nothing is said.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// After what time a follower is to connect anew: longer than a balancer takes to find the next server, shorter than a human's patience.
const RETRY: Duration = Duration::from_secs(2);

/// Also where the server stops: `EventSource` takes any answer but a stream for the last word, and would not ask the next server.
pub(in crate::http) async fn events(
    app: Arc<App>,
    requester: Requester,
    id: RequestId,
    seen: LastEventId,
    caller: &Caller,
) -> Result<Response, Problem> {
    let subscription = app.service.subscribe(&requester.id, id).await?;
    if subscription.first().is_some_and(|record| record.end.is_some() && seen.covers(record)) {
        // Which `EventSource` stops at (HTML §9.2.3), where it would ask for ever after a stream that ends.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let following = Following { app, call: Arc::clone(&caller.call), subscription, seen, has_begun: false };
    let states = sse::keep_alive().interval(KEEP_ALIVE).stream(following.states());
    let mut response = sse::reply(states).into_response();
    // nginx would otherwise hold events back until there are many.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream under way.
struct Following {
    app: Arc<App>,
    call: Arc<CallContext>,
    subscription: Subscription,
    seen: LastEventId,
    /// With its first event, which says when to come back.
    has_begun: bool,
}

impl Following {
    /// One event for each state; the last is a final one, or the problem because of which there are no more.
    fn states(self) -> impl Stream<Item = Result<Event, serde_json::Error>> {
        stream::unfold(Some(self), |following| async {
            let mut following = following?;
            match following.next().await {
                Ok(Some(record)) => {
                    let event = following.begin(event(record.state(), &Resource::from(&record)));
                    let event = event.map(|event| event.id(LastEventId::of(&record).as_str()));
                    Some((event, record.end.is_none().then_some(following)))
                }
                Ok(None) => None,
                // Without an id: what was seen last stays so.
                Err(error) => {
                    let problem = Problem::from(error);
                    let problem = event("problem", &problem.document(following.call.call_id.as_ref()));
                    Some((following.begin(problem), None))
                }
            }
        })
    }

    /// The next state that the follower has not seen. A wallet that is handed the request again makes no other state of it.
    async fn next(&mut self) -> Result<Option<Record>, SigningError> {
        loop {
            let news = tokio::select! {
                biased;
                news = self.subscription.next() => news?,
                () = self.app.draining() => return Err(SigningError::Draining),
            };
            match news {
                Some(record) if self.seen.covers(&record) => {}
                Some(record) => {
                    self.seen = LastEventId::of(&record);
                    return Ok(Some(record));
                }
                None => return Ok(None),
            }
        }
    }

    fn begin(&mut self, event: Result<Event, serde_json::Error>) -> Result<Event, serde_json::Error> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        event.map(|event| if is_first { event.retry(RETRY) } else { event })
    }
}

fn event(name: &str, data: &impl Serialize) -> Result<Event, serde_json::Error> {
    Event::default().event(name).json_data(data)
}
