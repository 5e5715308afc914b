//! What one measurement found, and what several of them say together.

use std::time::Duration;

/// One server under load, once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Verified signatures that arrived while it was measured.
    pub(crate) signatures: u64,
    /// The server's processor time for them.
    pub(crate) cpu: Duration,
    /// The load's own: near the whole time, it is the load that was measured.
    pub(crate) load_cpu: Duration,
    /// The time that passed.
    pub(crate) wall: Duration,
    /// How long each round trip took, in microseconds, sorted.
    pub(crate) micros: Vec<u32>,
    /// The requests from the first to the last, the warm-up included.
    pub(crate) asked: u64,
    /// What went wrong with those that brought no signature, or the wrong one.
    pub(crate) errors: Vec<String>,
}

impl Sample {
    /// The server's processor time for one signature, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.signatures as f64
    }

    /// Signatures a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.signatures as f64 / self.wall.as_secs_f64()
    }

    /// The round trip that this share of all does not exceed, in milliseconds.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let last = self.micros.len().checked_sub(1)?;
        self.micros.get((last as f64 * share).round() as usize).map(|micros| f64::from(*micros) / 1e3)
    }

    /// The share of its core that the server used.
    pub(crate) fn server_busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// The share of its core that the load used.
    pub(crate) fn load_busy(&self) -> f64 {
        self.load_cpu.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// The middle value: one disturbed round does not move it.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    if values.len() % 2 == 1 { Some(values[middle]) } else { Some((values[middle] + values[middle + 1]) / 2.0) }
}

/// The median of the rounds' ratios: what slows the machine down for a while slows both down.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> Option<f64> {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 100.0]), Some(3.0));
        assert_eq!(median([4.0, 1.0, 2.0, 100.0]), Some(3.0));
        assert_eq!(ratio(&[1.0, 4.0, 3.0], &[2.0, 4.0, 2.0]), Some(1.0));
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let sample = Sample { micros: (0..=100).map(|n| n * 1000).collect(), ..Sample::default() };
        assert_eq!((sample.percentile(0.5), sample.percentile(0.99)), (Some(50.0), Some(99.0)));
        assert_eq!(Sample::default().percentile(0.5), None);
    }
}
