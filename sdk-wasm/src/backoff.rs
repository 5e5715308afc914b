//! How long to wait before dialling again: exponential growth with full jitter.

use crate::time::Millis;
use core::num::NonZero;

/// A random number in `[0, 1)` that the caller drew. It spreads wallets out in time and guards no secret.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// Takes a number in `[0, 1)`; anything else counts as the nearest end.
    pub fn new(fraction: f64) -> Self {
        Self(if fraction.is_nan() { 1.0 } else { fraction.clamp(0.0, 1.0) })
    }

    fn of(self, span: Millis) -> Millis {
        // Spans stay far below 2^53 ms, where an f64 is exact.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Millis((span.0 as f64 * self.0) as u64)
    }
}

/// The bounds of the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackoffLimits {
    /// The longest wait after the first failure.
    pub initial: Millis,
    /// The longest wait after any number of failures.
    pub max: Millis,
}

impl Default for BackoffLimits {
    fn default() -> Self {
        Self { initial: Millis(1_000), max: Millis(30_000) }
    }
}

/// A wait that doubles with each failure in a row, where there are several nodes each time that as many have failed. Full jitter
/// (uniform from zero) keeps wallets that lost one server from returning to it together.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    limits: BackoffLimits,
    failures: usize,
}

impl Backoff {
    pub(crate) fn new(limits: BackoffLimits) -> Self {
        Self { limits, failures: 0 }
    }

    /// Counts one more failure and says how long to wait after it, where so many nodes can be dialled.
    pub(crate) fn next(&mut self, nodes: NonZero<usize>, jitter: Jitter) -> Millis {
        let rounds = self.failures / nodes;
        let doubled = self.limits.initial.0.saturating_mul(1 << rounds.min(31));
        self.failures = self.failures.saturating_add(1);
        jitter.of(Millis(doubled.min(self.limits.max.0)))
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZero<usize> = NonZero::<usize>::MIN;

    fn longest(backoff: &mut Backoff) -> u64 {
        backoff.next(ONE, Jitter::new(1.0)).0
    }

    #[test]
    fn doubles_up_to_its_limit_and_starts_over_after_a_reset() {
        let mut backoff = Backoff::new(BackoffLimits::default());
        let waits: Vec<_> = (0..8).map(|_| longest(&mut backoff)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(longest(&mut backoff), 1_000);
    }

    #[test]
    fn doubles_only_once_each_node_has_failed() {
        let mut backoff = Backoff::new(BackoffLimits::default());
        let three = NonZero::new(3).unwrap();
        let waits: Vec<_> = (0..7).map(|_| backoff.next(three, Jitter::new(1.0)).0).collect();
        assert_eq!(waits, [1_000, 1_000, 1_000, 2_000, 2_000, 2_000, 4_000]);
    }

    #[test]
    fn never_overflows() {
        let limits = BackoffLimits { initial: Millis(u64::MAX), max: Millis(30_000) };
        let mut backoff = Backoff { limits, failures: usize::MAX };
        assert_eq!(longest(&mut backoff), 30_000);
    }

    #[test]
    fn jitter_is_the_whole_span_and_bounded() {
        let wait = |fraction| Backoff::new(BackoffLimits::default()).next(ONE, Jitter::new(fraction)).0;
        assert_eq!((wait(0.0), wait(0.5)), (0, 500));
        assert_eq!((wait(-3.0), wait(7.0), wait(f64::NAN)), (0, 1_000, 1_000));
    }
}
