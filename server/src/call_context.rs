//! Who made a call, for those who look on.

use crate::{call_id::CallId, trace_context::TraceContext};
use std::net::IpAddr;

/// Who made a call, as far as the process that took it knows. Nothing is decided by it, and it is not kept with the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallContext {
    /// The address it came from, not that of a proxy in between.
    pub address: Option<IpAddr>,
    /// What the call is named in logs on both sides.
    pub call_id: Option<CallId>,
    /// The trace it belongs to.
    pub trace: Option<TraceContext>,
    /// This server's span of it, where it has one.
    #[cfg(feature = "otlp")]
    pub(crate) span: Option<opentelemetry::trace::SpanContext>,
}

impl CallContext {
    /// One at this address.
    pub fn at(address: IpAddr) -> Self {
        Self { address: Some(address.to_canonical()), ..Self::default() }
    }
}
