//! Other limits and times while the service runs.

use super::{SigningService, active_config::ActiveConfig};
use crate::{config::Config, connection::ReadLimit};
use countersign_protocol::limits::frame_bytes;
use std::{
    mem,
    sync::{Arc, PoisonError, atomic::Ordering},
};

impl SigningService {
    /// Goes by other limits and times from now on, all at once. What a wallet may do by a proof, where the server is known to be and who
    /// observes it stay as they were at the start.
    ///
    /// Nothing that is open is touched: where there is more of something than is allowed from now on, nothing is added until there is
    /// less. Times and rates of a connection, and how many requests are open on it at most, are those it has begun with; a lower number of
    /// requests holds for it as well.
    pub fn reconfigure(&self, config: Config) {
        let before = self.config();
        let config = Config {
            audiences: before.audiences.clone(),
            allow_unproven: before.allow_unproven,
            observers: before.observers.clone(),
            ..config
        };
        // Before a longer message is let in, whose answer could otherwise be refused.
        self.0.longest_frame.fetch_max(frame_bytes(config.max_message_bytes), Ordering::Relaxed);
        let (capacity, next, now) = (config.capacity(), Arc::new(ActiveConfig::from(config)), self.now());
        let mut state = self.state();
        // With the state locked, so that a connection that comes meanwhile has one number of requests wherever it is written down.
        drop(mem::replace(&mut *self.0.rules.write().unwrap_or_else(PoisonError::into_inner), next));
        state.dispatcher.set_capacity(capacity, now);
        self.carry_out(state, now);
    }

    /// Likewise, with another share of one requester and nothing else.
    #[cfg(feature = "http")]
    pub(crate) fn set_share_percent(&self, max_share_percent: u8) {
        self.reconfigure(Config { max_share_percent, ..(**self.config()).clone() });
    }

    /// What it goes by now. To be asked for once, where several things are to fit together.
    pub(crate) fn config(&self) -> Arc<ActiveConfig> {
        Arc::clone(&self.0.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long a message of a new connection may be.
    pub(crate) fn read_limit(&self) -> ReadLimit {
        ReadLimit::new(Arc::clone(&self.0.longest_frame))
    }
}
