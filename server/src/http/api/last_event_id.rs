//! What a follower of a request has seen: the name of a state is the id of its event, the same from every server and after every restart.

use crate::Record;
use std::convert::Infallible;
use warp::{Filter, http::HeaderValue};

/// In the order in which a request comes to them. It never goes back, though after a crash it may be known to have come less far.
const OPEN: [&str; 4] = ["queued", "delivered", "received", "displayed"];
const ENDED: [&str; 4] = ["signed", "rejected", "expired", "cancelled"];

/// The state that was seen last, if any was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) struct LastEventId(Option<&'static str>);

impl LastEventId {
    /// Of the event that tells this.
    pub(super) fn of(record: &Record) -> Self {
        Self(Some(record.state()))
    }

    pub(super) fn as_str(self) -> &'static str {
        self.0.unwrap_or_default()
    }

    /// Whether whoever has seen that has seen this. An end covers itself alone: what it says of a request that is open is no more than
    /// that something was restored from before.
    pub(super) fn covers(self, record: &Record) -> bool {
        let place = |state| OPEN.iter().position(|open| *open == state);
        match (record.end.is_some(), self.0.and_then(place)) {
            (true, _) => self == Self::of(record),
            (false, Some(seen)) => place(record.state()).is_some_and(|place| place <= seen),
            (false, None) => false,
        }
    }
}

/// An id that is none of these, as those of earlier versions, is as good as none: more is told than needed, never less.
impl From<&HeaderValue> for LastEventId {
    fn from(value: &HeaderValue) -> Self {
        Self(OPEN.into_iter().chain(ENDED).find(|state| value == state))
    }
}

/// The header `Last-Event-ID`.
pub(in crate::http) fn last_event_id() -> impl Filter<Extract = (LastEventId,), Error = Infallible> + Copy {
    let value = warp::header::value("last-event-id").map(|value: HeaderValue| LastEventId::from(&value));
    value.or(warp::any().map(LastEventId::default)).unify()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{End, Phase, dispatch::testing::record, record::PhaseTimes};

    fn seen(id: &str) -> LastEventId {
        LastEventId::from(&HeaderValue::from_str(id).unwrap())
    }

    fn at(phase: Phase, end: Option<End>) -> Record {
        let queued = record(1).times.queued;
        let came_to = |to| (phase >= to).then_some(queued);
        let (delivered, received, displayed) =
            (came_to(Phase::Delivered), came_to(Phase::Received), came_to(Phase::Displayed));
        let times = PhaseTimes { delivered, received, displayed, ..PhaseTimes::asked_at(queued) };
        Record { times, end, ..record(1) }
    }

    #[test]
    fn what_was_seen_is_covered_and_what_comes_later_is_not() {
        let phases = [Phase::Queued, Phase::Delivered, Phase::Received, Phase::Displayed];
        for (place, phase) in phases.into_iter().enumerate() {
            for (seen_place, id) in OPEN.into_iter().enumerate() {
                assert_eq!(seen(id).covers(&at(phase, None)), place <= seen_place, "{id} {phase:?}");
                assert!(!seen(id).covers(&at(phase, Some(End::Cancelled))), "an end is always news to {id}");
            }
            for id in ENDED.into_iter().chain(["", "1", "4", "Signed", "queued "]) {
                assert!(!seen(id).covers(&at(phase, None)), "{id} {phase:?}");
            }
        }
    }

    #[test]
    fn an_end_is_covered_by_itself_alone() {
        let ends = [End::InvalidSignature, End::DeliveryTimeout, End::Cancelled, End::Draining];
        for end in ends {
            let record = at(Phase::Received, Some(end));
            for id in OPEN.into_iter().chain(ENDED) {
                assert_eq!(seen(id).covers(&record), id == record.state(), "{id}");
            }
            assert_eq!(seen(LastEventId::of(&record).as_str()), LastEventId::of(&record));
            assert!(!LastEventId::default().covers(&record));
        }
    }
}
