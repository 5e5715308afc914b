//! The ids of requests, which grow in the order in which they are made.

use crate::time::Timestamp;
use countersign_protocol::RequestId;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bits of an id count within its millisecond: those before its variant (RFC 9562 §6.2, method 1).
const COUNTER_BITS: u32 = 12;

/// As far as an id counts: 48 bits of milliseconds, and those.
const LAST: u64 = (1 << (48 + COUNTER_BITS)) - 1;

/// How far ahead of the clock ids may go on counting, in milliseconds: if it is more, the clock was set back.
const MOST_AHEAD_MS: u64 = 1000;

/// Makes ids that grow, also within a millisecond: whoever lists requests sees the newest first. Among several nodes, and when the clock is
/// set back, that is as true as their clocks are.
#[derive(Debug, Default)]
pub(super) struct RequestIds(AtomicU64);

impl RequestIds {
    pub(super) fn next(&self, now: Timestamp, mut random: [u8; 10]) -> RequestId {
        let first = now.as_millis().min(LAST >> COUNTER_BITS) << COUNTER_BITS;
        let after = |last: u64| {
            let is_set_back = last >> COUNTER_BITS > now.as_millis().saturating_add(MOST_AHEAD_MS);
            if is_set_back { first } else { first.max(last + 1).min(LAST) }
        };
        let (Ok(last) | Err(last)) =
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        let this = after(last);
        let [.., high, low] = this.to_be_bytes();
        let [random_high, random_low, ..] = &mut random;
        (*random_high, *random_low) = (high, low);
        RequestId::at(this >> COUNTER_BITS, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ids: &RequestIds, ms: u64, random: u8) -> RequestId {
        ids.next(Timestamp::from_millis(ms), [random; 10])
    }

    #[test]
    fn grow_within_a_millisecond_and_beyond_what_it_has_room_for() {
        let ids = RequestIds::default();
        let mut last = at(&ids, 1_800_000_000_000, 0xff);
        assert_eq!(last.to_string(), "01a3185c-5000-7000-bfff-ffffffffffff");
        for n in 0..10_000_u32 {
            let next = at(&ids, 1_800_000_000_000, if n % 2 == 0 { 0 } else { 0xff });
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        assert_eq!(last.to_string(), "01a3185c-5002-7710-bfff-ffffffffffff", "10,000 = 2 × 4096 + 0x710");
        assert_eq!(at(&ids, 1_800_000_000_002, 0).to_string(), "01a3185c-5002-7711-8000-000000000000");
        assert_eq!(at(&ids, 1_800_000_000_003, 0).to_string(), "01a3185c-5003-7000-8000-000000000000");
    }

    #[test]
    fn go_back_only_with_a_clock_that_is_set_back() {
        let ids = RequestIds::default();
        let late = at(&ids, 1_800_000_000_000, 0);
        assert!(at(&ids, 1_799_999_999_000, 0) > late, "a second is an adjustment");
        assert_eq!(at(&ids, 1_799_999_998_999, 0).to_string(), "01a3185c-4c17-7000-8000-000000000000");
    }

    #[test]
    fn have_a_last_millisecond() {
        let ids = RequestIds::default();
        assert_eq!(at(&ids, u64::MAX, 0).to_string(), "ffffffff-ffff-7000-8000-000000000000");
        assert_eq!(at(&ids, u64::MAX, 0).to_string(), "ffffffff-ffff-7001-8000-000000000000");
        ids.0.store(LAST, Ordering::Relaxed);
        assert_eq!(
            at(&ids, u64::MAX, 9).to_string(),
            "ffffffff-ffff-7fff-8909-090909090909",
            "unlike others by chance alone"
        );
    }

    #[test]
    fn are_made_once_each_by_many_threads() {
        let ids = RequestIds::default();
        let mut made: Vec<RequestId> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..2000).map(|_| at(&ids, 7, 0)).collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 8000);
    }
}
