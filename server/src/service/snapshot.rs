//! How the service stands, for its operator: read when somebody asks, so that it costs no request anything.

use super::SigningService;
use crate::requester::RequesterId;
use std::{collections::HashMap, time::Duration};

/// How the service stands at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Connections of this node, introduced or not.
    pub(crate) connections: usize,
    /// Those that have introduced themselves.
    pub(crate) introduced: usize,
    /// Open requests, those included that are being written to become so.
    pub(crate) pending: usize,
    /// How long ago the one of them was asked for that has been open longest; zero without any.
    pub(crate) oldest: Duration,
    /// How many of them each requester has, where it has any.
    pub(crate) of_requester: HashMap<RequesterId, usize>,
}

impl SigningService {
    /// Looks at every open request and every connection, with the state locked meanwhile.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let state = self.state();
        let (mut oldest, mut of_requester) = (now, HashMap::<_, usize>::new());
        for record in state.dispatcher.open_requests().map(|open| &open.record) {
            oldest = oldest.min(record.times.queued);
            match of_requester.get_mut(&record.requester_id) {
                Some(count) => *count += 1,
                None => drop(of_requester.insert(record.requester_id.clone(), 1)),
            }
        }
        Snapshot {
            connections: state.dispatcher.connections(),
            introduced: state.dispatcher.introduced_count(),
            pending: state.dispatcher.pending(),
            oldest: now.since(oldest),
            of_requester,
        }
    }
}
