//! Traces as OpenTelemetry has them, from the backend's call to the wallet's answer.
//!
//! A side channel: nothing waits for it, a queue that is full loses spans, and a collector that is away or slow costs nothing else. What was
//! lost is counted.

#[cfg(not(feature = "otlp"))]
mod absent;
#[cfg(feature = "otlp")]
mod calls;
#[cfg(feature = "otlp")]
mod client;
mod counts;
mod environment;
#[cfg(feature = "otlp")]
mod export;
#[cfg(feature = "otlp")]
mod lives;
#[cfg(feature = "otlp")]
mod present;
#[cfg(feature = "otlp")]
mod request_spans;

#[cfg(not(feature = "otlp"))]
pub(in crate::http) use absent::CallSpan;
#[cfg(not(feature = "otlp"))]
pub use absent::{Traces, TracesError};
#[cfg(feature = "otlp")]
pub(in crate::http) use calls::CallSpan;
#[cfg(feature = "otlp")]
pub use present::{Traces, TracesError};
