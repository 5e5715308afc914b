//! Backends that follow a request to its end.

use super::{
    backends::{not_told, now, requester, tell},
    coverage::Seen,
    environment::Environment,
    events::Millis,
    server_storage::ServerStorage,
};
use countersign_protocol::RequestId;
use countersign_server::{Record, RequesterId, SigningError, SigningService, Subscription};
use std::{pin::Pin, task::Poll};

/// How long a backend goes without news before it begins anew. So it looks once more, as a subscription does by a timer of its own, which
/// never comes due here.
const PATIENCE: Millis = 2_000;

type News = Result<Option<Record>, SigningError>;

/// One that follows a request.
pub(super) struct Watching {
    id: RequestId,
    /// None where it did not come about.
    next: Pin<Box<dyn Future<Output = (Option<Subscription>, News)>>>,
    since: Millis,
}

impl Watching {
    pub(super) fn begin(environment: &mut Environment, service: &SigningService, id: RequestId) -> Self {
        environment.see(Seen::Watched);
        Self { id, next: first(service.clone(), id), since: environment.now }
    }

    /// Takes what there is; whether there is more to come.
    pub(super) fn follow(
        &mut self,
        environment: &mut Environment,
        service: &SigningService,
        storage: &ServerStorage,
    ) -> bool {
        if self.since + PATIENCE <= environment.now {
            (self.next, self.since) = (first(service.clone(), self.id), environment.now);
        }
        loop {
            let (watched, news) = match now(environment, storage, &mut self.next) {
                Poll::Pending => return true,
                Poll::Ready(ready) => ready,
            };
            match news {
                Ok(Some(record)) => tell(environment, &record, "watching"),
                Ok(None) | Err(SigningError::Draining) => return false,
                Err(error) => {
                    not_told(environment, &error, self.id);
                    return false;
                }
            }
            let Some(mut watched) = watched else { return false };
            self.next = Box::pin(async move {
                let news = watched.next().await;
                (Some(watched), news)
            });
            self.since = environment.now;
        }
    }
}

fn first(service: SigningService, id: RequestId) -> Pin<Box<dyn Future<Output = (Option<Subscription>, News)>>> {
    Box::pin(async move {
        match service.subscribe(&RequesterId::from(&requester()), id).await {
            Ok(mut watched) => {
                let news = watched.next().await;
                (Some(watched), news)
            }
            Err(error) => (None, Err(error)),
        }
    })
}
