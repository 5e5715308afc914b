//! Records for the tests of this module.

use super::SignFrame;
use crate::{
    record::{End, PhaseTimes, Record},
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, RequestId};
use std::{sync::Arc, time::Duration};

/// The key of RFC 8032 §7.1, test 1, which is admitted.
pub(crate) const KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72,
    0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
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
        requester_id: "Example Shop".parse().unwrap(),
        requester: "Example Shop".parse().unwrap(),
        purpose: None,
        reference: None,
        metadata: None,
        batch: None,
        deliver_by: START.after(Duration::from_secs(10)),
        expires_at: START.after(Duration::from_secs(60)),
        webhook: None,
        times: PhaseTimes::asked_at(START),
        attempt: 0,
        end: None,
        node: None,
        call: None,
    }
}

/// Its frame, the first of one.
pub(crate) fn sign_frame(n: u128) -> Arc<SignFrame> {
    Arc::new(SignFrame::new(&record(n), (0, 1), None))
}

pub(crate) fn ended(n: u128, end: End) -> Record {
    Record { end: Some(end), ..record(n) }
}
