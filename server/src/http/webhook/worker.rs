//! Takes due events from the store, tells each, and writes down what came of it.

use super::{
    client::{Client, Unanswered},
    notice::{Content, Signers, notice},
    schedule,
};
use crate::{
    Record,
    http::api::{App, Live, WebhookTarget, batch_members},
    random,
    storage::{Completion, Storage as _, StoreError, Write, Written},
    store::{DurableStore, Event, NEVER},
    time::Timestamp,
};
use countersign_protocol::RequestId;
use hyper::StatusCode;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, task::JoinSet, time::sleep};

/// How many events are told at once to one target: each has its own, so that one that hangs keeps nobody else waiting.
const MOST_AT_ONCE: usize = 16;

/// How long to wait where the store cannot say what is due.
const STORE_PAUSE: Duration = Duration::from_secs(60);

/// How long to wait where a batch could not be read.
const UNREAD_PAUSE: Duration = Duration::from_secs(5);

/// How long to wait at most where other servers may leave events behind that they were about to tell.
const SHARED_PAUSE: Duration = Duration::from_secs(60);

/// What one attempt came to; the names are those of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Taken, by any 2xx.
    Delivered,
    /// Nobody is there any more (410): not tried again.
    Gone,
    /// Not taken; tried again.
    Failed,
    /// Not taken, for the last time.
    GivenUp,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// Tells ends for as long as it is polled. Whatever is under way when it is dropped is told again after the next start.
pub(in crate::http) async fn deliver(app: Arc<App>) {
    let Some(store) = app.store.clone() else { return };
    let client = match Client::new() {
        Ok(client) => client,
        Err(error) => return tracing::error!(%error, "no webhook can be delivered"),
    };
    let mut changes = app.changes();
    let mut attempts = Attempts::default();
    loop {
        let live = Arc::clone(&changes.borrow_and_update());
        let next = attempts.start_due(&app, &live, &store, &client).await;
        let at_most = store.hub().is_some().then_some(SHARED_PAUSE);
        tokio::select! {
            () = attempts.wait(&store, next.into_iter().chain(at_most).min()) => {}
            // Its sender is in the app.
            _ = changes.changed() => {}
        }
    }
}

/// Attempts that are under way. An event stays due in the store until its attempt is written down, so it is remembered here. An event whose
/// target is not allowed any more waits until it is.
#[derive(Debug, Default)]
struct Attempts {
    /// Each gives its target, and which event it was.
    tasks: JoinSet<(Arc<str>, RequestId)>,
    /// By target, also of one that is not allowed any more and may be again before they have ended.
    under_way: HashMap<Arc<str>, HashSet<RequestId>>,
}

impl Attempts {
    /// Starts as many as may be; how long until there are more to start, if there are.
    async fn start_due(
        &mut self,
        app: &Arc<App>,
        live: &Live,
        store: &DurableStore,
        client: &Client,
    ) -> Option<Duration> {
        let now = app.service.wall();
        let mut soonest = None;
        self.under_way.retain(|_, events| !events.is_empty());
        for target in &live.webhook_targets {
            let events = self.under_way.entry(Arc::clone(target.url())).or_default();
            if events.len() >= MOST_AT_ONCE {
                continue;
            }
            // What is under way is due as well, and may come first.
            let limit = events.len() + MOST_AT_ONCE;
            let Ok((due, next)) = due_events(store, target, now, limit).await else {
                return Some(STORE_PAUSE);
            };
            for event in due {
                let id = event.record.id;
                if events.len() < MOST_AT_ONCE && events.insert(id) {
                    let (app, store, client) = (Arc::clone(app), store.clone(), client.clone());
                    let (signers, url) = (Signers::of(live, target, &store), Arc::clone(target.url()));
                    let together = target.tells_batches_together();
                    self.tasks.spawn(async move {
                        attempt(&app, &store, &client, (&signers, together), event).await;
                        (url, id)
                    });
                }
            }
            if events.len() < MOST_AT_ONCE {
                soonest = soonest.into_iter().chain(next).min();
            }
        }
        soonest.map(|at: Timestamp| at.since(now))
    }

    /// Waits for whatever may allow another attempt.
    async fn wait(&mut self, store: &DurableStore, next: Option<Duration>) {
        tokio::select! {
            Some(done) = self.tasks.join_next() => {
                match done {
                    Ok((target, id)) => self.ended(&target, id),
                    // Which it was that panicked is not known; the store knows what is still due.
                    Err(_) => self.under_way.clear(),
                }
            }
            () = store.ended() => {}
            () = sleep(next.unwrap_or_default()), if next.is_some() => {}
        }
    }

    fn ended(&mut self, target: &str, id: RequestId) {
        if let Some(events) = self.under_way.get_mut(target) {
            events.remove(&id);
            if events.is_empty() {
                self.under_way.remove(target);
            }
        }
    }
}

