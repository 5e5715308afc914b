//! When an acknowledgement waits for the frame after it, so that both go out in one write.
//!
//! On a busy connection the next request follows at once, and a write costs on average as much as a fifth of a verification. On a quiet one
//! nothing follows, and waiting would only keep the wallet in doubt. So an acknowledgement waits where the one before it was followed
//! by a frame in time, and not after one that waited in vain.

use std::time::Duration;
use tokio::time::Instant;

/// The longest an acknowledgement waits. A human notices no delay this short.
const LINGER: Duration = Duration::from_millis(40);

/// What a connection knows about its acknowledgements.
#[derive(Debug, Default)]
pub(crate) struct Linger {
    /// When the last acknowledgement was made, if no frame has followed it.
    since: Option<Instant>,
    /// It has not been written yet.
    waits: bool,
    /// The one before it was followed in time.
    pays: bool,
}

impl Linger {
    /// There is an acknowledgement to send: whether it waits.
    pub(crate) fn acknowledge(&mut self, now: Instant) -> bool {
        if !self.waits {
            self.since = Some(now);
            self.waits = self.pays;
        }
        self.waits
    }

    /// A frame goes out, and takes along what waits.
    pub(crate) fn send(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.pays = now - since < LINGER;
        }
        self.waits = false;
    }

    /// When what waits is to be written, whatever follows.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.filter(|_| self.waits).map(|since| since + LINGER)
    }

    /// Whether what waits is to be written now. It has waited in vain, and the next does not wait.
    pub(crate) fn is_over(&mut self, now: Instant) -> bool {
        let is_over = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_over {
            *self = Self::default();
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(39);

    #[test]
    fn waits_only_where_it_paid_the_last_time() {
        let (mut linger, mut now) = (Linger::default(), Instant::now());
        assert!(!linger.acknowledge(now), "nothing is known yet");
        assert_eq!(linger.deadline(), None);
        now += SOON;
        linger.send(now);
        assert!(linger.acknowledge(now), "a frame had followed");
        assert_eq!(linger.deadline(), Some(now + LINGER));
        assert!(linger.acknowledge(now + SOON), "and the second goes along");
        assert_eq!(linger.deadline(), Some(now + LINGER), "at the time of the first");
        now += SOON;
        assert!(!linger.is_over(now));
        linger.send(now);
        assert_eq!(linger.deadline(), None);
        assert!(linger.acknowledge(now));
        now += LINGER;
        assert!(linger.is_over(now) && !linger.is_over(now));
        assert!(!linger.acknowledge(now), "in vain");
        now += LINGER;
        linger.send(now);
        assert!(!linger.acknowledge(now), "the frame came too late to have been waited for");
    }
}
