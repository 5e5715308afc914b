//! Who calls, and what they call it: headers that decide nothing.

use super::problem::Problem;
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
        call_id: Some(call_id(headers)),
        trace: single(headers, &TRACEPARENT).and_then(|trace| trace.parse().ok()),
        ..CallContext::at(client)
    }
}

/// What the log calls a call: what its header does, or something new.
pub(in crate::http) fn call_id(headers: &HeaderMap) -> CallId {
    single(headers, &X_REQUEST_ID).and_then(|id| id.parse().ok()).unwrap_or_else(CallId::random)
}

/// Tells the caller what the log calls the call: in its problem if it came to one, and in the header of that and of every answer of the API.
pub(in crate::http) fn name_call(response: &mut Response, call_id: &CallId, is_api: bool) {
    if Problem::name_call(response, call_id) || is_api {
        let value = HeaderValue::from_str(call_id.as_str()).ok();
        value.map(|value| response.headers_mut().insert(X_REQUEST_ID, value));
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        (None | Some(_), _) => None,
    }
}
