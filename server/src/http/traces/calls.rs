//! The span of a backend's call, as the semantic conventions for HTTP servers have it.

use super::enabled::Traces;
use crate::{call_context::CallContext, trace_context::TraceContext};
use hyper::{Method, StatusCode};
use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceState, Tracer as _},
};
use opentelemetry_sdk::trace::Span;

/// A call that is being answered; of a client that hangs up it ends without an answer.
pub(in crate::http) struct CallSpan(Option<Span>);

impl Traces {
    /// Begins the span of a call of the API, in its caller's trace where it names one, and notes it for what follows from the call.
    pub(in crate::http) fn begin(&self, method: &Method, path: &str, call: &mut CallContext) -> CallSpan {
        let (Some(tracer), Some(route)) = (self.tracer(), route(path)) else { return CallSpan(None) };
        let mut attributes =
            vec![KeyValue::new("http.request.method", method_name(method)), KeyValue::new("http.route", route)];
        attributes.extend(call.address.map(|address| KeyValue::new("client.address", address.to_string())));
        attributes.extend(call.call_id.as_ref().map(|id| KeyValue::new("countersign.call.id", id.as_str().to_owned())));
        let span = tracer
            .span_builder(format!("{} {route}", method_name(method)))
            .with_kind(SpanKind::Server)
            .with_attributes(attributes)
            .start_with_context(tracer, &parent(call.trace));
        call.span = Some(span.span_context().clone());
        CallSpan(Some(span))
    }
}

impl CallSpan {
    /// The call is answered with this.
    pub(in crate::http) fn end(self, status: StatusCode) {
        let Some(mut span) = self.0 else { return };
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        // What a caller did wrong is no error of this side.
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

fn parent(trace: Option<TraceContext>) -> Context {
    let Some(TraceContext { trace_id, parent_id, sampled }) = trace else { return Context::new() };
    let flags = if sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let (trace_id, parent_id) = (TraceId::from_bytes(trace_id.to_bytes()), SpanId::from_bytes(parent_id.to_be_bytes()));
    Context::new().with_remote_span_context(SpanContext::new(trace_id, parent_id, flags, true, TraceState::NONE))
}

/// Which of the API's paths it is; none for what nobody traces. A whole key or a name that somebody made up has no place in a span.
fn route(path: &str) -> Option<&'static str> {
    let mut parts = path.strip_prefix("/v1/")?.split('/');
    let route = match (parts.next()?, parts.next(), parts.next()) {
        ("send_to_sign", None, None) => "/v1/send_to_sign",
        ("batches", None | Some(""), None) => "/v1/batches",
        ("batches", Some(_), None) => "/v1/batches/{id}",
        ("signers", Some(_), None) => "/v1/signers/{public_key}",
        ("requests", None | Some(""), None) => "/v1/requests",
        ("requests", Some(_), None) => "/v1/requests/{id}",
        ("requests", Some(_), Some("events")) => "/v1/requests/{id}/events",
        ("requests", Some(_), Some("receipt")) => "/v1/requests/{id}/receipt",
        _ => "/v1/",
    };
    Some(route)
}

/// That of a method that everybody knows.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_names_nobody() {
        let key = "a".repeat(43);
        for (path, expected) in [
            ("/v1/send_to_sign".to_owned(), Some("/v1/send_to_sign")),
            (format!("/v1/signers/{key}"), Some("/v1/signers/{public_key}")),
            (format!("/v1/batches/{key}"), Some("/v1/batches/{id}")),
            (format!("/v1/requests/{key}"), Some("/v1/requests/{id}")),
            (format!("/v1/requests/{key}/receipt"), Some("/v1/requests/{id}/receipt")),
            (format!("/v1/{key}"), Some("/v1/")),
            ("/ws".to_owned(), None),
            ("/metrics".to_owned(), None),
        ] {
            assert_eq!(route(&path), expected, "{path}");
        }
    }

    #[test]
    fn the_callers_trace_goes_on() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = parent(Some(header.parse().unwrap()));
        let span = context.span();
        let found = span.span_context();
        assert_eq!(format!("00-{}-{}-01", found.trace_id(), found.span_id()), header);
        assert!(found.is_sampled() && found.is_remote());
        assert!(!parent(None).span().span_context().is_valid());
    }
}
