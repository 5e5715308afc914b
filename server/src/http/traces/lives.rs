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

/// A request's life.
pub(super) struct Life {
    /// Its place among all that were ever followed.
    number: u64,
    pub(super) span: Span,
    devices: SmallVec<[(ConnectionId, Span); 1]>,
}

#[derive(Default)]
pub(super) struct Lives {
    lives: HashMap<RequestId, Life>,
    /// In the order in which they were begun.
    order: BTreeMap<u64, RequestId>,
    begun: u64,
    ended: VecDeque<RequestId>,
}

impl Life {
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

impl Lives {
    /// Whether a request is to be followed from now on: it has not ended already.
    pub(super) fn may_begin(&self, id: RequestId) -> bool {
        !self.lives.contains_key(&id) && !self.ended.contains(&id)
    }

    /// Follows it; gives the one that has to be let go of for that.
    pub(super) fn begin(&mut self, id: RequestId, span: Span) -> Option<Life> {
        self.begun += 1;
        self.lives.insert(id, Life { number: self.begun, span, devices: SmallVec::new() });
        self.order.insert(self.begun, id);
        let oldest = if self.lives.len() > MOST { self.order.pop_first() } else { None };
        oldest.and_then(|(_, oldest)| self.lives.remove(&oldest))
    }

    pub(super) fn get_mut(&mut self, id: RequestId) -> Option<&mut Life> {
        self.lives.get_mut(&id)
    }

    /// Follows it no more.
    pub(super) fn end(&mut self, id: RequestId) -> Option<Life> {
        match self.lives.remove(&id) {
            Some(life) => {
                self.order.remove(&life.number);
                Some(life)
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
        let mut lives = Lives::default();
        assert!((0..MOST).all(|n| lives.begin(id(n), span()).is_none()));
        assert!(lives.end(id(0)).is_some());
        assert!(lives.begin(id(MOST), span()).is_none(), "room again");
        assert!(lives.begin(id(MOST + 1), span()).is_some());
        assert!(lives.get_mut(id(1)).is_none() && lives.get_mut(id(2)).is_some(), "the oldest went");
        assert_eq!((lives.lives.len(), lives.order.len()), (MOST, MOST));
    }

    #[test]
    fn what_has_ended_does_not_begin() {
        let mut lives = Lives::default();
        for n in 0..2 * MOST_ENDED {
            assert!(lives.end(id(n)).is_none());
        }
        let last = id(2 * MOST_ENDED - 1);
        assert!(!lives.may_begin(last) && lives.may_begin(id(0)), "the oldest are forgotten");
        assert_eq!(lives.ended.len(), MOST_ENDED);
    }
}
