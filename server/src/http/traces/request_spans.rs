//! The spans of a request: its life, from when it was taken to its end, and within it one for each device that is asked.

use super::open_spans::{OpenSpan, OpenSpans};
use crate::{
    steps::{EndedBy, Observer, RequestSummary, Step, WalletConnection},
    time::Timestamp,
};
use countersign_protocol::{AckOutcome, ApprovedBy, RejectCode, WireName as _};
use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanContext, SpanKind, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Makes spans of what happens to requests.
pub(super) struct RequestSpans {
    tracer: SdkTracer,
    spans: Mutex<OpenSpans>,
}

/// How a request has ended.
struct End<'a> {
    outcome: &'static str,
    by: &'a EndedBy,
    approved_by: Option<&'a ApprovedBy>,
    reject_code: Option<RejectCode>,
}

impl RequestSpans {
    pub(super) fn new(tracer: SdkTracer) -> Self {
        Self { tracer, spans: Mutex::default() }
    }

    /// Begins a request's span: within that of the call, if this process took that, which may be answered long before.
    fn begin(&self, request: &RequestSummary, at: SystemTime, is_taken_over: bool) {
        if !self.spans().may_begin(request.id) {
            return;
        }
        let span = self.span_of(request, at, is_taken_over);
        // What nobody samples need not be followed; nor has it, at its end, a span to begin.
        if span.is_recording()
            && let Some(open) = self.spans().begin(request.id, span)
        {
            end(open, at, vec![]);
        }
    }

    fn span_of(&self, request: &RequestSummary, at: SystemTime, is_taken_over: bool) -> Span {
        let mut attributes = vec![
            KeyValue::new("countersign.request.id", request.id.to_string()),
            KeyValue::new("countersign.requester.id", request.requester_id.as_str().to_owned()),
            KeyValue::new("countersign.key.fingerprint", request.public_key.fingerprint().to_string()),
            KeyValue::new("countersign.request.durable", request.durable),
        ];
        attributes.extend(request.batch_id.map(|batch| KeyValue::new("countersign.batch.id", batch.to_string())));
        if is_taken_over {
            attributes.push(KeyValue::new("countersign.request.taken_over", true));
        }
        let call = request.call.as_ref().and_then(|call| call.span.clone());
        self.tracer
            .span_builder("sign request")
            .with_kind(SpanKind::Internal)
            .with_start_time(at)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &within(call))
    }

    fn deliver(&self, request: &RequestSummary, to: &WalletConnection, attempt: u32, at: SystemTime) {
        let mut spans = self.spans();
        let Some(open) = spans.get_mut(request.id) else { return };
        let attempt = vec![KeyValue::new("countersign.attempt", i64::from(attempt))];
        if let Some(span) = open.device(to.connection) {
            return span.add_event_with_timestamp("delivered", at, attempt);
        }
        let mut attributes = vec![KeyValue::new("countersign.connection.id", to.connection.to_string())];
        attributes.extend(
            to.device.as_ref().map(|device| KeyValue::new("countersign.device.id", device.id.as_str().to_owned())),
        );
        attributes.extend(to.address.map(|address| KeyValue::new("client.address", address.to_string())));
        let mut span = self
            .tracer
            .span_builder("ask device")
            .with_kind(SpanKind::Producer)
            .with_start_time(at)
            .with_attributes(attributes)
            .start_with_context(&self.tracer, &within(Some(open.span.span_context().clone())));
        span.add_event_with_timestamp("delivered", at, attempt);
        open.ask(to.connection, span);
    }

    fn note(&self, request: &RequestSummary, by: &WalletConnection, event: &'static str, at: SystemTime) {
        if let Some(span) = self.spans().get_mut(request.id).and_then(|open| open.device(by.connection)) {
            span.add_event_with_timestamp(event, at, vec![]);
        }
    }

    /// What the wallet said has been judged, its signature verified.
    fn answer(&self, request: &RequestSummary, by: &WalletConnection, outcome: AckOutcome, at: SystemTime) {
        let span = self.spans().get_mut(request.id).and_then(|open| open.answered(by.connection));
        let Some(mut span) = span else { return };
        let outcome = KeyValue::new("countersign.answer.outcome", outcome.as_str());
        span.add_event_with_timestamp("verified", at, vec![outcome.clone()]);
        span.set_attribute(outcome);
        span.end_with_timestamp(at);
    }

    fn end(&self, request: &RequestSummary, ended: &End<'_>, took: Duration, at: SystemTime) {
        // Named, so that the lock is let go of.
        let known = self.spans().end(request.id);
        let open = match known {
            Some(open) => open,
            // Another process took it, or a former life of this one; or nobody samples it.
            None => OpenSpan::of(self.span_of(request, at.checked_sub(took).unwrap_or(at), false)),
        };
        end(open, at, ended.attributes());
    }

    fn spans(&self) -> MutexGuard<'_, OpenSpans> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for RequestSpans {
    fn observe(&self, at: Timestamp, step: &Step) {
        let at = UNIX_EPOCH + Duration::from_millis(at.as_millis());
        match step {
            Step::Asked { request, message: _ } => self.begin(request, at, false),
            Step::TakenOver { request } => self.begin(request, at, true),
            Step::Delivered { request, to, attempt } => self.deliver(request, to, *attempt, at),
            Step::Received { request, by } => self.note(request, by, "received", at),
            Step::Displayed { request, by } => self.note(request, by, "displayed", at),
            Step::Answered { request, by, outcome, ends: _ } => self.answer(request, by, *outcome, at),
            Step::Ended { request, outcome, by, approved_by, reject_code, took } => {
                let ended = End { outcome, by, approved_by: approved_by.as_ref(), reject_code: *reject_code };
                self.end(request, &ended, *took, at);
            }
            Step::Refused(_) | Step::AnsweredInVain { .. } | Step::Introduced { .. } | Step::Left { .. } => {}
        }
    }

    fn wants_progress(&self) -> bool {
        true
    }
}

impl End<'_> {
    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("countersign.outcome", self.outcome),
            KeyValue::new("countersign.ended_by", self.by.as_str()),
        ];
        attributes.extend(self.approved_by.map(|by| KeyValue::new("countersign.approved_by", by.to_string())));
        attributes.extend(self.reject_code.map(|code| KeyValue::new("countersign.reject_code", code.as_str())));
        attributes
    }
}

/// Ends a request's span, and those of the devices that have not answered.
fn end(open: OpenSpan, at: SystemTime, attributes: Vec<KeyValue>) {
    let (mut span, devices) = open.into_spans();
    for mut device in devices {
        device.end_with_timestamp(at);
    }
    span.set_attributes(attributes);
    span.end_with_timestamp(at);
}

fn within(parent: Option<SpanContext>) -> Context {
    parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent))
}
