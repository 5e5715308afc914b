//! What is read is what was written.

use super::{Kept, MINUTE, NOW, StoreLocation, accept, ended_at, forget, id, ids, on_both, read, record, write};
use crate::storage::{Completion, Storage as _};
use crate::{
    Metadata,
    record::{End, Phase, PhaseTimes, Record},
    store::{Write, Written},
    time::Timestamp,
};
use countersign_protocol::{ApprovedBy, Batch, BatchId, Device, RejectCode, limits::MAX_MESSAGE_BYTES};
use std::{sync::Arc, time::Duration};

on_both!(
    every_shape_of_a_record_and_of_an_end,
    progress_is_kept_and_nothing_follows_an_end,
    open_ones_come_back_in_order_and_ended_ones_of_the_last_hour,
    what_ended_is_forgotten_after_its_time_and_what_is_open_never,
);

fn device() -> Arc<Device> {
    Arc::new(Device { id: "d-1".parse().unwrap(), label: "🦊 laptop".parse().unwrap() })
}

fn ends() -> Vec<End> {
    let signature = [9; 64].into();
    let policy = ApprovedBy::Policy("small-sums".parse().unwrap());
    let mut ends = vec![
        End::Signed { signature, approved_by: None, device: None },
        End::Signed { signature, approved_by: Some(ApprovedBy::Human), device: Some(device()) },
        End::Signed { signature, approved_by: Some(policy), device: None },
        End::Rejected { code: RejectCode::UserRejected, reason: Some("too much, 高い".parse().unwrap()) },
        End::InvalidSignature,
        End::MessageMismatch,
        End::DeliveryTimeout,
        End::Cancelled,
        End::Draining,
    ];
    for phase in [Phase::Queued, Phase::Delivered, Phase::Received, Phase::Displayed] {
        ends.extend([End::Timeout(phase), End::Disconnected(phase)]);
    }
    for code in [RejectCode::PolicyRejected, RejectCode::Locked, RejectCode::Unsupported] {
        ends.push(End::Rejected { code, reason: None });
    }
    ends
}

fn later(millis: u64) -> Option<Timestamp> {
    Some(NOW.after(Duration::from_millis(millis)))
}

/// Everything that a record can have.
fn full_record(n: u32) -> Record {
    Record {
        message: Arc::new(vec![0xA5; MAX_MESSAGE_BYTES].try_into().unwrap()),
        purpose: Some("Order 1042, for Göteborg".parse().unwrap()),
        reference: Some("Order 1042/高い".parse().unwrap()),
        metadata: Some(Metadata::new([("shop", "Göteborg"), ("odd", "\0\"\\\n")]).unwrap()),
        batch: Some(Batch { id: BatchId::from_bytes([3; 16]), index: 1, size: 2 }),
        webhook: Some("https://example.com/hook?a=b".into()),
        attempt: u32::MAX,
        times: PhaseTimes { delivered: later(1), received: later(2), displayed: later(3), ..record(n).times },
        ..record(n)
    }
}

fn every_shape_of_a_record_and_of_an_end(location: &StoreLocation) {
    let (store, _) = location.open();
    let mut expected = Vec::new();
    for (n, end) in (0..).zip(ends()) {
        let (before, at_once) = (full_record(2 * n), record(2 * n + 1));
        let times = PhaseTimes { ended: later(u64::from(n) + 4), ..before.times };
        let after = Record { end: Some(end.clone()), times, ..before.clone() };
        let at_once = Record { end: Some(end.clone()), times: ended_at(times.ended.unwrap()), ..at_once };
        let accept =
            Write::Accept { records: vec![before.clone(), at_once.clone()], idempotency: None, replaced: None };
        assert_eq!(write(&store, accept), Ok(Written::Done));
        assert_eq!(read(&store, before.id), Ok(Some(before)));
        assert_eq!(write(&store, Write::End { id: after.id, end, times }), Ok(Written::Done));
        assert_eq!(read(&store, after.id), Ok(Some(after.clone())));
        assert_eq!(read(&store, at_once.id), Ok(Some(at_once.clone())));
        expected.extend([after, at_once]);
    }
    assert_eq!(read(&store, id(1_000_000)), Ok(None));
    drop(store);
    assert_eq!(location.open().1.ended, expected);
}

