//! Finding out which requests other nodes have ended: with the write of what they took in their place.

use super::super::State;
use crate::{
    SigningService,
    service::completed::Completed,
    steps::EndedBy,
    storage::{Completion, StoreError},
    time::Timestamp,
};
use countersign_protocol::RequestId;
use std::collections::BTreeSet;

impl SigningService {
    /// Looks whether any of this node's requests has ended: whoever has done that may be gone, or what it has said of it be lost.
    pub(super) fn look_for_ends(&self, state: &mut State) {
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        cluster.end_checks.add(dispatcher.undecided_durable());
        self.check_ends(state);
    }

    /// Asks for what is to be asked for.
    pub(super) fn check_ends(&self, state: &mut State) {
        let (Some(hub), Some(cluster)) = (&self.0.hub, &mut state.cluster) else { return };
        let Some(asked) = cluster.end_checks.ask() else { return };
        let (service, ids) = (self.clone(), asked.clone());
        let then = Completion::new(move |ended| service.complete(Completed::Ended { asked, ended }));
        self.0.inline_completions.submit(|| hub.ended(ids, then));
    }

    /// Takes the answer. What has ended is withdrawn, wherever it is: its owner finds out with that how it stands.
    pub(in crate::service) fn take_ended(
        &self,
        state: &mut State,
        asked: Vec<RequestId>,
        ended: Result<Vec<RequestId>, StoreError>,
        now: Timestamp,
    ) {
        let State { cluster: Some(cluster), dispatcher, .. } = &mut *state else { return };
        match ended {
            Ok(ended) => {
                let ended: BTreeSet<_> = ended.into_iter().collect();
                let owners = cluster.end_checks.answer(&asked);
                for (request_id, owner) in owners.into_iter().filter(|(id, _)| ended.contains(id)) {
                    cluster.overrule(request_id, owner);
                }
                for id in ended {
                    dispatcher.cancel(id, EndedBy::Requester, now);
                }
            }
            Err(StoreError::Full | StoreError::Failed) => {
                cluster.end_checks.fail(asked);
                cluster.retry(now);
            }
        }
        self.check_ends(state);
    }
}
