//! A node that stops sends its wallets to the others a few at a time, so that these are not called by all of them at once.

use super::super::State;
use crate::{
    SigningService,
    cluster::{DrainingNodes, ON_THE_WAY},
    service::mailbox::Mail,
};
use countersign_protocol::{ConnectionId, PublicKeyBytes};
use std::time::Duration;
use tokio::time::sleep;

/// How many are sent away at once, and how long after that the next.
const AT_ONCE: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

impl SigningService {
    /// Waits for a wallet of this key where there is none and it may be on its way from a node that leaves: whoever asks for it in that second
    /// is not to be told that it is not connected.
    pub(in crate::service) async fn wait_for_arrival(&self, key: &PublicKeyBytes) {
        if self.0.hub.is_none() {
            return;
        }
        let is_settled = |state: &State| {
            let is_expected = |nodes: &DrainingNodes| nodes.are_under_way(self.now());
            state.dispatcher.connections_of(key) > 0
                || !state.cluster.as_ref().is_some_and(|c| is_expected(&c.draining))
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
