//! When an acknowledgement waits for the frame after it, so that both go out in one write.
//!
//! On a busy connection the next request follows at once, and a write costs on average as much as a fifth of a verification. On a quiet one
//! nothing follows, and waiting would only keep the wallet in doubt. So an acknowledgement waits where the one before it was followed
//! by a frame in time, and not after one that waited in vain.

use std::time::Duration;
use tokio::time::Instant;

/// The longest an acknowledgement waits. A human notices no delay this short.
const MAX_DELAY: Duration = Duration::from_millis(40);

/// What a connection knows about its acknowledgements.
#[derive(Debug, Default)]
pub(crate) struct DelayedAck {
    /// When the last acknowledgement was made, if no frame has followed it.
    since: Option<Instant>,
    /// It has not been written yet.
    waits: bool,
    /// The one before it was followed in time.
    pays: bool,
}

impl DelayedAck {
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
            self.pays = now - since < MAX_DELAY;
        }
        self.waits = false;
    }

    /// When what waits is to be written, whatever follows.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since.filter(|_| self.waits).map(|since| since + MAX_DELAY)
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
        let (mut delayed_ack, mut now) = (DelayedAck::default(), Instant::now());
        assert!(!delayed_ack.acknowledge(now), "nothing is known yet");
        assert_eq!(delayed_ack.deadline(), None);
        now += SOON;
        delayed_ack.send(now);
        assert!(delayed_ack.acknowledge(now), "a frame had followed");
        assert_eq!(delayed_ack.deadline(), Some(now + MAX_DELAY));
        assert!(delayed_ack.acknowledge(now + SOON), "and the second goes along");
        assert_eq!(delayed_ack.deadline(), Some(now + MAX_DELAY), "at the time of the first");
        now += SOON;
        assert!(!delayed_ack.is_over(now));
        delayed_ack.send(now);
        assert_eq!(delayed_ack.deadline(), None);
        assert!(delayed_ack.acknowledge(now));
        now += MAX_DELAY;
        assert!(delayed_ack.is_over(now) && !delayed_ack.is_over(now));
        assert!(!delayed_ack.acknowledge(now), "in vain");
        now += MAX_DELAY;
        delayed_ack.send(now);
        assert!(!delayed_ack.acknowledge(now), "the frame came too late to have been waited for");
    }
}
