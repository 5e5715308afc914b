//! The spans of requests that are open, and of the devices that have been asked for each.

use countersign_protocol::{ConnectionId, RequestId};
use opentelemetry_sdk::trace::Span;
use smallvec::SmallVec;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The most requests that are followed at once. Beyond it the longest followed is let go of: another node may have it by now, of which
/// nothing is told.
const MOST: usize = 16 * 1024;

/// The devices of one request that are followed.
const MOST_DEVICES: usize = 64;

/// Of how many that have ended it is known that their beginning is told no more: tasks on several processors tell the two.
const MOST_ENDED: usize = 256;

/// The span of an open request, and those of the devices that are asked.
pub(super) struct OpenSpan {
    /// Its place among all that were ever followed.
    number: u64,
    pub(super) span: Span,
    devices: SmallVec<[(ConnectionId, Span); 1]>,
}

#[derive(Default)]
pub(super) struct OpenSpans {
    spans: HashMap<RequestId, OpenSpan>,
    /// In the order in which they were begun.
    order: BTreeMap<u64, RequestId>,
    begun: u64,
    ended: VecDeque<RequestId>,
}

impl OpenSpan {
    /// One that is about to end.
    pub(super) fn of(span: Span) -> Self {
        Self { number: 0, span, devices: SmallVec::new() }
    }

    /// The span of a device's connection, if it has been asked.
    pub(super) fn device(&mut self, connection: ConnectionId) -> Option<&mut Span> {
        self.devices.iter_mut().find(|(of, _)| *of == connection).map(|(_, span)| span)
    }

    pub(super) fn ask(&mut self, connection: ConnectionId, span: Span) {
        if self.devices.len() < MOST_DEVICES {
            self.devices.push((connection, span));
        }
    }

    /// The span of a device that has answered.
    pub(super) fn answered(&mut self, connection: ConnectionId) -> Option<Span> {
        let place = self.devices.iter().position(|(of, _)| *of == connection)?;
        Some(self.devices.remove(place).1)
    }

    /// Its own span, and those of the devices that have not answered.
    pub(super) fn into_spans(self) -> (Span, impl Iterator<Item = Span>) {
        (self.span, self.devices.into_iter().map(|(_, span)| span))
    }
}

impl OpenSpans {
    /// Whether a request is to be followed from now on: it has not ended already.
    pub(super) fn may_begin(&self, id: RequestId) -> bool {
        !self.spans.contains_key(&id) && !self.ended.contains(&id)
    }

    /// Follows it; gives the one that has to be let go of for that.
    pub(super) fn begin(&mut self, id: RequestId, span: Span) -> Option<OpenSpan> {
        self.begun += 1;
        self.spans.insert(id, OpenSpan { number: self.begun, span, devices: SmallVec::new() });
        self.order.insert(self.begun, id);
        let oldest = if self.spans.len() > MOST { self.order.pop_first() } else { None };
        oldest.and_then(|(_, oldest)| self.spans.remove(&oldest))
    }

    pub(super) fn get_mut(&mut self, id: RequestId) -> Option<&mut OpenSpan> {
        self.spans.get_mut(&id)
    }

    /// Follows it no more.
    pub(super) fn end(&mut self, id: RequestId) -> Option<OpenSpan> {
        match self.spans.remove(&id) {
            Some(open) => {
                self.order.remove(&open.number);
                Some(open)
            }
            None => {
                if self.ended.len() >= MOST_ENDED {
                    self.ended.pop_front();
                }
                self.ended.push_back(id);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    fn id(n: usize) -> RequestId {
        RequestId::from_random_bytes((n as u128).to_be_bytes())
    }

    fn span() -> Span {
        SdkTracerProvider::builder().build().tracer("test").start("a span")
    }

    #[test]
    fn no_more_are_followed_than_there_is_room_for() {
        let mut spans = OpenSpans::default();
        assert!((0..MOST).all(|n| spans.begin(id(n), span()).is_none()));
        assert!(spans.end(id(0)).is_some());
        assert!(spans.begin(id(MOST), span()).is_none(), "room again");
        assert!(spans.begin(id(MOST + 1), span()).is_some());
        assert!(spans.get_mut(id(1)).is_none() && spans.get_mut(id(2)).is_some(), "the oldest went");
        assert_eq!((spans.spans.len(), spans.order.len()), (MOST, MOST));
    }

    #[test]
    fn what_has_ended_does_not_begin() {
        let mut spans = OpenSpans::default();
        for n in 0..2 * MOST_ENDED {
            assert!(spans.end(id(n)).is_none());
        }
        let last = id(2 * MOST_ENDED - 1);
        assert!(!spans.may_begin(last) && spans.may_begin(id(0)), "the oldest are forgotten");
        assert_eq!(spans.ended.len(), MOST_ENDED);
    }
}
