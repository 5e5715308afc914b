//! What becomes of it when somebody sets the system's clock: nothing, to a request; what is on disk and what is shown moves with it.

use super::SigningService;
use crate::storage::Write;
use std::time::Duration;
use tokio::time::interval;

/// How long it may go unnoticed that the clock was set.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

impl SigningService {
    /// Looks whether the system's clock was set, and has the store move what it keeps. In one turn with everything else that is written: a
    /// time that was noted before is moved, one that is noted after is not.
    pub(crate) fn look_at_the_clock(&self) {
        if self.0.clock.is_steady() {
            return;
        }
        let now = self.now();
        let state = self.state();
        let Some(by_ms) = self.0.clock.look() else { return };
        self.write(Write::ClockSet { by_ms }, None);
        self.carry_out(state, now);
        tracing::warn!(by_ms, "the system's clock was set; open requests keep the time they have left");
    }

    pub(super) async fn watch_the_clock(&self) {
        let mut looks = interval(BETWEEN_LOOKS);
        loop {
            looks.tick().await;
            self.look_at_the_clock();
        }
    }
}
