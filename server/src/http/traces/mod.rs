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

use std::{env, fmt};

/// Spans that have ended, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// A collector has taken them.
    pub(crate) exported: u64,
    /// The queue was full.
    pub(crate) dropped: u64,
    /// The collector refused them, or gave no answer.
    pub(crate) failed: u64,
}

/// Whether the environment names a collector, as the specification of OpenTelemetry has it, and does not turn all of it off.
fn is_asked_for() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is = |name, wanted: &str| env::var(name).is_ok_and(|value| value.eq_ignore_ascii_case(wanted));
    (is_set("OTEL_EXPORTER_OTLP_ENDPOINT") || is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        && !is("OTEL_SDK_DISABLED", "true")
        && !is("OTEL_TRACES_EXPORTER", "none")
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}
