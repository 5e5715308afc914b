//! A requester's own requests, found again.

use super::{
    Kept, MINUTE, NOW, Store, StoreLocation, Write, ended_at, forget, id, on_both, record, wait, without_node, write,
};
use crate::{
    Metadata,
    record::{End, PhaseTimes, Record},
    storage::{Completion, Idempotency},
    store::{
        batch::Question,
        listing::{Listed, Listing, StateFilter},
    },
};
use countersign_protocol::{Batch, BatchId, RejectCode};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc::channel},
    time::Duration,
};

on_both!(
    every_filter_takes_what_it_says_and_pages_have_it_all,
    what_comes_and_goes_between_pages_moves_nothing,
    what_is_rare_is_found_in_pages_that_are_bounded,
    pages_are_bounded_in_bytes,
);

fn page(store: &Store, wanted: Listing) -> Listed {
    let (sender, answer) = channel();
    store.ask(Question::List(Box::new(wanted), Completion::new(move |page| drop(sender.send(page)))));
    let Listed { records, next } = wait(&answer).unwrap();
    Listed { records: records.into_iter().map(without_node).collect(), next }
}

/// All pages.
fn all(store: &Store, mut wanted: Listing) -> (Vec<Record>, usize) {
    let (mut records, mut pages) = (Vec::new(), 0);
    loop {
        let Listed { records: some, next } = page(store, wanted.clone());
        assert!(some.len() <= wanted.limit);
        records.extend(some);
        pages += 1;
        match next {
            Some(_) => wanted.before = next,
            None => return (records, pages),
        }
    }
}

fn of(requester: &str) -> Listing {
    Listing::of(requester.parse().unwrap(), 3)
}

fn ends() -> [Option<End>; 6] {
    let rejected = End::Rejected { code: RejectCode::UserRejected, reason: None };
    let signed = End::Signed { signature: [9; 64].into(), approved_by: None, device: None };
    [None, Some(signed), Some(rejected), Some(End::MessageMismatch), Some(End::DeliveryTimeout), Some(End::Cancelled)]
}

/// The `n`th of many that differ in whatever is asked for.
fn various(n: u32) -> Record {
    let end = ends()[n as usize % 6].clone();
    let asked = NOW.after(Duration::from_secs(n.into()));
    let times = PhaseTimes { ended: end.is_some().then(|| asked.after(MINUTE)), ..PhaseTimes::asked_at(asked) };
    Record {
        requester_id: if n.is_multiple_of(7) { "Other" } else { "Bank" }.parse().unwrap(),
        public_key: [u8::try_from(n % 2).unwrap(); 32].into(),
        reference: n.is_multiple_of(3).then(|| format!("order-{}", n % 9).parse().unwrap()),
        metadata: n.is_multiple_of(4).then(|| Metadata::new([("n", n.to_string())]).unwrap()),
        batch: n.is_multiple_of(5).then(|| Batch {
            id: BatchId::from_bytes([u8::try_from(n % 10).unwrap(); 16]),
            index: n,
            size: 99,
        }),
        times,
        end,
        ..record(n)
    }
}

