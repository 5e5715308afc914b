//! When what was not taken is tried again.

use std::time::Duration;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// The schedule of Standard Webhooks: over three days and a quarter in all.
pub(in crate::http) const RETRIES: [Duration; 9] = [
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(20 * 60),
    minutes(24 * 60),
];

/// How long to wait after so many attempts, a fifth more or less so that what failed together does not come back together; none
/// where there are no more. `random` is any number.
pub(super) fn wait(retries: &[Duration], attempts: u32, random: u16) -> Option<Duration> {
    let wait = retries.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    let share = 0.8 + 0.4 * f64::from(random) / f64::from(u16::MAX);
    Some(wait.mul_f64(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let waits: Vec<_> = (1..=9).map(|attempts| wait(&RETRIES, attempts, u16::MAX / 2).unwrap()).collect();
        assert!(waits.is_sorted() && waits[0] < Duration::from_secs(6), "{waits:?}");
        assert_eq!((wait(&RETRIES, 0, 0), wait(&RETRIES, 10, 0)), (None, None));
    }

    #[test]
    fn a_wait_is_a_fifth_more_or_less() {
        assert_eq!(wait(&RETRIES, 1, 0), Some(Duration::from_secs(4)));
        assert_eq!(wait(&RETRIES, 1, u16::MAX), Some(Duration::from_secs(6)));
    }
}
