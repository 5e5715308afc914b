//! Traces as OpenTelemetry has them, from the backend's call to the wallet's answer.
//!
//! A side channel: nothing waits for it, a queue that is full loses spans, and a collector that is away or slow costs nothing else. What was
//! lost is counted.

#[cfg(feature = "otlp")]
mod calls;
#[cfg(feature = "otlp")]
mod client;
mod counts;
#[cfg(not(feature = "otlp"))]
mod disabled;
#[cfg(feature = "otlp")]
mod enabled;
mod environment;
#[cfg(feature = "otlp")]
mod export;
#[cfg(feature = "otlp")]
mod open_spans;
#[cfg(feature = "otlp")]
mod request_spans;

#[cfg(feature = "otlp")]
pub(in crate::http) use calls::CallSpan;
#[cfg(not(feature = "otlp"))]
pub(in crate::http) use disabled::CallSpan;
#[cfg(not(feature = "otlp"))]
pub use disabled::{Traces, TracesError};
#[cfg(feature = "otlp")]
pub use enabled::{Traces, TracesError};
