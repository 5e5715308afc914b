//! A node that stops sends its wallets to the others a few at a time, so that these are not called by all of them at once.

use super::super::State;
use crate::{SigningService, cluster::NodeId, service::mailbox::Mail, time::Timestamp};
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::sleep;

/// How long a wallet may be on its way from a node that leaves to another: it dials after up to a second.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// How many are sent away at once, and how long after that the next.
const AT_ONCE: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether wallets are about to come.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Nodes that have said that they leave, and have not left.
    leaving: BTreeSet<NodeId>,
    /// Until when wallets of one that has left may be on their way.
    until: Option<Timestamp>,
}

impl Moves {
    /// A node sends its wallets away from now on.
    pub(super) fn begin(&mut self, node: NodeId) {
        self.leaving.insert(node);
    }

    /// A node is gone, and its last wallets dial another one.
    pub(super) fn end(&mut self, node: NodeId, now: Timestamp) {
        self.leaving.remove(&node);
        self.until = Some(now.after(ON_THE_WAY));
    }

    fn are_under_way(&self, now: Timestamp) -> bool {
        !self.leaving.is_empty() || self.until.is_some_and(|until| now < until)
    }
}

impl SigningService {
    /// Waits for a wallet of this key where there is none and it may be on its way from a node that leaves: whoever asks for it in that second
    /// is not to be told that it is not connected.
    pub(in crate::service) async fn wait_for_arrival(&self, key: &PublicKeyBytes) {
        let is_settled = |state: &State| {
            let is_expected = |moves: &Moves| moves.are_under_way(self.now());
            state.dispatcher.connections_of(key) > 0 || !state.cluster.as_ref().is_some_and(|c| is_expected(&c.moves))
        };
        self.until(ON_THE_WAY, is_settled).await;
    }

    /// Closes the connections that have nothing to answer, spread over no more than `time_limit`; where there is no other node, none.
    pub(in crate::service) async fn send_wallets_away(&self, time_limit: Duration) {
        let has_others = |state: &State| state.cluster.as_ref().is_some_and(|cluster| cluster.has_others());
        let wallets = {
            let state = self.state();
            if !has_others(&state) {
                return;
            }
            state.dispatcher.introduced()
        };
        let turns = usize::try_from(time_limit.as_millis() / PAUSE.as_millis()).unwrap_or(usize::MAX).max(1);
        let mut some = wallets.chunks(AT_ONCE.max(wallets.len().div_ceil(turns))).peekable();
        while let Some(wallets) = some.next() {
            self.send_away(wallets);
            if some.peek().is_some() {
                sleep(PAUSE).await;
            }
        }
    }

    fn send_away(&self, wallets: &[ConnectionId]) {
        let now = self.now();
        let mut state = self.state();
        for wallet in wallets {
            if state.dispatcher.inflight(*wallet) == 0 {
                self.post(&mut state, *wallet, Mail::Close(Box::new(self.goodbye())), now);
            }
        }
        self.carry_out(state, now);
    }
}
