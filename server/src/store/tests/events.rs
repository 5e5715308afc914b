//! Ends that webhooks have to be told.

use super::{
    MINUTE, NOW, Store, StoreError, StoreLocation, Write, end, ended_at, forget, id, on_both, read, record, wait,
    without_node, write,
};
use crate::{
    record::{End, Record},
    store::{Completion, Event, EventFilter, ListedEvent, NEVER, Resend, batch::Question},
    time::Timestamp,
};
use countersign_protocol::{Batch, BatchId};
use std::{sync::mpsc::channel, time::Duration};

on_both!(
    an_end_with_a_webhook_is_an_event_once,
    events_come_the_longest_due_first_and_say_when_the_next_is,
    nothing_is_forgotten_before_it_is_told,
    what_nobody_ever_told_is_forgotten_too,
    what_was_given_up_is_listed_and_told_once_more,
    the_first_of_a_batch_stands_for_all_when_all_have_ended,
);

const URL: &str = "https://example.com/hook";

fn with_webhook(n: u32) -> Record {
    Record { webhook: Some(URL.into()), ..record(n) }
}

fn accept(records: Vec<Record>) -> Write {
    Write::Accept { records, idempotency: None, replaced: None }
}

fn due(store: &Store, now: Timestamp, limit: usize) -> Result<(Vec<Event>, Option<Timestamp>), StoreError> {
    due_as(store, false, now, limit)
}

fn due_as(
    store: &Store,
    batches_together: bool,
    now: Timestamp,
    limit: usize,
) -> Result<(Vec<Event>, Option<Timestamp>), StoreError> {
    let (sender, answer) = channel();
    store.due_events(URL, batches_together, now, limit, move |result| drop(sender.send(result)));
    let (events, next): (Vec<Event>, _) = wait(&answer)?;
    let events = events.into_iter().map(|event| Event { record: without_node(event.record), ..event });
    Ok((events.collect(), next))
}

fn after(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn end_at(n: u32, time: Timestamp) -> Write {
    Write::End { id: id(n), end: End::Cancelled, times: ended_at(time) }
}

fn an_end_with_a_webhook_is_an_event_once(location: &StoreLocation) {
    let (store, _) = location.open();
    let at_once = Record { end: Some(End::Draining), times: ended_at(after(1)), ..with_webhook(3) };
    write(&store, accept(vec![with_webhook(1), record(2), at_once.clone()])).unwrap();
    assert_eq!(due(&store, NOW, 10), Ok((vec![], Some(after(1)))), "an open one is none");
    for write_again in [end(1), end(1), end(2)] {
        write(&store, write_again).unwrap();
    }
    let ended = Record { end: Some(End::Cancelled), times: ended_at(NOW), ..with_webhook(1) };
    let event = |record, next_at| Event { record, url: URL.into(), attempts: 0, next_at };
    assert_eq!(due(&store, NOW, 10), Ok((vec![event(ended.clone(), NOW)], Some(after(1)))));
    drop(store);

    let (store, _) = location.open();
    let events = vec![event(ended, NOW), event(at_once, after(1))];
    assert_eq!(due(&store, after(1), 10), Ok((events, None)));
    write(&store, Write::EventDone { id: id(1) }).unwrap();
    write(&store, end(1)).unwrap();
    assert_eq!(due(&store, NOW, 10), Ok((vec![], Some(after(1)))));
}

fn events_come_the_longest_due_first_and_say_when_the_next_is(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept((1..=4).map(with_webhook).collect())).unwrap();
    for (n, time) in [(1, after(3)), (2, after(1)), (3, after(2)), (4, after(1))] {
        write(&store, end_at(n, time)).unwrap();
    }
    let due_ids = |now, limit| {
        let (events, next) = due(&store, now, limit).unwrap();
        (events.iter().map(|event| event.record.id).collect::<Vec<_>>(), next)
    };
    assert_eq!(due_ids(after(2), 10), (vec![id(2), id(4), id(3)], Some(after(3))));
    assert_eq!(due_ids(after(2), 2), (vec![id(2), id(4)], Some(after(2))), "the next one may be due already");
    assert_eq!(due_ids(NOW, 10), (vec![], Some(after(1))));

    write(&store, Write::EventFailed { id: id(2), attempts: 1, next_at: after(60) }).unwrap();
    assert_eq!(due_ids(after(3), 10), (vec![id(4), id(3), id(1)], Some(after(60))));
    let (events, next) = due(&store, after(60), 10).unwrap();
    let last = events.last().unwrap();
    assert_eq!((last.record.id, last.attempts, last.next_at, next), (id(2), 1, after(60), None));
}

fn nothing_is_forgotten_before_it_is_told(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(vec![with_webhook(1), record(2)])).unwrap();
    write(&store, end(1)).unwrap();
    write(&store, end(2)).unwrap();
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(1));
    assert_eq!(due(&store, NOW, 10).unwrap().0.len(), 1);
    write(&store, Write::EventDone { id: id(1) }).unwrap();
    assert!(read(&store, id(1)).unwrap().is_some());
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(1));
    assert_eq!(read(&store, id(1)), Ok(None));
}

/// Where nobody delivers webhooks, what has one is not kept for ever.
fn what_nobody_ever_told_is_forgotten_too(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(vec![with_webhook(1)])).unwrap();
    write(&store, end(1)).unwrap();
    let week = MINUTE * 60 * 24 * 7;
    assert_eq!(forget(&store, NOW.after(week)), Ok(0));
    assert_eq!(forget(&store, NOW.after(week + MINUTE)), Ok(1));
    assert_eq!((read(&store, id(1)), due(&store, NOW, 10).unwrap().0), (Ok(None), vec![]));
}