async fn due_events(
    store: &DurableStore,
    target: &WebhookTarget,
    now: Timestamp,
    limit: usize,
) -> Result<(Vec<Event>, Option<Timestamp>), StoreError> {
    let (reader, due) = oneshot::channel();
    // Fails only where the worker is gone.
    store.due_events(target.as_str(), target.tells_batches_together(), now, limit, move |due| drop(reader.send(due)));
    due.await.unwrap_or(Err(StoreError::Failed))
}

/// One attempt, from the call to what is written down of it.
async fn attempt(
    app: &App,
    store: &DurableStore,
    client: &Client,
    (signers, together): (&Signers, bool),
    event: Event,
) {
    let Event { record, url, attempts, .. } = event;
    let id = record.id;
    let Some(content) = content(store, record, together).await else {
        // It is due all the same, and would be read again at once.
        return sleep(UNREAD_PAUSE).await;
    };
    let attempts = attempts.saturating_add(1);
    let (head, body) = notice(&content, signers, Timestamp::of_the_system());
    let answer = client.post(&url, head, body).await;
    let wait = schedule::wait(&app.webhook_retries, attempts, u16::from_ne_bytes(random::bytes()));
    let outcome = outcome(&answer, wait.is_some());
    app.service.metrics().webhook(outcome.as_str());
    report(id, attempts, outcome, &answer);
    if outcome != Outcome::Failed {
        settle_others(store, id, &content).await;
    }
    write(
        store,
        match (outcome, wait) {
            (Outcome::Delivered, _) => Write::EventDone { id },
            (Outcome::Failed, Some(wait)) => {
                Write::EventFailed { id, attempts, next_at: app.service.wall().after(wait) }
            }
            // Administrators may have it told once more.
            (Outcome::Failed | Outcome::Gone | Outcome::GivenUp, _) => {
                Write::EventFailed { id, attempts, next_at: NEVER }
            }
        },
    )
    .await;
}

/// What an event tells; nothing yet where it should tell of a batch, and the store cannot be read, or has it open again.
async fn content(store: &DurableStore, record: Record, together: bool) -> Option<Content> {
    let Some(batch) = record.batch.filter(|_| together) else { return Some(Content::Request(Box::new(record))) };
    let members = batch_members(store, &record.requester_id, batch.id).await.ok()?;
    let have_ended = !members.is_empty() && members.iter().all(|member| member.end.is_some());
    have_ended.then_some(Content::Batch(batch.id, members))
}

/// The events of the others of a batch have been told with the first one's. They are done before it is: where the process ends in between it is told
/// again, the same, and of none of them anew.
async fn settle_others(store: &DurableStore, told: RequestId, content: &Content) {
    let Content::Batch(_, members) = content else { return };
    for member in members.iter().filter(|member| member.id != told) {
        write(store, Write::EventDone { id: member.id }).await;
    }
}

fn outcome(answer: &Result<StatusCode, Unanswered>, again: bool) -> Outcome {
    match answer {
        Ok(status) if status.is_success() => Outcome::Delivered,
        Ok(status) if *status == StatusCode::GONE => Outcome::Gone,
        Ok(_) | Err(_) if again => Outcome::Failed,
        Ok(_) | Err(_) => Outcome::GivenUp,
    }
}

/// The address is the operator's own, but may have a secret in its path: it is in no log.
fn report(request: RequestId, attempts: u32, outcome: Outcome, answer: &Result<StatusCode, Unanswered>) {
    let answer = match answer {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    match outcome {
        Outcome::Delivered => tracing::debug!(%request, attempts, answer, "webhook delivered"),
        Outcome::Failed => tracing::info!(%request, attempts, answer, "webhook not taken; it will be tried again"),
        Outcome::Gone | Outcome::GivenUp => tracing::warn!(%request, attempts, answer, "webhook given up"),
    }
}

/// Returns when it is on disk, or never will be: the event is due again after the next start.
async fn write(store: &DurableStore, write: Write) {
    let (writer, written) = oneshot::channel::<Result<Written, StoreError>>();
    store.write(write, Completion::new(move |outcome| drop(writer.send(outcome))));
    // Told already, by the store.
    let _ = written.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_decides_whether_it_is_tried_again() {
        let status = |code| Ok(StatusCode::from_u16(code).unwrap());
        for (answer, again, expected) in [
            (status(200), true, Outcome::Delivered),
            (status(204), false, Outcome::Delivered),
            (status(410), true, Outcome::Gone),
            (status(302), true, Outcome::Failed),
            (status(404), true, Outcome::Failed),
            (status(500), false, Outcome::GivenUp),
            (Err(Unanswered::Late), true, Outcome::Failed),
            (Err(Unanswered::Late), false, Outcome::GivenUp),
        ] {
            assert_eq!(outcome(&answer, again), expected, "{answer:?}");
        }
    }
}
