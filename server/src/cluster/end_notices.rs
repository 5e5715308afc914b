//! Notices to the owners of requests that have been ended here.

use super::NodeId;
use crate::time::Timestamp;
use countersign_protocol::RequestId;
use std::{collections::VecDeque, time::Duration};

/// How soon it is said again: a packet may be lost, and none says that it has arrived.
const BETWEEN: Duration = Duration::from_secs(1);

/// How often. A node that has not heard for so long has lost its lease, and the request with it.
const TIMES: u8 = 6;

/// Beyond these each is said once: an owner finds out by itself when it comes to the request's end, only later.
const MOST: usize = 4_096;

#[derive(Debug)]
struct Notice {
    id: RequestId,
    to: NodeId,
    due: Timestamp,
    left: u8,
}

/// All of them, in the order in which they are due: each waits as long as the others.
#[derive(Debug, Default)]
pub(crate) struct EndNotices(VecDeque<Notice>);

impl EndNotices {
    /// The owner is being told now, and is to be told again.
    pub(crate) fn add(&mut self, id: RequestId, to: NodeId, now: Timestamp) {
        if self.0.len() < MOST {
            self.0.push_back(Notice { id, to, due: now.after(BETWEEN), left: TIMES - 1 });
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.0.front().map(|notice| notice.due)
    }

    /// Whom to tell of which at `now`.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<(NodeId, RequestId)> {
        let mut due = Vec::new();
        while let Some(notice) = self.0.pop_front_if(|notice| notice.due <= now) {
            due.push((notice.to, notice.id));
            if notice.left > 1 {
                self.0.push_back(Notice { due: now.after(BETWEEN), left: notice.left - 1, ..notice });
            }
        }
        due
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000).after(Duration::from_secs(seconds))
    }

    #[test]
    fn it_is_said_until_whoever_has_not_heard_it_owns_nothing() {
        let mut end_notices = EndNotices::default();
        let (id, node) = (RequestId::from_bytes([1; 16]), NodeId::from_bits(7));
        end_notices.add(id, node, after(0));
        let said = (0..20).filter(|seconds| !end_notices.take_due(after(*seconds)).is_empty()).collect::<Vec<_>>();
        assert_eq!(said, [1, 2, 3, 4, 5]);
        assert_eq!(end_notices.poll_timeout(), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut end_notices = EndNotices::default();
        for n in 0..2 * MOST as u128 {
            end_notices.add(RequestId::from_bytes(n.to_be_bytes()), NodeId::from_bits(7), after(0));
        }
        assert_eq!(end_notices.take_due(after(1)).len(), MOST);
    }
}
