//! What a [`SigningService`](crate::SigningService) is told at its start.

use crate::{dispatch::Capacity, session::Rules, steps::Observers};
use countersign_protocol::{Audience, limits};
use std::{num::NonZeroU32, time::Duration};

/// The rules of a service. Every limit has a default that suits a public server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The WebSocket URLs under which wallets reach this server; an introduction's proof has to name one of them.
    pub audiences: Vec<Audience>,
    /// Accept introductions without proof: anybody can then pose as any key that is not connected. Off by default.
    pub allow_unproven: bool,
    /// The time a new connection has for its introduction. 10 s.
    pub introduction_timeout: Duration,
    /// The silence after which a wallet is pinged, and after as much again closed. 20 s.
    pub heartbeat: Duration,
    /// The longest one write to a wallet may take. 10 s.
    pub write_timeout: Duration,
    /// How long wallets are asked to wait before they connect again. 1 s.
    pub reconnect_after: Duration,
    /// The longest message, in bytes; at most the protocol's 64 KiB.
    pub max_message_bytes: usize,
    /// The most requests open on one connection. 64.
    pub max_inflight: usize,
    /// The most connections of one key. 16.
    pub max_connections_per_key: usize,
    /// The most requests open in all. 100,000.
    pub max_pending: usize,
    /// The most requests open for one key. 1,000.
    pub max_pending_per_key: usize,
    /// The most bytes that the messages of all open requests may have together. 256 MiB.
    pub max_pending_bytes: usize,
    /// Percent of the limits on open requests, their bytes, those of a key and those on a connection that one requester may take, so that
    /// others find room. 100, which is right where there is one requester.
    pub max_share_percent: u8,
    /// The most frames a connection may send per second on average, with bursts of four times as many; none for no limit. What comes faster
    /// is read later. A frame counts once more for each 4 KiB. 1,000: five for each of 200 calls, and a wallet sends three.
    pub frames_per_second: Option<NonZeroU32>,
    /// Who is told what happens, beside the log. Nobody.
    pub observers: Observers,
}

impl Config {
    /// The defaults, for a server known as `audiences`.
    pub fn new(audiences: Vec<Audience>) -> Self {
        Self {
            audiences,
            allow_unproven: false,
            introduction_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            write_timeout: Duration::from_secs(10),
            reconnect_after: Duration::from_secs(1),
            max_message_bytes: limits::MAX_MESSAGE_BYTES,
            max_inflight: 64,
            max_connections_per_key: 16,
            max_pending: 100_000,
            max_pending_per_key: 1_000,
            max_pending_bytes: 256 * 1024 * 1024,
            max_share_percent: 100,
            frames_per_second: NonZeroU32::new(1_000),
            observers: Observers::default(),
        }
    }

    pub(crate) fn capacity(&self) -> Capacity {
        Capacity {
            max_inflight: self.max_inflight,
            max_connections_per_key: self.max_connections_per_key,
            max_pending: self.max_pending,
            max_pending_per_key: self.max_pending_per_key,
            max_pending_bytes: self.max_pending_bytes,
            max_share_percent: self.max_share_percent,
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            audiences: self.audiences.clone(),
            allow_unproven: self.allow_unproven,
            introduction_timeout: self.introduction_timeout,
            heartbeat: self.heartbeat,
            reconnect_after: self.reconnect_after,
        }
    }
}
