//! What is there, for its operator: connections and open requests, a part at a time, so that nobody who looks holds up the service.

use super::SigningService;
use crate::{
    dispatch::{Listed, OpenRequest},
    record::Record,
    requester::RequesterId,
    time::Timestamp,
};
use countersign_protocol::{ConnectionId, Device, PublicKeyBytes, RequestId};
use std::{net::IpAddr, sync::Arc};

/// A wallet that is connected here.
#[derive(Debug)]
pub(crate) struct ListedConnection {
    pub(crate) id: ConnectionId,
    pub(crate) public_key: PublicKeyBytes,
    pub(crate) device: Option<Arc<Device>>,
    pub(crate) address: Option<IpAddr>,
    /// In the system's time.
    pub(crate) since: Timestamp,
    /// Requests that it has been asked and has not answered.
    pub(crate) inflight: usize,
}

/// A request that is open here.
#[derive(Debug)]
pub(crate) struct ListedRequest {
    /// In the system's time.
    pub(crate) record: Record,
    pub(crate) durable: bool,
    /// Its end is decided and being written.
    pub(crate) is_ending: bool,
    /// Those that have been asked and are still there.
    pub(crate) connections: Vec<ConnectionId>,
}

/// Which requests: those to which everything given applies.
#[derive(Debug, Default)]
pub(crate) struct RequestFilter {
    pub(crate) requester: Option<RequesterId>,
    pub(crate) key: Option<PublicKeyBytes>,
}

impl RequestFilter {
    pub(crate) fn takes(&self, record: &Record) -> bool {
        self.key.is_none_or(|key| key == record.public_key)
            && self.requester.as_ref().is_none_or(|requester| *requester == record.requester_id)
    }
}

impl SigningService {
    /// The wallets that are connected here, of one key or all, in the order of their connections' ids; and whether there are more.
    pub(crate) fn list_connections(
        &self,
        key: Option<&PublicKeyBytes>,
        after: Option<ConnectionId>,
        limit: usize,
    ) -> (Vec<ListedConnection>, bool) {
        let ahead = self.clock().ahead();
        let state = self.state();
        let (listed, has_more) = first(state.dispatcher.list_connections(key), |listed| listed.id, after, limit);
        let listed = listed.into_iter().map(|Listed { id, key, device, arrival }| ListedConnection {
            id,
            public_key: key,
            device: device.cloned(),
            address: arrival.address,
            since: arrival.at.moved(ahead),
            inflight: state.dispatcher.inflight(id),
        });
        (listed.collect(), has_more)
    }

    /// The requests that are open here, in the order of their ids; and whether there are more.
    pub(crate) fn list_requests(
        &self,
        filter: &RequestFilter,
        after: Option<RequestId>,
        limit: usize,
    ) -> (Vec<ListedRequest>, bool) {
        let state = self.state();
        let open = state.dispatcher.open_requests().filter(|open| filter.takes(&open.record));
        let (open, has_more) = first(open, |open| open.record.id, after, limit);
        let listed = open.into_iter().map(|open: &OpenRequest<_>| ListedRequest {
            record: self.shown(open.record.as_ref().clone()),
            durable: open.durable,
            is_ending: open.is_decided(),
            connections: open.asked().collect(),
        });
        (listed.collect(), has_more)
    }
}

/// The first so many after an id, in the order of their ids; and whether there are more. All are looked at, and only those sorted.
fn first<T, I: Ord + Copy>(
    all: impl Iterator<Item = T>,
    id: impl Fn(&T) -> I,
    after: Option<I>,
    limit: usize,
) -> (Vec<T>, bool) {
    let mut some: Vec<_> = all.filter(|one| after.is_none_or(|after| id(one) > after)).collect();
    let has_more = some.len() > limit;
    if has_more {
        some.select_nth_unstable_by_key(limit, |one| id(one));
        some.truncate(limit);
    }
    some.sort_unstable_by_key(|one| id(one));
    (some, has_more)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn the_parts_are_the_whole() {
        let all = [5, 3, 9, 1, 7];
        let (mut after, mut seen) = (None, Vec::<i32>::new());
        loop {
            let (part, has_more) = first(all.into_iter(), |id| *id, after, 2);
            assert!(part.len() == 2 || !has_more);
            seen.extend(&part);
            if !has_more {
                break;
            }
            after = part.last().copied();
        }
        assert_eq!(seen, [1, 3, 5, 7, 9]);
        assert_eq!(first(all.into_iter(), |id| *id, Some(9), 2), (vec![], false));
        assert_eq!(first(all.into_iter(), |id| *id, None, 5), (vec![1, 3, 5, 7, 9], false));
    }
}