fn every_filter_takes_what_it_says_and_pages_have_it_all(location: &StoreLocation) {
    let (store, _) = location.open();
    let records: Vec<_> = (0..90).map(various).collect();
    let key = |n: u32| format!("k{}", n % 45).parse().unwrap();
    // Two requests under each key of "Bank"; ids do not come in their order.
    let mut of_key: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
    for record in &records {
        let n = u32::try_from(u128::from_be_bytes(record.id.to_bytes())).unwrap();
        let location = if record.requester_id.as_str() == "Bank" { n % 45 } else { 1000 + n };
        of_key.entry(location).or_default().push(record.clone());
    }
    for (n, records) in of_key.into_iter().rev() {
        let requester = records[0].requester_id.clone();
        let idempotency = Some(Idempotency { requester, key: key(n), fingerprint: [0; 32] }).filter(|_| n < 1000);
        write(&store, Write::Accept { records, idempotency, replaced: None }).unwrap();
    }
    let time = |n: u64| Some(NOW.after(Duration::from_secs(n)));
    let reference = Some("order-3".parse().unwrap());
    let batch = Some(BatchId::from_bytes([5; 16]));
    let wanted = [
        of("Bank"),
        of("Other"),
        of("Nobody"),
        Listing { key: Some([1; 32].into()), ..of("Bank") },
        Listing { reference: reference.clone(), ..of("Bank") },
        Listing { batch, ..of("Bank") },
        Listing { batch, reference: reference.clone(), ..of("Bank") },
        Listing { idempotency_key: Some(key(4)), ..of("Bank") },
        Listing { idempotency_key: Some(key(4)), ..of("Other") },
        Listing { created_after: time(10), created_before: time(20), ..of("Bank") },
        Listing { reference: reference.clone(), key: Some([1; 32].into()), created_after: time(30), ..of("Bank") },
    ];
    let with_states = wanted.iter().flat_map(|wanted| {
        let states = StateFilter::ALL.map(|state| Listing { state: Some(state), ..wanted.clone() });
        states.into_iter().chain([wanted.clone()])
    });
    let mut found = 0;
    for wanted in with_states {
        let takes = |record: &&Record| {
            let n = u32::try_from(u128::from_be_bytes(record.id.to_bytes())).unwrap();
            let state = record.end.as_ref().map_or("open", End::state);
            let is_in_state = wanted.state.is_none_or(|wanted| match wanted {
                StateFilter::Ended => state != "open",
                other => other.as_str() == state,
            });
            record.requester_id == wanted.requester
                && is_in_state
                && wanted.key.is_none_or(|key| key == record.public_key)
                && wanted.reference.as_ref().is_none_or(|reference| record.reference.as_ref() == Some(reference))
                && wanted.batch.is_none_or(|batch| record.batch.is_some_and(|of| of.id == batch))
                && wanted
                    .idempotency_key
                    .as_ref()
                    .is_none_or(|wanted| record.requester_id.as_str() == "Bank" && *wanted == key(n))
                && wanted.created_after.is_none_or(|time| record.times.queued >= time)
                && wanted.created_before.is_none_or(|time| record.times.queued < time)
        };
        let expected: Vec<_> = records.iter().rev().filter(takes).cloned().collect();
        found += expected.len();
        assert_eq!(all(&store, wanted.clone()).0, expected, "{wanted:?}");
    }
    assert!(found > 300, "{found}");
}

fn what_comes_and_goes_between_pages_moves_nothing(location: &StoreLocation) {
    let (store, _) = location.open();
    let bank = |n| Record { requester_id: "Bank".parse().unwrap(), ..record(n) };
    let records = (10..20).map(bank).collect();
    write(&store, Write::Accept { records, idempotency: None, replaced: None }).unwrap();
    let first = page(&store, of("Bank"));
    assert_eq!(super::ids(&first.records), [id(19), id(18), id(17)]);
    write(&store, Write::Accept { records: vec![bank(30)], idempotency: None, replaced: None }).unwrap();
    // The very one that the next page begins after, and one of that page, are forgotten.
    for n in [17, 15] {
        write(&store, Write::End { id: id(n), end: End::Cancelled, times: ended_at(NOW) }).unwrap();
    }
    assert_eq!(forget(&store, NOW.after(MINUTE)), Ok(2));
    let second = page(&store, Listing { before: first.next, ..of("Bank") });
    assert_eq!(super::ids(&second.records), [id(16), id(14), id(13)]);
}

fn what_is_rare_is_found_in_pages_that_are_bounded(location: &StoreLocation) {
    let (store, _) = location.open_with(Kept { max_share_percent: 100, ..Kept::default() }, NOW);
    let rare = |n| if n == 3 { [1; 32] } else { [2; 32] };
    let records = (0..12_001).map(|n| Record { public_key: rare(n).into(), ..record(n) });
    for some in records.collect::<Vec<_>>().chunks(1_000) {
        write(&store, Write::Accept { records: some.to_vec(), idempotency: None, replaced: None }).unwrap();
    }
    let wanted = Listing { key: Some([1; 32].into()), ..of("Example Bank") };
    let (found, pages) = all(&store, wanted.clone());
    assert_eq!((super::ids(&found), pages), (vec![id(3)], 3));
    // By whatever is asked first.
    let (found, _) = all(&store, Listing { state: Some(StateFilter::Open), ..wanted });
    assert_eq!(super::ids(&found), [id(3)]);
}

fn pages_are_bounded_in_bytes(location: &StoreLocation) {
    let (store, _) = location.open();
    let message = Arc::new(vec![1; 60_000].try_into().unwrap());
    let records = (0..40).map(|n| Record { message: Arc::clone(&message), ..record(n) }).collect();
    write(&store, Write::Accept { records, idempotency: None, replaced: None }).unwrap();
    let wanted = Listing { limit: 100, ..of("Example Bank") };
    assert_eq!(page(&store, wanted.clone()).records.len(), 17);
    let (found, pages) = all(&store, wanted);
    assert_eq!((found.len(), pages), (40, 3));
}