fn progress_is_kept_and_nothing_follows_an_end(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(1)).unwrap();
    let times = PhaseTimes { delivered: later(5), received: later(6), displayed: None, ..record(1).times };
    assert_eq!(write(&store, Write::Progress { id: id(1), times, attempt: 2 }), Ok(Written::Done));
    assert_eq!(read(&store, id(1)).unwrap(), Some(Record { times, attempt: 2, ..record(1) }));

    let ended = PhaseTimes { ended: later(7), ..times };
    write(&store, Write::End { id: id(1), end: End::Cancelled, times: ended }).unwrap();
    write(&store, Write::Progress { id: id(1), times: record(1).times, attempt: 9 }).unwrap();
    let kept = Record { times: ended, attempt: 2, end: Some(End::Cancelled), ..record(1) };
    let another = write(&store, Write::End { id: id(1), end: End::Draining, times: ended_at(NOW) });
    assert_eq!(another, Ok(Written::Ended(Box::new(kept.clone()))), "the first one stands, and is what is told");
    assert_eq!(read(&store, id(1)), Ok(Some(kept)));
}

fn open_ones_come_back_in_order_and_ended_ones_of_the_last_hour(location: &StoreLocation) {
    let (store, loaded) = location.open();
    assert!(loaded.open.is_empty() && loaded.ended.is_empty());
    for n in [9, 3, 7, 1, 5] {
        write(&store, accept(n)).unwrap();
    }
    let minutes = |n: u64| Timestamp::from_millis(NOW.as_millis() - n * 60_000);
    for (n, time) in [(7, minutes(10)), (9, minutes(20)), (1, minutes(61))] {
        write(&store, Write::End { id: id(n), end: End::Cancelled, times: ended_at(time) }).unwrap();
    }
    drop(store);
    let (_store, loaded) = location.open();
    assert_eq!(ids(&loaded.open), [id(3), id(5)]);
    assert_eq!(ids(&loaded.ended), [id(9), id(7)], "the oldest first");
}

fn what_ended_is_forgotten_after_its_time_and_what_is_open_never(location: &StoreLocation) {
    let (store, _) = location.open();
    // More than are forgotten in one transaction.
    let records: Vec<_> = (0..1201).map(record).collect();
    write(&store, Write::Accept { records, idempotency: None, replaced: None }).unwrap();
    for n in 0..1200 {
        store.write(super::end(n), Completion::new(|_| ()));
    }
    assert_eq!(forget(&store, NOW), Ok(0));
    assert_eq!(forget(&store, NOW.after(Duration::from_millis(1))), Ok(1200));
    assert_eq!(read(&store, id(0)), Ok(None));
    assert_eq!(read(&store, id(1200)), Ok(Some(record(1200))));

    write(&store, accept(5000)).unwrap();
    write(&store, super::end(5000)).unwrap();
    drop(store);
    let kept = Kept { retention: MINUTE, ..Kept::default() };
    let (store, loaded) = location.open_with(kept, NOW.after(MINUTE * 2));
    // A start forgets nothing, whatever the clock shows then.
    assert_eq!((ids(&loaded.open), ids(&loaded.ended)), (vec![id(1200)], vec![id(5000)]));
    store.forget(NOW.after(MINUTE));
    // One after the other.
    forget(&store, NOW).unwrap();
    assert!(read(&store, id(5000)).unwrap().is_some(), "it has not been kept for a minute");
    store.forget(NOW.after(MINUTE * 2));
    forget(&store, NOW).unwrap();
    assert_eq!(read(&store, id(5000)), Ok(None));
}