fn listed(store: &Store, filter: EventFilter) -> Vec<ListedEvent> {
    let (sender, answer) = channel();
    store.ask(Question::Events(filter, Completion::new(move |events| drop(sender.send(events)))));
    wait(&answer).unwrap()
}

fn resend(store: &Store, which: Resend) -> Vec<countersign_protocol::RequestId> {
    let (sender, answer) = channel();
    store.ask(Question::Resend(which, after(9), Completion::new(move |resent| drop(sender.send(resent)))));
    wait(&answer).unwrap()
}

fn what_was_given_up_is_listed_and_told_once_more(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(vec![with_webhook(1), with_webhook(2), with_webhook(3), record(4), with_webhook(5)])).unwrap();
    (1..=4).for_each(|n| write(&store, end(n)).map(drop).unwrap());
    write(&store, Write::EventFailed { id: id(1), attempts: 9, next_at: NEVER }).unwrap();
    write(&store, Write::EventFailed { id: id(2), attempts: 1, next_at: after(60) }).unwrap();
    assert_eq!(due(&store, after(600), 10).unwrap().0.len(), 2, "what was given up is due no more");
    assert_eq!(due(&store, NOW, 10).unwrap().1, Some(after(60)));
    // Clocks that are set are no reason to try it.
    write(&store, Write::ClockSet { by_ms: -1_000 }).unwrap();
    write(&store, Write::ClockSet { by_ms: 1_000 }).unwrap();

    let all =
        |failed, target: Option<&str>| EventFilter { target: target.map(Into::into), failed, after: None, limit: 10 };
    let told = |events: &[ListedEvent]| {
        let mut told: Vec<_> = events.iter().map(|event| (event.request, event.attempts, event.next_at)).collect();
        told.sort_by_key(|(id, ..)| *id);
        told
    };
    let failed = vec![(id(1), 9, None), (id(2), 1, Some(after(60)))];
    assert_eq!(told(&listed(&store, all(true, Some(URL)))), failed);
    assert_eq!(told(&listed(&store, all(false, None))), [failed.clone(), vec![(id(3), 0, Some(NOW))]].concat());
    assert_eq!(listed(&store, all(false, Some("https://other.example/"))), vec![]);
    let mut paged = Vec::new();
    while let [event] = &listed(
        &store,
        EventFilter { after: paged.last().map(|last: &ListedEvent| last.place), limit: 1, ..all(true, None) },
    )[..]
    {
        paged.push(event.clone());
    }
    assert_eq!(told(&paged), failed);

    // One that was told, one that was given up, one without a webhook, one that is open, one that there is not.
    write(&store, Write::EventDone { id: id(3) }).unwrap();
    let mut resent = resend(&store, Resend::Requests([1, 3, 4, 5, 6].map(id).to_vec()));
    resent.sort();
    assert_eq!(resent, [id(1), id(3)]);
    let waiting = |n| (id(n), 0, Some(after(9)));
    assert_eq!(told(&listed(&store, all(false, None))), [waiting(1), failed[1], waiting(3)]);
    assert_eq!(resend(&store, Resend::Target("https://other.example/".into())), []);
    assert_eq!(resend(&store, Resend::Target(URL.into())), [id(2)]);
    assert_eq!(resend(&store, Resend::Target(URL.into())), []);
    assert_eq!(due(&store, after(9), 10).unwrap().0.len(), 3);

    // What was given up keeps its request no longer than others are kept.
    write(&store, Write::EventFailed { id: id(1), attempts: 9, next_at: NEVER }).unwrap();
    write(&store, Write::EventDone { id: id(2) }).unwrap();
    write(&store, Write::EventDone { id: id(3) }).unwrap();
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(4));
    assert_eq!(listed(&store, all(false, None)), vec![]);
}

fn the_first_of_a_batch_stands_for_all_when_all_have_ended(location: &StoreLocation) {
    let (store, _) = location.open();
    let batch = |n: u32, of: u8, index| {
        let batch = Batch { id: BatchId::from_random_bytes([of; 16]), index, size: 2 };
        Record { batch: Some(batch), ..with_webhook(n) }
    };
    write(&store, accept(vec![batch(1, 1, 0), batch(2, 1, 1)])).unwrap();
    write(&store, accept(vec![batch(3, 2, 0), batch(4, 2, 1)])).unwrap();
    write(&store, accept(vec![with_webhook(5)])).unwrap();
    let together = |store: &Store| {
        let (events, next) = due_as(store, true, after(10), 10).unwrap();
        (events.iter().map(|event| event.record.id).collect::<Vec<_>>(), next)
    };
    for (n, expected) in [(2, vec![]), (3, vec![]), (5, vec![id(5)]), (1, vec![id(1), id(5)])] {
        write(&store, end_at(n, after(n.into()))).unwrap();
        assert_eq!(together(&store), (expected, None), "{n}");
    }
    assert_eq!(due(&store, after(10), 10).unwrap().0.len(), 4, "each by itself, for whom that is told");
    // Tried in vain, and tried again later: the others wait for it.
    write(&store, Write::EventFailed { id: id(1), attempts: 1, next_at: after(60) }).unwrap();
    assert_eq!(together(&store), (vec![id(5)], Some(after(60))));
    // Told, after the others were done with it; and a restart changes nothing.
    write(&store, Write::EventDone { id: id(2) }).unwrap();
    write(&store, Write::EventDone { id: id(1) }).unwrap();
    drop(store);
    let (store, _) = location.open();
    assert_eq!(together(&store), (vec![id(5)], None));
    write(&store, end_at(4, after(4))).unwrap();
    assert_eq!(together(&store), (vec![id(3), id(5)], None));
}
