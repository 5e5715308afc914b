//! What a clock that is set does to what is kept.

use super::{NOW, StoreLocation, accept, end, id, on_both, read, record, write};
use crate::{record::Record, storage::Write};

on_both!(what_is_open_keeps_the_time_it_has_left, nothing_moves_before_the_epoch,);

const HOUR_MS: i64 = 3_600_000;

fn what_is_open_keeps_the_time_it_has_left(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(1)).unwrap();
    write(&store, accept(2)).unwrap();
    write(&store, end(2)).unwrap();
    let ended = read(&store, id(2)).unwrap();
    write(&store, Write::ClockSet { by_ms: HOUR_MS }).unwrap();
    let before = record(1);
    let expected = Record {
        deliver_by: before.deliver_by.moved(HOUR_MS),
        expires_at: before.expires_at.moved(HOUR_MS),
        times: before.times.moved(HOUR_MS),
        ..before
    };
    assert_eq!(read(&store, id(1)), Ok(Some(expected)));
    assert_eq!(read(&store, id(2)), Ok(ended), "what has ended stays as it was noted");
}

fn nothing_moves_before_the_epoch(location: &StoreLocation) {
    let (store, _) = location.open();
    write(&store, accept(1)).unwrap();
    write(&store, Write::ClockSet { by_ms: i64::MIN / 2 }).unwrap();
    write(&store, Write::ClockSet { by_ms: i64::try_from(NOW.as_millis()).unwrap() }).unwrap();
    let kept = read(&store, id(1)).unwrap().unwrap();
    assert_eq!((kept.expires_at, kept.times.queued), (NOW, NOW));
}
