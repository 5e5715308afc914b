//! Finds a socket that is dead without saying so, by asking for a sign of life after a silence.

use crate::time::{Millis, Timestamp};

/// How long a ping may stay without any frame in return.
pub(crate) const PONG_TIMEOUT: Millis = Millis(10_000);

/// A server cannot make a wallet ping more often than this, nor stop it from noticing a dead socket for longer.
const SHORTEST: Millis = Millis(1_000);
const LONGEST: Millis = Millis(300_000);

#[derive(Debug)]
pub(crate) struct Heartbeat {
    silence: Millis,
    heard_at: Timestamp,
    pinged_at: Option<Timestamp>,
}

impl Heartbeat {
    pub(crate) fn new(now: Timestamp, silence: Millis) -> Self {
        Self { silence: silence.clamp(SHORTEST, LONGEST), heard_at: now, pinged_at: None }
    }

    pub(crate) fn heard(&mut self, now: Timestamp) {
        self.heard_at = now;
        self.pinged_at = None;
    }

    pub(crate) fn pinged(&mut self, now: Timestamp) {
        self.pinged_at = Some(now);
    }

    pub(crate) fn must_ping(&self, now: Timestamp) -> bool {
        self.pinged_at.is_none() && self.deadline() <= now
    }

    pub(crate) fn is_dead(&self, now: Timestamp) -> bool {
        self.pinged_at.is_some() && self.deadline() <= now
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        match self.pinged_at {
            Some(at) => at + PONG_TIMEOUT,
            None => self.heard_at + self.silence,
        }
    }
}
