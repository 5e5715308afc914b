//! Putting requests to wallets, the first time and again.

use super::{Dispatcher, effect::Effect, open_request::OpenRequest, sign_frame::SignFrame};
use crate::{steps::Step, time::Timestamp};
use countersign_protocol::{CancelCause, ConnectionId, RequestCancel, RequestId, ServerFrame};
use smallvec::SmallVec;
use std::{collections::BTreeSet, sync::Arc};

impl<T, W> Dispatcher<T, W> {
    /// Sends requests that belong together to connections that have room for them.
    pub(super) fn deliver(&mut self, to: &[ConnectionId], ids: &[RequestId], now: Timestamp) {
        if to.is_empty() {
            return;
        }
        let attempt = |(index, id): (usize, &RequestId)| {
            let frame = self.open_requests.update(*id, |open| {
                open.record.attempt = open.record.attempt.saturating_add(1);
                SignFrame::new(&open.record, (index, ids.len()), open.replaces)
            });
            Some((*id, Arc::new(frame?)))
        };
        let frames: SmallVec<[_; 1]> = ids.iter().enumerate().filter_map(attempt).collect();
        for &to in to {
            for (id, frame) in &frames {
                self.deliver_one(to, *id, Arc::clone(frame), now);
            }
        }
        for &id in ids {
            self.note_progress(id);
        }
    }

    /// Sends a connection those of its key's requests that are news to it, oldest first, as many as it may have. What of a batch it has been sent
    /// before goes with the rest, since the former may not have come.
    pub(super) fn deliver_to(&mut self, to: ConnectionId, now: Timestamp) {
        let Some((key, device)) = self.registry.holder(to) else { return };
        let of_key = || self.open_requests.of_key(&key).iter().filter_map(|id| self.open_requests.get(*id));
        let is_news = |open: &&OpenRequest<W>| open.is_news_to(to, device);
        let mut news: Vec<_> = of_key().filter(is_news).map(|open| open.record.id).collect();
        let batch_of = |id: &RequestId| self.open_requests.get(*id)?.batch_id();
        let batches: BTreeSet<_> = news.iter().filter_map(batch_of).collect();
        if !batches.is_empty() {
            let goes_with = |open: &&OpenRequest<W>| {
                open.batch_id().is_some_and(|batch| batches.contains(&batch)) && open.awaits(to, device)
            };
            news = of_key().filter(|open| is_news(open) || goes_with(open)).map(|open| open.record.id).collect();
        }
        news.retain(|id| !self.holds_back(*id));
        let together = |one: &RequestId, other: &RequestId| {
            let batch = |id: &RequestId| self.open_requests.get(*id)?.batch_id();
            batch(one).is_some() && batch(one) == batch(other)
        };
        let groups: Vec<Vec<RequestId>> = news.chunk_by(together).map(<[RequestId]>::to_vec).collect();
        for group in groups {
            let first = group.first().and_then(|id| self.open_requests.get(*id));
            // It may show some of them already, since before another node or another life of the store.
            let shown = self.open_requests.inflight(to);
            let more = group.iter().filter(|id| !shown.contains(id)).count();
            // One requester's many leave room for the others'.
            if more == 0 || first.is_some_and(|first| self.has_room(to, &first.record.requester_id, more)) {
                self.deliver(&[to], &group, now);
            }
        }
    }

    fn deliver_one(&mut self, to: ConnectionId, id: RequestId, frame: Arc<SignFrame>, now: Timestamp) {
        let device = self.registry.holder(to).and_then(|(_, device)| device.cloned());
        let inflight = self.open_requests.inflight(to).len();
        self.open_requests.update(id, |open| open.ask(to, device, now));
        self.open_requests.engage(to, id);
        self.effects.push_back(Effect::Deliver { to, frame, inflight });
        let wallet = self.registry.wallet(to);
        self.note_step(id, now, |request, record| Step::Delivered { request, to: wallet, attempt: record.attempt });
    }

    /// Takes a request back from connections that still show it.
    pub(super) fn withdraw(&mut self, id: RequestId, cause: CancelCause, from: &[ConnectionId]) {
        if from.is_empty() {
            return;
        }
        let text = ServerFrame::RequestCancel(RequestCancel { request_id: id, cause }).to_json();
        for &to in from {
            self.open_requests.release(to, id);
            self.effects.push_back(Effect::Send { to, text: text.clone() });
        }
    }
}
