//! Records for the tests of this module.

use crate::{
    record::{End, PhaseTimes, Record},
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, RequestId};
use std::{sync::Arc, time::Duration};

pub(crate) const KEY: [u8; 32] = [1; 32];
pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000);

pub(crate) fn connection(n: u8) -> ConnectionId {
    ConnectionId::from_random_bytes([n; 16])
}

pub(crate) fn request(n: u128) -> RequestId {
    RequestId::from_random_bytes(n.to_be_bytes())
}

/// A request of a minute, with ten seconds to be received.
pub(crate) fn record(n: u128) -> Record {
    Record {
        id: request(n),
        public_key: KEY.into(),
        message: Arc::new(b"hello".to_vec().try_into().unwrap()),
        requester: "Example Shop".parse().unwrap(),
        purpose: None,
        batch: None,
        deliver_by: START.after(Duration::from_secs(10)),
        expires_at: START.after(Duration::from_secs(60)),
        webhook: None,
        times: PhaseTimes::asked_at(START),
        attempt: 0,
        end: None,
    }
}

pub(crate) fn ended(n: u128, end: End) -> Record {
    Record { end: Some(end), ..record(n) }
}
