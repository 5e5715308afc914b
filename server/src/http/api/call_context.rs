//! Who calls, and what they call it: headers that decide nothing.

use crate::{call_context::CallContext, call_id::CallId};
use std::net::IpAddr;
use warp::{
    http::{HeaderMap, HeaderName, HeaderValue},
    reply::Response,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What a call's headers say of it. One that makes no sense, or stands more than once, is as good as none.
pub(super) fn call_context(client: IpAddr, headers: &HeaderMap) -> CallContext {
    CallContext {
        call_id: Some(single(headers, &X_REQUEST_ID).and_then(|id| id.parse().ok()).unwrap_or_else(CallId::random)),
        trace: single(headers, &TRACEPARENT).and_then(|trace| trace.parse().ok()),
        ..CallContext::at(client)
    }
}

/// Tells the caller what the log calls the call.
pub(in crate::http) fn name_call(response: &mut Response, call: &CallContext) {
    let value = call.call_id.as_ref().and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    value.map(|value| response.headers_mut().insert(X_REQUEST_ID, value));
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None | Some(_), _) => None,
    }
}
